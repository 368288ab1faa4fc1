//! `telemill alert`: what validators and pipelines found wrong, and who has seen it.

use super::Verdict;
use super::output::{Output, table};
use crate::alert::Alerts;
use crate::app::App;
use crate::run;
use crate::store::{self, AlertState, DATABASE_FILE, Store};
use anyhow::Context as _;
use clap::{Args, Subcommand};

/// Look at alerts, and acknowledge them
#[derive(Debug, Subcommand)]
#[command(
    after_help = "Example:\n  telemill alert list --state open\n  telemill alert ack 3 --note \"branch 12345 is closed\""
)]
pub(super) enum Alert {
    List(List),
    Show(Show),
    Ack(Ack),
}

/// List alerts, newest first
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  telemill alert list --json")]
pub(super) struct List {
    /// Only those that are open, acknowledged or resolved
    #[arg(long)]
    state: Option<AlertState>,
    /// How many
    #[arg(long, default_value_t = 20)]
    limit: u32,
    /// Only those with a smaller number
    #[arg(long, value_name = "ID")]
    before: Option<i64>,
}

/// Show an alert with what was measured
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  telemill alert show 3 --json")]
pub(super) struct Show {
    /// Its number
    id: i64,
}

/// Say that an alert was seen; it is resolved by itself when what was wrong is no longer
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  telemill alert ack 3 --by ada --note \"branch 12345 is closed\"")]
pub(super) struct Ack {
    /// Its number
    id: i64,
    /// Who has seen it
    #[arg(long, value_name = "NAME", env = "USER")]
    by: Option<String>,
    /// What there is to say
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

impl Alert {
    pub(super) fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        match self {
            Self::List(command) => command.run(app, out),
            Self::Show(command) => command.run(app, out),
            Self::Ack(command) => command.run(app, out),
        }
    }
}

impl List {
    fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        let alerts = match app.server() {
            Some(server) => server.alerts(self.state, self.limit, self.before)?,
            None => {
                let host = app.reader()?;
                host.runtime.block_on(host.store.alerts(self.state, self.limit, self.before))?
            }
        };
        out.print(&alerts, |out| {
            let row = |alert: &store::Alert| {
                let who = alert.validator.clone().unwrap_or_else(|| alert.source.clone());
                let (state, dataset) = (alert.state.as_str().to_owned(), alert.dataset.clone().unwrap_or_default());
                let (id, last) = (alert.id.to_string(), alert.last_at.to_string());
                vec![id, state, last, who, dataset, alert.rule.clone(), alert.message.clone()]
            };
            let header = ["id", "state", "last seen", "found by", "dataset", "rule", "what"];
            table(out, &header, &alerts.iter().map(row).collect::<Vec<_>>())
        })?;
        Ok(Verdict::Good)
    }
}

impl Show {
    fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        let found = match app.server() {
            Some(server) => match server.alert(self.id) {
                Err(error) if error.status() == Some(404) => None,
                answer => Some(answer?),
            },
            None => {
                let host = app.reader()?;
                host.runtime.block_on(host.store.alert(self.id))?
            }
        };
        let alert = found
            .with_context(|| format!("there is no alert {}: `telemill alert list` shows those there are", self.id))?;
        out.print(&alert, |out| {
            writeln!(out, "alert {}: {}", alert.id, alert.state.as_str())?;
            writeln!(out, "{}: {}", alert.rule, alert.message)?;
            writeln!(
                out,
                "found by {}, {} times from {} to {}",
                alert.source, alert.times, alert.raised_at, alert.last_at
            )?;
            if let Some(at) = alert.acknowledged_at {
                let by = alert.acknowledged_by.as_deref().unwrap_or("somebody");
                writeln!(out, "acknowledged at {at} by {by}: {}", alert.note.as_deref().unwrap_or_default())?;
            }
            alert.resolved_at.map_or(Ok(()), |at| writeln!(out, "resolved at {at}"))
        })?;
        Ok(Verdict::Good)
    }
}

impl Ack {
    fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        let (by, note) = (self.by.as_deref(), self.note.as_deref());
        let alert = match app.server() {
            Some(server) => server.acknowledge(self.id, by, note)?,
            None => {
                let store = app.runtime().block_on(Store::open_beside(&app.data_dir().join(DATABASE_FILE)))?;
                let alerts = Alerts::new(store.clone(), app.runtime().handle().clone());
                let alert = alerts.acknowledge(self.id, by, note, run::now());
                app.runtime().block_on(store.close());
                alert?
            }
        };
        out.print(&alert, |out| writeln!(out, "alert {} is acknowledged", alert.id))?;
        Ok(Verdict::Good)
    }
}
