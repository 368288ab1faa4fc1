//! A fitted configuration as a run spec in TOML, laid out for people: a block for each column, long lists in lines.

use super::config::Config;
use crate::core::time::{Length, Timestamp};
use serde::Serialize;
use serde_json::{Map, Value};
use std::fmt::Write as _;

/// Longest line.
const WIDTH: usize = 120;
/// Keys that come first, in this order; what is told last is how values are bent.
const FIRST: [&str; 9] = ["name", "summary", "of", "type", "rows", "value", "values", "start", "per_hour"];
/// Simulated time of a segment: a day, or all where it is shorter.
const SEGMENT_US: u64 = 86_400_000_000;

/// What stands around a configuration in a spec.
pub(super) struct Frame<'a> {
    /// What the file is, for its first line.
    pub(super) title: String,
    pub(super) dataset: &'a str,
    pub(super) seed: u64,
    pub(super) start: i64,
    pub(super) duration_us: u64,
}

/// The whole spec. `remarks` are lines above the columns, in their order.
pub(super) fn toml(frame: &Frame<'_>, config: &Config, remarks: &[Vec<String>]) -> Result<String, serde_json::Error> {
    let mut out = String::new();
    let duration = Length::from_us(frame.duration_us);
    let step_us = u64::from(config.step_seconds) * 1_000_000;
    let segment = Length::from_us((SEGMENT_US / step_us * step_us).max(step_us).min(frame.duration_us));
    line(&mut out, &format!("# {}", frame.title));
    pair(&mut out, "dataset", &Value::from(frame.dataset));
    pair(&mut out, "seed", &Value::from(frame.seed));
    pair(&mut out, "start", &Value::from(Timestamp(frame.start).to_string()));
    pair(&mut out, "duration", &Value::from(duration.to_string()));
    pair(&mut out, "segment", &Value::from(segment.to_string()));
    line(&mut out, "\n[generator]\nplugin = \"declarative\"\n\n[generator.config]");
    pair(&mut out, "step_seconds", &Value::from(config.step_seconds));
    for kind in &config.entities {
        line(&mut out, "\n[[generator.config.entities]]");
        let mut own = object(kind)?;
        own.remove("attributes");
        ordered(&own).for_each(|(key, value)| pair(&mut out, key, value));
        for attribute in &kind.attributes {
            line(&mut out, "\n[[generator.config.entities.attributes]]");
            block(&mut out, attribute)?;
        }
    }
    for table in &config.tables {
        line(&mut out, "\n[[generator.config.tables]]");
        let mut own = object(table)?;
        own.remove("columns");
        ordered(&own).for_each(|(key, value)| pair(&mut out, key, value));
        for (column, remarks) in table.columns.iter().zip(remarks.iter().map(Some).chain(std::iter::repeat(None))) {
            line(&mut out, "");
            remarks.into_iter().flatten().for_each(|remark| line(&mut out, &format!("# {remark}")));
            line(&mut out, "[[generator.config.tables.columns]]");
            block(&mut out, column)?;
        }
    }
    Ok(out)
}

fn object<T: Serialize>(value: &T) -> Result<Map<String, Value>, serde_json::Error> {
    match serde_json::to_value(value)? {
        Value::Object(map) => Ok(map),
        _ => Ok(Map::new()),
    }
}

/// The keys of an object, the telling ones first.
fn ordered(map: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    let place = |key: &str| FIRST.iter().position(|first| *first == key).unwrap_or(FIRST.len());
    let mut pairs: Vec<_> = map.iter().collect();
    pairs.sort_by_key(|(key, _)| place(key));
    pairs.into_iter()
}

fn block<T: Serialize>(out: &mut String, value: &T) -> Result<(), serde_json::Error> {
    ordered(&object(value)?).for_each(|(key, value)| pair(out, key, value));
    Ok(())
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}

fn pair(out: &mut String, key: &str, value: &Value) {
    let mut text = String::new();
    inline(&mut text, value, key.len() + 3);
    _ = writeln!(out, "{key} = {text}");
}

/// A value as TOML within a line, of which `taken` signs are there already; lists that are too long take lines of their own.
fn inline(out: &mut String, value: &Value, taken: usize) {
    match value {
        Value::Array(list) => {
            let items: Vec<String> = list
                .iter()
                .map(|item| {
                    let mut text = String::new();
                    inline(&mut text, item, 4);
                    text
                })
                .collect();
            let length: usize = items.iter().map(|item| item.len() + 2).sum();
            if taken + out.len() + length <= WIDTH {
                _ = write!(out, "[{}]", items.join(", "));
                return;
            }
            out.push('[');
            let mut room = 0;
            for item in items {
                if room < item.len() + 2 {
                    out.push_str("\n    ");
                    room = WIDTH - 4;
                } else {
                    out.push(' ');
                }
                room = room.saturating_sub(item.len() + 2);
                out.push_str(&item);
                out.push(',');
            }
            out.push_str("\n]");
        }
        Value::Object(map) => {
            out.push_str("{ ");
            for (at, (key, value)) in ordered(map).enumerate() {
                if at > 0 {
                    out.push_str(", ");
                }
                _ = write!(out, "{key} = ");
                inline(out, value, taken);
            }
            out.push_str(" }");
        }
        // Text in JSON is text in TOML, but for one sign.
        Value::String(_) => out.push_str(&value.to_string().replace('\u{7f}', "\\u007f")),
        // JSON has null, TOML has not; nothing here is null.
        Value::Null => out.push_str("\"\""),
        // Whole numbers are the same in both, and shorter.
        Value::Number(number) => match number.as_f64().filter(|number| number.fract() == 0.0 && number.abs() < 1e15) {
            Some(whole) if number.is_f64() => _ = write!(out, "{}", whole as i64),
            _ => _ = write!(out, "{number}"),
        },
        Value::Bool(yes) => _ = write!(out, "{yes}"),
    }
}
