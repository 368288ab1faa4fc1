//! Text values of steps: templates that may name the due time, so that outputs are named by it.

use super::cron::Cron;
use crate::core::time::{Length, Timestamp};
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior};
use serde_json::{Map, Value};

/// What templates may name.
#[derive(Debug, Clone, PartialEq)]
pub struct Names {
    /// The due time, RFC 3339.
    pub due: Timestamp,
    /// The pipeline.
    pub pipeline: String,
    /// The folder of the pipeline's file.
    pub here: String,
    /// The number of the run.
    pub run: i64,
    /// Which attempt at the due time it is.
    pub attempt: u32,
    /// The simulated time, where the pipeline has a clock of its own.
    pub clock: Option<Timestamp>,
}

impl Names {
    fn value(&self) -> minijinja::Value {
        let mut pairs: Vec<(&str, minijinja::Value)> = vec![
            ("due", self.due.to_string().into()),
            ("pipeline", self.pipeline.clone().into()),
            ("here", self.here.clone().into()),
            ("run", self.run.into()),
            ("attempt", self.attempt.into()),
        ];
        pairs.extend(self.clock.map(|clock| ("clock", clock.to_string().into())));
        minijinja::Value::from_pairs(pairs)
    }
}

/// Fills in the templates of one run.
pub(super) struct Templates<'a> {
    environment: Environment<'static>,
    names: &'a Names,
}

impl<'a> Templates<'a> {
    /// Templates over `names`; times are written in the zone of `cron`, or in UTC.
    pub(super) fn new(names: &'a Names, cron: Option<&Cron>) -> Self {
        let zone = cron.map_or(jiff::tz::TimeZone::UTC, |cron| cron.zone().clone());
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.add_filter("strftime", move |time: String, format: String| {
            let instant = jiff::Timestamp::from_microsecond(time_of(&time)?.0).map_err(|e| bad(e.to_string()))?;
            jiff::fmt::strtime::format(&format, &instant.to_zoned(zone.clone())).map_err(|error| bad(error.to_string()))
        });
        environment.add_filter("shift", |time: String, length: String| {
            let (sign, text) = match length.strip_prefix('-') {
                Some(text) => (-1, text),
                None => (1, length.as_str()),
            };
            let us = text.parse::<Length>().map_err(bad)?.micros();
            Ok::<_, Error>(time_of(&time)?.plus_us(sign * us).to_string())
        });
        environment.add_function("env", |name: String| {
            std::env::var(&name).map_err(|_| bad(format!("the environment has no variable {name}")))
        });
        Self { environment, names }
    }

    /// Fills in every text of a value.
    ///
    /// # Errors
    /// The place of the text, and what is wrong with it.
    pub(super) fn fill(&self, value: &Value, place: &str) -> Result<Value, String> {
        let within = |part: &str| if place.is_empty() { part.to_owned() } else { format!("{place}.{part}") };
        Ok(match value {
            Value::String(text) if text.contains("{{") || text.contains("{%") => {
                let filled = self.environment.render_str(text, self.names.value());
                Value::String(filled.map_err(|error| format!("{place}: {}", said(&error)))?)
            }
            Value::Array(list) => {
                let filled = list.iter().enumerate().map(|(at, value)| self.fill(value, &format!("{place}[{at}]")));
                Value::Array(filled.collect::<Result<_, _>>()?)
            }
            Value::Object(map) => {
                let filled = map.iter().map(|(key, value)| Ok((key.clone(), self.fill(value, &within(key))?)));
                Value::Object(filled.collect::<Result<Map<_, _>, String>>()?)
            }
            other => other.clone(),
        })
    }
}

fn time_of(text: &str) -> Result<Timestamp, Error> {
    text.parse().map_err(bad)
}

fn bad(message: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

/// The error without the line of a template that has one.
fn said(error: &Error) -> String {
    match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    fn names() -> Names {
        Names {
            due: "2026-11-22T02:00:00Z".parse().unwrap(),
            pipeline: "weekly".to_owned(),
            here: "plugins/x".to_owned(),
            run: 7,
            attempt: 1,
            clock: None,
        }
    }

    #[test]
    fn outputs_are_named_by_the_due_time_in_the_zone() {
        let names = names();
        let berlin = Cron::new("0 3 * * 0", "Europe/Berlin").unwrap();
        let filled = Templates::new(&names, Some(&berlin))
            .fill(
                &json!({
                    "dir": "out/{{ due | strftime('%Y%m%dT%H%M') }}",
                    "list": ["{{ due }}", "{{ due | shift('-30d') }}", 3, "{{ here }}/train.py"],
                    "n": 1,
                }),
                "",
            )
            .unwrap();
        assert_eq!(
            filled,
            json!({
                "dir": "out/20261122T0300",
                "list": ["2026-11-22T02:00:00Z", "2026-10-23T02:00:00Z", 3, "plugins/x/train.py"],
                "n": 1,
            })
        );
    }

    #[test]
    fn what_is_not_there_is_named_with_its_place() {
        let names = names();
        let templates = Templates::new(&names, None);
        for (text, part) in [
            ("{{ dew }}", "undefined"),
            ("{{ clock }}", "undefined"),
            ("{{ due | shift('soon') }}", "soon"),
            ("{{ env('NO_SUCH_VARIABLE_AT_ALL') }}", "NO_SUCH_VARIABLE_AT_ALL"),
            ("{{ due", ""),
        ] {
            let error = templates.fill(&json!({ "a": ["x", text] }), "step[2]").unwrap_err();
            assert!(error.starts_with("step[2].a[1]: ") && error.contains(part), "{error}");
        }
    }
}
