//! What a stream is asked to be: the spec of a run without an end, and how it is streamed (its table `[stream]`).

use super::error::StreamError;
use super::sinks::{self, SinkSpec};
use crate::core::digest::Digest;
use crate::core::document;
use crate::core::time::{Length, Timestamp};
use crate::run::{ResolvedSpec, RunSpec};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The key of a stored spec that holds its input files to what they were.
const INPUT_DIGESTS: &str = "input_digests";
/// Simulated time of a segment where the spec says nothing: rows are seen that long after their time.
const DEFAULT_TICK_US: u64 = 10_000_000;
/// Fastest and slowest clock: a day a second, and a second in a quarter of an hour.
const SPEEDS: std::ops::RangeInclusive<f64> = 0.001..=86_400.0;

/// How a run without an end is streamed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StreamSettings {
    /// Simulated seconds a second. Default 1.
    pub speed: f64,
    /// Simulated time of a segment: what is committed at once, and how late rows are seen. Whole steps of the generator.
    /// Default 10 s, or one step where that is longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tick: Option<Length>,
    /// What the simulated clock shows when the stream begins; the rows before are made at full speed. Default now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live_from: Option<Timestamp>,
    /// Where it ends by itself. Default never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// How old rows become, by the simulated clock. Default for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention: Option<Length>,
    /// How much simulated time the validators judge at once. Default 1 h.
    pub judge_every: Length,
    /// Where rows go besides the lake.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sinks: Vec<SinkSpec>,
}

impl Default for StreamSettings {
    fn default() -> Self {
        Self {
            speed: 1.0,
            tick: None,
            live_from: None,
            until: None,
            retention: None,
            judge_every: Length::from_us(3_600_000_000),
            sinks: Vec::new(),
        }
    }
}

/// A stream as asked for, or, once resolved, without open choices.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamSpec {
    /// Seed, generator, incidents and all else that shapes rows.
    pub run: RunSpec,
    /// How it is streamed.
    pub settings: StreamSettings,
    /// The digests of the files in `inputs`, once it was planned.
    input_digests: BTreeMap<String, Digest>,
}

impl StreamSpec {
    /// The stream that the spec of a run describes; its table `stream` says how it is streamed.
    ///
    /// # Errors
    /// Settings that there are none of, or that can't be used.
    pub fn of(mut run: RunSpec) -> Result<Self, StreamError> {
        let settings = Value::Object(std::mem::take(&mut run.stream));
        let settings: StreamSettings = document::from_value(settings)
            .map_err(|message| StreamError::Spec { key: "stream".to_owned(), message })?;
        check_speed(settings.speed)?;
        sinks::check(&settings.sinks)?;
        Ok(Self { run, settings, input_digests: BTreeMap::new() })
    }

    /// The stream of a stored spec.
    ///
    /// # Errors
    /// It can't be read.
    pub fn of_value(value: &Value) -> Result<Self, StreamError> {
        let bad = |message| StreamError::Spec { key: String::new(), message };
        let mut value = value.clone();
        let digests = value.as_object_mut().and_then(|keys| keys.remove(INPUT_DIGESTS));
        let input_digests = digests.map(document::from_value).transpose().map_err(bad)?.unwrap_or_default();
        let run = RunSpec::of_open_ended(value).map_err(bad)?;
        Ok(Self { input_digests, ..Self::of(run)? })
    }

    /// The spec as it is stored and shown.
    pub fn to_value(&self) -> Value {
        let mut run = self.run.clone();
        run.stream = match serde_json::to_value(&self.settings) {
            Ok(Value::Object(settings)) => settings,
            _ => Map::new(),
        };
        let mut value = serde_json::to_value(run).unwrap_or_default();
        if let (Value::Object(keys), false) = (&mut value, self.input_digests.is_empty()) {
            keys.insert(INPUT_DIGESTS.to_owned(), serde_json::to_value(&self.input_digests).unwrap_or_default());
        }
        value
    }

    /// Makes the choices that were left open: seed and start, where the clock begins, and where the backfill ends. The
    /// length of a segment follows once the generator's step is known ([`Self::with_step`]).
    ///
    /// # Errors
    /// A span that leaves the range of time.
    pub fn resolve(mut self, now: Timestamp, random: u64) -> Result<Self, StreamError> {
        let back = self.run.duration.micros();
        let live_from = *self.settings.live_from.get_or_insert(now);
        // Times that people read: on the minute, or on the second where less than a minute is filled in.
        let grid = if back >= 60_000_000 { 60_000_000 } else { 1_000_000 };
        let begin = live_from.plus_us(-back);
        self.run.start.get_or_insert(begin.plus_us(-begin.0.rem_euclid(grid)));
        // What is planned is a segment of a run; a stream is as long as it comes to be.
        self.run.duration = self.run.segment;
        self.run = self.run.resolve(now, random)?.spec().clone();
        Ok(self)
    }

