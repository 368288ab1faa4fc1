//! The collection of one instant as a step.

use super::error::StepError;
use super::step::Around;
use crate::collect::{self, CollectError, Collection, Question, Source};
use crate::core::time::Timestamp;
use crate::sink::Credentials;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::path::PathBuf;
use std::time::Duration;

/// Longest wait for a source, whatever the step's timeout is: its answer can't be stopped in the midst.
const MAX_WAIT: Duration = Duration::from_secs(600);

/// Which source, and where its rows go.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Collect {
    /// The endpoint, or the InfluxDB's address.
    url: String,
    /// What the endpoint is sent beside `current_time`.
    #[serde(default)]
    body: Map<String, Value>,
    /// What an InfluxDB is asked instead.
    #[serde(default)]
    influx: Option<Influx>,
    /// Who asks.
    #[serde(default)]
    credentials: Credentials,
    /// The instant; now where it is left out.
    #[serde(default)]
    at: Option<Timestamp>,
    /// What the rows are called.
    table: String,
    /// The columns that make a row unique; all that hold no numbers where it is left out.
    #[serde(default)]
    key: Vec<String>,
    /// Where the snapshots go.
    output_dir: PathBuf,
    /// A SQLite file with the table.
    #[serde(default)]
    database: Option<PathBuf>,
    /// Whether the catalog's database has the table.
    #[serde(default)]
    catalog: bool,
    /// The dataset of the lake that takes the rows.
    #[serde(default)]
    dataset: Option<String>,
}

/// A query to an InfluxDB: InfluxQL over a database of version 1, or Flux in an organisation of version 2.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Influx {
    #[serde(default)]
    database: Option<String>,
    #[serde(default)]
    org: Option<String>,
    query: String,
}

impl Influx {
    fn question(&self) -> Result<Question, String> {
        let query = self.query.clone();
        match (self.database.clone(), self.org.clone()) {
            (Some(database), None) => Ok(Question::InfluxQl { database, query }),
            (None, Some(org)) => Ok(Question::Flux { org, query }),
            _ => Err("influx: name either the database (version 1, InfluxQL) or the org (version 2, Flux)".to_owned()),
        }
    }
}

impl Collect {
    /// Looks for what can't go together.
    pub(super) fn checked(self) -> Result<Self, String> {
        if !["http://", "https://"].iter().any(|scheme| self.url.starts_with(scheme)) {
            return Err(format!("url: {:?} begins with neither http:// nor https://", self.url));
        }
        if self.influx.is_some() && !self.body.is_empty() {
            return Err("body: it is for an endpoint, and influx asks an InfluxDB".to_owned());
        }
        self.credentials.check().map_err(|error| format!("credentials: {error}"))?;
        self.question()?;
        Ok(self)
    }

    fn question(&self) -> Result<Question, String> {
        match &self.influx {
            Some(influx) => influx.question(),
            None => Ok(Question::Endpoint(self.body.clone())),
        }
    }

    /// Collects.
    pub(super) fn run(&self, around: &Around<'_>) -> Result<Value, StepError> {
        let source = Source {
            url: self.url.clone(),
            question: self.question().map_err(StepError::Verdict)?,
            credentials: self.credentials.clone(),
            timeout: around.timeout.min(MAX_WAIT),
        };
        let collection = Collection {
            source,
            output_dir: self.output_dir.clone(),
            table: self.table.clone(),
            key: self.key.clone(),
            database: self.database.clone(),
            catalog: self.catalog,
            dataset: self.dataset.clone(),
        };
        let (host, now) = (around.host, around.now);
        let collected = collect::collect(&collection, Some(host), &host.runtime, self.at.unwrap_or(now), now)?;
        around.log.line(format!(
            "{} rows at {}, {} of them new in the lake",
            collected.rows, collected.at, collected.lake_rows
        ));
        Ok(serde_json::to_value(&collected).unwrap_or_default())
    }
}

impl From<CollectError> for StepError {
    fn from(error: CollectError) -> Self {
        let message = crate::core::problem::chain(&error);
        match error {
            // The same answer would be wrong again.
            CollectError::Refused { .. }
            | CollectError::Unfit { .. }
            | CollectError::Credentials { .. }
            | CollectError::BadName(_)
            | CollectError::Batch(_) => Self::Verdict(message),
            _ => Self::Failed(message),
        }
    }
}
