//! Pipelines as people write them: TOML.

use super::cron::Cron;
use super::error::ScheduleError;
use super::step::Work;
use super::template::{Names, Templates};
use crate::core::document;
use crate::core::id;
use crate::core::time::{Length, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Largest file that is read.
const MAX_FILE_BYTES: u64 = 1 << 20;
/// Most steps of a pipeline: a run of it is one thread.
const MAX_STEPS: usize = 100;
/// Most retries of a step.
const MAX_RETRIES: u32 = 100;
/// How long a step waits before it is tried again, where nothing is said.
const RETRY_DELAY: Length = Length::from_us(60 * 1_000_000);
/// How long a step may take, where nothing is said.
const TIMEOUT: Length = Length::from_us(24 * 3_600 * 1_000_000);

/// What becomes of a due time while an earlier run is under way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Overlap {
    /// It is passed over, and recorded as such.
    #[default]
    Skip,
    /// It waits.
    Queue,
}

/// A clock of a pipeline's own: each run moves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnClock {
    /// The time of the first run.
    pub start: Timestamp,
    /// How far a run moves it.
    pub advance: Length,
}

/// A table that metrics tell of.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watched {
    /// The table, as `DATASET.TABLE`.
    pub table: String,
    /// The column whose values are classes.
    #[serde(default)]
    pub class: Option<String>,
}

/// What stands under `[pipeline]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// Its name.
    pub name: String,
    /// What it is for, in one line.
    #[serde(default)]
    pub summary: String,
    /// When it is due, as a cron expression; only when somebody asks where it is left out.
    #[serde(default)]
    pub schedule: Option<String>,
    /// The time zone of the schedule.
    #[serde(default = "utc")]
    pub timezone: String,
    /// No due time before this.
    #[serde(default)]
    pub start: Option<Timestamp>,
    /// Whether every due time is run that passed while nobody looked; else the last of them alone.
    #[serde(default)]
    pub catchup: bool,
    /// What becomes of a due time while an earlier run is under way.
    #[serde(default)]
    pub overlap: Overlap,
    /// How often a step is tried again that says nothing itself.
    #[serde(default)]
    pub retries: u32,
    /// How long a step waits before that.
    #[serde(default)]
    pub retry_delay: Option<Length>,
    /// A clock of its own.
    #[serde(default)]
    pub clock: Option<OwnClock>,
}

fn utc() -> String {
    "UTC".to_owned()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    pipeline: Head,
    #[serde(default)]
    watch: Vec<Watched>,
    step: Vec<Map<String, Value>>,
}

/// What every step has.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Common {
    name: String,
    kind: String,
    #[serde(default)]
    needs: Vec<String>,
    #[serde(default)]
    retries: Option<u32>,
    #[serde(default)]
    retry_delay: Option<Length>,
    #[serde(default)]
    timeout: Option<Length>,
}

/// The keys of [`Common`].
const COMMON: [&str; 6] = ["name", "kind", "needs", "retries", "retry_delay", "timeout"];

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Its name.
    pub name: String,
    /// What it does.
    pub kind: String,
    /// The steps above it that must have succeeded, by position.
    pub needs: Vec<usize>,
    /// How often it is tried again.
    pub retries: u32,
    /// How long it waits before that.
    pub retry_delay: Length,
    /// How long one try may take.
    pub timeout: Duration,
    /// The kind's own keys, with their templates.
    pub keys: Map<String, Value>,
    /// Where it stands, for errors.
    place: String,
}

/// A pipeline.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// Name, schedule and policies.
    pub head: Head,
    /// Its schedule.
    pub cron: Option<Cron>,
    /// Its steps, each below those that it needs.
    pub steps: Vec<Step>,
    /// The tables that metrics tell of.
    pub watched: Vec<Watched>,
    /// Its file.
    pub file: PathBuf,
    /// What the file says.
    pub definition: Value,
}

impl Pipeline {
    /// Reads a file.
    ///
    /// # Errors
    /// It can't be read, or what is wrong with it, behind the key that is at fault.
    pub fn read(path: &Path) -> Result<Self, ScheduleError> {
        let unreadable = |source| ScheduleError::Read { path: path.to_owned(), source };
        if std::fs::metadata(path).map_err(unreadable)?.len() > MAX_FILE_BYTES {
            return Err(unreadable(std::io::Error::other(format!("it is larger than {MAX_FILE_BYTES} bytes"))));
        }
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        Self::parse(&text, path)
    }

