//! `telemill plugin dev`: on every save, build and test, and show what changed in the rows for the same seed.

use crate::app::App;
use crate::cli::Verdict;
use crate::cli::output::{Output, grouped, print_error};
use crate::cli::run::on_ctrl_c;
use crate::cli::value::read_json;
use crate::plugin::PluginKind;
use crate::plugin::check::{Check, CheckReport, Outcome, check, sample};
use crate::project::{Change, Manifest, Snapshot, Watch};
use crate::versions::{self, Testing};
use clap::Args;
use serde::Serialize;
use std::fs;
use std::io::Write;
use std::path::PathBuf;

use super::build::build;

/// Build and test a plugin on every save, and show what changed in its rows
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  telemill plugin dev thermostat-fleet\n\nEnds with Ctrl-C. With --json, every round is a line."
)]
pub(in crate::cli) struct Dev {
    /// The project's folder
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// Try with this configuration, a JSON file, instead of the defaults
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The generator whose targets and rows an incident model or a validator is tried on; the one that suits best of those
    /// that ship or are installed where it is left out
    #[arg(long, value_name = "PLUGIN")]
    generator: Option<String>,
    /// The seed of rows and checks
    #[arg(long, default_value_t = 42)]
    seed: u64,
}

/// One build and what came of it.
#[derive(Debug, Serialize)]
struct Round {
    /// Whether the plugin keeps the contract.
    passed: bool,
    /// How many checks were made.
    checks: usize,
    /// Those that failed, and those that say something else than before.
    news: Vec<Check>,
    /// What is compared with the round before: `rows`, `incidents`, or `verdict and findings`; none where nothing can be.
    compared: Option<&'static str>,
    /// What changed in that; none in the first round.
    changes: Option<Vec<Change>>,
}

/// What the last good build made.
struct Last {
    report: CheckReport,
    rows: Snapshot,
}

impl Dev {
    pub(super) fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        let stop = on_ctrl_c(app);
        let stopped = || stop.is_cancelled();
        let mut last = None;
        let mut manifest = Manifest::read(&self.dir)?;
        loop {
            // The round tells why it can't be read; until it can, the last good one says what is watched.
            manifest = Manifest::read(&self.dir).unwrap_or(manifest);
            let watch = Watch::on(&self.dir, &manifest)?;
            match self.round(app, out, &mut last) {
                Ok(round) => show(&round, out)?,
                // What is wrong now may be right after the next save.
                Err(error) => print_error(&error, out.log_format),
            }
            if !out.quiet {
                eprintln!("waiting for a save (Ctrl-C ends)");
            }
            match watch.next(&stopped) {
                Some(path) if !out.quiet => eprintln!("{} has changed", path.display()),
                Some(_) => {}
                None => return Ok(Verdict::Good),
            }
        }
    }

    fn round(&self, app: &App, out: &Output, last: &mut Option<Last>) -> anyhow::Result<Round> {
        let built = build(&self.dir, app, out)?;
        let registry = app.registry()?;
        let bytes = fs::read(&built.component)?;
        let origin = built.component.display().to_string();
        let testing = Testing {
            config: self.config.as_deref().map(read_json).transpose()?,
            generator: self.generator.clone(),
            seed: Some(self.seed),
            ..Testing::default()
        };
        let store = app.records()?;
        let records = store.as_ref().map(|store| (store, app.runtime().handle()));
        let mut options = versions::check_options(&registry, records, (&origin, &bytes), testing)?;
        if options.sample.is_none() {
            // A component that can't be loaded is told of by the check.
            let loaded = registry.engine().load(&origin, &bytes).ok();
            let tried_on_others = loaded.filter(|plugin| plugin.kind() != PluginKind::Generator);
            options.sample = tried_on_others.and_then(|plugin| sample(registry.engine(), &plugin, &options).ok());
        }
        let report = check(registry.engine(), &origin, &bytes, &options);
        let plugin = registry.engine().load(&origin, &bytes)?;
        let rows = Snapshot::of(&plugin, &options, options.sample.as_ref()).map_err(anyhow::Error::msg)?;
        let before = last.as_ref().map_or(&[][..], |last| &last.report.checks);
        let round = Round {
            passed: report.passed(),
            checks: report.checks.len(),
            news: news(&report.checks, before),
            compared: Snapshot::compared(plugin.kind(), options.sample.as_ref()),
            changes: last.as_ref().map(|last| rows.changes(&last.rows)),
        };
        *last = Some(Last { report, rows });
        Ok(round)
    }
}

/// The checks that failed, and those that ended in another way or with other words than before.
fn news(now: &[Check], before: &[Check]) -> Vec<Check> {
    let same = |check: &&Check| {
        let old = before.iter().find(|old| old.name == check.name);
        old.is_none_or(|old| old.outcome == check.outcome && old.message == check.message)
    };
    now.iter().filter(|check| check.outcome == Outcome::Failed || !same(check)).cloned().collect()
}

fn show(round: &Round, out: &Output) -> anyhow::Result<()> {
    let mut to = std::io::stdout().lock();
    if out.json {
        serde_json::to_writer(&mut to, round)?;
        writeln!(to)?;
    } else {
        for check in &round.news {
            let outcome = if check.outcome == Outcome::Failed { "FAILED" } else { "changed" };
            writeln!(to, "{outcome} {}: {}", check.name, check.message)?;
        }
        match (round.compared, round.changes.as_deref()) {
            (_, None) => {}
            (None, _) => {
                writeln!(to, "nothing was compared: there is no generator to try it on; name one with --generator")?
            }
            (Some(compared), Some([])) => writeln!(to, "the {compared} are the same")?,
            (Some(_), Some(changes)) => changes.iter().try_for_each(|change| show_change(change, &mut to))?,
        }
        let verdict = if round.passed { "keeps the contract" } else { "breaks the contract" };
        writeln!(to, "{} checks: the plugin {verdict}", round.checks)?;
    }
    to.flush()?;
    Ok(())
}

fn show_change(change: &Change, to: &mut dyn Write) -> std::io::Result<()> {
    writeln!(
        to,
        "{}: {} rows, before {}{}",
        change.table,
        grouped(change.rows_now),
        grouped(change.rows_before),
        change.columns.iter().map(|column| format!(", {column}")).collect::<String>()
    )?;
    for (column, rows) in &change.changed {
        writeln!(to, "  {column} differs in {} rows", grouped(*rows))?;
    }
    change.first.iter().try_for_each(|line| writeln!(to, "  {line}"))
}
