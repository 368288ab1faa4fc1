//! `telemill plugin enable`, `disable`, `rollback` and `remove`: which version a plugin's name means.

use crate::app::App;
use crate::cli::Verdict;
use crate::cli::output::Output;
use crate::run;
use crate::versions::{self, Switched};
use clap::Args;

/// Make an installed version what its name means in specs; runs under way keep theirs
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  telemill plugin enable thermostats@1.2.0")]
pub(in crate::cli) struct Enable {
    /// NAME for the newest version, NAME@VERSION, or sha256:DIGEST
    version: String,
}

/// Make a name mean the plugin that ships again, or nothing
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  telemill plugin disable thermostats")]
pub(in crate::cli) struct Disable {
    /// The plugin's name
    name: String,
}

/// Make a name mean what it meant before the last change
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  telemill plugin rollback thermostats")]
pub(in crate::cli) struct Rollback {
    /// The plugin's name
    name: String,
}

/// Forget a version that nothing uses
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  telemill plugin remove thermostats@1.2.0")]
pub(in crate::cli) struct Remove {
    /// NAME for the newest version, NAME@VERSION, or sha256:DIGEST
    version: String,
}

impl Enable {
    pub(super) fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        told(
            out,
            &match app.server() {
                Some(server) => server.enable(&self.version)?,
                None => versions::enable(&app.writer()?.host, &self.version, run::now())?,
            },
        )
    }
}

impl Disable {
    pub(super) fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        told(
            out,
            &match app.server() {
                Some(server) => server.disable(&self.name)?,
                None => versions::disable(&app.writer()?.host, &self.name, run::now())?,
            },
        )
    }
}

impl Rollback {
    pub(super) fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        told(
            out,
            &match app.server() {
                Some(server) => server.roll_back(&self.name)?,
                None => versions::rollback(&app.writer()?.host, &self.name, run::now())?,
            },
        )
    }
}

impl Remove {
    pub(super) fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        let removed = match app.server() {
            Some(server) => server.remove(&self.version)?,
            None => versions::remove(&app.writer()?.host, &self.version)?,
        };
        out.print(&removed, |out| {
            writeln!(out, "{} sha256:{} is removed", removed.name, removed.digest.short())?;
            if removed.kept_for_runs {
                writeln!(out, "its component stays, because runs were made with it")?;
            }
            Ok(())
        })?;
        Ok(Verdict::Good)
    }
}

fn told(out: &Output, switched: &Switched) -> anyhow::Result<Verdict> {
    out.print(switched, |out| {
        let name = &switched.name;
        let again = if switched.changed { "now" } else { "as before" };
        match switched.active {
            Some(digest) => writeln!(out, "{name} means sha256:{} {again}", digest.short()),
            None if switched.shipped => writeln!(out, "{name} means the plugin that ships {again}"),
            None => writeln!(out, "{name} means nothing {again}"),
        }
    })?;
    Ok(Verdict::Good)
}
