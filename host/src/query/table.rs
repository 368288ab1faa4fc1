//! One table of the lake as DataFusion reads it: the catalog's exact files, pruned by the catalog's bounds before
//! any of them is opened.

use super::file::FOOTER_HINT_BYTES;
use super::objects::lake_url;
use super::statistics;
use super::view::TableView;
use crate::core::time::Window;
use arrow::array::new_null_array;
use arrow::compute::cast;
use arrow::error::ArrowError;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use async_trait::async_trait;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::pruning::PrunableStatistics;
use datafusion::common::{DFSchema, ScalarValue, Statistics};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::memory::MemorySourceConfig;
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
use datafusion::physical_plan::union::UnionExec;
use datafusion::prelude::ident;
use std::sync::Arc;

/// A table, or a file beside the lake.
#[derive(Debug)]
pub(super) struct LakeTable {
    url: ObjectStoreUrl,
    schema: SchemaRef,
    files: Vec<PartitionedFile>,
    /// Whether some value may be NaN: queries sort it behind all numbers, but the bounds in Parquet's footers leave
    /// it out, so that they would prune rows that are wanted.
    nan: bool,
    /// Rows that are in no file, in the schema's columns.
    unmoved: Vec<RecordBatch>,
}

impl LakeTable {
    /// All rows of `table`.
    pub(super) fn new(table: &TableView) -> Self {
        let fields = &table.layout.table.fields;
        let nan = table.files.iter().any(|file| file.columns.iter().any(|column| column.nan));
        let files = table.files.iter().map(|file| {
            PartitionedFile::new(file.path.to_string(), file.bytes)
                .with_statistics(Arc::new(statistics::of_file(file, fields)))
        });
        Self {
            url: lake_url(),
            schema: engine_schema(&table.layout.schema),
            files: files.collect(),
            nan,
            unmoved: table.unmoved.clone(),
        }
    }

    /// The rows of the file `name` in the store of `url`, of which nothing is known but its columns.
    pub(super) fn of_file(url: ObjectStoreUrl, name: &str, bytes: u64, schema: SchemaRef) -> Self {
        let unknown = Arc::new(Statistics::new_unknown(&schema));
        let files = vec![PartitionedFile::new(name, bytes).with_statistics(unknown)];
        Self { url, schema, files, nan: true, unmoved: Vec::new() }
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

impl LakeTable {
    fn projected(&self, projection: Option<&Vec<usize>>) -> Result<SchemaRef, DataFusionError> {
        Ok(match projection {
            Some(columns) => Arc::new(self.schema.project(columns)?),
            None => Arc::clone(&self.schema),
        })
    }

    /// The rows that are in no file, where there are some. Only columns that are wanted are turned into the engine's types.
    fn scan_unmoved(&self, projection: Option<&Vec<usize>>) -> Result<Option<Arc<dyn ExecutionPlan>>, DataFusionError> {
        if self.unmoved.is_empty() {
            return Ok(None);
        }
        let schema = self.projected(projection)?;
        let batches = self.unmoved.iter().map(|batch| plain(batch, &schema)).collect::<Result<Vec<_>, _>>()?;
        let plan: Arc<dyn ExecutionPlan> = MemorySourceConfig::try_new_exec(&[batches], schema, None)?;
        Ok(Some(plan))
    }
}

/// `batch` in exactly the columns and types of `schema`; what it lacks is null.
pub(super) fn plain(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let columns = schema.fields().iter().map(|field| match batch.column_by_name(field.name()) {
        None => Ok(new_null_array(field.data_type(), batch.num_rows())),
        Some(column) => cast(column, field.data_type()),
    });
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns.collect::<Result<_, _>>()?, &rows)
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
        let memory = self.scan_unmoved(projection)?;
        if files.is_empty() {
            return match memory {
                Some(memory) => Ok(memory),
                None => Ok(Arc::new(EmptyExec::new(self.projected(projection)?))),
            };
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
        let files: Arc<dyn ExecutionPlan> = DataSourceExec::from_data_source(config);
        match memory {
            Some(memory) => UnionExec::try_new(vec![files, memory]),
            None => Ok(files),
        }
    }

    fn statistics(&self) -> Option<Statistics> {
        let bounds = self.files.iter().filter_map(|file| file.statistics.as_deref());
        Statistics::try_merge_iter(bounds, &self.schema).ok().filter(|_| self.unmoved.is_empty())
    }
}
