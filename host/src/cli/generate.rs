//! `telemill generate`: the files of a scenario, without a lake. The configuration keys of its plugins are options.

use super::Verdict;
use super::generated::{Files, Listed, Shape};
use super::options;
use super::output::{Output, bytes, grouped, table};
use super::profiles::LISTED_FILES;
use super::progress::RunProgress;
use super::run::on_ctrl_c;
use crate::app::App;
use crate::batch::TableLayout;
use crate::core::schema::TableKind;
use crate::core::time::{DAY_US, Length, Timestamp, Window};
use crate::plugin::log_to_tracing;
use crate::run::{self, Cancel, Plan, RunError, RunSpec};
use crate::sink::estimate::{self, Estimate};
use crate::sink::{Format, SinkError, documents};
use crate::task;
use arrow::array::RecordBatch;
use clap::{ArgMatches, Args};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Windows that wait between the simulation and the encoder: one that is made, one that is written, one between.
const WAITING_WINDOWS: usize = 2;
/// Windows of the run that are made to foretell its size, and how long each is.
const SAMPLES: u64 = 8;
const SAMPLE_US: u64 = 60 * 1_000_000;

/// Write a scenario's files without a lake
///
/// As CSV, NDJSON or Parquet a file for each table, or what profiles make of them; and config.json. For OpenSearch
/// (where nothing else is said and a table tells normal times, incidents and recovery apart) normal_data.ndjson, incident_data.ndjson,
/// recovery_data.ndjson and all_data.ndjson (bulk action lines and documents), a file for each other table, mapping.json
/// and config.json.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  telemill generate ecommerce --days 7 --incidents-per-day 2 --base-tps 20 --output-dir ./output\n  telemill generate ecommerce --duration 1h --format parquet\n  telemill generate ecommerce --duration 1h --profile ecommerce/calls\n  telemill generate ecommerce --help"
)]
pub(super) struct Generate {
    /// The name of a shipped scenario, or a spec; its plugins' options show with --help behind it
    scenario: PathBuf,
    /// Days of simulated time
    #[arg(long, value_name = "N", conflicts_with = "duration", value_parser = clap::value_parser!(u32).range(1..))]
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
    /// csv, ndjson, parquet or opensearch; opensearch where a table tells normal, incident and recovery apart, else csv
    #[arg(long)]
    format: Option<Format>,
    /// Write the columns, names and forms of a profile: a TOML file, or the name of one that ships, as PLUGIN/NAME
    #[arg(long, value_name = "NAME", conflicts_with = "format")]
    profile: Vec<String>,
    /// The index that action lines name
    #[arg(long, default_value = "ecommerce_performance_demo")]
    index: String,
    /// Write the mappings alone
    #[arg(long, conflicts_with_all = ["format", "profile"])]
    create_mapping_only: bool,
    /// Change a plugin's configuration where its option's name is taken
    #[arg(long = "set", value_name = "PLUGIN.KEY=VALUE")]
    sets: Vec<String>,
}

impl Generate {
    pub(super) fn run(self, app: &App, out: &Output, matches: &ArgMatches) -> anyhow::Result<Verdict> {
        let mut spec = RunSpec::named(&self.scenario)?;
        let days = self.days.map(|days| Length::from_us(u64::from(days).saturating_mul(DAY_US.unsigned_abs())));
        spec.duration = days.or(self.duration).unwrap_or(spec.duration);
        spec.segment = spec.segment.min(spec.duration);
        spec.seed = self.seed.or(spec.seed);
        spec.start = self.start.or(spec.start);
        if days.or(self.duration).is_some() || self.start.is_some() {
            spec.leave_out_incidents();
        }
        if let Some(matches) = matches.subcommand_matches("generate") {
            apply_options(app, &mut spec, matches)?;
        }
        self.sets.iter().try_for_each(|set| spec.set(set))?;
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
            return self.tell(out, &Listed::documents(written));
        }
        let cancel = on_ctrl_c(app);
        let profiles = task::profiles(&self.profile)?;
        let format = match self.format {
            None if profiles.is_empty() => usual_format(&plan, &tables, &cancel)?,
            given => given.unwrap_or(Format::Csv),
        };
        let shape = Shape::new(&tables, format, profiles, &self.index)?;
        let foretold = foretell(&plan, &shape, &cancel)?;
        tracing::info!(
            "about {} rows and {} into {}",
            grouped(foretold.rows),
            bytes(foretold.bytes),
            self.output_dir.display()
        );
        estimate::check_space(&self.output_dir, foretold.bytes)?;
        let mut files = shape.create(&self.output_dir)?;
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
            "format": self.format.map(|format| format.to_string()),
            "profiles": self.profile,
            "seed": plan.spec.seed(),
            "window": plan.spec.window(),
            "spec": plan.spec,
            "generator_config": plan.generator.config,
            "plugins": plan.components,
            "telemill": env!("CARGO_PKG_VERSION"),
        })
    }

    fn tell(&self, out: &Output, written: &[Listed]) -> anyhow::Result<Verdict> {
        out.print(&json!({ "output_dir": self.output_dir, "files": written }), |out| {
            let row = |file: &Listed| vec![file.name.clone(), grouped(file.rows), bytes(file.bytes)];
            let rows: Vec<_> = written.iter().take(LISTED_FILES).map(row).collect();
            table(out, &["file", "rows", "size"], &rows)?;
            match written.len().checked_sub(LISTED_FILES) {
                Some(more) if more > 0 => writeln!(out, "and {more} files more; --json lists all"),
                _ => Ok(()),
            }
        })?;
        Ok(Verdict::Good)
    }
}

