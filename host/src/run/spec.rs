//! What a run is asked to do: the spec as people write it (TOML or JSON), and as it is stored once every choice
//! that was left open is made.

use crate::core::digest::Digest;
use crate::core::document;
use crate::core::id;
use crate::core::problem::{self, Problem};
use crate::core::time::{Length, Timestamp, Window};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Partitions of a spec that names none: enough for the cores of a workstation.
const DEFAULT_PARTITIONS: u32 = 4;
/// Most partitions of a run; each is a file per table and segment.
const MAX_PARTITIONS: u32 = 1_024;
/// Simulated time of a segment in a spec that names none.
const DEFAULT_SEGMENT: Length = Length::from_us(6 * 3_600 * 1_000_000);
/// How far back something without an end begins where its spec says nothing.
const SHORTEST_BACKFILL: &str = "1s";
/// Largest spec that is read.
const MAX_SPEC_BYTES: u64 = 16 << 20;

/// A spec that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
    /// The file can't be read.
    #[error("can't read the spec {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The text is no TOML or JSON, or has a key or value that a spec does not have.
    #[error("the spec {origin} can't be used: {message}")]
    Syntax {
        /// The file, or what the text came from.
        origin: String,
        /// What is wrong and where.
        message: String,
    },
    /// Values that do not go together.
    #[error("the spec can't be used: {}", problem::join(.0))]
    Values(Vec<Problem>),
    /// There is no such spec.
    #[error("{name} is neither a file nor a shipped scenario ({})", shipped.join(", "))]
    Unknown {
        /// What was asked for.
        name: String,
        /// The names of the scenarios that ship.
        shipped: Vec<String>,
    },
    /// A change that can't be made.
    #[error("--set {set}: {message}")]
    Set {
        /// As given.
        set: String,
        /// What is wrong with it.
        message: String,
    },
}

/// A plugin and its configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PluginUse {
    /// A name, `sha256:` and a digest, or the path of a `.wasm` file.
    pub plugin: String,
    /// Its configuration; what is left out has the plugin's default.
    #[serde(default)]
    pub config: Map<String, Value>,
}

/// An incident placed by hand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlacedIncident {
    /// The plugin among `incident_models` that makes it.
    pub model: String,
    /// One of the model's kinds.
    pub kind: String,
    /// One of the generator's targets.
    pub target: String,
    /// When it starts.
    pub start: Timestamp,
    /// How long it lasts, recovery apart.
    pub length: Length,
    /// From when on a stream knew of it; no row depends on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_from: Option<Timestamp>,
}

/// What becomes of rows that the dataset has already.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Existing {
    /// There must be none.
    #[default]
    Refuse,
    /// They stay.
    Append,
    /// They go.
    Replace,
}

/// Where a generator's code runs. The rows do not depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Isolation {
    /// On threads of this process.
    Thread,
    /// In a process of its own for each attempt at a shard, which may die alone.
    Process,
}

/// A run as asked for; `seed` and `start` may be left open.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunSpec {
    /// The dataset that the rows go to.
    pub dataset: String,
    /// What every draw follows from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// What becomes of rows that the dataset has already.
    #[serde(default)]
    pub existing: Existing,
    /// The start of simulated time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Timestamp>,
    /// How much time is simulated.
    pub duration: Length,
    /// Into how many independent parts the simulation is cut. The rows do not depend on it, their files do.
    #[serde(default = "default_partitions")]
    pub partitions: u32,
    /// How much simulated time goes into one file of one partition: what a resume starts over at most.
    #[serde(default = "default_segment")]
    pub segment: Length,
    /// Where the generator's code runs. Where it is left out, plugins that ship run on threads, and others in processes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isolation: Option<Isolation>,
    /// Makes the rows.
    pub generator: PluginUse,
    /// Decide what goes wrong.
    #[serde(default)]
    pub incident_models: Vec<PluginUse>,
    /// What goes wrong by hand.
    #[serde(default)]
    pub incident: Vec<PlacedIncident>,
    /// Judge the rows.
    #[serde(default)]
    pub validators: Vec<PluginUse>,
    /// Where incident models are told that the span ends, if not where it does: the spec of a stream has the end of its
    /// backfill here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backfill_end: Option<Timestamp>,
    /// Files for the inputs that the generator declares, by input; relative to the spec's folder.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, PathBuf>,
    /// How it is streamed; a run has no use for it.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub stream: Map<String, Value>,
}

fn default_partitions() -> u32 {
    DEFAULT_PARTITIONS
}

fn default_segment() -> Length {
    DEFAULT_SEGMENT
}

