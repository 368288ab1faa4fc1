//! Batches as lines of JSON to an HTTP endpoint.

use super::endpoint::Endpoint;
use super::{Batch, Letter, Target, Undelivered};
use crate::sink::Credentials;
use crate::sink::ndjson::{NdjsonEncoder, Nulls};
use crate::sink::{Columns, Encoder as _};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An endpoint that takes NDJSON by POST, a batch a request.
///
/// `Idempotency-Key` is the batch's key, `Telemill-Table` its table. Statuses 408, 425, 429 and from 500 on are tried
/// again, as is a server that does not answer; other refusals go to the dead letters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpSink {
    /// Where to.
    pub url: String,
    /// More headers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Who asks.
    #[serde(default)]
    pub credentials: Credentials,
}

struct Http {
    url: String,
    endpoint: Endpoint,
}

impl HttpSink {
    pub(super) fn open(&self) -> Result<Box<dyn Target>, String> {
        let authorization = self.credentials.header("Bearer")?;
        Ok(Box::new(Http { url: self.url.clone(), endpoint: Endpoint::new(authorization, self.headers.clone()) }))
    }
}

impl Http {
    fn post(&self, key: &str, table: &str, body: &[u8]) -> Result<(), Undelivered> {
        let headers = [("content-type", "application/x-ndjson"), ("idempotency-key", key), ("telemill-table", table)];
        self.endpoint.deliver(&self.url, &headers, body)
    }
}

impl Target for Http {
    fn deliver(&mut self, batch: &Batch<'_>) -> Result<(), Undelivered> {
        let mut encoder = NdjsonEncoder::new(Columns::all(&batch.layout.schema), Nulls::Written);
        let mut body = Vec::new();
        encoder.encode(batch.rows, &mut body).map_err(super::unwritable)?;
        self.post(&batch.key, &batch.layout.table.name, &body)
    }

    fn send_again(&mut self, letter: &Letter<'_>) -> Result<(), Undelivered> {
        self.post(letter.key, letter.table, letter.body)
    }
}
