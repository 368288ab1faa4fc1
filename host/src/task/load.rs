//! Rows of the lake, or a file of bulk lines, into an OpenSearch server.

use super::rows::RowSource;
use super::{TaskError, table_of};
use crate::batch::TableLayout;
use crate::core::document;
use crate::query::{Scan, TextForm};
use crate::run::Cancel;
use crate::sink::mapping;
use crate::sink::opensearch::{Credentials, LoadError, OpenSearch, Outcome, Settings};
use arrow::record_batch::RecordBatch;
use serde::Deserialize;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// What goes where.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Load {
    /// The server.
    #[serde(default = "default_host")]
    pub host: String,
    /// The index.
    pub index: String,
    /// A table as `DATASET.TABLE`, or a file of bulk lines with its `mapping.json` beside it.
    pub source: String,
    /// The index's mapping; made from the table, or taken from beside the file, where it is left out.
    #[serde(default)]
    pub mapping: Option<PathBuf>,
    /// Delete an index of that name first.
    #[serde(default)]
    pub recreate: bool,
    /// Add to an index that is there.
    #[serde(default)]
    pub append: bool,
    /// Count the documents afterwards and compare.
    #[serde(default)]
    pub verify: bool,
    /// Certificates (PEM) to trust instead of the usual ones.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// Trust any certificate.
    #[serde(default)]
    pub insecure: bool,
    /// Most bytes of one request.
    #[serde(default)]
    pub chunk_bytes: Option<usize>,
    /// Who asks; no file says it.
    #[serde(skip)]
    pub credentials: Option<Credentials>,
}

fn default_host() -> String {
    "localhost:9200".to_owned()
}

/// What became of the documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// What was sent and taken.
    pub outcome: Outcome,
    /// Documents that the index has afterwards, where they were counted.
    pub counted: Option<u64>,
    /// Whether all of them are there.
    pub complete: bool,
}

impl Load {
    /// Whether the source is a file, for which no data folder is needed.
    pub fn is_file(&self) -> bool {
        Path::new(&self.source).is_file()
    }

    /// Sends the documents; `progress` is called after every request. A table needs `rows`.
    ///
    /// # Errors
    /// No such rows, a server that can't go on; or somebody set `cancel`. Refused documents are no error.
    pub fn run(
        &self,
        rows: Option<&dyn RowSource>,
        cancel: &Cancel,
        progress: &mut dyn FnMut(&Outcome),
    ) -> Result<Loaded, TaskError> {
        let path = Path::new(&self.source);
        let server = OpenSearch::connect(self.settings()?)?;
        let outcome = match rows {
            Some(rows) if !self.is_file() => self.load_table(&server, rows, cancel, progress)?,
            _ => {
                if !self.append {
                    server.create_index(&self.index, &self.body_of_file(path)?, self.recreate)?;
                }
                match server.load_file(&self.index, path, &|| cancel.is_cancelled(), progress) {
                    Err(LoadError::Stopped) => return Err(TaskError::Stopped),
                    loaded => loaded?,
                }
            }
        };
        let counted = if self.verify { Some(server.count(&self.index)?) } else { None };
        // What is added to an index says nothing of what was in it.
        let missing = counted.is_some_and(|counted| !self.append && counted != outcome.accepted);
        Ok(Loaded { complete: outcome.refused == 0 && !missing, outcome, counted })
    }

    fn load_table(
        &self,
        server: &OpenSearch,
        source: &dyn RowSource,
        cancel: &Cancel,
        progress: &mut dyn FnMut(&Outcome),
    ) -> Result<Outcome, TaskError> {
        let neither = || {
            let source = &self.source;
            TaskError::Request(format!("{source:?} is neither a file nor a table; write DATASET.TABLE or a path"))
        };
        let (dataset, table) = table_of(&self.source).map_err(|_| neither())?;
        let tables = source.tables(dataset)?;
        let Some(found) = tables.into_iter().find(|found| found.table.name == table) else {
            return Err(TaskError::Request(format!("{dataset} has no table {table:?}")));
        };
        let layout = TableLayout::new(found.table);
        if !self.append {
            let body = match &self.mapping {
                Some(path) => read_mapping(path)?,
                None => mapping::index_body(&layout),
            };
            server.create_index(&self.index, &body, self.recreate)?;
        }
        let scan = Scan { text: TextForm::AsStored, ..Scan::new(dataset, table) };
        let unless_stopped = |batch: Result<RecordBatch, TaskError>| {
            if cancel.is_cancelled() { Err(TaskError::Stopped) } else { batch }
        };
        let rows = source.rows(&scan)?.map(unless_stopped);
        match server.load_batches(&self.index, &layout, rows, progress) {
            Err(LoadError::Rows(_)) if cancel.is_cancelled() => Err(TaskError::Stopped),
            loaded => Ok(loaded?),
        }
    }

    fn body_of_file(&self, documents: &Path) -> Result<Value, TaskError> {
        let beside = documents.parent().unwrap_or(Path::new("")).join("mapping.json");
        read_mapping(self.mapping.as_deref().unwrap_or(&beside))
    }

    fn settings(&self) -> Result<Settings, TaskError> {
        let mut settings = Settings::new(self.host.clone());
        settings.credentials.clone_from(&self.credentials);
        if let Some(path) = &self.ca {
            let pem = std::fs::read(path).map_err(|source| TaskError::File { path: path.clone(), source })?;
            settings.ca_pem = Some(pem);
        }
        settings.insecure = self.insecure;
        settings.chunk_bytes = self.chunk_bytes.unwrap_or(settings.chunk_bytes);
        Ok(settings)
    }
}

fn read_mapping(path: &Path) -> Result<Value, TaskError> {
    let text = std::fs::read_to_string(path).map_err(|source| {
        let source = std::io::Error::new(source.kind(), format!("{source}; name another with --mapping"));
        TaskError::File { path: path.to_owned(), source }
    })?;
    let bad = |message: String| TaskError::Request(format!("the mapping {} is no JSON: {message}", path.display()));
    document::from_json(&text).map_err(bad)
}
