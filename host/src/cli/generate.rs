//! `telemill generate`: the files of a scenario, without a lake. The configuration keys of its plugins are options.

use super::Verdict;
use super::output::{Output, bytes, grouped, table};
use super::progress::RunProgress;
use super::run::{apply_set, on_ctrl_c, read_spec};
use super::value::read_json;
use crate::app::{App, Origin};
use crate::core::time::{Length, Timestamp, Window};
use crate::plugin::log_to_tracing;
use crate::run::{self, Cancel, Plan, PluginUse, RunError, RunSpec};
use crate::sink::SinkError;
use crate::sink::documents::{self, DocumentFiles};
use crate::sink::estimate::{self, Estimate};
use anyhow::Context as _;
use arrow::array::RecordBatch;
use clap::{Arg, ArgAction, ArgMatches, Args, Command};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Windows that wait between the simulation and the encoder: one that is made, one that is written, one between.
const WAITING_WINDOWS: usize = 2;
/// Windows of the run that are made to foretell its size, and how long each is.
const SAMPLES: u64 = 8;
const SAMPLE_US: u64 = 60 * 1_000_000;

/// Write a scenario's files for OpenSearch, without a lake
///
/// Writes normal_data.ndjson, incident_data.ndjson, recovery_data.ndjson and all_data.ndjson (bulk action lines and
/// documents), a file for each other table, mapping.json and config.json.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  telemill generate ecommerce --days 7 --incidents-per-day 2 --base-tps 20 --output-dir ./output\n  telemill generate ecommerce --help"
)]
pub(super) struct Generate {
    /// The name of a shipped scenario, or a spec; its plugins' options show with --help behind it
    scenario: PathBuf,
    /// Days of simulated time
    #[arg(long, value_name = "N", conflicts_with = "duration")]
    days: Option<u32>,
    /// Length of simulated time, such as 6h
    #[arg(long, value_name = "LENGTH")]
    duration: Option<Length>,
    /// Another seed
    #[arg(long)]
    seed: Option<u64>,
    /// Another start
    #[arg(long, value_name = "TIME")]
    start: Option<Timestamp>,
    /// Where the files go
    #[arg(long, value_name = "DIR", default_value = "./output")]
    output_dir: PathBuf,
    /// The index that action lines name
    #[arg(long, default_value = "ecommerce_performance_demo")]
    index: String,
    /// Write the mappings alone
    #[arg(long)]
    create_mapping_only: bool,
    /// Change a plugin's configuration where its option's name is taken
    #[arg(long = "set", value_name = "PLUGIN.KEY=VALUE")]
    sets: Vec<String>,
}

impl Generate {
    pub(super) fn run(self, app: &App, out: &Output, matches: &ArgMatches) -> anyhow::Result<Verdict> {
        let mut spec = read_spec(&self.scenario)?;
        let day = Length::from_us(24 * 3_600 * 1_000_000);
        let days = self.days.map(|days| Length::from_us(u64::from(days) * day.us()));
        spec.duration = days.or(self.duration).unwrap_or(spec.duration);
        spec.segment = spec.segment.min(spec.duration);
        spec.seed = self.seed.or(spec.seed);
        spec.start = self.start.or(spec.start);
        if let Some(matches) = matches.subcommand_matches("generate") {
            apply_options(app, &mut spec, matches)?;
        }
        self.sets.iter().try_for_each(|set| apply_set(&mut spec, set))?;
        let plan = Plan::make(
            &app.registry()?,
            spec.resolve(run::now(), run::random())?,
            None,
            app.input_reader(),
            log_to_tracing(),
        )?;
        let mut tables = plan.layouts.clone();
        tables.extend([run::incidents_layout(), run::effects_layout()]);
        if self.create_mapping_only {
            let written = documents::write_mappings(&self.output_dir, &tables, &self.index)?;
            return self.tell(out, &written);
        }
        let cancel = on_ctrl_c(app);
        let foretold = foretell(&plan, &tables, &self.index, &cancel)?;
        tracing::info!(
            "about {} rows and {} into {}",
            grouped(foretold.rows),
            bytes(foretold.bytes),
            self.output_dir.display()
        );
        estimate::check_space(&self.output_dir, foretold.bytes)?;
        let mut files = DocumentFiles::create(&self.output_dir, &tables, &self.index)?;
        write_rows(&plan, &mut files, out, &cancel)?;
        let truth = [run::incident_rows(&plan.incidents)?, run::effect_rows(&plan.incidents)?];
        for (index, rows) in truth.iter().enumerate() {
            files.write(plan.layouts.len() + index, rows)?;
        }
        let written = files.finish(&self.config(&plan))?;
        self.tell(out, &written)
    }

    /// What was made and how, so that it can be made again.
    fn config(&self, plan: &Plan) -> Value {
        json!({
            "index": self.index,
            "seed": plan.spec.seed(),
            "window": plan.spec.window(),
            "spec": plan.spec,
            "generator_config": plan.generator.config,
            "plugins": plan.components,
            "telemill": env!("CARGO_PKG_VERSION"),
        })
    }

    fn tell(&self, out: &Output, written: &[documents::WrittenFile]) -> anyhow::Result<Verdict> {
        let files: Vec<_> =
            written.iter().map(|file| json!({ "name": file.name, "rows": file.rows, "bytes": file.bytes })).collect();
        out.print(&json!({ "output_dir": self.output_dir, "files": files }), |out| {
            let row = |file: &documents::WrittenFile| vec![file.name.clone(), grouped(file.rows), bytes(file.bytes)];
            table(out, &["file", "documents", "size"], &written.iter().map(row).collect::<Vec<_>>())
        })?;
        Ok(Verdict::Good)
    }
}

