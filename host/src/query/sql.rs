//! SQL text to rows: parsed, checked for names and for being read-only, planned, run.

use super::catalog::CATALOG;
use super::{Engine, QueryError, Rows};
use datafusion::execution::SessionState;
use datafusion::execution::context::SQLOptions;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::execute_stream;
use datafusion::sql::TableReference;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::Statement as SqlStatement;
use futures::StreamExt;
use std::time::{Duration, Instant};

/// Longest SQL text: what people and programs write is far shorter, and a parser's time grows with it.
const MAX_SQL_BYTES: usize = 1 << 20;

impl Engine {
    /// Runs one SQL statement that reads. Rows come as they are found; dropping them stops the query.
    ///
    /// # Errors
    /// Unknown names, SQL that can't be understood or would change something, and limits.
    pub async fn sql(&self, sql: &str) -> Result<Rows, QueryError> {
        if sql.len() > MAX_SQL_BYTES {
            return Err(QueryError::Invalid(format!("it is longer than {MAX_SQL_BYTES} bytes")));
        }
        let started = Instant::now();
        let time = Duration::from_millis(self.limits.time_ms);
        let planned = tokio::time::timeout(time, self.plan(sql)).await;
        let (state, plan) = planned.map_err(|_| QueryError::TimedOut { limit_ms: self.limits.time_ms })??;
        let physical = state.create_physical_plan(&plan).await?;
        let stream = execute_stream(physical, state.task_ctx())?;
        let schema = stream.schema();
        let batches = stream.map(|batch| batch.map_err(QueryError::from));
        let left = time.saturating_sub(started.elapsed());
        Ok(Rows::limited(schema, Box::pin(batches), &self.limits, left))
    }

    async fn plan(&self, sql: &str) -> Result<(SessionState, LogicalPlan), QueryError> {
        let state = self.session(self.threads()).state();
        let dialect = state.config_options().sql_parser.dialect;
        let statement = state.sql_to_statement(sql, &dialect)?;
        refuse_changes(&statement)?;
        for table in state.resolve_table_references(&statement)? {
            self.check_table(&table)?;
        }
        let plan = state.statement_to_plan(statement).await?;
        let reading = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
        reading.verify_plan(&plan).map_err(|_| QueryError::NotReadOnly { what: first_word(sql) })?;
        Ok((state, plan))
    }

    /// Says what there is, where a query names what there is not.
    fn check_table(&self, table: &TableReference) -> Result<(), QueryError> {
        if table.catalog().is_some_and(|catalog| catalog != CATALOG) {
            return Err(QueryError::UnknownDataset { name: table.to_string() });
        }
        match table.schema() {
            Some("information_schema") => Ok(()),
            Some(dataset) => self.view.table(dataset, table.table()).map(drop),
            None if self.view.datasets.len() == 1 => self.view.table(self.view.default_dataset(), table.table()).map(drop),
            None => {
                let holds = |tables: &std::collections::BTreeMap<_, _>| tables.contains_key(table.table());
                let holding = self.view.datasets.iter().filter(|(_, tables)| holds(tables));
                let mut candidates: Vec<_> =
                    holding.map(|(dataset, _)| format!("{dataset}.{}", table.table())).collect();
                if candidates.is_empty() {
                    candidates = vec![format!("DATASET.{}", table.table()), "`telemill dataset list` for the datasets".to_owned()];
                }
                Err(QueryError::NoDataset { table: table.table().to_owned(), candidates })
            }
        }
    }
}

/// Refuses by the statement's kind, before planning asks for what a refused statement does not need to have.
fn refuse_changes(statement: &Statement) -> Result<(), QueryError> {
    let refuse = |what: String| Err(QueryError::NotReadOnly { what });
    match statement {
        Statement::CreateExternalTable(_) => refuse("CREATE EXTERNAL TABLE".to_owned()),
        Statement::CopyTo(_) => refuse("COPY".to_owned()),
        Statement::Reset(_) => refuse("RESET".to_owned()),
        Statement::Explain(explain) => refuse_changes(&explain.statement),
        Statement::Statement(statement) => match statement.as_ref() {
            SqlStatement::Query(_)
            | SqlStatement::Explain { .. }
            | SqlStatement::ExplainTable { .. }
            | SqlStatement::ShowTables { .. }
            | SqlStatement::ShowColumns { .. }
            | SqlStatement::ShowFunctions { .. }
            | SqlStatement::ShowVariable { .. } => Ok(()),
            other => refuse(first_word(&other.to_string())),
        },
    }
}

fn first_word(sql: &str) -> String {
    sql.split_whitespace().next().unwrap_or("the statement").to_uppercase()
}
