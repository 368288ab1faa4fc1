//! `telemill token`: who may use the server from elsewhere.

use super::Verdict;
use super::output::{Output, table};
use crate::app::App;
use crate::core::digest::Digest;
use crate::run;
use crate::store::{self, Scope};
use anyhow::Context as _;
use clap::{Args, Subcommand};
use rand::TryRng as _;
use rand::rngs::SysRng;
use serde_json::json;

/// Words of randomness in a secret: 256 bits.
const SECRET_WORDS: usize = 4;

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
        let writer = app.writer()?;
        let host = &writer.host;
        let secret = secret()?;
        let token = store::Token {
            name: self.name,
            scope: self.scope,
            digest: Digest::of(secret.as_bytes()),
            created_at: run::now(),
            revoked_at: None,
        };
        host.runtime.block_on(async {
            let mut tx = host.store.write().await?;
            tx.insert_token(&token).await?;
            tx.commit().await
        })?;
        out.print(&json!({ "name": token.name, "scope": token.scope, "secret": secret }), |out| {
            writeln!(out, "{secret}\n\nSend it as `Authorization: Bearer …`; it is shown this once.")
        })?;
        Ok(Verdict::Good)
    }
}

/// A secret that nobody can guess.
fn secret() -> anyhow::Result<String> {
    let words = (0..SECRET_WORDS).map(|_| Ok(format!("{:016x}", SysRng.try_next_u64()?)));
    let words: Result<String, rand::rngs::SysError> = words.collect();
    Ok(format!("tm_{}", words.context("the system has no randomness to give")?))
}

fn list(app: &App, out: &Output) -> anyhow::Result<Verdict> {
    let host = app.reader()?;
    let tokens = host.runtime.block_on(host.store.tokens())?;
    out.print(&tokens, |out| {
        let row = |token: &store::Token| {
            let revoked = token.revoked_at.map(|at| at.to_string()).unwrap_or_default();
            vec![token.name.clone(), token.scope.to_string(), token.created_at.to_string(), revoked]
        };
        table(out, &["name", "scope", "created", "revoked"], &tokens.iter().map(row).collect::<Vec<_>>())
    })?;
    Ok(Verdict::Good)
}

impl Revoke {
    fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        let writer = app.writer()?;
        let host = &writer.host;
        host.runtime.block_on(async {
            let mut tx = host.store.write().await?;
            tx.revoke_token(&self.name, run::now()).await?;
            tx.commit().await
        })?;
        out.print(&json!({ "revoked": self.name }), |out| writeln!(out, "{} opens nothing any more", self.name))?;
        Ok(Verdict::Good)
    }
}
