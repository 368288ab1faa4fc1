//! `telemill plugin new`: a small, whole project in a language of the author's choice.

use crate::cli::Verdict;
use crate::cli::output::Output;
use crate::plugin::PluginKind;
use crate::project::{self, Language};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Make a project for a plugin: source, contract, helpers, build, README and a test
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  telemill plugin new thermostat-fleet --kind generator --language javascript\n  telemill plugin build thermostat-fleet\n  telemill plugin test thermostat-fleet/build/thermostat-fleet.wasm"
)]
pub(in crate::cli) struct New {
    /// The plugin's name: lower-case words joined by hyphens
    name: String,
    /// What it does
    #[arg(long, value_enum)]
    kind: Kind,
    /// What it is written in
    #[arg(long, value_enum)]
    language: Language,
    /// The folder to write, which must be empty or missing; a folder of the plugin's name where it is left out
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// The kinds of plugins, as words of the command line.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    /// Simulates a system and emits its rows
    Generator,
    /// Decides what goes wrong, and when
    IncidentModel,
    /// Judges rows
    Validator,
}

impl From<Kind> for PluginKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Generator => Self::Generator,
            Kind::IncidentModel => Self::IncidentModel,
            Kind::Validator => Self::Validator,
        }
    }
}

impl New {
    pub(super) fn run(self, out: &Output) -> anyhow::Result<Verdict> {
        let folder = self.dir.unwrap_or_else(|| PathBuf::from(&self.name));
        let files = project::create(&folder, &self.name, self.kind.into(), self.language)?;
        let component = folder.join(project::Manifest::read(&folder)?.component);
        let json = serde_json::json!({ "folder": folder, "files": files, "component": component });
        out.print(&json, |out| {
            let folder = folder.display();
            writeln!(out, "{folder} has {} files; go on with", files.len())?;
            writeln!(out, "  telemill plugin build {folder}")?;
            writeln!(out, "  telemill plugin test {}", component.display())?;
            writeln!(out, "  telemill plugin dev {folder}")
        })?;
        Ok(Verdict::Good)
    }
}
