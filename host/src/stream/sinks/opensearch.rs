//! Batches as documents of an OpenSearch server; ids are made of primary keys, so that a batch may come again.

use super::{Batch, Letter, Target, Undelivered, unwritable};
use crate::batch::TableLayout;
use crate::sink::Credentials;
use crate::sink::mapping::index_body;
use crate::sink::opensearch::{self, Backoff, LoadError, OpenSearch, Outcome, Settings};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::time::Duration;

/// Most bytes of refused documents of one batch that are kept: four kilobytes for each of its rows, many times what a row is.
const MAX_REFUSED_BYTES: usize = 4 << 20;

/// How long the client itself tries again: some seconds, since the thread serves other sinks as well. The courier's pauses,
/// which hold no thread, follow.
const BACKOFF: Backoff = Backoff { attempts: 4, first: Duration::from_millis(250), longest: Duration::from_secs(5) };

/// An OpenSearch server. A table is an index, which is made where it is missing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpensearchSink {
    /// The server, such as `http://localhost:9200`.
    pub url: String,
    /// What the names of indices begin with; the table's name follows.
    #[serde(default)]
    pub index_prefix: String,
    /// Who asks; `bearer_env` holds an API key.
    #[serde(default)]
    pub credentials: Credentials,
}

struct Documents {
    server: OpenSearch,
    prefix: String,
    made: BTreeSet<String>,
}

impl OpensearchSink {
    pub(super) fn open(&self) -> Result<Box<dyn Target>, String> {
        let secret = |name: &String| std::env::var(name).map_err(|_| format!("the variable {name} is not set"));
        let mut settings = Settings::new(self.url.clone());
        (settings.backoff, settings.max_refused_bytes) = (BACKOFF, MAX_REFUSED_BYTES);
        if let Some(name) = &self.credentials.bearer_env {
            settings.credentials = Some(opensearch::Credentials::ApiKey(secret(name)?));
        }
        if let Some(name) = &self.credentials.basic_env {
            let pair = secret(name)?;
            let (user, password) = pair.split_once(':').ok_or(format!("{name}: write USER:PASSWORD"))?;
            let (user, password) = (user.to_owned(), password.to_owned());
            settings.credentials = Some(opensearch::Credentials::Basic { user, password });
        }
        let server = OpenSearch::connect(settings).map_err(|error| error.to_string())?;
        Ok(Box::new(Documents { server, prefix: self.index_prefix.clone(), made: BTreeSet::new() }))
    }
}

impl Documents {
    /// Makes the index of a table, once.
    fn prepare(&mut self, index: &str, layout: &TableLayout) -> Result<(), LoadError> {
        if !self.made.contains(index) {
            match self.server.create_index(index, &index_body(layout), false) {
                Ok(()) | Err(LoadError::IndexExists { .. }) => self.made.insert(index.to_owned()),
                Err(error) => return Err(error),
            };
        }
        Ok(())
    }
}

impl Target for Documents {
    fn deliver(&mut self, batch: &Batch<'_>) -> Result<(), Undelivered> {
        let index = format!("{}{}", self.prefix, batch.layout.table.name);
        self.prepare(&index, batch.layout).map_err(undelivered)?;
        let rows = std::iter::once(Ok::<_, std::convert::Infallible>(batch.rows.clone()));
        let outcome = self.server.load_batches(&index, batch.layout, rows, &mut |_| {}).map_err(undelivered)?;
        verdict(outcome)
    }

    fn send_again(&mut self, letter: &Letter<'_>) -> Result<(), Undelivered> {
        let index = format!("{}{}", self.prefix, letter.table);
        // Without it the server would guess the types of columns.
        let gone = || Undelivered::Later(format!("there is no table {} any more", letter.table));
        self.prepare(&index, letter.layout.ok_or_else(gone)?).map_err(undelivered)?;
        verdict(self.server.load_lines(&index, letter.body).map_err(undelivered)?)
    }
}

fn undelivered(error: LoadError) -> Undelivered {
    match error {
        LoadError::Sink(error) => unwritable(error),
        error => Undelivered::Later(error.to_string()),
    }
}

/// What an answer means for the documents: a server that was too busy for some gets all of them again, which does no harm since they
/// have ids; what it refuses is kept whole.
fn verdict(outcome: Outcome) -> Result<(), Undelivered> {
    let Some(refusal) = outcome.refusals.first() else { return Ok(()) };
    if outcome.busy > 0 {
        return Err(Undelivered::Later(format!("the server was too busy for {} documents", outcome.busy)));
    }
    let mut reason = format!("{} documents were refused: {}", outcome.refused, refusal.reason);
    if outcome.unkept > 0 {
        reason.push_str(&format!(
            "; {} of them are not kept, which would be over {MAX_REFUSED_BYTES} bytes",
            outcome.unkept
        ));
    }
    Err(Undelivered::Never { reason, body: outcome.documents })
}
