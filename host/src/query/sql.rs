//! SQL text to rows: parsed, checked for names and for being read-only, planned, run.

use super::catalog::CATALOG;
use super::scan::read_ahead;
use super::view::DatasetView;
use super::{BatchStream, Engine, QueryError, Rows};
use crate::core::id::SQL_SCHEMA;
use arrow::datatypes::SchemaRef;
use datafusion::common::TableReference;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::execution::SessionState;
use datafusion::execution::context::SQLOptions;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::Statement as SqlStatement;
use futures::StreamExt;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Longest SQL text: what people and programs write is far shorter, and a parser's time grows with it.
pub(super) const MAX_SQL_BYTES: usize = 1 << 20;

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
        let physical = cooperative(state.create_physical_plan(&plan).await?)?;
        let (schema, batches) = run(physical, &state)?;
        let left = time.saturating_sub(started.elapsed());
        Ok(Rows::limited(schema, batches, &self.limits, left))
    }

    async fn plan(&self, sql: &str) -> Result<(SessionState, LogicalPlan), QueryError> {
        let parser = self.session(Vec::new(), 1, self.limits.batch_rows).state();
        let dialect = parser.config_options().sql_parser.dialect;
        let statement = parser.sql_to_statement(sql, &dialect)?;
        refuse_changes(&statement)?;
        let datasets = self.named(&parser.resolve_table_references(&statement)?, &statement).await?;
        let state = self.session(datasets, self.threads(), self.limits.batch_rows).state();
        let plan = state.statement_to_plan(statement).await?;
        let reading = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
        reading.verify_plan(&plan).map_err(|_| QueryError::NotReadOnly { what: first_word(sql) })?;
        Ok((state, plan))
    }

    /// The datasets that a query names; all of them, where it asks what there is.
    ///
    /// # Errors
    /// A table that is not there, with what is there instead.
    pub(super) async fn named(
        &self,
        tables: &[TableReference],
        statement: &Statement,
    ) -> Result<Vec<Arc<DatasetView>>, QueryError> {
        let mut datasets: BTreeMap<&str, _> = BTreeMap::new();
        let mut all = asks_what_there_is(statement);
        for table in tables {
            if table.catalog().is_some_and(|catalog| catalog != CATALOG) {
                return Err(QueryError::UnknownDataset { name: table.to_string() });
            }
            let name = match table.schema().or(self.default_dataset()) {
                Some(SQL_SCHEMA) => {
                    all = true;
                    continue;
                }
                Some(name) => name,
                None => return Err(self.without_dataset(table.table()).await),
            };
            let dataset = self.dataset(name).await?;
            dataset.table(table.table())?;
            datasets.insert(name, dataset);
        }
        if all {
            for name in self.names.iter() {
                datasets.insert(name, self.dataset(name).await?);
            }
        }
        Ok(datasets.into_values().collect())
    }

    /// The error for a table that is named without its dataset, with the names that could be meant.
    async fn without_dataset(&self, table: &str) -> QueryError {
        let mut candidates = Vec::new();
        for name in self.names.iter() {
            match self.dataset(name).await {
                Ok(dataset) if dataset.tables.contains_key(table) => candidates.push(format!("{name}.{table}")),
                Ok(_) => {}
                Err(error) => return error,
            }
        }
        if candidates.is_empty() {
            candidates.push(format!("DATASET.{table}; `telemill dataset list` shows the datasets"));
        }
        QueryError::NoDataset { table: table.to_owned(), candidates }
    }
}

/// Runs a plan in a task of its own: an operator that computes for long without a row must not hold up the clock.
pub(super) fn run(plan: Arc<dyn ExecutionPlan>, state: &SessionState) -> Result<(SchemaRef, BatchStream), QueryError> {
    let mut stream = execute_stream(plan, state.task_ctx())?;
    let schema = stream.schema();
    let batches = read_ahead(move |sender| async move {
        while let Some(batch) = stream.next().await {
            if sender.send(batch.map_err(QueryError::from)).await.is_err() {
                break;
            }
        }
        Ok(())
    });
    Ok((schema, batches))
}

/// Lets joins give way to others now and then, which DataFusion sees to for the reading of files only: a join over
/// rows that are all read would otherwise run to its end, whether anybody still waits for it or not.
pub(super) fn cooperative(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>, QueryError> {
    let wrapped = plan.transform_up(|plan| {
        Ok(if plan.children().len() > 1 {
            Transformed::yes(Arc::new(CooperativeExec::new(plan)) as Arc<dyn ExecutionPlan>)
        } else {
            Transformed::no(plan)
        })
    });
    Ok(wrapped?.data)
}

fn asks_what_there_is(statement: &Statement) -> bool {
    match statement {
        Statement::Explain(explain) => asks_what_there_is(&explain.statement),
        Statement::Statement(statement) => matches!(
            statement.as_ref(),
            SqlStatement::ShowTables { .. }
                | SqlStatement::ShowColumns { .. }
                | SqlStatement::ShowFunctions { .. }
                | SqlStatement::ShowVariable { .. }
        ),
        _ => false,
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
