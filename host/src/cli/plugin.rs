//! `telemill plugin`: list, inspect and test components; `new`, `build` and `dev` are in files of their own.

mod build;
mod dev;
mod new;

use super::Verdict;
use super::output::{Output, table};
use super::value::read_json;
use crate::app::App;
use crate::plugin::PluginKind;
use crate::plugin::check::{CheckOptions, Outcome, Sample, check};
use crate::run;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Write, build, list, inspect and test plugins
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  telemill plugin inspect ecommerce")]
pub(super) enum Plugin {
    New(new::New),
    Build(build::Build),
    Dev(dev::Dev),
    List(List),
    Inspect(Inspect),
    Test(Test),
}

/// List the plugins that ship and those in the data folder
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  telemill plugin list")]
pub(super) struct List {}

/// Show what a plugin says of itself: kind, version, configuration, digest
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  telemill plugin inspect ecommerce")]
pub(super) struct Inspect {
    /// A name, a .wasm file or sha256:DIGEST
    plugin: String,
    /// Print its configuration's JSON Schema alone
    #[arg(long)]
    schema: bool,
}

/// Hold a component to the contract; exit code 1 with the reason where it fails
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  telemill plugin test ecommerce\n  telemill plugin test target/wasm32-unknown-unknown/release/mine.wasm --generator ecommerce"
)]
pub(super) struct Test {
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

impl Plugin {
    pub(super) fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        match self {
            Self::New(command) => command.run(out),
            Self::Build(command) => command.run(app, out),
            Self::Dev(command) => command.run(app, out),
            Self::List(List {}) => list(app, out),
            Self::Inspect(command) => command.run(app, out),
            Self::Test(command) => command.run(app, out),
        }
    }
}

fn list(app: &App, out: &Output) -> anyhow::Result<Verdict> {
    let plugins = app.registry()?.list()?;
    out.print(&plugins, |out| {
        let rows = plugins.iter().map(|listed| {
            let descriptor = &listed.descriptor;
            let (kind, digest) = (listed.kind.to_string(), listed.digest.short());
            vec![descriptor.name.clone(), kind, descriptor.version.clone(), digest, descriptor.summary.clone()]
        });
        table(out, &["name", "kind", "version", "digest", "what"], &rows.collect::<Vec<_>>())
    })?;
    Ok(Verdict::Good)
}

impl Inspect {
    fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        let listed = app.registry()?.describe(&self.plugin)?;
        let descriptor = &listed.descriptor;
        if self.schema {
            out.print(&descriptor.config_schema, |out| {
                serde_json::to_writer_pretty(&mut *out, &descriptor.config_schema)?;
                writeln!(out)
            })?;
            return Ok(Verdict::Good);
        }
        out.print(&listed, |out| {
            writeln!(out, "{} {}, a {}", descriptor.name, descriptor.version, listed.kind)?;
            writeln!(out, "{}\ndigest sha256:{}\n\n{}", descriptor.summary, listed.digest, descriptor.documentation)?;
            let property = |(name, schema): (&String, &serde_json::Value)| {
                let text = |key: &str| match schema.get(key) {
                    Some(serde_json::Value::String(text)) => text.split_whitespace().collect::<Vec<_>>().join(" "),
                    Some(value) => value.to_string(),
                    None => String::new(),
                };
                let mut default = text("default");
                if default.chars().count() > 40 {
                    default = default.chars().take(39).chain(['…']).collect();
                }
                vec![name.clone(), default, text("description")]
            };
            let properties = descriptor.config_schema.get("properties").and_then(serde_json::Value::as_object);
            let rows: Vec<_> = properties.into_iter().flatten().map(property).collect();
            writeln!(out)?;
            table(out, &["configuration", "default", "what"], &rows)
        })?;
        Ok(Verdict::Good)
    }
}

impl Test {
    fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
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
