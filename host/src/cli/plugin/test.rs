//! `telemill plugin test`.

use crate::app::App;
use crate::cli::Verdict;
use crate::cli::output::{Output, table};
use crate::cli::value::read_json;
use crate::plugin::PluginKind;
use crate::plugin::check::{CheckOptions, Outcome, Sample, check};
use crate::run;
use clap::Args;
use std::path::PathBuf;

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
    /// The generator whose targets and rows an incident model or a validator is tried on; a shipped one where it is
    /// left out
    #[arg(long, value_name = "PLUGIN")]
    generator: Option<String>,
    /// The seed of the check
    #[arg(long, default_value_t = 42)]
    seed: u64,
}

impl Test {
    pub(super) fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        let registry = app.registry()?;
        let bytes = registry.bytes(&self.plugin)?;
        let config = self.config.as_deref().map(read_json).transpose()?;
        let other_tables = vec![run::incidents_layout().table, run::effects_layout().table];
        let mut options = CheckOptions { seed: self.seed, config, other_tables, ..CheckOptions::default() };
        if let Some(reference) = &self.generator {
            let generator = registry.load(reference)?;
            generator.expect_kind(PluginKind::Generator)?;
            let defaults = generator.check_config(&serde_json::Value::Object(serde_json::Map::new()))?;
            options.sample = Some(Sample::of(&generator, &defaults, &options)?);
        }
        let report = check(registry.engine(), &self.plugin, &bytes, &options);
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
            writeln!(
                out,
                "\n{}",
                if report.passed() { "the plugin keeps the contract" } else { "the plugin breaks the contract" }
            )
        })?;
        Ok(if report.passed() { Verdict::Good } else { Verdict::Negative })
    }
}
