//! Answers that were given under an `Idempotency-Key`, so that a request which is sent again does nothing again.

use super::{Store, StoreError, WriteTx, parsed};
use crate::core::digest::Digest;
use crate::core::time::Timestamp;
use sqlx::Row as _;

/// An answer as it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAnswer {
    /// The HTTP status.
    pub status: u16,
    /// `Content-Type`, where there was one.
    pub content_type: Option<String>,
    /// `Location`, where there was one.
    pub location: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// What is known of a key when a request comes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// It is new, and this request's now.
    New,
    /// It was used for the same request, which got this answer.
    Answered(KeptAnswer),
    /// The same request has not been answered: it is being worked on, or the server died over it.
    Unanswered,
    /// It was used for another request.
    Other,
}

impl Store {
    /// Claims `key` of `caller` for the request with this digest, or tells what became of it before.
    ///
    /// # Errors
    /// SQLite failed, or the record can't be read.
    pub async fn claim_key(
        &self,
        caller: &str,
        key: &str,
        request: Digest,
        at: Timestamp,
    ) -> Result<Claim, StoreError> {
        let mut tx = self.write().await?;
        let inserted = sqlx::query(
            "INSERT INTO idempotency_keys (caller, key, request, created_at) VALUES (?, ?, ?, ?)
             ON CONFLICT DO NOTHING",
        );
        let inserted = inserted.bind(caller).bind(key).bind(request.to_string()).bind(at.0);
        if inserted.execute(tx.connection()).await?.rows_affected() > 0 {
            tx.commit().await?;
            return Ok(Claim::New);
        }
        let found = sqlx::query("SELECT * FROM idempotency_keys WHERE caller = ? AND key = ?");
        let row = found.bind(caller).bind(key).fetch_one(tx.connection()).await?;
        let known: Digest = parsed(&row, "request")?;
        if known != request {
            return Ok(Claim::Other);
        }
        let Some(status) = row.try_get::<Option<u16>, _>("status")? else { return Ok(Claim::Unanswered) };
        Ok(Claim::Answered(KeptAnswer {
            status,
            content_type: row.try_get("content_type")?,
            location: row.try_get("location")?,
            body: row.try_get::<Option<Vec<u8>>, _>("body")?.unwrap_or_default(),
        }))
    }
}

impl WriteTx {
    /// Keeps the answer to the request that claimed `key`.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn keep_answer(&mut self, caller: &str, key: &str, answer: &KeptAnswer) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE idempotency_keys SET status = ?, content_type = ?, location = ?, body = ?
             WHERE caller = ? AND key = ?",
        )
        .bind(answer.status)
        .bind(&answer.content_type)
        .bind(&answer.location)
        .bind(&answer.body)
        .bind(caller)
        .bind(key)
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Lets go of a key whose request did nothing, so that it can be sent again.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn release_key(&mut self, caller: &str, key: &str) -> Result<(), StoreError> {
        let query = sqlx::query("DELETE FROM idempotency_keys WHERE caller = ? AND key = ? AND status IS NULL");
        query.bind(caller).bind(key).execute(self.connection()).await?;
        Ok(())
    }

    /// Forgets the keys that were claimed before `before`.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn forget_keys(&mut self, before: Timestamp) -> Result<(), StoreError> {
        let query = sqlx::query("DELETE FROM idempotency_keys WHERE created_at < ?");
        query.bind(before.0).execute(self.connection()).await?;
        Ok(())
    }
}
