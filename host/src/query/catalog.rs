//! The lake as DataFusion's catalog: a dataset is a schema, and nobody can add to it.

use super::table::LakeTable;
use super::view::DatasetView;
use async_trait::async_trait;
use datafusion::catalog::{CatalogProvider, SchemaProvider, TableProvider};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::TableType;
use std::sync::Arc;

/// The catalog's name in `information_schema`.
pub(super) const CATALOG: &str = "telemill";

/// The schema that holds the input of a recipe's step. No dataset can have its name, which starts with an underscore.
pub(super) const STEP_SCHEMA: &str = "_step";

/// What a recipe's step calls the rows that it works on.
pub(super) const STEP_INPUT: &str = "input";

/// The datasets of one query.
#[derive(Debug)]
pub(super) struct LakeCatalog {
    datasets: Vec<Arc<DatasetView>>,
    input: Option<Arc<dyn TableProvider>>,
}

impl LakeCatalog {
    /// With `input` as the input of a step, where the query is one.
    pub(super) fn new(datasets: Vec<Arc<DatasetView>>, input: Option<Arc<dyn TableProvider>>) -> Self {
        Self { datasets, input }
    }
}

impl CatalogProvider for LakeCatalog {
    fn schema_names(&self) -> Vec<String> {
        self.datasets.iter().map(|dataset| dataset.name.clone()).collect()
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        if let Some(input) = self.input.as_ref().filter(|_| name == STEP_SCHEMA) {
            return Some(Arc::new(StepSchema(Arc::clone(input))));
        }
        let dataset = self.datasets.iter().find(|dataset| dataset.name == name)?;
        Some(Arc::new(DatasetSchema(Arc::clone(dataset))))
    }
}

#[derive(Debug)]
struct DatasetSchema(Arc<DatasetView>);

#[async_trait]
impl SchemaProvider for DatasetSchema {
    fn table_names(&self) -> Vec<String> {
        self.0.tables.keys().cloned().collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>, DataFusionError> {
        let table = self.0.tables.get(name);
        Ok(table.map(|table| Arc::new(LakeTable::new(table)) as Arc<dyn TableProvider>))
    }

    async fn table_type(&self, name: &str) -> Result<Option<TableType>, DataFusionError> {
        Ok(self.table_exist(name).then_some(TableType::Base))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.0.tables.contains_key(name)
    }
}

#[derive(Debug)]
struct StepSchema(Arc<dyn TableProvider>);

#[async_trait]
impl SchemaProvider for StepSchema {
    fn table_names(&self) -> Vec<String> {
        vec![STEP_INPUT.to_owned()]
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>, DataFusionError> {
        Ok(self.table_exist(name).then(|| Arc::clone(&self.0)))
    }

    fn table_exist(&self, name: &str) -> bool {
        name == STEP_INPUT
    }
}