/// What a few windows, spread over the span, say of the whole output.
fn foretell(
    plan: &Plan,
    tables: &[crate::batch::TableLayout],
    index: &str,
    cancel: &Cancel,
) -> Result<Estimate, RunError> {
    let span = plan.spec.window();
    let length = SAMPLE_US.min(span.length_us());
    let (mut sum, mut sampled_us) = (Estimate::default(), 0);
    for sample in 0..SAMPLES {
        let offset = (span.length_us() - length) / SAMPLES * sample;
        let start = span.start.plus_us(i64::try_from(offset).unwrap_or(i64::MAX));
        let window = Window::from_start(start, i64::try_from(length).unwrap_or(i64::MAX));
        for (position, batches) in run::preview(plan, window, cancel)?.iter().enumerate() {
            for batch in batches {
                sum = sum + documents::estimate(tables, position, batch, index).map_err(taker)?;
            }
        }
        sampled_us += length;
    }
    Ok(sum.stretched(sampled_us, span.length_us()))
}

fn taker(error: SinkError) -> RunError {
    RunError::Taker(Box::new(error))
}

/// Makes rows on this thread and writes them on another, a bounded number of windows behind.
fn write_rows(plan: &Plan, files: &mut DocumentFiles, out: &Output, cancel: &Cancel) -> Result<(), RunError> {
    type Item = (Window, Vec<(usize, RecordBatch)>);
    let (sender, receiver): (SyncSender<Item>, Receiver<Item>) = sync_channel(WAITING_WINDOWS);
    let bar = RunProgress::new(out, plan.spec.window().length_us());
    let result = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let (mut done_us, mut rows) = (0, 0);
            for (window, batches) in receiver {
                for (position, batch) in &batches {
                    files.write(*position, batch)?;
                    rows += batch.num_rows() as u64;
                }
                done_us += window.length_us();
                bar.update(done_us, rows);
            }
            Ok::<(), SinkError>(())
        });
        let made = run::stream(plan, cancel, &mut |window, batches| {
            // The writer is gone only when it failed, which it tells itself.
            sender.send((window, batches)).map_err(|_| RunError::Cancelled)
        });
        drop(sender);
        match writer.join() {
            Ok(Ok(())) => made,
            Ok(Err(error)) => Err(taker(error)),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    });
    bar.finish();
    result
}

/// Where an option's value goes: the plugin's reference and the key.
type Slot = (String, String);

/// The options of a spec's plugins: those keys that only one plugin of the call has.
fn slots(app: &App, spec: &RunSpec) -> anyhow::Result<BTreeMap<Slot, Value>> {
    let registry = app.registry()?;
    let mut found: BTreeMap<String, Vec<(Slot, Value)>> = BTreeMap::new();
    // Validators judge a lake, and this command writes none.
    let uses = std::iter::once(&spec.generator).chain(&spec.incident_models);
    for PluginUse { plugin, .. } in uses {
        let schema = registry.describe(plugin)?.descriptor.config_schema;
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

/// The command line with the options of the scenario that `args` names; as it was where they name none.
pub(super) fn with_plugin_options(command: Command, args: &[OsString]) -> Command {
    let words: Vec<String> = args.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let Some(at) = words.iter().position(|word| word == "generate") else { return command };
    let data_dir = words.iter().position(|word| word == "--data-dir").and_then(|index| words.get(index + 1));
    let data_dir = data_dir.map(PathBuf::from).or_else(|| std::env::var_os("TELEMILL_DATA_DIR").map(PathBuf::from));
    let named = words.iter().skip(at + 1).filter(|word| !word.starts_with('-'));
    let spec = named.filter(|word| names_spec(word)).find_map(|word| read_spec(Path::new(word)).ok());
    let options = spec.and_then(|spec| {
        let app = App::new(Origin { data_dir, settings: Vec::new() }).ok()?;
        slots(&app, &spec).ok()
    });
    let Some(options) = options else { return command };
    command.mut_subcommand("generate", |mut generate| {
        let taken: Vec<String> = generate.get_arguments().filter_map(|arg| arg.get_long().map(str::to_owned)).collect();
        for (slot, property) in &options {
            let long = slot.1.replace('_', "-");
            if !taken.contains(&long) {
                generate = generate.arg(option(slot, long, property));
            }
        }
        generate
    })
}

fn names_spec(word: &str) -> bool {
    crate::plugin::scenario(word).is_some() || word.ends_with(".toml") || word.ends_with(".json")
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
        .help(help)
        .action(ArgAction::Set)
        .value_name("VALUE")
        .allow_negative_numbers(true)
        .help_heading(format!("Configuration of {}", slot.0))
}

/// Puts the values of plugins' options into the spec.
fn apply_options(app: &App, spec: &mut RunSpec, matches: &ArgMatches) -> anyhow::Result<()> {
    for (slot, property) in slots(app, spec)? {
        let id = option_id(&slot);
        let Ok(Some(text)) = matches.try_get_one::<String>(&id) else { continue };
        let value = option_value(text, &property).with_context(|| format!("--{}", slot.1.replace('_', "-")))?;
        let uses = std::iter::once(&mut spec.generator).chain(&mut spec.incident_models);
        for plugin_use in uses.filter(|plugin_use| plugin_use.plugin == slot.0) {
            plugin_use.config.insert(slot.1.clone(), value.clone());
        }
    }
    Ok(())
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
