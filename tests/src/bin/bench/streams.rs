//! Streams in real time: whether a hundred of one row a second, one of 50,000 rows a second, and both at once hold their rate on
//! this machine, and how late their rows are.

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

/// Streams that are alike, each with a row a second of so many entities.
struct Part {
    name: &'static str,
    streams: u32,
    entities: u32,
}

/// What is at work at once, committed every `tick`.
struct Load {
    name: &'static str,
    tick: &'static str,
    parts: &'static [Part],
}

const SMALL: Part = Part { name: "100 streams of 1 row/s", streams: 100, entities: 1 };
const LARGE: Part = Part { name: "a stream of 50,000 rows/s", streams: 1, entities: 50_000 };

const LOADS: [Load; 4] = [
    Load { name: "every 10 s", tick: "10s", parts: &[SMALL] },
    Load { name: "every second", tick: "1s", parts: &[SMALL] },
    Load { name: "every second", tick: "1s", parts: &[LARGE] },
    Load { name: "every second, both at once", tick: "1s", parts: &[SMALL, LARGE] },
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
        let mut parts = Vec::new();
        for (index, part) in self.parts.iter().enumerate() {
            let started = (0..part.streams).map(|number| Ok(streams.start(self.spec(part, index, number)?)?.id));
            parts.push(started.collect::<Result<Vec<StreamId>>>()?);
        }
        let held = self.hold(&streams, &parts);
        streams.shut_down();
        let Held { rows_per_second, drift_ms, cpu } = held?;
        for (part, rate) in self.parts.iter().zip(rows_per_second) {
            let asked = f64::from(part.streams * part.entities);
            report.at_least(&format!("{}, {}", part.name, self.name), rate, "rows/s", asked * BAR);
        }
        let names: Vec<_> = self.parts.iter().map(|part| part.name).collect();
        let load = format!("{}, {}", names.join(" and "), self.name);
        report.figure(&format!("{load}: largest drift"), drift_ms, "ms", Bar::Below(LATEST_MS));
        report.figure(&format!("{load}: CPU time a second"), cpu * 1e3, "ms", Bar::None);
        Ok(())
    }

    fn spec(&self, part: &Part, index: usize, number: u32) -> Result<StreamSpec> {
        let text = format!(
            r#"
            dataset = "load_{index}_{number}"
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
            entities = part.entities,
        );
        Ok(StreamSpec::of(RunSpec::parse(&text, false, "bench")?)?)
    }

    fn hold(&self, streams: &Streams, parts: &[Vec<StreamId>]) -> Result<Held> {
        let (began, ids) = (Instant::now(), parts.concat());
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
        let totals = || parts.iter().map(|ids| total(streams, ids)).collect::<Result<Vec<u64>>>();
        let (start, cpu, before) = (Instant::now(), process()?, totals()?);
        sleep(MEASURED);
        let (cpu, after, elapsed) = (process()? - cpu, totals()?, start.elapsed().as_secs_f64());
        let rows_per_second =
            after.iter().zip(before).map(|(after, before)| (after - before) as f64 / elapsed).collect();
        let drifts = ids.iter().map(|id| Ok(streams.stats(id)?.max_drift_ms)).collect::<Result<Vec<_>>>()?;
        let drift_ms = drifts.into_iter().max().context("there are no streams")? as f64;
        Ok(Held { rows_per_second, drift_ms, cpu: cpu.as_secs_f64() / elapsed })
    }
}

/// What was seen in a minute.
struct Held {
    /// Of each part.
    rows_per_second: Vec<f64>,
    /// Of the latest commit of all.
    drift_ms: f64,
    /// Seconds of CPU time a second.
    cpu: f64,
}

fn total(streams: &Streams, ids: &[StreamId]) -> Result<u64> {
    ids.iter().map(|id| Ok(streams.stats(id)?.rows.values().sum::<u64>())).sum()
}