/// OpenSearch's where the first rows are those of the example's documents, else CSV.
fn usual_format(plan: &Plan, tables: &[TableLayout], cancel: &Cancel) -> Result<Format, RunError> {
    if !documents::has_phases(tables) {
        return Ok(Format::Csv);
    }
    let start = plan.spec.window().start;
    let length = i64::try_from(SAMPLE_US).unwrap_or(i64::MAX);
    let sample = run::preview(plan, Window::from_start(start, length), cancel)?;
    let mut rows = sample.iter().enumerate().flat_map(|(table, rows)| rows.iter().map(move |rows| (table, rows)));
    let fits = rows.all(|(table, rows)| documents::fits(tables, table, rows));
    Ok(if fits { Format::Opensearch } else { Format::Csv })
}

/// What a few windows, spread over the span, say of the whole output. Of a simulation that would have to be replayed up
/// to each of them, the first one has to do.
fn foretell(plan: &Plan, shape: &Shape<'_>, cancel: &Cancel) -> Result<Estimate, RunError> {
    let span = plan.spec.window();
    let step = plan.simulation.step_us.max(1);
    let length = SAMPLE_US.next_multiple_of(step).min(span.length_us());
    let samples = if run::is_stateless(plan)? { SAMPLES } else { 1 };
    let (mut sum, mut once) = (Estimate::default(), Estimate::default());
    for sample in 0..samples {
        let offset = (span.length_us() - length) / samples * sample / step * step;
        let start = span.start.plus_us(i64::try_from(offset).unwrap_or(i64::MAX));
        let window = Window::from_start(start, i64::try_from(length).unwrap_or(i64::MAX));
        for (position, batches) in run::preview(plan, window, cancel)?.iter().enumerate() {
            let snapshot = plan.layouts.get(position).is_some_and(|layout| layout.table.kind == TableKind::Snapshot);
            for batch in batches {
                let found = shape.estimate(position, batch).map_err(taker)?;
                // What is there, rather than what happens, does not grow with the span.
                let count = if snapshot { &mut once } else { &mut sum };
                *count = *count + found;
            }
        }
    }
    Ok(sum.stretched(samples * length, span.length_us()) + once)
}

fn taker(error: SinkError) -> RunError {
    RunError::Taker(Box::new(error))
}

/// Makes rows on this thread and writes them on another, a bounded number of windows behind.
fn write_rows(plan: &Plan, files: &mut Files, out: &Output, cancel: &Cancel) -> Result<(), RunError> {
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

/// The plugins of the scenario that words of the command line name, whose configuration keys are options. Validators judge
/// a lake, and this command writes none.
pub(super) fn named_plugins(words: &[String]) -> Option<Vec<String>> {
    let names_spec =
        |word: &str| crate::plugin::scenario(word).is_some() || word.ends_with(".toml") || word.ends_with(".json");
    let named = words.iter().filter(|word| !word.starts_with('-') && names_spec(word));
    let spec = named.into_iter().find_map(|word| RunSpec::named(Path::new(word)).ok())?;
    Some(plugins(&spec))
}

fn plugins(spec: &RunSpec) -> Vec<String> {
    std::iter::once(&spec.generator).chain(&spec.incident_models).map(|plugin_use| plugin_use.plugin.clone()).collect()
}

/// Puts the values of plugins' options into the spec.
fn apply_options(app: &App, spec: &mut RunSpec, matches: &ArgMatches) -> anyhow::Result<()> {
    for (plugin, key, value) in options::given(app, &plugins(spec), matches)? {
        let uses = std::iter::once(&mut spec.generator).chain(&mut spec.incident_models);
        for plugin_use in uses.filter(|plugin_use| plugin_use.plugin == plugin) {
            plugin_use.config.insert(key.clone(), value.clone());
        }
    }
    Ok(())
}
