//! One step of a recipe: a SELECT over rows that it calls `input`, which are a table's or what the step before left.

use super::catalog::{LakeCatalog, STEP_INPUT, STEP_SCHEMA};
use super::sql::{self, MAX_SQL_BYTES};
use super::table::{LakeTable, within};
use super::{Engine, QueryError, Rows};
use crate::core::time::Window;
use arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::Statement as SqlStatement;
use object_store::local::LocalFileSystem;
use std::path::Path;
use std::sync::Arc;

/// Where the files of steps are, inside of the query engine.
const STEPS_URL: &str = "steps://telemill";

/// The rows that a step works on.
#[derive(Debug, Clone)]
pub struct Input(Arc<dyn TableProvider>);

impl Engine {
    /// The rows of a table, or those of them within `window`.
    ///
    /// # Errors
    /// Unknown names, and a window over a table without a time field.
    pub async fn table_input(&self, dataset: &str, table: &str, window: Option<Window>) -> Result<Input, QueryError> {
        let view = Arc::clone(self.dataset(dataset).await?.table(table)?);
        let rows = Arc::new(LakeTable::new(&view));
        let Some(window) = window else { return Ok(Input(rows)) };
        let no_time = || QueryError::NoTimeField { dataset: dataset.to_owned(), table: table.to_owned() };
        let filter = within(&view, window).ok_or_else(no_time)?;
        let session = self.session(Vec::new(), 1, self.limits.batch_rows);
        Ok(Input(session.read_table(rows)?.filter(filter)?.into_view()))
    }

    /// The rows of the Parquet file `name` in `folder`, which have the columns of `schema`. All files of an engine's
    /// steps are in one folder.
    ///
    /// # Errors
    /// The file can't be found.
    pub fn file_input(&self, folder: &Path, name: &str, schema: SchemaRef) -> Result<Input, QueryError> {
        let missing = |error: &dyn std::fmt::Display| QueryError::File {
            path: folder.join(name).display().to_string(),
            reason: error.to_string(),
        };
        let bytes = std::fs::metadata(folder.join(name)).map_err(|error| missing(&error))?.len();
        let store = LocalFileSystem::new_with_prefix(folder).map_err(|error| missing(&error))?;
        let url = ObjectStoreUrl::parse(STEPS_URL)?;
        self.runtime.register_object_store(url.as_ref(), Arc::new(store));
        Ok(Input(Arc::new(LakeTable::of_file(url, name, bytes, schema))))
    }

    /// The rows of one SELECT over `input`, in the same sequence every time: it runs on one thread. Other tables of the
    /// lake are named with their dataset. Limits on time, rows and output do not apply, those on memory do.
    ///
    /// # Errors
    /// Unknown names, and what is not one SELECT.
    pub async fn select(&self, select: &str, input: &Input) -> Result<Rows, QueryError> {
        if select.len() > MAX_SQL_BYTES {
            return Err(QueryError::Invalid(format!("it is longer than {MAX_SQL_BYTES} bytes")));
        }
        let parser = self.session(Vec::new(), 1, self.limits.batch_rows).state();
        let statement = parser.sql_to_statement(select, &parser.config_options().sql_parser.dialect)?;
        let is_query = match &statement {
            Statement::Statement(statement) => matches!(statement.as_ref(), SqlStatement::Query(_)),
            _ => false,
        };
        if !is_query {
            return Err(QueryError::Invalid("a step is one SELECT".to_owned()));
        }
        let mut others = parser.resolve_table_references(&statement)?;
        others.retain(|table| table.schema().is_some() || table.table() != STEP_INPUT);
        if let Some(bare) = others.iter().find(|table| table.schema().is_none()) {
            let message = format!("there is no table {bare}: a step reads {STEP_INPUT}, and others as DATASET.TABLE");
            return Err(QueryError::Invalid(message));
        }
        let datasets = self.named(&others, &statement).await?;
        let catalog = LakeCatalog::new(datasets, Some(Arc::clone(&input.0)));
        let state = self.session_of(catalog, STEP_SCHEMA, 1, self.limits.batch_rows).state();
        let plan = state.statement_to_plan(statement).await?;
        let reading = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
        reading.verify_plan(&plan)?;
        let (schema, batches) = sql::run(sql::cooperative(state.create_physical_plan(&plan).await?)?, &state)?;
        Ok(Rows::unlimited(schema, batches))
    }
}
