//! `telemill run`: start, list, show, resume, verify and cancel.

mod shown;
mod watch;

use super::output::{Output, grouped, table};
use super::{Verdict, summary};
use crate::api::RunWithReports;
use crate::app::App;
use crate::core::id::RunId;
use crate::core::time::{Length, Timestamp};
use crate::plugin::log_to_tracing;
use crate::remote::Server;
use crate::run::{self, Cancel, Existing, Request, RunError, Verification};
use crate::store::{RunRecord, StoreError};
use crate::task;
use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use serde_json::json;
use shown::{Shown, total_us};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What is said where a run is meant and there is none.
const NO_RUN: &str = "there is no run yet: `telemill run start ecommerce` makes one";

/// Make rows from a spec, look at runs, go on with one, or prove one
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  telemill run start ecommerce --duration 6h\n  telemill run list")]
pub(super) enum Run {
    Start(Start),
    List(List),
    Show(Show),
    Resume(Resume),
    Verify(Verify),
    Cancel(CancelRun),
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
    /// Do not wait for the end: a server makes the rows
    #[arg(long)]
    detach: bool,
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
    /// The run; the newest unfinished or unjudged one where none is given
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

/// Ask a run of a server to stop; finished segments are kept, and `telemill run resume` goes on
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  telemill --server http://127.0.0.1:8080 run cancel r019e4c0f8d3a1b2c")]
pub(super) struct CancelRun {
    /// The run
    id: RunId,
}

impl Run {
    pub(super) fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        match self {
            Self::Start(command) => command.run(app, out),
            Self::List(command) => command.run(app, out),
            Self::Show(command) => command.run(app, out),
            Self::Resume(command) => command.run(app, out),
            Self::Verify(command) => command.run(app, out),
            Self::Cancel(command) => command.run(app, out),
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
        let spec = task.spec()?;
        if let Some(server) = app.server() {
            self.workers.refuse()?;
            let record = server.start_run(&spec)?;
            return if self.detach { begun(out, &record) } else { watch::to_the_end(app, out, server, record) };
        }
        if self.detach {
            bail!("--detach is for the runs of a server (--server): here the rows are made by this process");
        }
        let writer = app.writer()?;
        let shown = Shown::new(out);
        let request = self.workers.request();
        let outcome = run::start(&writer.host, spec, &request, &|r, _| shown.begin(r), &shown, &on_ctrl_c(app));
        shown.end();
        summary::finished_here(app, &writer.host, out, outcome?)
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
    /// A server decides that for itself.
    fn refuse(&self) -> anyhow::Result<()> {
        match self.workers {
            Some(_) => bail!("--workers is for runs of this machine: a server uses the cores that it has"),
            None => Ok(()),
        }
    }

    fn request(&self) -> Request {
        Request { workers: self.workers, log: log_to_tracing() }
    }
}

impl List {
    fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        let runs = match app.server() {
            Some(server) => server.runs(self.limit, self.before.as_ref())?,
            None => {
                let host = app.reader()?;
                host.runtime.block_on(host.store.runs(self.limit, self.before.as_ref()))?
            }
        };
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
        let RunWithReports { run, reports } = match app.server() {
            Some(server) => server.run(&newest_of(server, self.id)?)?,
            None => {
                let host = app.reader()?;
                let id = newest(&host, self.id)?;
                host.runtime.block_on(async {
                    let (run, reports) = (host.store.run(&id).await?, host.store.run_reports(&id).await?);
                    Ok::<_, StoreError>(RunWithReports { run, reports })
                })?
            }
        };
        summary::run(out, &run, &reports)?;
        Ok(Verdict::Good)
    }
}

impl Resume {
    fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        if let Some(server) = app.server() {
            self.workers.refuse()?;
            let id = match self.id {
                Some(id) => id,
                None => server.run_to_resume()?.ok_or(RunError::NoRun("resume"))?,
            };
            let record = server.resume_run(&id)?;
            return watch::to_the_end(app, out, server, record);
        }
        let writer = app.writer()?;
        let shown = Shown::new(out);
        let (id, request) = (self.id.as_ref(), self.workers.request());
        let outcome = run::resume(&writer.host, id, &request, &|r, _| shown.begin(r), &shown, &on_ctrl_c(app));
        shown.end();
        summary::finished_here(app, &writer.host, out, outcome?)
    }
}

impl Verify {
    fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        let verification = match app.server() {
            Some(server) => {
                self.workers.refuse()?;
                server.verify_run(&newest_of(server, self.id)?, self.lake)?
            }
            None => self.here(app, out)?,
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

    fn here(self, app: &App, out: &Output) -> anyhow::Result<Verification> {
        let host = app.reader()?;
        let id = newest(&host, self.id)?;
        let record = host.runtime.block_on(host.store.run(&id))?;
        let rows: u64 = record.tables.iter().map(|table| table.rows).sum();
        let cancel = on_ctrl_c(app);
        let shown = Shown::over(out, if self.lake { rows } else { total_us(&record) });
        let verified = if self.lake {
            run::verify_lake(&host, &id, &shown, &cancel)
        } else {
            run::verify(&host, &id, &self.workers.request(), &shown, &cancel)
        };
        shown.end();
        Ok(verified?)
    }
}

impl CancelRun {
    fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        let Some(server) = app.server() else {
            bail!(
                "here a run is stopped by Ctrl-C (or SIGTERM) where it is made; --server names the server of another"
            );
        };
        server.cancel_run(&self.id)?;
        let value = json!({ "id": self.id, "asked": "cancel" });
        out.print(&value, |out| {
            writeln!(out, "run {} stops after its current window; `telemill run resume {}` goes on", self.id, self.id)
        })?;
        Ok(Verdict::Good)
    }
}

/// A run that is under way without this process.
fn begun(out: &Output, record: &RunRecord) -> anyhow::Result<Verdict> {
    out.print(record, |out| {
        writeln!(
            out,
            "run {} into {} has begun; `telemill run show {}` tells more",
            record.id, record.dataset, record.id
        )
    })?;
    Ok(Verdict::Good)
}

fn newest_of(server: &Server, id: Option<RunId>) -> anyhow::Result<RunId> {
    match id {
        Some(id) => Ok(id),
        None => Ok(server.runs(1, None)?.pop().map(|run| run.id).context(NO_RUN)?),
    }
}

fn newest(host: &run::Host, id: Option<RunId>) -> anyhow::Result<RunId> {
    match id {
        Some(id) => Ok(id),
        None => match host.runtime.block_on(host.store.latest_run())? {
            Some(run) => Ok(run.id),
            None => bail!(NO_RUN),
        },
    }
}

/// Makes Ctrl-C and SIGTERM ask for a clean stop; a second one ends the process at once.
pub(super) fn on_ctrl_c(app: &App) -> Arc<Cancel> {
    let cancel = Arc::new(Cancel::default());
    let asked = Arc::clone(&cancel);
    // Heard from here on, not only once the task gets its turn.
    let _entered = app.runtime().enter();
    let (mut interrupt, mut terminate) = (heard(SignalKind::interrupt()), heard(SignalKind::terminate()));
    app.runtime().spawn(async move {
        loop {
            tokio::select! {
                () = next(&mut interrupt) => {}
                () = next(&mut terminate) => {}
            }
            if asked.is_cancelled() {
                std::process::exit(2);
            }
            tracing::warn!("stopping; once more ends at once");
            asked.cancel();
        }
    });
    cancel
}

fn heard(kind: SignalKind) -> Option<Signal> {
    signal(kind).ok()
}

async fn next(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}
