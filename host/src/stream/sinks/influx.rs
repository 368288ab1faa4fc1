//! Batches as InfluxDB's line protocol to a server that takes writes.

use super::endpoint::Endpoint;
use super::{Batch, Letter, Target, Undelivered, unwritable};
use crate::sink::Credentials;
use crate::sink::influx::InfluxEncoder;
use crate::sink::profile::Role;
use crate::sink::{Columns, Encoder as _};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An InfluxDB, or what understands its writes. A table is a measurement; writing a point twice leaves one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InfluxSink {
    /// The address of writes, such as `http://localhost:8086/api/v2/write?org=o&bucket=b&precision=ns`. Times are nanoseconds.
    pub url: String,
    /// The columns that are tags; all others but the time are fields. Rows of one time and tags are one point.
    pub tags: Vec<String>,
    /// Who asks: `bearer_env` is sent as `Token`.
    #[serde(default)]
    pub credentials: Credentials,
}

struct Influx {
    sink: InfluxSink,
    endpoint: Endpoint,
}

impl InfluxSink {
    pub(super) fn open(&self) -> Result<Box<dyn Target>, String> {
        let authorization = self.credentials.header("Token")?;
        Ok(Box::new(Influx { sink: self.clone(), endpoint: Endpoint::new(authorization, BTreeMap::new()) }))
    }
}

impl Influx {
    fn write(&self, lines: &[u8]) -> Result<(), Undelivered> {
        self.endpoint.deliver(&self.sink.url, &[("content-type", "text/plain; charset=utf-8")], lines)
    }
}

impl Target for Influx {
    fn deliver(&mut self, batch: &Batch<'_>) -> Result<(), Undelivered> {
        let table = &batch.layout.table;
        let role = |name: &str| {
            if table.time_field.as_deref() == Some(name) {
                Role::Time
            } else if self.sink.tags.iter().any(|tag| tag == name) {
                Role::Tag
            } else {
                Role::Field
            }
        };
        let roles = table.fields.iter().map(|field| role(&field.name)).collect();
        let columns = Columns::all(&batch.layout.schema);
        let mut body = Vec::new();
        InfluxEncoder::new(&table.name, columns, roles).encode(batch.rows, &mut body).map_err(unwritable)?;
        if body.is_empty() {
            return Ok(());
        }
        self.write(&body)
    }

    fn send_again(&mut self, letter: &Letter<'_>) -> Result<(), Undelivered> {
        self.write(letter.body)
    }
}
