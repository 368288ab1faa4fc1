//! Versions of a plugin that take over while a server is asked: no request may fail.

use crate::report::{Bar, Report};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};
use telemill_tests::{noted, plugin};

/// The plugin of the stream that goes on meanwhile.
const NAME: &str = "user-workloads";
/// Clients that ask all the time.
const CLIENTS: usize = 3;
/// How long they ask.
const ASKED: Duration = Duration::from_secs(10);
/// Rest between two activations.
const EVERY: Duration = Duration::from_millis(200);

pub(crate) fn measure(url: &str, report: &mut Report) -> Result<()> {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let send = |path: &str, media: &str, body: &[u8]| -> Result<Value> {
        let mut answer = agent.post(format!("{url}{path}")).header("content-type", media).send(body)?;
        let text = answer.body_mut().read_to_string()?;
        ensure!(answer.status().is_success(), "{path} answered {}: {text}", answer.status());
        Ok(serde_json::from_str(&text)?)
    };
    let post = |path: &str, body: &Value| send(path, "application/json", body.to_string().as_bytes());
    let stream = json!({
        "dataset": "swapped", "seed": 7, "start": "2026-11-09T22:00:00Z", "partitions": 2,
        "generator": { "plugin": NAME, "config": { "users": 10 } },
        "stream": { "speed": 3600, "tick": "30s", "live_from": "2026-11-09T23:00:00Z" },
    });
    let stream = post("/api/v1/streams", &stream)?;
    let id = stream["id"].as_str().context("a stream without an id")?.to_owned();
    let mut digests = Vec::new();
    for note in ["one", "another"] {
        let uploaded = send("/api/v1/plugins", "application/wasm", &noted(plugin(NAME)?, note))?;
        digests.push(uploaded["installed"]["digest"].as_str().context("an upload without a digest")?.to_owned());
    }
    let paths = [
        format!("/api/v1/streams/{id}/stats"),
        "/api/v1/plugins".to_owned(),
        "/api/v1/datasets".to_owned(),
        format!("/api/v1/plugins/{NAME}"),
    ];
    let (stop, asked, failed) = (AtomicBool::new(false), AtomicU32::new(0), AtomicU32::new(0));
    let client = || {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        while !stop.load(Ordering::Relaxed) {
            for path in &paths {
                let good = agent.get(format!("{url}{path}")).call().is_ok_and(|answer| answer.status().is_success());
                asked.fetch_add(1, Ordering::Relaxed);
                failed.fetch_add(u32::from(!good), Ordering::Relaxed);
            }
        }
    };
    let swapped: Result<u32> = std::thread::scope(|scope| {
        (0..CLIENTS).for_each(|_| drop(scope.spawn(client)));
        let began = Instant::now();
        let mut swapped = 0;
        let mut swap = || -> Result<()> {
            while began.elapsed() < ASKED {
                for digest in &digests {
                    let version = json!({ "version": format!("sha256:{digest}") });
                    let answer = post(&format!("/api/v1/plugins/{NAME}/activate"), &version)?;
                    let taken = answer["streams"].as_array().context("an activation without streams")?;
                    ensure!(
                        taken.iter().all(|stream| stream["error"].is_null()),
                        "a stream kept its version: {answer}"
                    );
                    swapped += taken.len() as u32;
                    std::thread::sleep(EVERY);
                }
            }
            Ok(())
        };
        let result = swap();
        stop.store(true, Ordering::Relaxed);
        result.map(|()| swapped)
    });
    let swapped = swapped?;
    post(&format!("/api/v1/streams/{id}/stop"), &json!({}))?;
    let name = format!("hot swaps of a live stream's plugin, {swapped} in {} s", ASKED.as_secs());
    let asked = asked.into_inner();
    report.figure(&format!("{name}: requests"), f64::from(asked) / ASKED.as_secs_f64(), "requests/s", Bar::None);
    let good = 1.0 - f64::from(failed.into_inner()) / f64::from(asked).max(1.0);
    report.figure(&format!("{name}: share answered"), good * 100.0, "%", Bar::Least(100.0));
    Ok(())
}
