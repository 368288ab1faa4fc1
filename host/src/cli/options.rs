//! The configuration keys of plugins as options of a command: what `generate` takes of a scenario's plugins, and
//! `validate` of the validator.

use super::output::{self, LogFormat};
use super::value::read_json;
use super::{generate, validate};
use crate::app::{App, Origin};
use crate::core::printable::printable;
use crate::remote::Server;
use anyhow::Context as _;
use clap::{Arg, ArgAction, ArgMatches, Command, ValueEnum as _};
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Where an option's value goes: the plugin's reference and the key.
type Slot = (String, String);

/// The plugins that the words behind a command name; none where they name none.
type NamedPlugins = fn(&[String]) -> Option<Vec<String>>;

/// The commands that take such options.
const COMMANDS: [(&str, NamedPlugins); 2] =
    [("generate", generate::named_plugins), ("validate", validate::named_plugins)];

/// The command line with the options of the plugins that `args` name; as it was where they name none.
pub(super) fn with_plugin_options(command: Command, args: &[OsString]) -> Command {
    let words: Vec<String> = args.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let found = words.iter().enumerate().find_map(|(at, word)| {
        let (name, plugins) = COMMANDS.iter().find(|(name, _)| name == word)?;
        Some((*name, plugins(words.get(at + 1..)?)?))
    });
    let Some((name, plugins)) = found else { return command };
    let typed = |flag: &str| {
        let behind = |(at, word): (usize, &String)| match word.strip_prefix(flag) {
            Some("") => words.get(at + 1).cloned(),
            Some(rest) => rest.strip_prefix('=').map(str::to_owned),
            None => None,
        };
        words.iter().enumerate().find_map(behind)
    };
    let told = |flag: &str, variable: &str| typed(flag).or_else(|| std::env::var(variable).ok());
    // Describing the plugins may take as long as compiling them, which the log tells.
    let format = told("--log-format", "TELEMILL_LOG_FORMAT").and_then(|text| LogFormat::from_str(&text, false).ok());
    let quiet = words.iter().any(|word| word == "--quiet" || word == "-q");
    output::init_log(quiet, format.unwrap_or_default());
    let data_dir = told("--data-dir", "TELEMILL_DATA_DIR").map(PathBuf::from);
    let Ok(app) = super::open(Origin { data_dir, settings: Vec::new() }) else { return command };
    // Only validators are asked of a server: rows of `generate` are made here.
    let server = told("--server", "TELEMILL_SERVER").filter(|_| name == "validate" && typed("--data-dir").is_none());
    let server = server.and_then(|url| Server::at(&url, told("--token", "TELEMILL_TOKEN").as_deref()).ok());
    let app = app.with_server(server);
    let Ok(options) = slots(&app, &plugins) else { return command };
    command.mut_subcommand(name, |mut command| {
        let taken: Vec<String> = command.get_arguments().filter_map(|arg| arg.get_long().map(str::to_owned)).collect();
        for (slot, property) in &options {
            let long = slot.1.replace('_', "-");
            if !taken.contains(&long) {
                command = command.arg(option(slot, long, property));
            }
        }
        command
    })
}

/// The values that were given: plugin, key and value. `matches` are those of the command.
pub(super) fn given(
    app: &App,
    plugins: &[String],
    matches: &ArgMatches,
) -> anyhow::Result<Vec<(String, String, Value)>> {
    let mut values = Vec::new();
    for (slot, property) in slots(app, plugins)? {
        let Ok(Some(text)) = matches.try_get_one::<String>(&option_id(&slot)) else { continue };
        let value = option_value(text, &property).with_context(|| format!("--{}", slot.1.replace('_', "-")))?;
        values.push((slot.0, slot.1, value));
    }
    Ok(values)
}

/// The options of plugins: those keys that only one of them has.
fn slots(app: &App, plugins: &[String]) -> anyhow::Result<BTreeMap<Slot, Value>> {
    let schema = |plugin: &str| -> anyhow::Result<Value> {
        Ok(match app.server() {
            Some(server) => server.inspect(plugin)?.descriptor.config_schema,
            None => app.registry()?.describe(plugin)?.descriptor.config_schema,
        })
    };
    let mut found: BTreeMap<String, Vec<(Slot, Value)>> = BTreeMap::new();
    for plugin in plugins {
        let schema = schema(plugin)?;
        let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
        for (key, property) in properties {
            found.entry(key.clone()).or_default().push(((plugin.clone(), key.clone()), property.clone()));
        }
    }
    let single = found.into_values().filter(|slots| slots.len() == 1).flatten();
    Ok(single.collect())
}

fn option_id((plugin, key): &Slot) -> String {
    format!("{plugin}.{key}")
}

fn option(slot: &Slot, long: String, property: &Value) -> Arg {
    let text = |key: &str| property.get(key).and_then(Value::as_str).unwrap_or_default();
    let mut help = text("description").split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some(default) = property.get("default").filter(|default| !default.is_null()) {
        let default = default.to_string();
        if default.len() <= 40 {
            help.push_str(&format!(" [default: {default}]"));
        }
    }
    Arg::new(option_id(slot))
        .long(long)
        .alias(slot.1.clone())
        .help(printable(&help))
        .action(ArgAction::Set)
        .value_name("VALUE")
        .allow_negative_numbers(true)
        .help_heading(format!("Configuration of {}", slot.0))
}

/// JSON as it is; a file's content where the option takes an object or a list; else text.
fn option_value(text: &str, property: &Value) -> anyhow::Result<Value> {
    if let Ok(value) = serde_json::from_str(text) {
        return Ok(value);
    }
    let is_text = property.get("type").is_some_and(|kind| kind.to_string().contains("string"));
    if !is_text && Path::new(text).is_file() {
        return read_json(Path::new(text));
    }
    Ok(Value::String(text.to_owned()))
}
