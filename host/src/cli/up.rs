//! `telemill up`: the server, a scenario's stream and its validators, in one process.

use super::output::Output;
use super::serve::Serving;
use super::{Verdict, summary};
use crate::app::App;
use crate::core::time::Length;
use crate::run::{Changes, RunSpec};
use crate::store::{StreamRecord, StreamState};
use crate::stream::{StreamSpec, StreamView, Streams};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;

/// What is filled in of the past where a scenario that ships is brought up, in microseconds: enough to look at, and there
/// in seconds.
const BACKFILL_US: u64 = 3_600_000_000;

/// Bring a scenario up: the server, its stream from the past into the present, and the validators that judge it
///
/// Ctrl-C or SIGTERM ends them all, and the same command goes on with the same stream. What validators find wrong of the
/// present is an alert (/api/v1/alerts).
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  telemill up ecommerce --backfill 1h --speed 60\n  telemill up live.toml --listen 127.0.0.1:9000"
)]
pub(super) struct Up {
    /// A spec (TOML, or JSON where the name ends in .json), or the name of a shipped scenario
    scenario: PathBuf,
    /// Begin so long before now, such as 7d or 6h; 1h for a scenario that ships, and where the spec says for a file
    #[arg(long, value_name = "LENGTH")]
    backfill: Option<Length>,
    /// Simulated seconds a second, such as 60
    #[arg(long, value_name = "N")]
    speed: Option<f64>,
    /// Write another dataset than the spec says
    #[arg(long, value_name = "NAME")]
    dataset: Option<String>,
    /// Another seed
    #[arg(long)]
    seed: Option<u64>,
    /// Change a plugin's configuration; `telemill generate NAME --help` lists the keys
    #[arg(long = "set", value_name = "PLUGIN.KEY=VALUE")]
    sets: Vec<String>,
    #[command(flatten)]
    serving: Serving,
}

impl Up {
    pub(super) fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        let spec = self.spec()?;
        let speed = self.speed;
        self.serving.serve(app, |streams, url| {
            streams.take_up_all()?;
            let record = begin(streams, spec, speed)?;
            tell(app, out, url, &record)
        })
    }

    fn spec(&self) -> anyhow::Result<StreamSpec> {
        let mut run = RunSpec::named_open_ended(&self.scenario)?;
        let backfill = self.backfill.or((!self.scenario.exists()).then(|| Length::from_us(BACKFILL_US)));
        if backfill.is_some() {
            run.start = None;
        }
        let (dataset, seed, sets) = (self.dataset.clone(), self.seed, self.sets.clone());
        run.change(&Changes { dataset, seed, duration: backfill, sets, ..Changes::default() })?;
        let mut spec = StreamSpec::of(run)?;
        spec.settings.speed = self.speed.unwrap_or(spec.settings.speed);
        Ok(spec)
    }
}

/// Starts the stream, or goes on with the one that there is.
fn begin(streams: &Streams, spec: StreamSpec, speed: Option<f64>) -> anyhow::Result<StreamRecord> {
    // Sinks of one that has ended have been woken with all streams.
    let Some(record) = streams.find(&spec)?.filter(|record| record.state != StreamState::Stopped) else {
        return Ok(streams.start(spec)?);
    };
    streams.take_up(&record.id)?;
    speed.map_or(Ok(()), |speed| streams.set_speed(&record.id, speed))?;
    Ok(streams.record(&record.id)?)
}

/// Where everything is, and three commands that show it.
fn tell(app: &App, out: &Output, url: &str, record: &StreamRecord) -> anyhow::Result<()> {
    let value = json!({ "listening": url, "stream": StreamView::from(record.clone()) });
    out.print(&value, |out| {
        let StreamRecord { id, dataset, position, clock, .. } = record;
        writeln!(out, "listening on {url}")?;
        let word = if record.commits == 0 { "begins" } else { "goes on" };
        writeln!(out, "stream {id} into {dataset} {word} at {position}, speed {}", clock.speed)?;
        writeln!(out, "\ngo on with")?;
        writeln!(out, "  curl -s {url}/api/v1/streams/{id}/stats")?;
        writeln!(out, "  curl -sN {url}/api/v1/streams/{id}/tail")?;
        let flag = summary::data_dir_flag(app);
        writeln!(
            out,
            "  telemill{flag} sql \"SELECT kind, title, start_time FROM {dataset}.incidents ORDER BY start_time\""
        )
    })
}
