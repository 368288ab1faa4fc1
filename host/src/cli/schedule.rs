//! `telemill schedule`: pipelines in the foreground, and what became of their runs.

use super::Verdict;
use super::output::{Output, table};
use super::run::on_ctrl_c;
use crate::alert::{Alerts, Notifier};
use crate::api::{self, Requested, RunWithSteps};
use crate::app::App;
use crate::core::time::Timestamp;
use crate::remote::Server;
use crate::run;
use crate::schedule::{Scheduler, SystemClock, read_all};
use crate::store::{DATABASE_FILE, PipelineRun, StepRun, Store, WorkState};
use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use serde_json::json;
use std::io::{self, Write};
use std::path::PathBuf;

/// Run pipelines when they are due, and look at their runs
#[derive(Debug, Subcommand)]
#[command(
    after_help = "Example:\n  telemill schedule run plugins/transfer-compression/pipelines/training.toml\n  telemill schedule list"
)]
pub(super) enum Schedule {
    Run(Run),
    List(List),
    Show(Show),
    History(History),
    Trigger(Trigger),
}

/// Run pipelines when they are due, until Ctrl-C or SIGTERM
///
/// A due time is run at most once, also after a crash. With --once, one pipeline is run now, and the exit code is 1 where it fails.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  telemill schedule run plugins/device-fleet/pipelines/collection.toml\n  telemill schedule run plugins/device-fleet/pipelines/collection.toml --once device-collection"
)]
pub(super) struct Run {
    /// Files of pipelines
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Run this pipeline once, now, and end
    #[arg(long, value_name = "NAME")]
    once: Option<String>,
    /// The due time of that run, where it is another than now
    #[arg(long, value_name = "TIME", requires = "once")]
    due: Option<Timestamp>,
}

/// List pipelines, when they run next, and how their last run ended
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  telemill schedule list --json")]
pub(super) struct List {}

/// Show a pipeline's newest run, or one by its number: its steps and what they wrote
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  telemill schedule show device-collection")]
pub(super) struct Show {
    /// The pipeline
    name: String,
    /// The run's number
    #[arg(long, value_name = "ID")]
    run: Option<i64>,
}

/// List runs of pipelines, newest first
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  telemill schedule history device-collection --limit 5")]
pub(super) struct History {
    /// The pipeline; all where none is given
    name: Option<String>,
    /// How many
    #[arg(long, default_value_t = 20)]
    limit: u32,
    /// Only those with a smaller number
    #[arg(long, value_name = "ID")]
    before: Option<i64>,
}

/// Ask the scheduler to run a pipeline now, or a run of it again
///
/// The request waits for the scheduler where none is at work.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  telemill schedule trigger device-collection\n  telemill schedule trigger device-collection --again 17"
)]
pub(super) struct Trigger {
    /// The pipeline
    name: String,
    /// The number of a run, whose due time and simulated time are taken again
    #[arg(long, value_name = "ID")]
    again: Option<i64>,
}

impl Schedule {
    pub(super) fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        match self {
            Self::Run(command) => command.run(app, out),
            Self::List(command) => command.run(app, out),
            Self::Show(command) => command.run(app, out),
            Self::History(command) => command.run(app, out),
            Self::Trigger(command) => command.run(app, out),
        }
    }
}

impl Run {
    fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        let pipelines = read_all(&self.files)?;
        let writer = app.writer()?;
        let alerts = Alerts::new(writer.host.store.clone(), writer.host.runtime.clone());
        let notifier = Notifier::new(alerts.clone(), &app.settings().alert)?;
        let scheduler = Scheduler::new(pipelines, alerts);
        let stop = on_ctrl_c(app);
        let Some(name) = self.once else {
            for pipeline in scheduler.pipelines() {
                let next = pipeline.next_due(run::now()).map_or("when asked".to_owned(), |due| due.to_string());
                tracing::info!("{}: next {next}", pipeline.head.name);
            }
            std::thread::scope(|scope| {
                scope.spawn(|| notifier.run(&stop));
                let ended = scheduler.run(&writer.host, &SystemClock, &stop);
                stop.cancel();
                ended
            })?;
            return Ok(Verdict::Good);
        };
        let run = scheduler.once(&writer.host, &SystemClock, &name, self.due, &stop);
        notifier.pass(run::now());
        let run = run?;
        let steps = writer.host.runtime.block_on(writer.host.store.pipeline_steps(run.id))?;
        tell_run(out, &run, &steps)?;
        Ok(if run.state == WorkState::Succeeded { Verdict::Good } else { Verdict::Negative })
    }
}

impl List {
    fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        let listed = match app.server() {
            Some(server) => server.schedules()?,
            None => {
                let host = app.reader()?;
                let mut listed = Vec::new();
                for pipeline in host.runtime.block_on(host.store.pipelines())? {
                    let last = host.runtime.block_on(host.store.pipeline_runs(Some(&pipeline.name), 1, None))?.pop();
                    listed.push(api::Schedule::of(pipeline, last));
                }
                listed
            }
        };
        out.print(&listed, |out| {
            let row = |pipeline: &api::Schedule| {
                let last = pipeline.last_run.as_ref();
                let last = last.map_or(String::new(), |run| format!("{} {}", run.state, run.due));
                let next = pipeline.next_due.map_or("when asked".to_owned(), |due| due.to_string());
                let schedule = pipeline.schedule.clone().unwrap_or_default();
                vec![pipeline.name.clone(), schedule, pipeline.timezone.clone(), next, last]
            };
            table(
                out,
                &["pipeline", "schedule", "zone", "next", "last run"],
                &listed.iter().map(row).collect::<Vec<_>>(),
            )
        })?;
        Ok(Verdict::Good)
    }
}

