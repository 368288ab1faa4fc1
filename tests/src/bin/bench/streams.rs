//! Streams in real time: whether a hundred of one row a second, and one of 50,000 rows a second, hold their rate on this machine,
//! and how late their rows are.

use crate::clock::process;
use crate::report::{Bar, Report};
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};
use telemill::alert::Alerts;
use telemill::app::{App, Origin};
use telemill::core::id::StreamId;
use telemill::plugin::log_nowhere;
use telemill::run::RunSpec;
use telemill::stream::{StreamSpec, Streams};

/// How long rates are measured: a minute is also what drift is kept over.
const MEASURED: Duration = Duration::from_secs(60);
/// Longest wait until all streams have caught up with their clocks.
const WARM_UP: Duration = Duration::from_secs(120);
/// How often streams are looked at.
const LOOK: Duration = Duration::from_millis(200);
/// Share of the rate that is asked for. Commits come at whole segments, so a minute may hold one less.
const BAR: f64 = 0.98;
/// Latest that rows may be seen, behind the end of their segment.
const LATEST_MS: f64 = 1_000.0;

/// A load: so many streams, each with a row a second of so many entities, committed every `tick`.
struct Load {
    name: &'static str,
    streams: u32,
    entities: u32,
    tick: &'static str,
}

const LOADS: [Load; 3] = [
    Load { name: "100 streams of 1 row/s, every 10 s", streams: 100, entities: 1, tick: "10s" },
    Load { name: "100 streams of 1 row/s, every second", streams: 100, entities: 1, tick: "1s" },
    Load { name: "a stream of 50,000 rows/s, every second", streams: 1, entities: 50_000, tick: "1s" },
];

pub(crate) fn measure(folder: &Path, report: &mut Report) -> Result<()> {
    for (number, load) in LOADS.iter().enumerate() {
        load.measure(&folder.join(number.to_string()), report)?;
    }
    Ok(())
}

impl Load {
    fn measure(&self, folder: &Path, report: &mut Report) -> Result<()> {
        let app = App::new(Origin { data_dir: Some(folder.to_owned()), settings: Vec::new() })?;
        let writer = app.writer()?;
        let alerts = Alerts::new(writer.host.store.clone(), writer.host.runtime.clone());
        let streams = Streams::new(&writer.host, alerts, app.settings().streams.clone(), log_nowhere())?;
        let started: Result<Vec<StreamId>> =
            (0..self.streams).map(|number| Ok(streams.start(self.spec(number)?)?.id)).collect();
        let ids = started?;
        let held = self.hold(&streams, &ids);
        streams.shut_down();
        let Held { rows_per_second, drift_ms, cpu } = held?;
        let asked = f64::from(self.streams * self.entities);
        report.at_least(self.name, rows_per_second, "rows/s", asked * BAR);
        report.figure(&format!("{}: largest drift", self.name), drift_ms, "ms", Bar::Below(LATEST_MS));
        report.figure(&format!("{}: CPU time a second", self.name), cpu * 1e3, "ms", Bar::None);
        Ok(())
    }

    fn spec(&self, number: u32) -> Result<StreamSpec> {
        let text = format!(
            r#"
            dataset = "load_{number}"
            seed = {number}
            duration = "{tick}"
            segment = "{tick}"
            partitions = 1
            [generator]
            plugin = "declarative"
            [generator.config]
            step_seconds = 1
            [[generator.config.entities]]
            name = "host"
            count = {entities}
            [[generator.config.tables]]
            name = "readings"
            of = "host"
            rows = {{ every = 1 }}
            columns = [
                {{ name = "host", value = "entity" }},
                {{ name = "usage", value = {{ uniform = {{ low = 0, high = 100 }} }}, decimals = 2 }},
                {{ name = "load", value = {{ normal = {{ mean = 4, deviation = 1 }} }}, min = 0 }},
                {{ name = "requests", type = "integer", value = {{ poisson = {{ mean = 30 }} }} }},
            ]
            [stream]
            tick = "{tick}"
            "#,
            tick = self.tick,
            entities = self.entities,
        );
        Ok(StreamSpec::of(RunSpec::parse(&text, false, "bench")?)?)
    }

    fn hold(&self, streams: &Streams, ids: &[StreamId]) -> Result<Held> {
        let began = Instant::now();
        loop {
            let behind = ids.iter().map(|id| Ok(streams.stats(id)?.drift_ms.is_none())).collect::<Result<Vec<_>>>()?;
            let behind = behind.into_iter().filter(|behind| *behind).count();
            if behind == 0 {
                break;
            }
            ensure!(began.elapsed() < WARM_UP, "{}: {behind} streams do not catch up with their clocks", self.name);
            sleep(LOOK);
        }
        // What is behind counts against nobody: rates are taken between two looks.
        let (start, cpu, before) = (Instant::now(), process()?, total(streams, ids)?);
        sleep(MEASURED);
        let (cpu, rows, elapsed) = (process()? - cpu, total(streams, ids)? - before, start.elapsed().as_secs_f64());
        let drifts = ids.iter().map(|id| Ok(streams.stats(id)?.max_drift_ms)).collect::<Result<Vec<_>>>()?;
        let drift_ms = drifts.into_iter().max().context("there are no streams")? as f64;
        Ok(Held { rows_per_second: rows as f64 / elapsed, drift_ms, cpu: cpu.as_secs_f64() / elapsed })
    }
}

/// What was seen in a minute.
struct Held {
    rows_per_second: f64,
    /// Of the latest commit of all.
    drift_ms: f64,
    /// Seconds of CPU time a second.
    cpu: f64,
}

fn total(streams: &Streams, ids: &[StreamId]) -> Result<u64> {
    ids.iter().map(|id| Ok(streams.stats(id)?.rows.values().sum::<u64>())).sum()
}
