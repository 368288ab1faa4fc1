//! `telemill plugin build`: a project's tools, and the component that they end with.

use crate::app::App;
use crate::cli::Verdict;
use crate::cli::output::{Output, bytes};
use crate::project::{self, Built};
use clap::Args;
use std::path::{Path, PathBuf};

/// Build a plugin's project with its language's tools
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  telemill plugin build thermostat-fleet\n\nThe first build installs the language's tools into the folder; telemill-plugin.toml says what is run."
)]
pub(in crate::cli) struct Build {
    /// The project's folder
    #[arg(default_value = ".")]
    dir: PathBuf,
}

impl Build {
    pub(super) fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        let built = build(&self.dir, app, out)?;
        out.print(&built, |out| {
            let (component, size) = (built.component.display(), bytes(built.bytes));
            writeln!(out, "{component}: the {} {}, {size}, sha256:{}", built.kind, built.name, built.digest)?;
            writeln!(out, "go on with\n  telemill plugin test {component}")
        })?;
        Ok(Verdict::Good)
    }
}

/// Builds and tells on standard error what is run.
pub(super) fn build(folder: &Path, app: &App, out: &Output) -> anyhow::Result<Built> {
    let registry = app.registry()?;
    let tell = |line: &str| {
        if !out.quiet {
            eprintln!("  {line}");
        }
    };
    Ok(project::build(folder, registry.engine(), &tell)?)
}
