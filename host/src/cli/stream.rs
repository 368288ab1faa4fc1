//! `telemill stream`: runs without an end, and what is recorded of them. `run` makes one in the foreground, `control` changes
//! those that there are.

mod control;
mod letters;
mod run;

use super::Verdict;
use super::output::{Output, grouped, table};
use super::run::on_ctrl_c;
use crate::alert::Alerts;
use crate::app::App;
use crate::core::id::StreamId;
use crate::plugin::log_to_tracing;
use crate::remote::Server;
use crate::run::TableVerdict;
use crate::store::{StreamRecord, TableTotal};
use crate::stream::{self, StreamSpec, StreamView, Streams};
use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};

/// What is said where a stream is meant and there is none.
const NO_STREAM: &str = "there is no stream yet: `telemill stream run ecommerce` makes one";

/// Make rows without an end, in real time or faster
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  telemill stream run ecommerce --backfill 1h --speed 60\n  telemill stream list")]
pub(super) enum Stream {
    Run(run::Run),
    List(List),
    Show(Show),
    Stats(control::Stats),
    Pause(control::Pause),
    Resume(control::Resume),
    Speed(control::Speed),
    Trigger(control::Trigger),
    Stop(control::Stop),
    #[command(subcommand)]
    DeadLetters(letters::DeadLetters),
    Verify(Verify),
}

/// List streams, newest first
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  telemill stream list --json")]
pub(super) struct List {
    /// How many
    #[arg(long, default_value_t = 20)]
    limit: u32,
    /// Only those before this one
    #[arg(long, value_name = "ID")]
    before: Option<StreamId>,
}

/// Show a stream: what it was asked, how far it has come, what it made
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  telemill stream show --spec > same-rows.json")]
pub(super) struct Show {
    /// The stream; the newest where none is given
    id: Option<StreamId>,
    /// Print the spec of the run that makes the same rows as the stream did so far
    #[arg(long)]
    spec: bool,
}

/// Make all rows of a stream again and compare fingerprints
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  telemill stream verify")]
pub(super) struct Verify {
    /// The stream; the newest where none is given
    id: Option<StreamId>,
}

impl Stream {
    pub(super) fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        match self {
            Self::Run(command) => command.run(app, out),
            Self::List(command) => command.run(app, out),
            Self::Show(command) => command.run(app, out),
            Self::Stats(command) => command.run(app, out),
            Self::Pause(command) => command.run(app, out),
            Self::Resume(command) => command.run(app, out),
            Self::Speed(command) => command.run(app, out),
            Self::Trigger(command) => command.run(app, out),
            Self::Stop(command) => command.run(app, out),
            Self::DeadLetters(command) => command.run(app, out),
            Self::Verify(command) => command.run(app, out),
        }
    }
}

impl List {
    fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        let streams = match app.server() {
            Some(server) => server.streams(self.limit, self.before.as_ref())?,
            None => {
                let host = app.reader()?;
                let streams = host.runtime.block_on(host.store.streams(self.limit, self.before.as_ref()))?;
                streams.into_iter().map(StreamView::from).collect()
            }
        };
        out.print(&streams, |out| {
            let row = |stream: &StreamView| {
                let rows = stream.tables.iter().map(|total| total.rows).sum();
                let (id, state) = (stream.id.to_string(), stream.state.to_string());
                vec![id, state, stream.dataset.clone(), stream.position.to_string(), grouped(rows)]
            };
            table(out, &["id", "state", "dataset", "rows up to", "rows"], &streams.iter().map(row).collect::<Vec<_>>())
        })?;
        Ok(Verdict::Good)
    }
}

impl Show {
    fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        let view = match app.server() {
            Some(server) => find_there(server, self.id)?,
            None => find(&app.reader()?, self.id)?.into(),
        };
        if !self.spec {
            print(out, &view)?;
            return Ok(Verdict::Good);
        }
        let run = match app.server() {
            Some(server) => server.stream_as_run(&view.id)?,
            None => StreamSpec::of_value(&view.spec)?.run_until(view.position),
        };
        let json = Output { json: true, ..*out };
        json.print(&run, |_| Ok(()))?;
        Ok(Verdict::Good)
    }
}

impl Verify {
    fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        let verification = match app.server() {
            Some(server) => server.verify_stream(&find_there(server, self.id)?.id)?,
            None => {
                let host = app.reader()?;
                let record = find(&host, self.id)?;
                stream::verify(&host, &record.id, log_to_tracing(), &on_ctrl_c(app))?
            }
        };
        out.print(&verification, |out| {
            let row = |verdict: &TableVerdict| {
                let word = if verdict.equal { "equal" } else { "DIFFERENT" };
                let (recorded, found) = (grouped(verdict.recorded_rows), grouped(verdict.found_rows));
                vec![verdict.table.clone(), recorded, found, word.to_owned()]
            };
            let rows: Vec<_> = verification.tables.iter().map(row).collect();
            table(out, &["table", "recorded", "found", "verdict"], &rows)?;
            let word = if verification.equal { "equal: the stream is proved" } else { "DIFFERENT" };
            writeln!(out, "up to {}: {word}", verification.position)
        })?;
        Ok(if verification.equal { Verdict::Good } else { Verdict::Negative })
    }
}

/// The streams of a data folder that this process writes.
pub(super) fn streams(app: &App, host: &crate::run::Host) -> anyhow::Result<Streams> {
    let alerts = Alerts::new(host.store.clone(), host.runtime.clone());
    Ok(Streams::new(host, alerts, app.settings().streams.clone(), log_to_tracing())?)
}

fn find(host: &crate::run::Host, id: Option<StreamId>) -> anyhow::Result<StreamRecord> {
    match id {
        Some(id) => Ok(host.runtime.block_on(host.store.stream(&id))?),
        None => match host.runtime.block_on(host.store.streams(1, None))?.pop() {
            Some(record) => Ok(record),
            None => bail!(NO_STREAM),
        },
    }
}

fn find_there(server: &Server, id: Option<StreamId>) -> anyhow::Result<StreamView> {
    match id {
        Some(id) => Ok(server.stream(&id)?),
        None => server.streams(1, None)?.pop().context(NO_STREAM),
    }
}

/// Prints a record with the fingerprint of all that it committed, which a run of the same rows has as well.
fn print(out: &Output, view: &StreamView) -> anyhow::Result<()> {
    out.print(view, |out| {
        writeln!(out, "stream {} into {}: {}", view.id, view.dataset, view.state)?;
        writeln!(out, "rows up to {}, {} commits, speed {}", view.position, view.commits, view.clock.speed)?;
        let row = |total: &TableTotal| vec![total.table.clone(), grouped(total.rows)];
        table(out, &["table", "rows"], &view.tables.iter().map(row).collect::<Vec<_>>())?;
        writeln!(out, "fingerprint {}", view.fingerprint)?;
        view.error.iter().try_for_each(|error| writeln!(out, "failed: {error}"))
    })
}
