//! Rows that are acknowledged once they are on the disk: through the built server's endpoints, and through InfluxDB 1.6 of
//! Debian's package taking the same lines. A server has one core, and the clients that ask it have another.

use crate::report::{Bar, Report, Work, compare, median};
use crate::server::{Server, on_core_of_servers};
use crate::swaps;
use anyhow::{Context, Result, ensure};
use arrow::array::{Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use telemill_tests::influxd::{self, Influxd};

/// Rows of a request: what InfluxDB's makers advise.
const ROWS: usize = 5_000;
/// Requests of a round.
const REQUESTS: usize = 80;
/// Clients that ask at a time.
const CLIENTS: usize = 4;
/// Machines that the rows tell of.
const HOSTS: usize = 100;
/// Of InfluxDB's rate.
const BAR: f64 = 1.0;
/// How long a listing is asked for.
const LISTED: Duration = Duration::from_secs(3);
/// The endpoints that list something.
const LISTINGS: [&str; 4] = ["/api/v1/runs", "/api/v1/datasets", "/api/v1/plugins", "/api/v1/schedules"];

/// The status of a server that has enough for now.
const ENOUGH: u16 = 429;
/// How soon it is asked again.
const PAUSE: Duration = Duration::from_millis(100);

/// What a round gave.
struct Round {
    rows: u64,
    took: Duration,
    /// Of each request until its acknowledgement.
    waits: Vec<Duration>,
}

/// What is sent where.
struct Load<'a> {
    url: String,
    path: &'a str,
    media: &'a str,
    /// The status of an acknowledgement.
    good: u16,
    bodies: &'a [Vec<u8>],
}

pub(crate) fn measure(folder: &Path, runs: usize, report: &mut Report) -> Result<()> {
    let server = Server::start(&folder.join("telemill"))?;
    let program = on_core_of_servers(&influxd::unpacked()?);
    let influxd = Influxd::start(program, &folder.join("influxd"), false)?;
    influxd.create("load")?;
    // Times that go on from round to round: the same point again would cost InfluxDB less.
    let next = AtomicUsize::new(0);
    let lines = || texts(&next, line);
    let waits = std::cell::RefCell::new((Vec::new(), Vec::new()));
    let ours = || {
        let bodies = lines();
        let load = Load {
            url: server.url(),
            path: "/write?db=load&precision=u",
            media: "text/plain",
            good: 204,
            bodies: &bodies,
        };
        let round = load.send()?;
        waits.borrow_mut().0.extend_from_slice(&round.waits);
        Ok(round.work())
    };
    let theirs = || {
        let bodies = lines();
        let load = Load {
            url: influxd.url(),
            path: "/write?db=load&precision=u",
            media: "text/plain",
            good: 204,
            bodies: &bodies,
        };
        let round = load.send()?;
        waits.borrow_mut().1.extend_from_slice(&round.waits);
        Ok(round.work())
    };
    let compared = compare(runs, ours, theirs)?;
    drop(influxd);
    report.against("line protocol on one core, beside InfluxDB 1.6", "rows/s", &compared, BAR);
    let (ours, theirs) = waits.into_inner();
    tell_waits("line protocol", ours, report);
    tell_waits("line protocol, InfluxDB 1.6", theirs, report);
    for (name, path, media) in [
        ("NDJSON", "/api/v1/ingest/load/ndjson", "application/x-ndjson"),
        ("Arrow", "/api/v1/ingest/load/arrow", "application/vnd.apache.arrow.stream"),
    ] {
        let (mut rates, mut waits) = (Vec::new(), Vec::new());
        for round in 0..=runs {
            let bodies = if name == "Arrow" { batches(&next)? } else { texts(&next, object) };
            let sent = Load { url: server.url(), path, media, good: 200, bodies: &bodies }.send()?;
            // The first makes the table.
            if round > 0 {
                rates.push(sent.work().per_second());
                waits.extend(sent.waits);
            }
        }
        report.figure(&format!("{name} on one core"), median(rates), "rows/s", Bar::None);
        tell_waits(name, waits, report);
    }
    listings(&server, report)?;
    swaps::measure(&server.url(), report)
}

/// The waits in the midst, and those of one in a hundred.
fn tell_waits(name: &str, mut waits: Vec<Duration>, report: &mut Report) {
    waits.sort_unstable();
    for (word, share) in [("p50", 0.50), ("p99", 0.99)] {
        let at = ((waits.len() as f64 * share) as usize).min(waits.len().saturating_sub(1));
        let wait = waits.get(at).copied().unwrap_or_default();
        report.figure(
            &format!("{name}: {word} of the acknowledgement of {ROWS} rows"),
            wait.as_secs_f64() * 1e3,
            "ms",
            Bar::None,
        );
    }
}

impl Round {
    fn work(&self) -> Work {
        Work { units: self.rows as f64, cpu: self.took }
    }
}

impl Load<'_> {
    /// Sends all bodies, each once, by several clients that wait for their answers.
    fn send(&self) -> Result<Round> {
        let next = AtomicUsize::new(0);
        let client = || -> Result<Vec<Duration>> {
            let (agent, mut waits) = (agent(), Vec::new());
            while let Some(body) = self.bodies.get(next.fetch_add(1, Ordering::Relaxed)) {
                let began = Instant::now();
                while !self.taken(&agent, body)? {
                    std::thread::sleep(PAUSE);
                }
                waits.push(began.elapsed());
            }
            Ok(waits)
        };
        let began = Instant::now();
        let waits: Result<Vec<_>> = std::thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
            clients.into_iter().map(|client| client.join().map_err(|_| anyhow::anyhow!("a client panicked"))?).collect()
        });
        let waits = waits?.concat();
        Ok(Round { rows: (waits.len() * ROWS) as u64, took: began.elapsed(), waits })
    }
}

