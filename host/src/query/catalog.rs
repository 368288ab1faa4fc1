//! The lake as DataFusion's catalog: a dataset is a schema, and nobody can add to it.

use super::table::LakeTable;
use super::view::LakeView;
use async_trait::async_trait;
use datafusion::catalog::{CatalogProvider, SchemaProvider, TableProvider};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::TableType;
use std::sync::Arc;

/// The catalog's name in `information_schema`.
pub(super) const CATALOG: &str = "telemill";

/// All datasets of a view.
#[derive(Debug)]
pub(super) struct LakeCatalog {
    view: Arc<LakeView>,
}

impl LakeCatalog {
    pub(super) fn new(view: Arc<LakeView>) -> Self {
        Self { view }
    }
}

impl CatalogProvider for LakeCatalog {
    fn schema_names(&self) -> Vec<String> {
        self.view.datasets.keys().cloned().collect()
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        self.view.datasets.contains_key(name).then(|| {
            let dataset = DatasetSchema { view: Arc::clone(&self.view), name: name.to_owned() };
            Arc::new(dataset) as Arc<dyn SchemaProvider>
        })
    }
}

#[derive(Debug)]
struct DatasetSchema {
    view: Arc<LakeView>,
    name: String,
}

#[async_trait]
impl SchemaProvider for DatasetSchema {
    fn table_names(&self) -> Vec<String> {
        self.view.datasets.get(&self.name).into_iter().flat_map(|tables| tables.keys().cloned()).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>, DataFusionError> {
        let table = self.view.datasets.get(&self.name).and_then(|tables| tables.get(name));
        Ok(table.map(|table| Arc::new(LakeTable::new(table, &table.files)) as Arc<dyn TableProvider>))
    }

    async fn table_type(&self, name: &str) -> Result<Option<TableType>, DataFusionError> {
        Ok(self.table_exist(name).then_some(TableType::Base))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.view.datasets.get(&self.name).is_some_and(|tables| tables.contains_key(name))
    }
}
