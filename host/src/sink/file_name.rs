//! Names of exported files: text with `{column}`, which makes a file for each distinct value, `{start:%Y%m%d}`, the first
//! time in the file, and `{start-column:%Y%m%d}`, that time less the seconds in a column of the same row: when what the
//! column counts from began, whichever rows are in the file.

use crate::core::time::Timestamp;
use crate::core::time_format::TimeFormat;
use serde::{Deserialize, Deserializer};
use std::path::{Component, Path, PathBuf};

/// What the first time in the file is called.
const START: &str = "start";

/// A name with gaps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileName {
    parts: Vec<Part>,
    /// The column of seconds that the start is told by.
    elapsed: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Column(String),
    Start(TimeFormat),
}

/// What a gap for the start says: how it is written, and the column of seconds that it is told by.
fn start_gap(gap: &str) -> Option<(&str, Option<&str>)> {
    let (what, pattern) = gap.strip_prefix(START)?.split_once(':')?;
    match what.strip_prefix('-') {
        Some(column) => Some((pattern, Some(column))),
        None if what.is_empty() => Some((pattern, None)),
        None => None,
    }
}

impl FileName {
    /// The name `text`, without gaps.
    pub(super) fn plain(text: String) -> Self {
        Self { parts: vec![Part::Text(text)], elapsed: None }
    }

    fn parse(text: &str) -> Result<Self, String> {
        let (mut parts, mut starts) = (Vec::new(), Vec::new());
        let mut rest = text;
        while let Some((before, gap)) = rest.split_once('{') {
            let (gap, after) = gap.split_once('}').ok_or("a { is not closed")?;
            parts.push(Part::Text(before.to_owned()));
            parts.push(match start_gap(gap) {
                Some((pattern, elapsed)) => {
                    starts.push(elapsed);
                    Part::Start(TimeFormat::parse(pattern)?)
                }
                None => Part::Column(gap.to_owned()),
            });
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        if starts.windows(2).any(|pair| matches!(pair, [a, b] if a != b)) {
            return Err("its gaps for the start name different columns".to_owned());
        }
        let elapsed = starts.into_iter().flatten().next().map(str::to_owned);
        let name = Self { parts, elapsed };
        let sample = vec!["x".to_owned(); name.columns().count()];
        name.path(&sample, Some(Timestamp(0)))?;
        Ok(name)
    }

    /// The columns whose distinct values make files, in the order of the name.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Column(name) => Some(name.as_str()),
            _ => None,
        })
    }

    /// The column of seconds that the start is told by; none where the start is the first time.
    pub(super) fn elapsed(&self) -> Option<&str> {
        self.elapsed.as_deref()
    }

    /// Whether it holds the first time in the file.
    pub(super) fn has_start(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Start(_)))
    }

    /// The path of the file for these values of the columns, below the output folder.
    pub(super) fn path(&self, values: &[String], start: Option<Timestamp>) -> Result<PathBuf, String> {
        let (mut text, mut values) = (String::new(), values.iter());
        for part in &self.parts {
            match (part, start) {
                (Part::Text(part), _) => text.push_str(part),
                (Part::Column(_), _) => text.push_str(&harmless(values.next().map_or("", String::as_str))),
                (Part::Start(format), Some(start)) => format.writer().write(start, &mut text),
                (Part::Start(_), None) => return Err("no row has a time that the name could hold".to_owned()),
            }
        }
        let path = PathBuf::from(text);
        let below = |path: &Path| path.components().all(|part| matches!(part, Component::Normal(_)));
        if path.as_os_str().is_empty() || !below(&path) {
            return Err(format!("{} is no name of a file below the output folder", path.display()));
        }
        Ok(path)
    }
}

/// A value as a part of a file's name: what could be anything but a part of a name is an underscore.
fn harmless(value: &str) -> String {
    let kept = |c: char| if c.is_alphanumeric() || "-_.@+".contains(c) { c } else { '_' };
    let text: String = value.chars().map(kept).collect();
    match text.strip_prefix('.') {
        Some(rest) => format!("_{rest}"),
        None if text.is_empty() => "_".to_owned(),
        None => text,
    }
}

impl<'de> Deserialize<'de> for FileName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_start_may_be_told_by_a_column() {
        let elapsed = |text: &str| FileName::parse(text).unwrap().elapsed().map(str::to_owned);
        assert_eq!(elapsed("{user}_{start-timestamp:%Y%m%d}.csv"), Some("timestamp".to_owned()));
        assert_eq!(elapsed("{start-a:%Y}/{start-a:%m}.csv"), Some("a".to_owned()));
        assert_eq!(elapsed("{start:%Y}.csv"), None);
        assert!(FileName::parse("{start-a:%Y}/{start-b:%m}.csv").is_err());
        assert!(FileName::parse("{start-a:%Y}/{start:%m}.csv").is_err());
        let column = FileName::parse("{started:at}.csv").unwrap();
        assert_eq!(column.columns().collect::<Vec<_>>(), ["started:at"]);
    }

    #[test]
    fn gaps_are_filled_and_stay_below_the_folder() {
        let name = FileName::parse("users/{user}_{source}_{start:%Y%m%d_%H%M%S}.csv").unwrap();
        assert_eq!(name.columns().collect::<Vec<_>>(), ["user", "source"]);
        let start = Some("2026-11-09T04:05:06Z".parse().unwrap());
        let path = |user: &str| name.path(&[user.to_owned(), "a b".to_owned()], start).unwrap();
        assert_eq!(path("u1"), Path::new("users/u1_a_b_20261109_040506.csv"));
        assert_eq!(path("../../x"), Path::new("users/_._.._x_a_b_20261109_040506.csv"));
        assert_eq!(path(""), Path::new("users/__a_b_20261109_040506.csv"));
        assert!(name.path(&[], None).is_err());
        for bad in ["/x.csv", "../x.csv", "a/../b", "", "{a", "{start:%Q}"] {
            assert!(FileName::parse(bad).is_err(), "{bad}");
        }
    }
}
