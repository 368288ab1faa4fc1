//! `telemill stream`: a run without an end in the foreground, and what is recorded of streams.

use super::Verdict;
use super::output::{Output, grouped, table};
use super::run::on_ctrl_c;
use crate::alert::Alerts;
use crate::app::App;
use crate::core::id::StreamId;
use crate::core::time::{Length, Timestamp};
use crate::plugin::log_to_tracing;
use crate::remote::Server;
use crate::run::{Cancel, Existing, RunSpec, TableVerdict};
use crate::store::{StreamRecord, StreamState, TableTotal};
use crate::stream::{self, StreamSpec, StreamView, Streams};
use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How often a line about the stream is logged.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// How long the sinks of a stream that has ended may take.
const DELIVERY: Duration = Duration::from_secs(60);
/// What is said where a stream is meant and there is none.
const NO_STREAM: &str = "there is no stream yet: `telemill stream run ecommerce` makes one";
/// How soon a Ctrl-C is seen.
const GLANCE: Duration = Duration::from_millis(100);

/// Make rows without an end, in real time or faster
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  telemill stream run ecommerce --backfill 1h --speed 60\n  telemill stream list")]
pub(super) enum Stream {
    Run(Run),
    List(List),
    Show(Show),
    Stop(Stop),
    Verify(Verify),
}

/// Fill in the time before now at full speed, then go on with the clock; Ctrl-C ends it, the same command goes on
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  telemill stream run ecommerce --backfill 1h --speed 60")]
pub(super) struct Run {
    /// A spec (TOML, or JSON where the name ends in .json), or the name of a shipped scenario
    spec: PathBuf,
    /// Write another dataset than the spec says
    #[arg(long, value_name = "NAME")]
    dataset: Option<String>,
    /// Another seed
    #[arg(long)]
    seed: Option<u64>,
    /// Begin here, such as 2026-11-09T06:00:00Z, and fill in the time up to now
    #[arg(long, value_name = "TIME", conflicts_with = "backfill")]
    start: Option<Timestamp>,
    /// Begin so long before now, such as 7d or 6h
    #[arg(long, value_name = "LENGTH")]
    backfill: Option<Length>,
    /// Simulated seconds a second, such as 60
    #[arg(long, value_name = "N")]
    speed: Option<f64>,
    /// End by itself once the rows have come to this simulated time
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,
    /// Simulated time that is committed at once, such as 10s
    #[arg(long, value_name = "LENGTH")]
    tick: Option<Length>,
    /// Change a plugin's configuration; `telemill generate NAME --help` lists the keys
    #[arg(long = "set", value_name = "PLUGIN.KEY=VALUE")]
    sets: Vec<String>,
    /// Keep the rows that the dataset has
    #[arg(long, conflicts_with = "replace")]
    append: bool,
    /// Begin the dataset anew
    #[arg(long)]
    replace: bool,
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

/// End a stream for good; its rows stay
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  telemill stream stop")]
pub(super) struct Stop {
    /// The stream; the newest where none is given
    id: Option<StreamId>,
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
            Self::Stop(command) => command.run(app, out),
            Self::Verify(command) => command.run(app, out),
        }
    }
}

