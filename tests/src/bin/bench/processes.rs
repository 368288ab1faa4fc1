//! The built program from outside: the week's peak of memory, the time to a list; and the time to a first batch.

use crate::clock::{children, thread, timed};
use crate::report::{Bar, Report, median};
use crate::shop::{Shop, open};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use telemill::core::time::Window;
use telemill::plugin::scenario;
use telemill_tests::telemill;

/// How often the memory of the running program is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// Starts of which the median counts; they are short, so there are many.
const STARTS: usize = 20;
const WEEK_MIB: f64 = 1_024.0;
const LIST_MS: f64 = 100.0;
const FIRST_BATCH_MS: f64 = 10.0;

pub(crate) fn measure(shop: &Shop, folder: &Path, report: &mut Report) -> Result<()> {
    let program = telemill()?;
    let command = || {
        let mut command = Command::new(&program);
        command.arg("--data-dir").arg(shop.app.data_dir()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    list(command, report)?;
    first_batch(shop, report)?;

    fs::create_dir_all(folder)?;
    let spec = folder.join("scenario.toml");
    fs::write(&spec, scenario("ecommerce").context("the scenario does not ship")?)?;
    let mut week = Command::new(&program);
    week.args(["run", "start"]).arg(&spec).arg("--data-dir").arg(folder.join("data"));
    let child = week.stdout(Stdio::null()).stderr(Stdio::null()).spawn().context("can't start the week")?;
    let (peak_kib, cpu) = timed(children, || peak(child))?;
    report.figure("peak memory of the week, with validators", peak_kib / 1024.0, "MiB", Bar::Below(WEEK_MIB));
    report.figure("CPU time of the week, with validators", cpu.as_secs_f64(), "s", Bar::None);
    Ok(())
}

/// The highest resident size of a child in KiB, as the kernel remembers it.
fn peak(mut child: Child) -> Result<f64> {
    let (path, mut peak) = (format!("/proc/{}/status", child.id()), 0.0);
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        let text = fs::read_to_string(&path).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(peak);
        sleep(LOOK);
    };
    ensure!(status.success(), "the week failed ({status})");
    Ok(peak)
}

fn list(command: impl Fn() -> Command, report: &mut Report) -> Result<()> {
    let mut times = Vec::new();
    for start in 0..=STARTS {
        let began = Instant::now();
        let status = command().args(["plugin", "list"]).status().context("can't start telemill")?;
        ensure!(status.success(), "`telemill plugin list` failed ({status})");
        // The first one fills the cache.
        if start > 0 {
            times.push(began.elapsed().as_secs_f64() * 1e3);
        }
    }
    report.figure("telemill plugin list, warm, on the wall's clock", median(times), "ms", Bar::Below(LIST_MS));
    Ok(())
}

fn first_batch(shop: &Shop, report: &mut Report) -> Result<()> {
    let (span, step) = (shop.busy(1), i64::try_from(shop.plan.simulation.step_us)?);
    let mut times = Vec::new();
    let ((), cpu) = timed(thread, || {
        for _ in 0..STARTS {
            let began = Instant::now();
            let mut generator = open(&shop.plan, &shop.plan.generator.plugin, span)?;
            let rows = generator.rows(&shop.plan.layouts, Window::from_start(span.start, step))?;
            ensure!(!rows.is_empty(), "the first step has no rows");
            times.push(began.elapsed().as_secs_f64() * 1e3);
        }
        Ok(())
    })?;
    report.figure("open to first batch, on the wall's clock", median(times), "ms", Bar::Below(FIRST_BATCH_MS));
    let cpu_ms = cpu.as_secs_f64() * 1e3 / STARTS as f64;
    report.figure("open to first batch, CPU time", cpu_ms, "ms", Bar::Below(FIRST_BATCH_MS));
    Ok(())
}
