//! `telemill plugin test`.

use crate::app::App;
use crate::cli::Verdict;
use crate::cli::output::{Output, grouped, table};
use crate::cli::value::read_json;
use crate::plugin::check::{CheckReport, Outcome, Reach};
use crate::plugin::is_path;
use crate::versions::{self, Testing};
use anyhow::Context as _;
use clap::Args;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Effects that reach others, most that are shown.
const MOST_REACHES: usize = 10;

/// Hold a component to the contract; exit code 1 with the reason where it fails
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  telemill plugin test ecommerce\n  telemill plugin test target/wasm32-unknown-unknown/release/mine.wasm --generator ecommerce"
)]
pub(in crate::cli) struct Test {
    /// A .wasm file, a name or sha256:DIGEST
    plugin: String,
    /// Try the laws with this configuration, a JSON file, instead of the defaults
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The generator whose targets and rows an incident model or a validator is tried on; the one that suits best of those
    /// that ship or are installed where it is left out
    #[arg(long, value_name = "PLUGIN")]
    generator: Option<String>,
    /// The seed of the check
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Seconds that the check may take, 300 where nothing is said; a component that needs longer fails
    #[arg(long, value_name = "SECONDS")]
    within: Option<u64>,
    /// Try every target with every signal, not one of each kind; without a bound on time, but for `--within` and a server's own
    #[arg(long)]
    every_target: bool,
}

impl Test {
    pub(super) fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        let testing = Testing {
            config: self.config.as_deref().map(read_json).transpose()?,
            generator: self.generator,
            seed: Some(self.seed),
            within: self.within.map(Duration::from_secs),
            every_target: self.every_target,
        };
        let report = match app.server() {
            Some(server) => server.test(&self.plugin, component(&self.plugin)?, &testing)?,
            None => {
                let registry = app.registry()?;
                let store = app.records()?;
                let records = store.as_ref().map(|store| (store, app.runtime().handle()));
                versions::test(&registry, records, (&self.plugin, &registry.bytes(&self.plugin)?), testing)?
            }
        };
        out.print(&report, |out| {
            let rows = report.checks.iter().map(|check| {
                let outcome = match check.outcome {
                    Outcome::Passed => "passed",
                    Outcome::Failed => "FAILED",
                    Outcome::Skipped => "skipped",
                };
                vec![outcome.to_owned(), check.name.clone(), format!("{} ms", check.duration_ms), check.message.clone()]
            });
            table(out, &["outcome", "check", "took", "what was seen"], &rows.collect::<Vec<_>>())?;
            reaches(out, &report)?;
            cost(out, &report)?;
            writeln!(
                out,
                "\n{}",
                if report.passed() { "the plugin keeps the contract" } else { "the plugin breaks the contract" }
            )
        })?;
        Ok(if report.passed() { Verdict::Good } else { Verdict::Negative })
    }
}

/// The bytes of a file of this machine; none of a reference to what the server has.
fn component(plugin: &str) -> anyhow::Result<Option<Vec<u8>>> {
    let path = Path::new(plugin);
    if !is_path(plugin) {
        return Ok(None);
    }
    Ok(Some(std::fs::read(path).with_context(|| format!("can't read {plugin}"))?))
}

/// Effects that reach further than the target that they act on.
fn reaches(out: &mut dyn Write, report: &CheckReport) -> io::Result<()> {
    let Some(effects) = report.effects.as_ref().filter(|effects| effects.reaching > 0) else { return Ok(()) };
    writeln!(out, "\neffects that change rows of other targets, which may be meant:")?;
    let shown = effects.reaches_others.iter().take(MOST_REACHES);
    let told = shown.clone().count() as u64;
    for Reach { target, signal, targets, rows } in shown {
        let others = if *targets == 1 { "one other".to_owned() } else { format!("{} others", grouped(*targets)) };
        writeln!(out, "  {signal} on {target}: {} rows of {others}", grouped(*rows))?;
    }
    match effects.reaching.saturating_sub(told) {
        0 => Ok(()),
        more => writeln!(out, "  {more} more of {} pairs that were tried", grouped(effects.alone)),
    }
}

/// The first rows, and what the calls cost.
fn cost(out: &mut dyn Write, report: &CheckReport) -> io::Result<()> {
    for shown in report.first_rows.iter().filter(|shown| !shown.rows.is_empty()) {
        writeln!(out, "\n{}:", shown.table)?;
        shown.rows.iter().try_for_each(|row| writeln!(out, "  {row}"))?;
    }
    let profile = &report.profile;
    if profile.calls.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    let calls = profile.calls.iter().map(|call| {
        let (mean, longest) = (format!("{:.3} ms", call.mean_ms), format!("{:.3} ms", call.longest_ms));
        vec![call.call.clone(), grouped(call.calls), mean, longest, grouped(call.most_fuel)]
    });
    table(out, &["call", "calls", "mean", "longest", "most fuel"], &calls.collect::<Vec<_>>())?;
    if profile.rows > 0 {
        let (rows, speed) = (grouped(profile.rows), grouped(profile.rows_per_second as u64));
        writeln!(out, "\n{rows} rows at {speed} a second, {:.0} of fuel a row", profile.fuel_per_row)?;
    }
    writeln!(out)?;
    let margins = profile.margins.iter().map(|margin| {
        let share = margin.used as f64 * 100.0 / margin.allowed.max(1) as f64;
        vec![format!("limits.{}", margin.limit), grouped(margin.used), grouped(margin.allowed), format!("{share:.1} %")]
    });
    table(out, &["limit", "most used", "allowed", "share"], &margins.collect::<Vec<_>>())
}
