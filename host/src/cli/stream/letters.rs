//! `telemill stream dead-letters`: what sinks gave up, shown, sent again, dropped.

use super::control::at_rest;
use super::{find, find_there};
use crate::app::App;
use crate::cli::Verdict;
use crate::cli::output::{Output, grouped, table};
use crate::core::id::StreamId;
use crate::stream::{self, BatchKey, DeadLetter};
use anyhow::bail;
use clap::{Args, Subcommand};
use serde_json::json;

/// Look at the batches that a sink gave up, and send them again
#[derive(Debug, Subcommand)]
#[command(
    after_help = "Example:\n  telemill stream dead-letters list backend\n  telemill stream dead-letters send backend"
)]
pub(in crate::cli) enum DeadLetters {
    List(List),
    Show(Show),
    Send(Send),
    Drop(Drop),
}

/// List the batches that a sink gave up, newest first
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  telemill stream dead-letters list backend --json")]
pub(in crate::cli) struct List {
    /// The sink, by its name in the stream's spec
    sink: String,
    /// The stream; the newest where none is given
    id: Option<StreamId>,
    /// How many
    #[arg(long, default_value_t = 20)]
    limit: u32,
    /// Only those with a smaller number
    #[arg(long, value_name = "NUMBER")]
    before: Option<i64>,
}

/// Print what was sent of a batch that was given up
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  telemill stream dead-letters show backend s019a8f3c1d20f00d-58-transactions-0")]
pub(in crate::cli) struct Show {
    /// The sink, by its name in the stream's spec
    sink: String,
    /// The batch's key, as `list` prints it
    key: BatchKey,
}

/// Send the batches that a sink gave up again, oldest first; those that arrive are kept no longer
#[derive(Debug, Args)]
#[command(
    after_help = "A receiver that takes nothing for now ends it; the exit code is 1 where letters are left.\n\nExample:\n  telemill stream dead-letters send backend"
)]
pub(in crate::cli) struct Send {
    /// The sink, by its name in the stream's spec
    sink: String,
    /// The stream; the newest where none is given
    id: Option<StreamId>,
}

/// Drop the batches that a sink gave up
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  telemill stream dead-letters drop backend --yes")]
pub(in crate::cli) struct Drop {
    /// The sink, by its name in the stream's spec
    sink: String,
    /// The stream; the newest where none is given
    id: Option<StreamId>,
    /// Really
    #[arg(long)]
    yes: bool,
}

impl DeadLetters {
    pub(super) fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        match self {
            Self::List(command) => command.run(app, out),
            Self::Show(command) => command.run(app, out),
            Self::Send(command) => command.run(app, out),
            Self::Drop(command) => command.run(app, out),
        }
    }
}

impl List {
    fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        let letters = match app.server() {
            Some(server) => {
                let id = find_there(server, self.id)?.id;
                server.dead_letters(&id, &self.sink, self.limit, self.before)?
            }
            None => {
                let host = app.reader()?;
                let id = find(&host, self.id)?.id;
                stream::dead_letters(&host, &id, &self.sink, self.limit, self.before)?
            }
        };
        out.print(&letters, |out| {
            let row = |letter: &DeadLetter| {
                let (key, at) = (letter.batch_key.to_string(), letter.at.to_string());
                vec![letter.number.to_string(), key, at, grouped(letter.bytes), letter.reason.clone()]
            };
            table(out, &["number", "batch", "when", "bytes", "why"], &letters.iter().map(row).collect::<Vec<_>>())
        })?;
        Ok(Verdict::Good)
    }
}

impl Show {
    fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        let body = match app.server() {
            Some(server) => server.dead_letter_body(&self.sink, &self.key)?,
            None => stream::dead_letter_body(&app.reader()?, &self.sink, &self.key)?,
        };
        let whole = json!({ "batch_key": self.key, "body": String::from_utf8_lossy(&body) });
        out.print(&whole, |out| out.write_all(&body))?;
        Ok(Verdict::Good)
    }
}

impl Send {
    fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        let done = match app.server() {
            Some(server) => server.send_dead_letters(&find_there(server, self.id)?.id, &self.sink)?,
            None => at_rest(app, self.id, |streams, record| streams.send_dead_letters(&record.id, &self.sink))?,
        };
        out.print(&done, |out| {
            writeln!(out, "{} sent, {} left", grouped(done.sent), grouped(done.left))?;
            done.stopped.iter().try_for_each(|reason| writeln!(out, "not all were tried: {reason}"))
        })?;
        Ok(if done.left == 0 { Verdict::Good } else { Verdict::Negative })
    }
}

impl Drop {
    fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        if !self.yes {
            bail!("what the sink {} gave up can't be sent any more once it is dropped; add --yes to do it", self.sink);
        }
        let done = match app.server() {
            Some(server) => server.drop_dead_letters(&find_there(server, self.id)?.id, &self.sink)?,
            None => {
                let writer = app.writer()?;
                let id = find(&writer.host, self.id)?.id;
                stream::drop_dead_letters(&writer.host, &id, &self.sink)?
            }
        };
        out.print(&done, |out| writeln!(out, "{} dropped", grouped(done.dropped)))?;
        Ok(Verdict::Good)
    }
}
