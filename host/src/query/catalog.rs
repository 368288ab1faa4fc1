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

/// The datasets of one query.
#[derive(Debug)]
pub(super) struct LakeCatalog {
    datasets: Vec<Arc<DatasetView>>,
}

impl LakeCatalog {
    pub(super) fn new(datasets: Vec<Arc<DatasetView>>) -> Self {
        Self { datasets }
    }
}

impl CatalogProvider for LakeCatalog {
    fn schema_names(&self) -> Vec<String> {
        self.datasets.iter().map(|dataset| dataset.name.clone()).collect()
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
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
        Ok(table.map(|table| Arc::new(LakeTable::new(table, &table.files)) as Arc<dyn TableProvider>))
    }

    async fn table_type(&self, name: &str) -> Result<Option<TableType>, DataFusionError> {
        Ok(self.table_exist(name).then_some(TableType::Base))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.0.tables.contains_key(name)
    }
}