impl Load<'_> {
    /// Whether a body was taken; a server that has enough for now gets it again.
    fn taken(&self, agent: &ureq::Agent, body: &[u8]) -> Result<bool> {
        let request = agent.post(format!("{}{}", self.url, self.path)).header("content-type", self.media);
        let mut answer = request.send(body)?;
        let (text, status) = (answer.body_mut().read_to_string()?, answer.status().as_u16());
        ensure!([self.good, ENOUGH].contains(&status), "{}{} answered {status}: {text}", self.url, self.path);
        Ok(status == self.good)
    }
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).build().into()
}

/// One row in a text format: of which host, when in microseconds, which number.
type Write = fn(&mut String, usize, i64, usize);

fn texts(next: &AtomicUsize, write: Write) -> Vec<Vec<u8>> {
    let body = || {
        let first = next.fetch_add(ROWS, Ordering::Relaxed);
        let mut text = String::with_capacity(ROWS * 120);
        (first..first + ROWS).for_each(|row| write(&mut text, row % HOSTS, time_us(row), row));
        text.into_bytes()
    };
    (0..REQUESTS).map(|_| body()).collect()
}

/// A tenth of a second for all hosts.
fn time_us(row: usize) -> i64 {
    1_794_234_300_000_000 + (row / HOSTS) as i64 * 100_000
}

fn usage(row: usize) -> f64 {
    (row * 7_919 % 100_000) as f64 / 1_000.0
}

fn line(out: &mut String, host: usize, time_us: i64, row: usize) {
    use std::fmt::Write as _;
    let _ = writeln!(
        out,
        "cpu,host=host-{host:03},region=eu-west-{} usage={},system={},requests={row}i {time_us}",
        host % 3 + 1,
        usage(row),
        usage(row + 1),
    );
}

fn object(out: &mut String, host: usize, time_us: i64, row: usize) {
    use std::fmt::Write as _;
    let _ = writeln!(
        out,
        "{{\"host\":\"host-{host:03}\",\"region\":\"eu-west-{}\",\"usage\":{},\"system\":{},\"requests\":{row},\"time_us\":{time_us}}}",
        host % 3 + 1,
        usage(row),
        usage(row + 1),
    );
}

fn batches(next: &AtomicUsize) -> Result<Vec<Vec<u8>>> {
    let text = |name: &str| Field::new(name, DataType::Utf8, false);
    let schema = Arc::new(Schema::new(vec![
        text("host"),
        text("region"),
        Field::new("usage", DataType::Float64, false),
        Field::new("system", DataType::Float64, false),
        Field::new("requests", DataType::Int64, false),
        Field::new("time", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false),
    ]));
    let body = || -> Result<Vec<u8>> {
        let first = next.fetch_add(ROWS, Ordering::Relaxed);
        let rows = || first..first + ROWS;
        let batch = RecordBatch::try_new(
            Arc::clone(&schema),
            vec![
                Arc::new(StringArray::from_iter_values(rows().map(|row| format!("host-{:03}", row % HOSTS)))),
                Arc::new(StringArray::from_iter_values(rows().map(|row| format!("eu-west-{}", row % HOSTS % 3 + 1)))),
                Arc::new(Float64Array::from_iter_values(rows().map(usage))),
                Arc::new(Float64Array::from_iter_values(rows().map(|row| usage(row + 1)))),
                Arc::new(Int64Array::from_iter_values(rows().map(|row| row as i64))),
                Arc::new(TimestampMicrosecondArray::from_iter_values(rows().map(time_us)).with_timezone("UTC")),
            ],
        )?;
        let mut writer = arrow::ipc::writer::StreamWriter::try_new(Vec::new(), &schema)?;
        writer.write(&batch)?;
        Ok(writer.into_inner()?)
    };
    (0..REQUESTS).map(|_| body()).collect()
}

/// Requests a second of what lists something.
fn listings(server: &Server, report: &mut Report) -> Result<()> {
    for path in LISTINGS {
        let url = format!("{}{path}", server.url());
        // The first list of plugins compiles them.
        agent().get(&url).call()?.body_mut().read_to_string()?;
        let client = || -> Result<u32> {
            let (agent, began, mut answers) = (agent(), Instant::now(), 0);
            while began.elapsed() < LISTED {
                let mut answer = agent.get(&url).call()?;
                answer.body_mut().read_to_string()?;
                ensure!(answer.status().is_success(), "{url} answered {}", answer.status());
                answers += 1;
            }
            Ok(answers)
        };
        let answers: Result<Vec<u32>> = std::thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
            clients.into_iter().map(|client| client.join().ok().context("a client panicked")?).collect()
        });
        let answers: u32 = answers?.into_iter().sum();
        report.figure(
            &format!("GET {path} on one core"),
            f64::from(answers) / LISTED.as_secs_f64(),
            "requests/s",
            Bar::None,
        );
    }
    Ok(())
}
