//! What each language costs, by the generator that `telemill plugin new` makes in it: its component compiled and read from the
//! cache, an instance and its first call, rows. npm and PyPI bring the languages' tools into a folder under target/.

use crate::clock::{process, thread, timed};
use crate::report::{Bar, Report, Work, rate};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use telemill::core::time::{Timestamp, Window};
use telemill::plugin::{Engine, Generator, Limits, Plugin, Shard, log_nowhere};
use telemill_tests::{repository, telemill};

const MINUTE_US: i64 = 60 * 1_000_000;
/// What one call simulates: 21,600 rows, as much as in a run.
const WINDOW_US: u64 = 180 * 60 * 1_000_000;
/// Times that short things are done; the kernel's clock of a thread moves every few milliseconds.
const REPEATS: u32 = 100;
/// Rows a second that make a million a minute.
const MILLION_A_MINUTE: f64 = 1e6 / 60.0;

/// A language, and how much of it is measured.
struct Language {
    name: &'static str,
    /// Simulated minutes of a round, of 120 rows each: about a second of work.
    minutes: i64,
    /// What an author who would not choose it for speed has to reach.
    bar: Bar,
}

const LANGUAGES: [Language; 6] = [
    Language { name: "rust", minutes: 30 * 24 * 60, bar: Bar::None },
    Language { name: "c", minutes: 10 * 24 * 60, bar: Bar::None },
    Language { name: "go", minutes: 5 * 24 * 60, bar: Bar::None },
    Language { name: "javascript", minutes: 6 * 60, bar: Bar::Least(MILLION_A_MINUTE) },
    Language { name: "typescript", minutes: 6 * 60, bar: Bar::Least(MILLION_A_MINUTE) },
    Language { name: "python", minutes: 6 * 60, bar: Bar::Least(MILLION_A_MINUTE) },
];

pub(crate) fn measure(folder: &Path, runs: usize, report: &mut Report) -> Result<()> {
    for language in &LANGUAGES {
        let name = language.name;
        let bytes = fs::read(hello(name, &folder.join(name))?)?;
        report.figure(&format!("{name}: component"), bytes.len() as f64 / 1e6, "MB", Bar::None);
        let cache = folder.join(name).join("cache");
        let engine = || Engine::new(Limits::default(), Some(&cache));
        let (plugin, cpu) = timed(process, || Ok(engine()?.load(name, &bytes)?))?;
        report.figure(&format!("{name}: compile, and describe"), cpu.as_secs_f64(), "s", Bar::None);
        let warm = engine()?;
        let again = each_ms(|| warm.load(name, &bytes).map(drop))?;
        report.figure(&format!("{name}: load from the cache, and describe"), again, "ms", Bar::None);
        let config = plugin.check_config(&json!({}))?;
        let first = each_ms(|| plugin.generator(log_nowhere())?.plan(&config).map(drop))?;
        report.figure(&format!("{name}: instance and first call"), first, "ms", Bar::None);
        let rows = rate(runs, || rows(language, &plugin))?;
        report.figure(&format!("{name}: rows of its new generator"), rows, "rows/s", language.bar);
    }
    Ok(())
}

/// CPU time of something short, in milliseconds.
fn each_ms<E: Into<anyhow::Error>>(mut work: impl FnMut() -> Result<(), E>) -> Result<f64> {
    work().map_err(Into::into)?;
    let ((), cpu) = timed(thread, || (0..REPEATS).try_for_each(|_| work().map_err(Into::into)))?;
    Ok(cpu.as_secs_f64() * 1e3 / f64::from(REPEATS))
}

/// Rows through an instance, buffers handed to the host; nothing is checked.
fn rows(language: &Language, plugin: &Plugin) -> Result<Work> {
    let span = Window::from_start(Timestamp(1_793_577_600_000_000), language.minutes * MINUTE_US);
    let config = plugin.check_config(&json!({}))?;
    let (rows, cpu) = timed(thread, || {
        let mut generator: Generator = plugin.generator(log_nowhere())?;
        generator.open(&config, Shard { seed: 7, partition: 0, partitions: 1, span })?;
        let mut rows = 0_u64;
        for window in span.pieces(WINDOW_US) {
            let batches = black_box(generator.advance(window)?);
            rows += batches.iter().map(|batch| u64::from(batch.rows)).sum::<u64>();
        }
        Ok(rows)
    })?;
    Ok(Work { units: rows as f64, cpu })
}

/// The component of a new generator. Its project stays under target/, with its tools.
fn hello(language: &str, data: &Path) -> Result<PathBuf> {
    let project = repository().join("target/languages").join(language);
    let name = format!("hello-{language}");
    if !project.exists() {
        eprintln!("making {} and installing its tools", project.display());
        let kind = ["plugin", "new", &name, "--kind", "generator", "--language", language, "--dir"];
        run(data, |command| command.args(kind).arg(&project))?;
    }
    // What belongs to Telemill is to be that of the program that is measured.
    for folder in ["telemill", "wit"].map(|folder| project.join(folder)).iter().filter(|folder| folder.exists()) {
        fs::remove_dir_all(folder)?;
    }
    let told = run(data, |command| command.args(["plugin", "build", "--json"]).arg(&project))?;
    let told: Value = serde_json::from_str(&told)?;
    told["component"].as_str().map(PathBuf::from).context("the build names no component")
}

/// Runs the built program; what it said.
fn run(data: &Path, words: impl FnOnce(&mut Command) -> &mut Command) -> Result<String> {
    let mut command = Command::new(telemill()?);
    let output = words(command.arg("--data-dir").arg(data)).stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "telemill failed ({})", output.status);
    Ok(String::from_utf8(output.stdout)?)
}