impl Show {
    fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        let RunWithSteps { run, steps } = match app.server() {
            Some(server) => self.ask(server)?,
            None => self.look(app)?,
        };
        tell_run(out, &run, &steps)?;
        Ok(Verdict::Good)
    }

    fn ask(&self, server: &Server) -> anyhow::Result<RunWithSteps> {
        let newest = || anyhow::Ok(server.pipeline_runs(Some(&self.name), 1, None)?.pop().map(|run| run.id));
        let found = match self.run {
            Some(id) => match server.pipeline_run(&self.name, id) {
                // No such run, or no such pipeline, which the next question tells.
                Err(error) if error.status() == Some(404) => newest()?.and(None),
                answer => Some(answer?),
            },
            None => newest()?.map(|id| server.pipeline_run(&self.name, id)).transpose()?,
        };
        found.with_context(|| self.no_such_run())
    }

    fn no_such_run(&self) -> String {
        format!("{} has no such run: `telemill schedule history {}` lists its runs", self.name, self.name)
    }

    fn look(&self, app: &App) -> anyhow::Result<RunWithSteps> {
        let host = app.reader()?;
        let found = match self.run {
            Some(id) => host.runtime.block_on(host.store.pipeline_run(id))?.filter(|run| run.pipeline == self.name),
            None => host.runtime.block_on(host.store.pipeline_runs(Some(&self.name), 1, None))?.pop(),
        };
        let Some(run) = found else {
            // Tells that there is no such pipeline, where there is none.
            host.runtime.block_on(host.store.pipeline(&self.name))?;
            bail!(self.no_such_run())
        };
        let steps = host.runtime.block_on(host.store.pipeline_steps(run.id))?;
        Ok(RunWithSteps { run, steps })
    }
}

impl History {
    fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        let (name, limit, before) = (self.name.as_deref(), self.limit, self.before);
        let runs = match app.server() {
            Some(server) => server.pipeline_runs(name, limit, before)?,
            None => {
                let host = app.reader()?;
                host.runtime.block_on(host.store.pipeline_runs(name, limit, before))?
            }
        };
        out.print(&runs, |out| {
            let row = |run: &PipelineRun| {
                let (id, due) = (run.id.to_string(), run.due.to_string());
                let (cause, error) = (run.cause.as_str().to_owned(), run.error.clone().unwrap_or_default());
                vec![
                    id,
                    run.pipeline.clone(),
                    due,
                    run.attempt.to_string(),
                    cause,
                    run.state.to_string(),
                    took(run),
                    error,
                ]
            };
            let header = ["id", "pipeline", "due", "attempt", "cause", "state", "seconds", "error"];
            table(out, &header, &runs.iter().map(row).collect::<Vec<_>>())
        })?;
        Ok(Verdict::Good)
    }
}

impl Trigger {
    fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        let requested = match app.server() {
            Some(server) => server.trigger(&self.name, self.again)?,
            None => app.runtime().block_on(async {
                let store = Store::open_beside(&app.data_dir().join(DATABASE_FILE)).await?;
                let mut tx = store.write().await?;
                let request = tx.request_run(&self.name, self.again, run::now()).await?;
                tx.commit().await?;
                store.close().await;
                anyhow::Ok(Requested { request, pipeline: self.name.clone(), again: self.again })
            })?,
        };
        out.print(&requested, |out| {
            writeln!(out, "{} is asked for; `telemill schedule history {}` tells when it ran", self.name, self.name)
        })?;
        Ok(Verdict::Good)
    }
}

fn took(run: &PipelineRun) -> String {
    let us = run.finished_at.map(|end| end.0.saturating_sub(run.claimed_at.0));
    us.map_or(String::new(), |us| format!("{}.{}", us / 1_000_000, us / 100_000 % 10))
}

fn tell_run(out: &Output, run: &PipelineRun, steps: &[StepRun]) -> anyhow::Result<()> {
    out.print(&json!({ "run": run, "steps": steps }), |out| {
        writeln!(out, "run {} of {} for {}: {}", run.id, run.pipeline, run.due, run.state)?;
        if let Some(clock) = run.clock {
            writeln!(out, "simulated time {clock}")?;
        }
        steps.iter().try_for_each(|step| tell_step(out, step))
    })
}

fn tell_step(out: &mut dyn Write, step: &StepRun) -> io::Result<()> {
    let tries = if step.tries > 1 { format!(" at try {}", step.tries) } else { String::new() };
    writeln!(out, "\n{} ({}): {}{tries}", step.name, step.kind, step.state)?;
    if let Some(error) = step.error.as_ref().filter(|error| step.log.last() != Some(*error)) {
        writeln!(out, "  {error}")?;
    }
    step.log.iter().try_for_each(|line| writeln!(out, "  | {line}"))
}