impl RunSpec {
    /// Reads a spec; `.json` is JSON, everything else TOML. Input files become relative to the working folder.
    ///
    /// # Errors
    /// What is wrong, with the key that is at fault.
    pub fn read(path: &Path) -> Result<Self, SpecError> {
        Self::read_with(path, Self::parse)
    }

    /// The same for what has no end: `duration` may be left out.
    ///
    /// # Errors
    /// What is wrong, with the key that is at fault.
    pub fn read_open_ended(path: &Path) -> Result<Self, SpecError> {
        Self::read_with(path, Self::parse_open_ended)
    }

    fn read_with(path: &Path, parse: fn(&str, bool, &str) -> Result<Self, SpecError>) -> Result<Self, SpecError> {
        let read = |source| SpecError::Read { path: path.to_owned(), source };
        if std::fs::metadata(path).map_err(read)?.len() > MAX_SPEC_BYTES {
            return Err(read(std::io::Error::other(format!("it is larger than {MAX_SPEC_BYTES} bytes"))));
        }
        let text = std::fs::read_to_string(path).map_err(read)?;
        let json = path.extension().is_some_and(|extension| extension == "json");
        let mut spec = parse(&text, json, &path.display().to_string())?;
        let folder = path.parent().unwrap_or(Path::new(""));
        for file in spec.inputs.values_mut() {
            *file = folder.join(&*file);
        }
        Ok(spec)
    }

    /// Parses a spec; `origin` names it in errors.
    ///
    /// # Errors
    /// What is wrong, with the key that is at fault.
    pub fn parse(text: &str, json: bool, origin: &str) -> Result<Self, SpecError> {
        let syntax = |message: String| SpecError::Syntax { origin: origin.to_owned(), message };
        let spec: Self = if json { document::from_json(text) } else { document::from_toml(text) }.map_err(syntax)?;
        spec.check()?;
        Ok(spec)
    }

    /// The same for what has no end: `duration` may be left out.
    ///
    /// # Errors
    /// What is wrong, with the key that is at fault.
    pub fn parse_open_ended(text: &str, json: bool, origin: &str) -> Result<Self, SpecError> {
        let syntax = |message: String| SpecError::Syntax { origin: origin.to_owned(), message };
        let value = if json { document::from_json(text) } else { document::from_toml(text) }.map_err(syntax)?;
        let spec: Self = document::from_value(with_duration(value)).map_err(syntax)?;
        spec.check()?;
        Ok(spec)
    }

    /// The same of a document that was parsed before.
    ///
    /// # Errors
    /// What is wrong, behind the key that is at fault.
    pub fn of_open_ended(value: Value) -> Result<Self, String> {
        let spec: Self = document::from_value(with_duration(value))?;
        spec.check().map_err(|error| error.to_string())?;
        Ok(spec)
    }

    /// A spec from its JSON; `origin` names it in errors.
    ///
    /// # Errors
    /// What is wrong, with the key that is at fault.
    pub fn from_json(value: Value, origin: &str) -> Result<Self, SpecError> {
        Self::parse(&value.to_string(), true, origin)
    }

    fn check(&self) -> Result<(), SpecError> {
        let mut found = Vec::new();
        if let Err(error) = id::check_identifier("dataset", &self.dataset) {
            found.push(Problem::new("dataset", error.to_string()));
        }
        if self.seed.is_some_and(|seed| i64::try_from(seed).is_err()) {
            found.push(Problem::new("seed", format!("must be at most {}", i64::MAX)));
        }
        if !(1..=MAX_PARTITIONS).contains(&self.partitions) {
            let message = format!("must be 1 to {MAX_PARTITIONS}, not {}", self.partitions);
            found.push(Problem::new("partitions", message));
        }
        for (index, incident) in self.incident.iter().enumerate() {
            if !self.incident_models.iter().any(|model| model.plugin == incident.model) {
                let message = format!("no plugin of that name is among incident_models: {:?}", incident.model);
                found.push(Problem::new(format!("incident[{index}].model"), message));
            }
        }
        if found.is_empty() { Ok(()) } else { Err(SpecError::Values(found)) }
    }

