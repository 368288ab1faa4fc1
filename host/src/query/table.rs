//! One table of the lake as DataFusion reads it: the catalog's exact files, pruned by the catalog's bounds before
//! any of them is opened.

use super::file::FOOTER_HINT_BYTES;
use super::objects::lake_url;
use super::statistics;
use super::view::{FileView, TableView};
use crate::core::time::Window;
use async_trait::async_trait;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::pruning::PrunableStatistics;
use datafusion::common::{DFSchema, ScalarValue, Statistics};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::DataFusionError;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType, lit};
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::prelude::ident;
use std::sync::Arc;

/// A table, or some of its files; or a file beside the lake.
#[derive(Debug)]
pub(super) struct LakeTable {
    url: ObjectStoreUrl,
    schema: SchemaRef,
    files: Vec<PartitionedFile>,
    /// Whether some value may be NaN: queries sort it behind all numbers, but the bounds in Parquet's footers leave
    /// it out, so that they would prune rows that are wanted.
    nan: bool,
}

impl LakeTable {
    /// `table`, reading only `files`, which are some of its own.
    pub(super) fn new(table: &TableView, files: &[FileView]) -> Self {
        let fields = &table.layout.table.fields;
        let nan = files.iter().any(|file| file.columns.iter().any(|column| column.nan));
        let files = files.iter().map(|file| {
            PartitionedFile::new(file.path.to_string(), file.bytes)
                .with_statistics(Arc::new(statistics::of_file(file, fields)))
        });
        Self { url: lake_url(), schema: engine_schema(&table.layout.schema), files: files.collect(), nan }
    }

    /// The rows of the file `name` in the store of `url`, of which nothing is known but its columns.
    pub(super) fn of_file(url: ObjectStoreUrl, name: &str, bytes: u64, schema: SchemaRef) -> Self {
        let unknown = Arc::new(Statistics::new_unknown(&schema));
        let files = vec![PartitionedFile::new(name, bytes).with_statistics(unknown)];
        Self { url, schema, files, nan: true }
    }

    /// The files that may hold rows for which `filters` are true.
    fn prune(&self, state: &dyn Session, filters: &[Expr]) -> Result<Vec<PartitionedFile>, DataFusionError> {
        let Some(filter) = conjunction(filters.iter().cloned()) else { return Ok(self.files.clone()) };
        let filter = state.create_physical_expr(filter, &DFSchema::try_from(Arc::clone(&self.schema))?)?;
        let builder = PruningPredicateBuilder::new().with_file_schema(Arc::clone(&self.schema));
        let Some(predicate) = builder.build(filter) else { return Ok(self.files.clone()) };
        let bounds = self.files.iter().filter_map(|file| file.statistics.clone()).collect();
        let keep = predicate.prune(&PrunableStatistics::new(bounds, Arc::clone(&self.schema)))?;
        Ok(self.files.iter().zip(keep).filter(|(_, keep)| *keep).map(|(file, _)| file.clone()).collect())
    }
}

/// Whether a row of `table` lies within `window`; none where its rows have no time.
pub(super) fn within(table: &TableView, window: Window) -> Option<Expr> {
    let time = ident(table.layout.table.time_field.as_deref()?);
    let bound = |us| lit(ScalarValue::TimestampMicrosecond(Some(us), Some("UTC".into())));
    Some(time.clone().gt_eq(bound(window.start.0)).and(time.lt(bound(window.end.0))))
}

/// The schema as queries see it: text as views, which DataFusion computes with fastest, and no Parquet field ids,
/// which are nobody's business in a result.
fn engine_schema(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| {
        let data_type = match field.data_type() {
            DataType::Utf8 => DataType::Utf8View,
            other => other.clone(),
        };
        Field::new(field.name(), data_type, field.is_nullable())
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

#[async_trait]
impl TableProvider for LakeTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>, DataFusionError> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
        let files = self.prune(state, filters)?;
        if files.is_empty() {
            let schema = match projection {
                Some(columns) => Arc::new(self.schema.project(columns)?),
                None => Arc::clone(&self.schema),
            };
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        let bounds = files.iter().filter_map(|file| file.statistics.as_deref());
        let statistics = Statistics::try_merge_iter(bounds, &self.schema)?;
        let store = state.runtime_env().object_store(&self.url)?;
        let metadata = state.runtime_env().cache_manager.get_file_metadata_cache();
        let mut options = state.table_options().parquet.clone();
        options.global.pruning &= !self.nan;
        let source = ParquetSource::new(Arc::clone(&self.schema))
            .with_table_parquet_options(options)
            .with_parquet_file_reader_factory(Arc::new(CachedParquetFileReaderFactory::new(store, metadata)))
            .with_metadata_size_hint(FOOTER_HINT_BYTES);
        let config = FileScanConfigBuilder::new(self.url.clone(), Arc::new(source))
            .with_file_groups(FileGroup::new(files).split_files(state.config().target_partitions()))
            .with_statistics(statistics)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }

    fn statistics(&self) -> Option<Statistics> {
        let bounds = self.files.iter().filter_map(|file| file.statistics.as_deref());
        Statistics::try_merge_iter(bounds, &self.schema).ok()
    }
}
