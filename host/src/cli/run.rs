//! `telemill run`: start, list, show, resume and verify.

use super::output::{Output, grouped, table};
use super::progress::RunProgress;
use super::{Verdict, summary};
use crate::app::App;
use crate::core::id::RunId;
use crate::core::time::{Length, Timestamp};
use crate::plugin::log_to_tracing;
use crate::run::{self, Cancel, Existing, Observer, Plan, Request};
use crate::store::RunRecord;
use crate::task;
use anyhow::bail;
use clap::{Args, Subcommand};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

/// Make rows from a spec, look at runs, go on with one, or prove one
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  telemill run start ecommerce --duration 6h\n  telemill run list")]
pub(super) enum Run {
    Start(Start),
    List(List),
    Show(Show),
    Resume(Resume),
    Verify(Verify),
}

/// Run a spec, or a shipped scenario by name, into the lake
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  telemill run start ecommerce --duration 6h --replace")]
pub(super) struct Start {
    /// A spec (TOML, or JSON where the name ends in .json), or the name of a shipped scenario
    spec: PathBuf,
    #[command(flatten)]
    changes: Changes,
    /// Keep the rows that the dataset has
    #[arg(long, conflicts_with = "replace")]
    append: bool,
    /// Begin the dataset anew
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    workers: Workers,
}

/// What flags change in a spec.
#[derive(Debug, Args, Default)]
pub(super) struct Changes {
    /// Write another dataset than the spec says
    #[arg(long, value_name = "NAME")]
    dataset: Option<String>,
    /// Another seed
    #[arg(long)]
    seed: Option<u64>,
    /// Another start, such as 2026-11-09 or 2026-11-09T06:00:00Z
    #[arg(long, value_name = "TIME")]
    start: Option<Timestamp>,
    /// Another length of simulated time, such as 7d or 6h
    #[arg(long, value_name = "LENGTH")]
    duration: Option<Length>,
    /// Another number of partitions
    #[arg(long, value_name = "N")]
    partitions: Option<u32>,
    /// Change a plugin's configuration; `telemill generate NAME --help` lists the keys
    #[arg(long = "set", value_name = "PLUGIN.KEY=VALUE")]
    sets: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct Workers {
    /// Threads; one for each core where none is given
    #[arg(long, value_name = "N")]
    workers: Option<NonZeroUsize>,
}

/// List runs, newest first
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  telemill run list --json")]
pub(super) struct List {
    /// How many
    #[arg(long, default_value_t = 20)]
    limit: u32,
    /// Only those before this one
    #[arg(long, value_name = "ID")]
    before: Option<RunId>,
}

/// Show a run: spec, components, rows, fingerprint, verdicts
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  telemill run show --json | jq .fingerprint")]
pub(super) struct Show {
    /// The run; the newest where none is given
    id: Option<RunId>,
}

/// Go on with a run that was stopped, killed or failed; finished segments are kept
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  telemill run resume")]
pub(super) struct Resume {
    /// The run; the newest unfinished one where none is given
    id: Option<RunId>,
    #[command(flatten)]
    workers: Workers,
}

/// Make a finished run again, or hash its stored rows, and compare fingerprints
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  telemill run verify --lake")]
pub(super) struct Verify {
    /// The run; the newest where none is given
    id: Option<RunId>,
    /// Hash what the lake holds instead of making the rows again
    #[arg(long)]
    lake: bool,
    #[command(flatten)]
    workers: Workers,
}

impl Run {
    pub(super) fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        match self {
            Self::Start(command) => command.run(app, out),
            Self::List(command) => command.run(app, out),
            Self::Show(command) => command.run(app, out),
            Self::Resume(command) => command.run(app, out),
            Self::Verify(command) => command.run(app, out),
        }
    }
}

impl Start {
    fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        let existing = match (self.append, self.replace) {
            (true, _) => Some(Existing::Append),
            (_, true) => Some(Existing::Replace),
            _ => None,
        };
        let run::Changes { dataset, seed, start, duration, partitions, sets: set } = self.changes.given();
        let (spec, workers) = (self.spec, self.workers.workers);
        let validate = true;
        let task =
            task::Generate { spec, dataset, seed, start, duration, partitions, set, existing, validate, workers };
        // What is wrong with the spec is told before the data folder is made.
        task.spec()?;
        let writer = app.writer()?;
        let shown = Shown::new(out);
        let outcome = task.run(&writer.host, &|r, p| shown.begin(r, p), &shown, &on_ctrl_c(app));
        shown.end();
        summary::finished(app, &writer.host, out, &outcome?)
    }
}

impl Changes {
    /// What the flags say.
    pub(super) fn given(self) -> run::Changes {
        let Self { dataset, seed, start, duration, partitions, sets } = self;
        run::Changes { dataset, seed, start, duration, partitions, sets }
    }
}

impl Workers {
    fn request(&self) -> Request {
        Request { workers: self.workers, log: log_to_tracing() }
    }
}

impl List {
    fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        let host = app.reader()?;
        let runs = host.runtime.block_on(host.store.runs(self.limit, self.before.as_ref()))?;
        out.print(&runs, |out| {
            let rows: Vec<_> = runs.iter().map(list_row).collect();
            table(out, &["id", "state", "dataset", "created", "rows", "fingerprint"], &rows)
        })?;
        Ok(Verdict::Good)
    }
}