    /// Makes the choices that were left open: `seed` from `random`, and a start that lets the span end with the
    /// UTC day (or, for less than a day, the hour) that holds `now`.
    ///
    /// # Errors
    /// A span that leaves the range of time.
    pub fn resolve(mut self, now: Timestamp, random: u64) -> Result<ResolvedSpec, SpecError> {
        self.check()?;
        let duration = self.duration.micros();
        let grid = if duration >= crate::core::time::DAY_US { crate::core::time::DAY_US } else { 3_600_000_000 };
        let end_of_now = Timestamp(now.0 - now.0.rem_euclid(grid)).plus_us(grid);
        // Short enough to be typed, long enough not to meet twice.
        self.seed.get_or_insert(random & 0xffff_ffff);
        let start = *self.start.get_or_insert(end_of_now.plus_us(-duration));
        let window = Window::from_start(start, duration);
        if jiff::Timestamp::from_microsecond(start.0).is_err()
            || jiff::Timestamp::from_microsecond(window.end.0).is_err()
        {
            let problem = Problem::new("duration", format!("the span {window} leaves the range of time"));
            return Err(SpecError::Values(vec![problem]));
        }
        Ok(ResolvedSpec { spec: self, input_digests: BTreeMap::new() })
    }
}

/// The document of a spec that says how long it is, though that may be left out.
fn with_duration(mut value: Value) -> Value {
    if let Value::Object(keys) = &mut value {
        keys.entry("duration").or_insert_with(|| SHORTEST_BACKFILL.into());
    }
    value
}

/// A spec without open choices: the one that is stored and run again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResolvedSpec {
    #[serde(flatten)]
    spec: RunSpec,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    input_digests: BTreeMap<String, Digest>,
}

impl ResolvedSpec {
    /// The spec itself.
    pub fn spec(&self) -> &RunSpec {
        &self.spec
    }

    /// The digests of the files in `inputs`, by input.
    pub fn input_digests(&self) -> &BTreeMap<String, Digest> {
        &self.input_digests
    }

    /// The same spec, held to files with these digests.
    #[must_use]
    pub fn with_input_digests(self, input_digests: BTreeMap<String, Digest>) -> Self {
        Self { input_digests, ..self }
    }

    /// What every draw follows from.
    pub fn seed(&self) -> u64 {
        self.spec.seed.unwrap_or_default()
    }

    /// The simulated time.
    pub fn window(&self) -> Window {
        let start = self.spec.start.unwrap_or(Timestamp(0));
        Window::from_start(start, self.spec.duration.micros())
    }

    /// The span that incident models are told.
    pub(super) fn planned_span(&self) -> Window {
        let window = self.window();
        Window { end: self.spec.backfill_end.unwrap_or(window.end), ..window }
    }

    /// The segments in order; the last may be shorter.
    pub fn segments(&self) -> Vec<Window> {
        self.window().pieces(self.spec.segment.us()).collect()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const SHORTEST: &str = "dataset = \"shop\"\nduration = \"1d\"\n[generator]\nplugin = \"ecommerce\"\n";

    #[test]
    fn toml_and_json_say_the_same() {
        let toml = RunSpec::parse(SHORTEST, false, "a").unwrap();
        let json = r#"{"dataset": "shop", "duration": "1d", "generator": {"plugin": "ecommerce"}}"#;
        assert_eq!(toml, RunSpec::parse(json, true, "b").unwrap());
        assert_eq!(toml.partitions, DEFAULT_PARTITIONS);
    }

    #[test]
    fn a_wrong_key_is_named_with_its_place() {
        for (text, place) in [
            ("colour = 1\n", "colour"),
            ("[[validators]]\nplugin = \"x\"\nconfigg = 1\n", "configg"),
            (
                "[[incident]]\nmodel = \"m\"\nkind = \"k\"\ntarget = \"t\"\nstart = 2026-01-01T00:00:00Z\nlength = \"soon\"\n",
                "incident[0].length",
            ),
            (
                "[[incident]]\nmodel = \"m\"\nkind = \"k\"\ntarget = \"t\"\nstart = 2026-01-01T00:00:00Z\nlength = \"5m\"\n",
                "incident[0].model",
            ),
        ] {
            // Tables must follow the top-level keys.
            let spec = if text.starts_with('[') { format!("{SHORTEST}{text}") } else { format!("{text}{SHORTEST}") };
            let error = RunSpec::parse(&spec, false, "spec.toml").unwrap_err().to_string();
            assert!(error.contains(place), "{error}");
        }
    }

    #[test]
    fn open_choices_are_made_once_and_survive_storage() {
        let spec = RunSpec::parse(SHORTEST, false, "a").unwrap();
        let now = "2026-11-22T10:30:00Z".parse().unwrap();
        let resolved = spec.resolve(now, u64::MAX).unwrap();
        assert_eq!(resolved.window().to_string(), "2026-11-22T00:00:00Z..2026-11-23T00:00:00Z");
        assert_eq!(resolved.segments().len(), 4);
        let stored = serde_json::to_string(&resolved).unwrap();
        assert_eq!(serde_json::from_str::<ResolvedSpec>(&stored).unwrap(), resolved);
        assert_eq!(resolved.seed(), 0xffff_ffff);
    }
}
