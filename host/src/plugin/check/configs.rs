//! The configurations of a check: those that must be accepted, and those that must be refused with the place of the fault.

use super::meter::Meter;
use super::{CheckOptions, Record};
use crate::core::problem::{self, Problem};
use crate::plugin::engine::Plugin;
use crate::plugin::error::PluginError;
use serde_json::{Map, Value, json};
use std::time::Instant;

/// Most properties of a schema that are tried with bad values.
const MAX_PROPERTIES: usize = 64;
/// A key that no plugin has.
const STRANGE_KEY: &str = "no_such_key_is_known";

/// A configuration to check with, and what it is called.
pub(super) struct Config {
    pub(super) name: String,
    pub(super) effective: Value,
}

/// What the options ask for, the defaults and the examples, each of which has to be accepted. The laws are tried with the
/// first.
pub(super) fn accepted(record: &mut Record, plugin: &Plugin, options: &CheckOptions, meter: &Meter) -> Vec<Config> {
    let mut configs = Vec::new();
    let empty = Value::Object(Map::new());
    let asked = options.config.iter().map(|config| ("the configuration given".to_owned(), config));
    let examples = plugin.descriptor().examples.iter();
    let examples = examples.map(|example| (format!("example {}", example.name), &example.config));
    for (name, config) in asked.chain([("defaults".to_owned(), &empty)]).chain(examples) {
        let made = record.make(&format!("configuration: {name}"), || {
            let started = Instant::now();
            let (effective, used) = plugin.checked_config(config).map_err(|error| error.to_string())?;
            meter.add("check", started.elapsed(), &used);
            Ok((String::new(), effective))
        });
        configs.extend(made.map(|effective| Config { name, effective }));
    }
    configs
}

/// Values of the wrong type must be refused, with a path that leads to them; numbers beyond all measure, and keys that nobody
/// knows, must do no harm.
pub(super) fn refused(record: &mut Record, plugin: &Plugin, good: &Config) {
    let schema = &plugin.descriptor().config_schema;
    let Some(properties) = schema.get("properties").and_then(Value::as_object).filter(|all| !all.is_empty()) else {
        record.skip("bad configurations are refused", "its schema names no properties");
        return;
    };
    record.make("bad configurations are refused", || {
        let mut refused = 0;
        for (name, property) in properties.iter().take(MAX_PROPERTIES) {
            let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
            let with = |value: Value| {
                let mut config = good.effective.clone();
                if let Some(config) = config.as_object_mut() {
                    config.insert(name.clone(), value);
                }
                config
            };
            if let Some(wrong) = of_another_type(schema, property) {
                let shown = wrong.to_string();
                match tried(plugin, &with(wrong))? {
                    Some(problems) if problems.iter().any(|problem| problem.path.starts_with(&pointer)) => refused += 1,
                    Some(problems) => {
                        return Err(format!(
                            "{shown} at {pointer} was refused, but not there: {}",
                            problem::join(&problems)
                        ));
                    }
                    None => return Err(format!("{shown} at {pointer} was accepted, against its own schema")),
                }
            }
            // Whether these are good is the plugin's to say; that it says so, and how, is the law.
            for extreme in [json!(-1), json!(1e300), json!(u64::MAX), json!("\u{0}"), json!([])] {
                tried(plugin, &with(extreme))?;
            }
        }
        let mut strange = good.effective.clone();
        if let Some(config) = strange.as_object_mut() {
            config.insert(STRANGE_KEY.to_owned(), json!(1));
        }
        let told = match tried(plugin, &strange)? {
            Some(_) => "keys that nobody knows, too",
            None => {
                "keys that nobody knows are accepted: `additionalProperties: false` would tell people of misspelt ones"
            }
        };
        Ok((format!("{refused} values of a wrong type, each with its path; {told}"), ()))
    });
}

/// The problems of a configuration that is refused as it should be; none of one that is accepted.
fn tried(plugin: &Plugin, config: &Value) -> Result<Option<Vec<Problem>>, String> {
    match plugin.check_config(config) {
        Ok(_) => Ok(None),
        Err(PluginError::InvalidConfig { problems, .. }) => Ok(Some(problems)),
        Err(error) => Err(format!("a bad configuration brought it down: {error}")),
    }
}

/// A value of a type that a property does not have; none where it takes any.
fn of_another_type(schema: &Value, property: &Value) -> Option<Value> {
    let types = types(schema, property, 0)?;
    let values =
        [("boolean", json!(true)), ("string", json!("neither here nor there")), ("object", json!({ STRANGE_KEY: 1 }))];
    values.into_iter().find(|(name, _)| !types.iter().any(|known| known == name)).map(|(_, value)| value)
}

/// The types that a schema allows at its top; none where it does not say.
fn types(root: &Value, schema: &Value, depth: u32) -> Option<Vec<String>> {
    if depth > 8 {
        return None;
    }
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        return types(root, root.pointer(reference.strip_prefix('#')?)?, depth + 1);
    }
    for key in ["anyOf", "oneOf"] {
        if let Some(parts) = schema.get(key).and_then(Value::as_array) {
            let all: Option<Vec<_>> = parts.iter().map(|part| types(root, part, depth + 1)).collect();
            return all.map(|all| all.concat());
        }
    }
    match schema.get("type")? {
        Value::String(one) => Some(vec![one.clone()]),
        Value::Array(several) => several.iter().map(|one| one.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}