    /// Fits the segments to the generator's step, and ends the backfill with a whole one.
    ///
    /// # Errors
    /// Segments that are no whole number of steps.
    pub fn with_step(mut self, step_us: u64) -> Result<Self, StreamError> {
        let step = step_us.max(1);
        let tick = match self.settings.tick {
            Some(tick) if !tick.us().is_multiple_of(step) => {
                let message = format!("{tick} is no whole number of the generator's steps of {step} us");
                return Err(StreamError::Spec { key: "stream.tick".to_owned(), message });
            }
            Some(tick) => tick.us(),
            None => DEFAULT_TICK_US.next_multiple_of(step),
        };
        self.settings.tick = Some(Length::from_us(tick));
        let start = self.start();
        let filled = self.settings.live_from.unwrap_or(start).0.saturating_sub(start.0);
        let filled = u64::try_from(filled).unwrap_or(0).next_multiple_of(tick).max(tick);
        self.run.backfill_end = Some(start.plus_us(i64::try_from(filled).unwrap_or(i64::MAX)));
        Ok(self)
    }

    /// Where its rows begin.
    pub fn start(&self) -> Timestamp {
        self.run.start.unwrap_or(Timestamp(0))
    }

    /// Length of a segment, in microseconds.
    pub fn tick_us(&self) -> i64 {
        self.settings.tick.map_or(DEFAULT_TICK_US, Length::us).try_into().unwrap_or(i64::MAX)
    }

    /// The run that makes the same rows as the stream did up to `end`.
    pub fn run_until(&self, end: Timestamp) -> RunSpec {
        let made = u64::try_from(end.0.saturating_sub(self.start().0)).unwrap_or(0);
        RunSpec { duration: Length::from_us(made.max(1)), ..self.run.clone() }
    }

    /// What a plan is made of.
    pub(super) fn resolved(&self) -> Result<ResolvedSpec, StreamError> {
        // Resolving a spec without open choices changes nothing, whatever the time.
        Ok(self.run.clone().resolve(Timestamp(0), 0)?.with_input_digests(self.input_digests.clone()))
    }

    /// The same, held to the input files that it was planned with.
    pub(super) fn planned_with(self, plan: &ResolvedSpec) -> Self {
        Self { input_digests: plan.input_digests().clone(), ..self }
    }

    /// How the spec names its plugins, in the order of the components of its plan.
    pub(super) fn references(&self) -> impl Iterator<Item = &str> {
        let run = &self.run;
        let uses = std::iter::once(&run.generator).chain(&run.incident_models).chain(&run.validators);
        uses.map(|used| used.plugin.as_str())
    }

    /// Whether `other` asks for the same rows, seed and start apart where it leaves them open.
    pub fn fits(&self, other: &Self) -> bool {
        let (mine, asked) = (&self.run, &other.run);
        mine.dataset == asked.dataset
            && asked.seed.is_none_or(|seed| mine.seed == Some(seed))
            && asked.start.is_none_or(|start| mine.start == Some(start))
            && mine.partitions == asked.partitions
            && mine.generator == asked.generator
            && mine.incident_models == asked.incident_models
            && mine.inputs == asked.inputs
    }
}

/// Holds a speed to what a clock can do.
///
/// # Errors
/// It is none of [`SPEEDS`].
pub(super) fn check_speed(speed: f64) -> Result<(), StreamError> {
    if SPEEDS.contains(&speed) {
        return Ok(());
    }
    let message = format!("must be {} to {}, not {speed}", SPEEDS.start(), SPEEDS.end());
    Err(StreamError::Spec { key: "stream.speed".to_owned(), message })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const TEXT: &str =
        "dataset = \"shop\"\nduration = \"1h\"\n[generator]\nplugin = \"ecommerce\"\n[stream]\nspeed = 60\n";

    fn resolved(text: &str) -> StreamSpec {
        let spec = StreamSpec::of(RunSpec::parse_open_ended(text, false, "a").unwrap()).unwrap();
        let now = "2026-11-22T10:30:07.5Z".parse().unwrap();
        spec.resolve(now, 5).unwrap().with_step(1_000_000).unwrap()
    }

    #[test]
    fn a_spec_without_a_start_is_filled_in_up_to_now_in_whole_segments() {
        let spec = resolved(TEXT);
        assert_eq!(spec.start().to_string(), "2026-11-22T09:30:00Z");
        assert_eq!(spec.run.backfill_end.unwrap().to_string(), "2026-11-22T10:30:10Z");
        assert_eq!(StreamSpec::of_value(&spec.to_value()).unwrap(), spec);
        let run = spec.run_until("2026-11-22T10:00:00Z".parse().unwrap());
        assert_eq!((run.duration.us(), run.stream.len()), (1_800_000_000, 0));
    }

    #[test]
    fn a_spec_without_a_duration_begins_now() {
        let spec = resolved(&TEXT.replace("duration = \"1h\"\n", ""));
        assert_eq!(spec.start().to_string(), "2026-11-22T10:30:06Z");
    }

    #[test]
    fn settings_that_make_no_sense_are_named() {
        for (from, to, place) in [
            ("speed = 60", "speed = 0", "stream.speed"),
            ("speed = 60", "sped = 60", "sped"),
            ("speed = 60", "tick = \"1500ms\"", "stream.tick"),
        ] {
            let spec = RunSpec::parse_open_ended(&TEXT.replace(from, to), false, "a").unwrap();
            let stepped = StreamSpec::of(spec).and_then(|spec| spec.resolve(Timestamp(0), 0)?.with_step(1_000_000));
            let error = stepped.unwrap_err().to_string();
            assert!(error.contains(place), "{error}");
        }
    }
}
