//! Batches as documents of an OpenSearch server; ids are made of primary keys, so that a batch may come again.

use super::{Batch, Target, Undelivered};
use crate::sink::Credentials;
use crate::sink::mapping::index_body;
use crate::sink::opensearch::{self, LoadError, OpenSearch, Settings};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

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

impl Target for Documents {
    fn deliver(&mut self, batch: &Batch<'_>) -> Result<(), Undelivered> {
        let index = format!("{}{}", self.prefix, batch.layout.table.name);
        let later = |error: LoadError| Undelivered::Later(error.to_string());
        if !self.made.contains(&index) {
            match self.server.create_index(&index, &index_body(batch.layout), false) {
                Ok(()) | Err(LoadError::IndexExists { .. }) => self.made.insert(index.clone()),
                Err(error) => return Err(later(error)),
            };
        }
        let rows = std::iter::once(Ok::<_, std::convert::Infallible>(batch.rows.clone()));
        let outcome = self.server.load_batches(&index, batch.layout, rows, &mut |_| {}).map_err(later)?;
        match outcome.refusals.first() {
            None => Ok(()),
            Some(refusal) => {
                let reason = format!("{} documents were refused: {}", outcome.refused, refusal.reason);
                let body = outcome.refusals.iter().map(|refusal| refusal.action.as_str()).collect::<Vec<_>>();
                Err(Undelivered::Never { reason, body: body.join("\n").into_bytes() })
            }
        }
    }
}
