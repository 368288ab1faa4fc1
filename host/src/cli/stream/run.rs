//! `telemill stream run`: a stream in the foreground.

use super::{print, streams};
use crate::alert::{Alerts, Notifier};
use crate::app::App;
use crate::cli::Verdict;
use crate::cli::output::{Output, grouped};
use crate::cli::run::on_ctrl_c;
use crate::core::id::StreamId;
use crate::core::problem;
use crate::core::time::{Length, Timestamp};
use crate::run::{Cancel, Existing, RunSpec};
use crate::store::StreamState;
use crate::stream::{StreamSpec, Streams};
use anyhow::bail;
use clap::Args;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How often a line about the stream is logged.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// How long the sinks of a stream that has ended may take.
const DELIVERY: Duration = Duration::from_secs(60);
/// How soon a Ctrl-C is seen.
const GLANCE: Duration = Duration::from_millis(100);

/// Fill in the time before now at full speed, then go on with the clock; Ctrl-C ends it, the same command goes on
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  telemill stream run ecommerce --backfill 1h --speed 60")]
pub(in crate::cli) struct Run {
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

impl Run {
    pub(super) fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
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
        let alerts = Alerts::new(writer.host.store.clone(), writer.host.runtime.clone());
        let notifier = Notifier::new(alerts, &app.settings().alert)?;
        let ended = telling(&notifier, || {
            let ended = self.stream(app, out, &streams, spec, &cancel);
            if let Ok(id) = &ended {
                look_after(&streams, id);
            }
            streams.shut_down();
            ended
        });
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
                if record.state == StreamState::Paused {
                    streams.resume(&record.id)?;
                }
                if record.state == StreamState::Stopped {
                    tracing::info!("stream {} into {} has ended; its sinks get the rest", record.id, record.dataset);
                    return deliver(streams, &record.id, cancel).map(|()| record.id);
                }
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

/// Tells of alerts while something is done, and at its end what is not told yet, once.
fn telling<T>(notifier: &Notifier, work: impl FnOnce() -> T) -> T {
    let done = Cancel::default();
    std::thread::scope(|scope| {
        scope.spawn(|| notifier.run(&done));
        let _told = CancelOnDrop(&done);
        work()
    })
}

/// Lets the thread that tells of alerts end, also where the work panics.
struct CancelOnDrop<'a>(&'a Cancel);

impl Drop for CancelOnDrop<'_> {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// A stream that is over leaves no small files behind. That it does is no reason to fail.
fn look_after(streams: &Streams, id: &StreamId) {
    let over = |state| matches!(state, StreamState::Stopped | StreamState::Failed);
    let looked_after = streams.record(id).and_then(|record| match over(record.state) {
        true => streams.look_after(id).map(drop),
        false => Ok(()),
    });
    if let Err(error) = looked_after {
        tracing::warn!("the stream's files can't be looked after: {}", problem::chain(&error));
    }
}

/// A stream that has ended leaves nothing behind for its sinks, unless they take too long.
fn deliver(streams: &Streams, id: &StreamId, cancel: &Cancel) -> anyhow::Result<()> {
    let began = Instant::now();
    while streams.record(id)?.state == StreamState::Stopped && !cancel.is_cancelled() {
        match streams.undelivered(id)? {
            0 => break,
            left if began.elapsed() > DELIVERY => {
                bail!("{left} commits could not be delivered to all sinks yet; the same command goes on with them")
            }
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