fn list_row(run: &RunRecord) -> Vec<String> {
    let rows = run.tables.iter().map(|table| table.rows).sum();
    let fingerprint = run.fingerprint.map(|digest| digest.short()).unwrap_or_default();
    let state = run.state.to_string();
    vec![run.id.to_string(), state, run.dataset.clone(), run.created_at.to_string(), grouped(rows), fingerprint]
}

impl Show {
    fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        let host = app.reader()?;
        let id = newest(&host, self.id)?;
        let (record, reports) = host.runtime.block_on(async {
            Ok::<_, crate::store::StoreError>((host.store.run(&id).await?, host.store.run_reports(&id).await?))
        })?;
        summary::run(out, &record, &reports)?;
        Ok(Verdict::Good)
    }
}

impl Resume {
    fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        let writer = app.writer()?;
        let shown = Shown::new(out);
        let (id, request) = (self.id.as_ref(), self.workers.request());
        let outcome = run::resume(&writer.host, id, &request, &|r, p| shown.begin(r, p), &shown, &on_ctrl_c(app));
        shown.end();
        summary::finished(app, &writer.host, out, &outcome?)
    }
}

impl Verify {
    fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        let host = app.reader()?;
        let id = newest(&host, self.id)?;
        let record = host.runtime.block_on(host.store.run(&id))?;
        let rows: u64 = record.tables.iter().map(|table| table.rows).sum();
        let cancel = on_ctrl_c(app);
        let verification = if self.lake {
            let shown = Shown::over(out, rows);
            let result = run::verify_lake(&host, &id, &shown, &cancel);
            shown.end();
            result?
        } else {
            let shown = Shown::over(out, total_us(&record));
            let result = run::verify(&host, &id, &self.workers.request(), &shown, &cancel);
            shown.end();
            result?
        };
        out.print(&verification, |out| {
            let row = |t: &run::TableVerdict| {
                let verdict = if t.equal { "equal" } else { "DIFFERENT" };
                vec![t.table.clone(), grouped(t.recorded_rows), grouped(t.found_rows), verdict.to_owned()]
            };
            table(
                out,
                &["table", "recorded", "found", "verdict"],
                &verification.tables.iter().map(row).collect::<Vec<_>>(),
            )?;
            let verdict = if verification.equal { "equal: the run is proved" } else { "DIFFERENT" };
            writeln!(out, "\nrecorded {}\nfound    {}\n{verdict}", verification.recorded, verification.found)
        })?;
        Ok(if verification.equal { Verdict::Good } else { Verdict::Negative })
    }
}

fn newest(host: &run::Host, id: Option<RunId>) -> anyhow::Result<RunId> {
    match id {
        Some(id) => Ok(id),
        None => match host.runtime.block_on(host.store.latest_run())? {
            Some(run) => Ok(run.id),
            None => bail!("there is no run yet: `telemill run start ecommerce` makes one"),
        },
    }
}

/// Simulated time of a run, summed over its partitions.
fn total_us(record: &RunRecord) -> u64 {
    let spec: Option<run::ResolvedSpec> = serde_json::from_value(record.spec.clone()).ok();
    spec.map_or(1, |spec| spec.window().length_us() * u64::from(spec.spec().partitions))
}

/// Makes Ctrl-C and SIGTERM ask for a clean stop; a second one ends the process at once.
pub(super) fn on_ctrl_c(app: &App) -> Arc<Cancel> {
    let cancel = Arc::new(Cancel::default());
    let asked = Arc::clone(&cancel);
    app.runtime().spawn(async move {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).ok();
        loop {
            let terminated = async {
                match terminate.as_mut() {
                    Some(signal) => signal.recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminated => {}
            }
            if asked.is_cancelled() {
                std::process::exit(2);
            }
            tracing::warn!("stopping after the current window; once more ends at once");
            asked.cancel();
        }
    });
    cancel
}

/// Shows a run's beginning and its progress.
struct Shown<'a> {
    out: &'a Output,
    bar: std::sync::OnceLock<RunProgress>,
}

impl<'a> Shown<'a> {
    fn new(out: &'a Output) -> Self {
        Self { out, bar: std::sync::OnceLock::new() }
    }

    fn over(out: &'a Output, total: u64) -> Self {
        let shown = Self::new(out);
        shown.bar.get_or_init(|| RunProgress::new(out, total));
        shown
    }

    fn begin(&self, record: &RunRecord, plan: &Plan) {
        let (seed, span) = (plan.spec.seed(), plan.spec.window());
        tracing::info!("run {} into {}: seed {seed}, {span}", record.id, record.dataset);
        self.bar.get_or_init(|| RunProgress::new(self.out, total_us(record)));
    }

    fn end(&self) {
        if let Some(bar) = self.bar.get() {
            bar.finish();
        }
    }
}

impl Observer for Shown<'_> {
    fn progress(&self, done_us: u64, rows: u64) {
        if let Some(bar) = self.bar.get() {
            bar.update(done_us, rows);
        }
    }
}
