//! `telemill plugin enable`, `disable`, `rollback` and `remove`: which version a plugin's name means.

use crate::app::App;
use crate::cli::Verdict;
use crate::cli::output::Output;
use crate::cli::stream::streams;
use crate::run::{self, Host};
use crate::stream::Swapped;
use crate::versions::{self, Followed, Switched};
use clap::Args;
use std::io::{self, Write};

/// Make an installed version what its name means in specs; runs under way keep theirs, streams go on with it
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
        if let Some(server) = app.server() {
            return told(out, &server.enable(&self.version)?);
        }
        let writer = app.writer()?;
        let switched = versions::enable(&writer.host, &self.version, run::now())?;
        told(out, &follow(app, &writer.host, switched)?)
    }
}

impl Disable {
    pub(super) fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        if let Some(server) = app.server() {
            return told(out, &server.disable(&self.name)?);
        }
        let writer = app.writer()?;
        let switched = versions::disable(&writer.host, &self.name, run::now())?;
        told(out, &follow(app, &writer.host, switched)?)
    }
}

impl Rollback {
    pub(super) fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        if let Some(server) = app.server() {
            return told(out, &server.roll_back(&self.name)?);
        }
        let writer = app.writer()?;
        let switched = versions::rollback(&writer.host, &self.name, run::now())?;
        told(out, &follow(app, &writer.host, switched)?)
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
                writeln!(out, "its component stays, because runs or streams were made with it")?;
            }
            Ok(())
        })?;
        Ok(Verdict::Good)
    }
}

/// Lets the streams that stand still follow, as a server does with those that run.
pub(super) fn follow(app: &App, host: &Host, switched: Switched) -> anyhow::Result<Followed> {
    let streams = streams(app, host)?;
    let followed = versions::follow(&streams, switched);
    streams.shut_down();
    Ok(followed?)
}

fn told(out: &Output, followed: &Followed) -> anyhow::Result<Verdict> {
    out.print(followed, |out| {
        let (name, switched) = (&followed.switched.name, &followed.switched);
        let again = if switched.changed { "now" } else { "as before" };
        match switched.active {
            Some(digest) => writeln!(out, "{name} means sha256:{} {again}", digest.short())?,
            None if switched.shipped => writeln!(out, "{name} means the plugin that ships {again}")?,
            None => writeln!(out, "{name} means nothing {again}")?,
        }
        tell_streams(out, &followed.streams)
    })?;
    Ok(Verdict::Good)
}

/// A line for each stream that took a version over, or could not.
pub(super) fn tell_streams(out: &mut dyn Write, streams: &[Swapped]) -> io::Result<()> {
    for Swapped { stream, at, afresh, error } in streams {
        match (at, error) {
            (_, Some(error)) => writeln!(out, "stream {stream} goes on as it was: {error}")?,
            (Some(at), None) if *afresh => writeln!(out, "stream {stream} uses it from {at} on, afresh")?,
            (Some(at), None) => writeln!(out, "stream {stream} uses it from {at} on")?,
            (None, None) => {}
        }
    }
    Ok(())
}
