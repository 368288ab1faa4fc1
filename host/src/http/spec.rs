//! Specs of runs as they come over HTTP: nothing in them may name a file of the server.

use super::error::Problem;
use crate::core::problem::Problem as Fault;
use crate::plugin;
use crate::plugin::is_path;
use crate::run::RunSpec;
use serde_json::{Map, Value};

/// The key that names a shipped scenario.
const SCENARIO: &str = "scenario";
/// What is said behind a path in the place of a plugin's name.
pub(super) const NO_PATH: &str = "is a path; name a plugin that the server has, or its digest";
/// What errors call a spec.
const ORIGIN: &str = "of the request";

/// A spec from its JSON, or from the shipped scenario that its `scenario` names, changed by the other keys.
///
/// # Errors
/// What is wrong, with the key that is at fault.
pub(super) fn read(body: Map<String, Value>) -> Result<RunSpec, Problem> {
    checked(RunSpec::from_json(Value::Object(complete(body)?), ORIGIN)?)
}

/// The same for what has no end: `duration` may be left out.
///
/// # Errors
/// What is wrong, with the key that is at fault.
pub(super) fn read_open_ended(body: Map<String, Value>) -> Result<RunSpec, Problem> {
    checked(RunSpec::parse_open_ended(&Value::Object(complete(body)?).to_string(), true, ORIGIN)?)
}

/// The refusal of a spec with `faults` that name files.
pub(super) fn names_files(faults: Vec<Fault>) -> Problem {
    Problem::bad_request("a spec that comes over HTTP names no files of the server").with_errors(faults)
}

fn checked(spec: RunSpec) -> Result<RunSpec, Problem> {
    let faults = foreign(&spec);
    if faults.is_empty() { Ok(spec) } else { Err(names_files(faults)) }
}

fn complete(mut body: Map<String, Value>) -> Result<Map<String, Value>, Problem> {
    let Some(name) = body.remove(SCENARIO) else { return Ok(body) };
    let text = name.as_str().and_then(plugin::scenario);
    let Some(text) = text else {
        let known = plugin::scenarios().map(|(name, _)| name).collect::<Vec<_>>().join(", ");
        return Err(Problem::bad_field(SCENARIO, format!("{name} is no shipped scenario; there are {known}")));
    };
    let shipped = RunSpec::parse(text, false, "of the scenario")?;
    let Ok(Value::Object(mut spec)) = serde_json::to_value(shipped) else {
        return Err(Problem::bad_field(SCENARIO, format!("{name} can't be read")));
    };
    spec.extend(body);
    Ok(spec)
}

/// What names files: plugins by path, and inputs.
fn foreign(spec: &RunSpec) -> Vec<Fault> {
    let uses = std::iter::once(("generator".to_owned(), &spec.generator));
    let models =
        spec.incident_models.iter().enumerate().map(|(index, used)| (format!("incident_models[{index}]"), used));
    let validators = spec.validators.iter().enumerate().map(|(index, used)| (format!("validators[{index}]"), used));
    let by_path = uses.chain(models).chain(validators).filter(|(_, used)| is_path(&used.plugin));
    let mut faults: Vec<Fault> = by_path
        .map(|(key, used)| Fault::new(format!("{key}.plugin"), format!("{:?} {NO_PATH}", used.plugin)))
        .collect();
    let inputs = spec.inputs.keys().map(|name| Fault::new(format!("inputs.{name}"), "files can't be named over HTTP"));
    faults.extend(inputs);
    faults
}