impl Run {
    fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        let spec = self.spec()?;
        if let Some(server) = app.server() {
            let view = server.start_stream(&spec)?;
            tracing::info!("the stream goes on there; `telemill --server {} stream show` tells how far", server.url());
            print(out, &view)?;
            return Ok(Verdict::Good);
        }
        let writer = app.writer()?;
        let cancel = on_ctrl_c(app);
        let streams = streams(app, &writer.host)?;
        let ended = self.stream(app, out, &streams, spec, &cancel);
        streams.shut_down();
        let id = ended?;
        let record = streams.record(&id)?;
        if let (StreamState::Failed, Some(error)) = (record.state, &record.error) {
            bail!("{error}; the same command goes on with the stream once that is mended");
        }
        print(out, &record.into())?;
        Ok(Verdict::Good)
    }

    /// Starts the stream, or goes on with it, until it ends or somebody asks for it.
    fn stream(
        &self,
        app: &App,
        out: &Output,
        streams: &Streams,
        spec: StreamSpec,
        cancel: &Cancel,
    ) -> anyhow::Result<StreamId> {
        let id = match streams.find(&spec)? {
            Some(record) => {
                streams.take_up(&record.id)?;
                self.speed.map_or(Ok(()), |speed| streams.set_speed(&record.id, speed))?;
                self.until.map_or(Ok(()), |until| streams.set_until(&record.id, until))?;
                tracing::info!("stream {} into {} goes on at {}", record.id, record.dataset, record.position);
                record.id
            }
            None => {
                let record = streams.start(spec)?;
                tracing::info!("stream {} into {} from {}", record.id, record.dataset, record.position);
                record.id
            }
        };
        let mut commits = streams.watch(&id)?;
        let mut line = Instant::now();
        while !cancel.is_cancelled() {
            let state = streams.record(&id)?.state;
            if matches!(state, StreamState::Stopped | StreamState::Failed) {
                break;
            }
            // A glance at the clock whatever happens: a second Ctrl-C must not be needed.
            let changed = async { tokio::time::timeout(GLANCE, commits.changed()).await };
            let _ = app.runtime().block_on(changed);
            if line.elapsed() >= LINE_EVERY && !out.quiet {
                line = Instant::now();
                tell(streams, &id)?;
            }
        }
        deliver(streams, &id, cancel)?;
        Ok(id)
    }

    fn spec(&self) -> anyhow::Result<StreamSpec> {
        let mut spec = RunSpec::named_open_ended(&self.spec)?;
        if let Some(dataset) = &self.dataset {
            spec.dataset.clone_from(dataset);
        }
        spec.seed = self.seed.or(spec.seed);
        spec.start = self.start.or(spec.start);
        if let Some(backfill) = self.backfill {
            (spec.start, spec.duration) = (None, backfill);
        }
        match (self.append, self.replace) {
            (true, _) => spec.existing = Existing::Append,
            (_, true) => spec.existing = Existing::Replace,
            _ => {}
        }
        self.sets.iter().try_for_each(|set| spec.set(set))?;
        let mut spec = StreamSpec::of(spec)?;
        spec.settings.speed = self.speed.unwrap_or(spec.settings.speed);
        spec.settings.until = self.until.or(spec.settings.until);
        spec.settings.tick = self.tick.or(spec.settings.tick);
        Ok(spec)
    }
}

/// A stream that has ended leaves nothing behind for its sinks, unless they take too long.
fn deliver(streams: &Streams, id: &StreamId, cancel: &Cancel) -> anyhow::Result<()> {
    let began = Instant::now();
    while streams.record(id)?.state == StreamState::Stopped && !cancel.is_cancelled() {
        match streams.undelivered(id)? {
            0 => break,
            left if began.elapsed() > DELIVERY => bail!("{left} commits could not be delivered to all sinks"),
            _ => std::thread::sleep(GLANCE),
        }
    }
    Ok(())
}

fn tell(streams: &Streams, id: &StreamId) -> anyhow::Result<()> {
    let stats = streams.stats(id)?;
    let drift = stats.drift_ms.map(|drift| format!(", drift {drift} ms")).unwrap_or_default();
    let rows: u64 = stats.rows.values().sum();
    tracing::info!(
        "{}: clock {}, rows up to {}: {} ({} in the last minute{drift})",
        stats.mode,
        stats.clock,
        stats.position,
        grouped(rows),
        grouped(stats.rows_per_minute),
    );
    Ok(())
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

impl Stop {
    fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        if let Some(server) = app.server() {
            print(out, &server.stop_stream(&find_there(server, self.id)?.id)?)?;
            return Ok(Verdict::Good);
        }
        let writer = app.writer()?;
        let record = find(&writer.host, self.id)?;
        let streams = streams(app, &writer.host)?;
        let stopped = streams.stop(&record.id);
        streams.shut_down();
        stopped?;
        print(out, &streams.record(&record.id)?.into())?;
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
