//! Tokens that open the server: kept as digests, each with what it allows.

use super::{Store, StoreError, WriteTx, parsed, time};
use crate::core::digest::Digest;
use crate::core::time::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use std::fmt;
use std::str::FromStr;

/// What a token allows; each scope includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// To look at everything.
    Read,
    /// To make, send and change data.
    Write,
    /// To change plugins and what runs by itself.
    Admin,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        })
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "read" => Ok(Self::Read),
            "write" => Ok(Self::Write),
            "admin" => Ok(Self::Admin),
            other => Err(format!("{other:?} is no scope; there are read, write and admin")),
        }
    }
}

/// A token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Token {
    /// What people call it.
    pub name: String,
    /// What it allows.
    pub scope: Scope,
    /// SHA-256 of the secret.
    #[serde(skip)]
    pub digest: Digest,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was taken back, if it was.
    pub revoked_at: Option<Timestamp>,
}

impl WriteTx {
    /// Keeps a new token.
    ///
    /// # Errors
    /// There is one of that name, or SQLite failed.
    pub async fn insert_token(&mut self, token: &Token) -> Result<(), StoreError> {
        let inserted = sqlx::query(
            "INSERT INTO tokens (name, digest, scope, created_at) VALUES (?, ?, ?, ?) ON CONFLICT (name) DO NOTHING",
        )
        .bind(&token.name)
        .bind(token.digest.to_string())
        .bind(token.scope.to_string())
        .bind(token.created_at.0)
        .execute(self.connection())
        .await?;
        match inserted.rows_affected() {
            0 => Err(StoreError::TokenExists(token.name.clone())),
            _ => Ok(()),
        }
    }

    /// Takes a token back; from now on it opens nothing.
    ///
    /// # Errors
    /// There is none of that name that is in force, or SQLite failed.
    pub async fn revoke_token(&mut self, name: &str, at: Timestamp) -> Result<(), StoreError> {
        let query = sqlx::query("UPDATE tokens SET revoked_at = ? WHERE name = ? AND revoked_at IS NULL");
        match query.bind(at.0).bind(name).execute(self.connection()).await?.rows_affected() {
            0 => Err(StoreError::NoToken(name.to_owned())),
            _ => Ok(()),
        }
    }
}

impl Store {
    /// All tokens, revoked ones included, by name.
    ///
    /// # Errors
    /// SQLite failed, or a record can't be read.
    pub async fn tokens(&self) -> Result<Vec<Token>, StoreError> {
        let mut tx = self.read().await?;
        sqlx::query("SELECT * FROM tokens ORDER BY name").fetch_all(tx.connection()).await?.iter().map(record).collect()
    }

    /// The token in force whose secret has this digest.
    ///
    /// # Errors
    /// SQLite failed, or the record can't be read.
    pub async fn token_by_digest(&self, digest: Digest) -> Result<Option<Token>, StoreError> {
        let mut tx = self.read().await?;
        let query = sqlx::query("SELECT * FROM tokens WHERE digest = ? AND revoked_at IS NULL");
        query.bind(digest.to_string()).fetch_optional(tx.connection()).await?.as_ref().map(record).transpose()
    }
}

fn record(row: &SqliteRow) -> Result<Token, StoreError> {
    Ok(Token {
        name: row.try_get("name")?,
        scope: parsed(row, "scope")?,
        digest: parsed(row, "digest")?,
        created_at: time(row, "created_at")?,
        revoked_at: row.try_get::<Option<i64>, _>("revoked_at")?.map(Timestamp),
    })
}
