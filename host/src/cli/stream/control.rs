//! What changes a stream, or tells how it does: through a server while it runs there, and in the data folder while nobody runs it,
//! where a change is all that becomes of it until it is taken up again.

use super::{find, find_there, print, streams};
use crate::api::Triggered;
use crate::app::App;
use crate::cli::Verdict;
use crate::cli::output::{Output, grouped, table};
use crate::core::id::StreamId;
use crate::core::time::{Length, Timestamp};
use crate::remote::{RemoteError, Server};
use crate::run;
use crate::store::StreamRecord;
use crate::stream::{self, StreamError, StreamStats, StreamView, Streams};
use clap::Args;
use std::collections::BTreeMap;

/// Stop a stream's clock; no rows are made until it is resumed
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  telemill --server http://127.0.0.1:8080 stream pause")]
pub(in crate::cli) struct Pause {
    /// The stream; the newest where none is given
    id: Option<StreamId>,
}

/// Let a paused stream go on from where its clock stands, or a failed one from its last commit
#[derive(Debug, Args)]
#[command(
    after_help = "In a data folder that no server has open, the stream goes on once it is taken up: by `telemill stream run` or `telemill serve`.\n\nExample:\n  telemill --server http://127.0.0.1:8080 stream resume"
)]
pub(in crate::cli) struct Resume {
    /// The stream; the newest where none is given
    id: Option<StreamId>,
}

/// Let a stream's clock go at another speed from now on
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  telemill --server http://127.0.0.1:8080 stream speed 60")]
pub(in crate::cli) struct Speed {
    /// Simulated seconds a second, 0.001 to 86400
    speed: f64,
    /// The stream; the newest where none is given
    id: Option<StreamId>,
}

/// Make an incident by hand, from the next segment on: ground truth like the others
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  telemill --server http://127.0.0.1:8080 stream trigger \\\n    service-incidents payment-gateway-timeout payment-gateway --length 20m"
)]
pub(in crate::cli) struct Trigger {
    /// The incident model, one of the stream's
    model: String,
    /// One of its kinds; `telemill plugin inspect MODEL` lists them
    kind: String,
    /// One of the generator's targets
    target: String,
    /// How long it lasts, recovery apart, such as 20m
    #[arg(long, value_name = "LENGTH")]
    length: Length,
    /// When it starts, by the simulated clock; with the next segment where it is left out
    #[arg(long, value_name = "TIME")]
    start: Option<Timestamp>,
    /// The stream; the newest where none is given
    #[arg(long, value_name = "ID")]
    id: Option<StreamId>,
}

/// Show what a stream is doing in numbers: clock, rows, rates, drift
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  telemill --server http://127.0.0.1:8080 stream stats")]
pub(in crate::cli) struct Stats {
    /// The stream; the newest where none is given
    id: Option<StreamId>,
}

/// End a stream for good; its rows stay
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  telemill stream stop")]
pub(in crate::cli) struct Stop {
    /// The stream; the newest where none is given
    id: Option<StreamId>,
}

impl Pause {
    pub(super) fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        change(app, out, self.id, Server::pause_stream, Streams::pause)
    }
}

impl Resume {
    pub(super) fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        change(app, out, self.id, Server::resume_stream, Streams::resume)
    }
}

impl Speed {
    pub(super) fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        let speed = self.speed;
        let there = |server: &Server, id: &StreamId| server.set_stream_speed(id, speed);
        change(app, out, self.id, there, |streams, id| streams.set_speed(id, speed))
    }
}

impl Stop {
    pub(super) fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        change(app, out, self.id, Server::stop_stream, Streams::stop)
    }
}

impl Trigger {
    pub(super) fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        let Self { model, kind, target, length, start, id } = self;
        let trigger = stream::Trigger { model, kind, target, start, length };
        let made = match app.server() {
            Some(server) => server.trigger_incident(&find_there(server, id)?.id, &trigger)?,
            None => at_rest(app, id, |streams, record| {
                let made = streams.trigger(&record.id, trigger)?;
                Ok(made.into_iter().map(Triggered::from).collect())
            })?,
        };
        out.print(&made, |out| {
            let row = |Triggered { model, incident }: &Triggered| {
                let (start, end) = (incident.window.start.to_string(), incident.window.end.to_string());
                vec![incident.id.clone(), model.clone(), incident.kind.clone(), start, end, incident.title.clone()]
            };
            let header = ["incident", "model", "kind", "start", "end", "title"];
            table(out, &header, &made.iter().map(row).collect::<Vec<_>>())
        })?;
        Ok(Verdict::Good)
    }
}

impl Stats {
    pub(super) fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        let stats: StreamStats = match app.server() {
            Some(server) => server.stream_stats(&find_there(server, self.id)?.id)?,
            None => stream::stats_at_rest(&find(&app.reader()?, self.id)?, run::now()),
        };
        out.print(&stats, |out| {
            writeln!(out, "stream {}: {}, {}", stats.id, stats.state, stats.mode)?;
            writeln!(out, "clock {}, speed {}", stats.clock, stats.speed)?;
            writeln!(out, "rows up to {}, {:.1} s behind", stats.position, stats.behind_s)?;
            if let Some(drift) = stats.drift_ms {
                writeln!(out, "drift {drift} ms, in the last minute {} ms at most", stats.max_drift_ms)?;
            }
            let row = |(name, rows): (&String, &u64)| {
                let of = |rows: &BTreeMap<String, u64>| grouped(rows.get(name).copied().unwrap_or(0));
                vec![name.clone(), grouped(*rows), of(&stats.session_rows), of(&stats.table_rows_per_minute)]
            };
            let header = ["table", "rows", "of this session", "of the last minute"];
            table(out, &header, &stats.rows.iter().map(row).collect::<Vec<_>>())?;
            writeln!(out, "{} rows in the last minute, {} commits", grouped(stats.rows_per_minute), stats.commits)?;
            let mut newest = stats.newest_log.iter();
            newest.try_for_each(|line| writeln!(out, "{} {}: {}", line.at, line.plugin, line.message))
        })?;
        Ok(Verdict::Good)
    }
}

/// Changes a stream where it is, and prints what it is then.
fn change(
    app: &App,
    out: &Output,
    id: Option<StreamId>,
    there: impl FnOnce(&Server, &StreamId) -> Result<StreamView, RemoteError>,
    here: impl FnOnce(&Streams, &StreamId) -> Result<(), StreamError>,
) -> anyhow::Result<Verdict> {
    let view = match app.server() {
        Some(server) => there(server, &find_there(server, id)?.id)?,
        None => at_rest(app, id, |streams, record| {
            here(streams, &record.id)?;
            Ok(streams.record(&record.id)?.into())
        })?,
    };
    print(out, &view)?;
    Ok(Verdict::Good)
}

/// Asks something of a stream that nobody runs.
pub(super) fn at_rest<T>(
    app: &App,
    id: Option<StreamId>,
    ask: impl FnOnce(&Streams, &StreamRecord) -> Result<T, StreamError>,
) -> anyhow::Result<T> {
    let writer = app.writer()?;
    let record = find(&writer.host, id)?;
    let streams = streams(app, &writer.host)?;
    let asked = ask(&streams, &record);
    streams.shut_down();
    Ok(asked?)
}