    /// Reads a pipeline's text; `path` names it in errors and templates.
    ///
    /// # Errors
    /// What is wrong with it, behind the key that is at fault.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ScheduleError> {
        let bad = |message: String| ScheduleError::File { origin: path.display().to_string(), message };
        let definition: Value = document::from_toml(text).map_err(bad)?;
        let File { pipeline: head, watch: watched, step: raw } =
            document::from_value(definition.clone()).map_err(bad)?;
        id::check_plugin_name(&head.name).map_err(|error| bad(format!("pipeline.name: {error}")))?;
        let cron = match &head.schedule {
            Some(schedule) => {
                Some(Cron::new(schedule, &head.timezone).map_err(|e| bad(format!("pipeline.schedule: {e}")))?)
            }
            None => None,
        };
        if raw.is_empty() || raw.len() > MAX_STEPS {
            return Err(bad(format!("step: {}; 1 to {MAX_STEPS} are allowed", raw.len())));
        }
        for (index, Watched { table, .. }) in watched.iter().enumerate() {
            if !table.contains('.') {
                return Err(bad(format!("watch[{index}].table: {table:?}: write DATASET.TABLE")));
            }
        }
        let mut steps: Vec<Step> = Vec::new();
        for (index, keys) in raw.into_iter().enumerate() {
            let step = read_step(keys, index, &head, &steps).map_err(bad)?;
            steps.push(step);
        }
        let pipeline = Self { head, cron, steps, watched, file: path.to_owned(), definition };
        pipeline.check_steps().map_err(bad)?;
        Ok(pipeline)
    }

    /// The first due time after `at`.
    pub fn next_due(&self, at: Timestamp) -> Option<Timestamp> {
        let at = self.head.start.map_or(at, |start| at.max(start.plus_us(-1)));
        self.cron.as_ref()?.next(at)
    }

    /// The last due time after `after`, up to `now`.
    pub fn last_due(&self, after: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let after = self.head.start.map_or(after, |start| after.max(start.plus_us(-1)));
        self.cron.as_ref()?.last(now).filter(|due| *due > after)
    }

    /// Start and advance of its own clock, in microseconds.
    pub fn own_clock(&self) -> Option<(Timestamp, i64)> {
        self.head.clock.map(|clock| (clock.start, clock.advance.micros()))
    }

    /// What templates of a run may name.
    pub fn names(&self, due: Timestamp, clock: Option<Timestamp>, run: i64, attempt: u32) -> Names {
        let folder = self.file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let (pipeline, here) = (self.head.name.clone(), folder.display().to_string());
        Names { due, pipeline, here, run, attempt, clock }
    }

    /// The work of a step, its templates filled in.
    ///
    /// # Errors
    /// The key that is at fault, and what is wrong with it.
    pub fn work(&self, step: &Step, names: &Names) -> Result<Work, String> {
        let keys = Templates::new(names, self.cron.as_ref()).fill(&Value::Object(step.keys.clone()), &step.place)?;
        Work::read(&step.kind, keys).map_err(|error| format!("{}.{error}", step.place))
    }

    /// Reads every step as it would be at some due time, so that what is wrong is told before the first is due.
    fn check_steps(&self) -> Result<(), String> {
        let some = "2026-11-22T02:00:00Z".parse::<Timestamp>().unwrap_or(Timestamp(0));
        let names = self.names(some, self.own_clock().map(|(start, _)| start), 1, 1);
        self.steps.iter().try_for_each(|step| self.work(step, &names).map(drop))
    }
}

fn read_step(mut keys: Map<String, Value>, index: usize, head: &Head, above: &[Step]) -> Result<Step, String> {
    let place = format!("step[{index}]");
    let common: Map<String, Value> =
        COMMON.iter().filter_map(|key| Some(((*key).to_owned(), keys.remove(*key)?))).collect();
    let common: Common = document::from_value(Value::Object(common)).map_err(|error| format!("{place}.{error}"))?;
    id::check_plugin_name(&common.name).map_err(|error| format!("{place}.name: {error}"))?;
    if above.iter().any(|step| step.name == common.name) {
        return Err(format!("{place}.name: {:?} is there twice", common.name));
    }
    let position = |need: &String| {
        let found = above.iter().position(|step| step.name == *need);
        found.ok_or_else(|| format!("{place}.needs: {need:?} is no step above this one"))
    };
    let needs = common.needs.iter().map(position).collect::<Result<_, _>>()?;
    let retries = common.retries.unwrap_or(head.retries);
    if retries > MAX_RETRIES {
        return Err(format!("{place}.retries: {retries}; at most {MAX_RETRIES} are allowed"));
    }
    Ok(Step {
        name: common.name,
        kind: common.kind,
        needs,
        retries,
        retry_delay: common.retry_delay.or(head.retry_delay).unwrap_or(RETRY_DELAY),
        timeout: Duration::from_micros(common.timeout.unwrap_or(TIMEOUT).us()),
        keys,
        place,
    })
}

