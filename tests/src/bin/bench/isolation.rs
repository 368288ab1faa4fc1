//! What it costs to make every shard in a process of its own: the built program runs the same days on threads and in
//! processes, in turns.

use crate::clock::{children, timed};
use crate::report::{Bar, Report, Work, compare};
use crate::shop::Shop;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;
use telemill::core::time::Length;
use telemill::run::{Existing, Isolation, RunSpec};
use telemill_tests::telemill;

/// Two days of the shop, in eight segments each of four partitions.
const DURATION: Length = Length::from_us(2 * 24 * 3_600 * 1_000_000);
/// The most that processes may cost.
const MOST_PERCENT: f64 = 5.0;

pub(crate) fn measure(shop: &Shop, folder: &Path, runs: usize, report: &mut Report) -> Result<()> {
    fs::create_dir_all(folder)?;
    let mut walls = (0.0, 0.0);
    let in_processes = || days(shop, folder, Isolation::Process, &mut walls.0);
    let compared = compare(runs, in_processes, || days(shop, folder, Isolation::Thread, &mut walls.1))?;
    let price = (1.0 / compared.ratio - 1.0) * 100.0;
    report.figure("two days in processes, beside threads: CPU time", price, "%", Bar::Below(MOST_PERCENT));
    let price = (walls.0 / walls.1 - 1.0) * 100.0;
    report.figure("two days in processes, beside threads: the wall's clock", price, "%", Bar::None);
    Ok(())
}

/// The days once; the time on the wall is added to `wall`.
fn days(shop: &Shop, folder: &Path, isolation: Isolation, wall: &mut f64) -> Result<Work> {
    let spec = RunSpec {
        duration: DURATION,
        existing: Existing::Replace,
        isolation: Some(isolation),
        seed: Some(7),
        ..shop.spec.clone()
    };
    let path = folder.join("spec.json");
    fs::write(&path, serde_json::to_string(&spec)?)?;
    let mut command = Command::new(telemill()?);
    command.args(["run", "start"]).arg(&path).arg("--data-dir").arg(folder.join("data"));
    let began = Instant::now();
    let run = || command.stdout(Stdio::null()).stderr(Stdio::null()).status().context("can't start the days");
    let (status, cpu) = timed(children, run)?;
    *wall += began.elapsed().as_secs_f64();
    ensure!(status.success(), "the days failed ({status})");
    Ok(Work { units: 1.0, cpu })
}
