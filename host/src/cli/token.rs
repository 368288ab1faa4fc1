//! `telemill token`: who may use the server from elsewhere.

use super::Verdict;
use super::output::{Output, table};
use crate::api::{NewToken, NewTokenAnswer, TokenState};
use crate::app::App;
use crate::run;
use crate::store::Scope;
use crate::task;
use clap::{Args, Subcommand};
use serde_json::json;

/// Make, list and revoke tokens for the server
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  telemill token create laptop --scope write")]
pub(super) enum Token {
    Create(Create),
    List(List),
    Revoke(Revoke),
}

/// Make a token; its secret is shown this once
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  telemill token create laptop --scope write")]
pub(super) struct Create {
    /// What to call it
    name: String,
    /// read, write or admin; each includes those before it
    #[arg(long, default_value = "read")]
    scope: Scope,
}

/// List tokens
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  telemill token list")]
pub(super) struct List {}

/// Take a token back
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  telemill token revoke laptop")]
pub(super) struct Revoke {
    /// The token
    name: String,
}

impl Token {
    pub(super) fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        match self {
            Self::Create(command) => command.run(app, out),
            Self::List(List {}) => list(app, out),
            Self::Revoke(command) => command.run(app, out),
        }
    }
}

impl Create {
    fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        let Self { name, scope } = self;
        let token = match app.server() {
            Some(server) => server.create_token(&NewToken { name, scope })?,
            None => {
                let made = task::create_token(&app.writer()?.host, name, scope, run::now())?;
                NewTokenAnswer { name: made.name, scope: made.scope, secret: made.secret }
            }
        };
        out.print(&token, |out| {
            writeln!(out, "{}\n\nSend it as `Authorization: Bearer …`; it is shown this once.", token.secret)
        })?;
        Ok(Verdict::Good)
    }
}

fn list(app: &App, out: &Output) -> anyhow::Result<Verdict> {
    let tokens = match app.server() {
        Some(server) => server.tokens()?,
        None => {
            let host = app.reader()?;
            let tokens = host.runtime.block_on(host.store.tokens())?;
            tokens.into_iter().map(TokenState::from).collect()
        }
    };
    out.print(&tokens, |out| {
        let row = |token: &TokenState| {
            let revoked = token.revoked_at.map(|at| at.to_string()).unwrap_or_default();
            vec![token.name.clone(), token.scope.to_string(), token.created_at.to_string(), revoked]
        };
        table(out, &["name", "scope", "created", "revoked"], &tokens.iter().map(row).collect::<Vec<_>>())
    })?;
    Ok(Verdict::Good)
}

impl Revoke {
    fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        let revoked = match app.server() {
            Some(server) => server.revoke_token(&self.name)?.name,
            None => task::revoke_token(&app.writer()?.host, &self.name, run::now())?.name,
        };
        out.print(&json!({ "revoked": revoked }), |out| writeln!(out, "{revoked} opens nothing any more"))?;
        Ok(Verdict::Good)
    }
}