/// Pipelines of several files.
///
/// # Errors
/// As [`Pipeline::read`], and where two have one name.
pub fn read_all(paths: &[PathBuf]) -> Result<Vec<Pipeline>, ScheduleError> {
    let mut pipelines: Vec<Pipeline> = Vec::new();
    for path in paths {
        let pipeline = Pipeline::read(path)?;
        if let Some(first) = pipelines.iter().find(|first| first.head.name == pipeline.head.name) {
            return Err(ScheduleError::Twice {
                name: pipeline.head.name,
                first: first.file.display().to_string(),
                second: path.display().to_string(),
            });
        }
        pipelines.push(pipeline);
    }
    Ok(pipelines)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const PIPELINE: &str = r#"
[pipeline]
name = "nightly"
schedule = "0 2 * * *"
retries = 2
retry_delay = "5m"

[[step]]
name = "make"
kind = "generate"
spec = "ecommerce"
start = "{{ due | shift('-1d') }}"
duration = "1d"
existing = "append"

[[step]]
name = "out"
kind = "export"
needs = ["make"]
retries = 0
timeout = "1h"
source = "ecommerce.transactions"
format = "csv"
output_dir = "out/{{ due | strftime('%Y%m%d') }}"
"#;

    fn parse(text: &str) -> Result<Pipeline, String> {
        Pipeline::parse(text, Path::new("p/nightly.toml")).map_err(|error| error.to_string())
    }

    #[test]
    fn steps_have_the_pipelines_retries_and_their_own_keys() {
        let pipeline = parse(PIPELINE).unwrap();
        let [make, out] = pipeline.steps.as_slice() else { panic!("two steps") };
        assert_eq!((make.retries, make.retry_delay.us()), (2, 300_000_000));
        assert_eq!((out.retries, out.timeout, out.needs.as_slice()), (0, Duration::from_secs(3_600), [0].as_slice()));
        let names = pipeline.names("2026-11-22T02:00:00Z".parse().unwrap(), None, 1, 1);
        assert_eq!(names.here, "p");
        let Work::Export(export) = pipeline.work(out, &names).unwrap() else { panic!("an export") };
        assert_eq!(export.output_dir, Some(PathBuf::from("out/20261122")));
    }

    #[test]
    fn a_wrong_key_is_named_with_its_place() {
        for (from, to, place) in [
            ("retries = 2", "retrys = 2", "pipeline.retrys"),
            ("\"0 2 * * *\"", "\"often\"", "pipeline.schedule"),
            ("name = \"nightly\"", "name = \"Night ly\"", "pipeline.name"),
            ("timeout = \"1h\"", "timeout = \"soon\"", "step[1].timeout"),
            ("format = \"csv\"", "format = \"xml\"", "step[1].format"),
            ("format = \"csv\"", "formats = \"csv\"", "step[1].formats"),
            ("format = \"csv\"\n", "", "step[1]."),
            ("output_dir = \"out/", "output_dir = \"out/{{ dew }}", "step[1].output_dir"),
            ("output_dir = \"out/{{ due | strftime('%Y%m%d') }}\"", "", "step[1].output_dir"),
            ("needs = [\"make\"]", "needs = [\"bake\"]", "step[1].needs"),
            ("name = \"out\"", "name = \"make\"", "step[1].name"),
            ("kind = \"generate\"", "kind = \"invent\"", "step[0].kind"),
            ("duration = \"1d\"", "duration = \"1d\"\ncolour = 1", "step[0].colour"),
            ("retries = 0", "retries = 101", "step[1].retries"),
        ] {
            let error = parse(&PIPELINE.replace(from, to)).unwrap_err();
            assert!(error.contains("p/nightly.toml") && error.contains(place), "{place}: {error}");
        }
        assert!(parse("[pipeline]\nname = \"x\"\nstep = []\n").is_err());
    }

    #[test]
    fn nothing_is_due_before_the_start() {
        let text = PIPELINE.replace("retries = 2", "start = \"2026-11-25T02:00:00Z\"\nretries = 2");
        let pipeline = parse(&text).unwrap();
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        assert_eq!(pipeline.next_due(at("2026-11-22T00:00:00Z")), Some(at("2026-11-25T02:00:00Z")));
        assert_eq!(pipeline.last_due(at("2026-11-20T00:00:00Z"), at("2026-11-24T03:00:00Z")), None);
    }
}
