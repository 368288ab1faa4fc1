//! Many small files into few: adjacent files of a table are written again as one. Rows keep their ids, so that nothing
//! but the number of files changes. And old files let go: a table forgets the rows before a time.

use super::catalog;
use super::commit::Changes;
use super::stats::{self, DataFile};
use super::{Lake, LakeError, TableWriter, WriterSettings, read};
use crate::batch::TableLayout;
use crate::core::time::Timestamp;
use crate::store::WriteTx;
use arrow::array::{RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::cast;
use arrow::error::ArrowError;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde::Serialize;
use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use std::fs::File;
use std::sync::Arc;
use tokio::runtime::Handle;

/// Fewest files that are written again as one: each row is written again once for every factor of this.
const MIN_FILES: usize = 8;
/// Files of less than this are of the lowest tier; each tier is [`MIN_FILES`] times as large.
const TIER_BYTES: u64 = 256 << 10;
/// Rows of a batch on the way from file to file.
const BATCH_ROWS: usize = 16_384;

/// What a compaction did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Compacted {
    /// Files that are not there any more.
    pub files: u64,
    /// Files that took their place.
    pub into: u64,
    /// Their rows.
    pub rows: u64,
}

/// A file of a table as compaction sees it.
#[derive(Debug, Clone)]
struct Piece {
    id: i64,
    /// Below the table's folder.
    name: String,
    rows: i64,
    bytes: u64,
    row_id_start: i64,
}

impl Lake {
    /// Writes adjacent small files of `dataset.table` again as larger ones, a group at a time, each in a commit of its own;
    /// only files that `eligible` picks by name. The names of the new ones begin with `prefix`. Older snapshots keep what they had until they expire. To be called on a
    /// thread that runs no async tasks.
    ///
    /// # Errors
    /// The disk or the database failed; what was committed stays.
    pub fn compact(
        &self,
        runtime: &Handle,
        (dataset, table): (&str, &str),
        prefix: &str,
        settings: &WriterSettings,
        now: Timestamp,
        eligible: &dyn Fn(&str) -> bool,
    ) -> Result<Compacted, LakeError> {
        let mut done = Compacted::default();
        let found = runtime.block_on(self.dataset(dataset, None))?;
        let Some(found) = found.table(table) else { return Ok(done) };
        let layout = TableLayout::new(found.table.clone());
        let pieces = runtime.block_on(self.pieces(found.id))?;
        for group in groups(&pieces, settings.file_bytes, eligible) {
            let files = self.rewrite(runtime, &layout, (dataset, prefix), group, settings)?;
            let rows: u64 = files.iter().map(|file| file.rows).sum();
            if !runtime.block_on(self.exchange(dataset, &layout, found.id, group, &files, now))? {
                files.iter().for_each(|file| self.files.discard(&file.path));
                continue;
            }
            done.files += group.len() as u64;
            done.into += files.len() as u64;
            done.rows += rows;
        }
        Ok(done)
    }

    /// The files that a table has now, by row id.
    async fn pieces(&self, table_id: i64) -> Result<Vec<Piece>, LakeError> {
        let mut tx = self.store.read().await?;
        let query = sqlx::query(
            "SELECT data_file_id, path, record_count, file_size_bytes, row_id_start FROM ducklake_data_file
             WHERE table_id = ? AND end_snapshot IS NULL ORDER BY row_id_start",
        );
        let piece = |row: &SqliteRow| {
            Ok(Piece {
                id: row.try_get("data_file_id")?,
                name: row.try_get("path")?,
                rows: row.try_get("record_count")?,
                bytes: u64::try_from(row.try_get::<i64, _>("file_size_bytes")?).unwrap_or(0),
                row_id_start: row.try_get("row_id_start")?,
            })
        };
        query.bind(table_id).fetch_all(tx.connection()).await?.iter().map(piece).collect()
    }

    /// The rows of one file of a table, in their order, in batches of 16,384: what the file lacks of the table's columns
    /// is null. For threads that may block.
    ///
    /// # Errors
    /// The file is not there, or can't be read.
    pub fn rows_of(
        &self,
        path: &str,
        layout: &TableLayout,
    ) -> Result<impl Iterator<Item = Result<RecordBatch, LakeError>> + use<>, LakeError> {
        let local = self.files.local_path(path);
        let opened = File::open(&local).map_err(|source| LakeError::File { path: local, source })?;
        let path = path.to_owned();
        let unreadable = move |source| LakeError::Parquet { path: path.clone(), source };
        let reader = ParquetRecordBatchReaderBuilder::try_new(opened).map_err(&unreadable)?;
        let reader = reader.with_batch_size(BATCH_ROWS).build().map_err(&unreadable)?;
        let layout = layout.clone();
        Ok(reader.map(move |batch| {
            let batch = batch.and_then(|batch| conform(&batch, &layout));
            batch.map_err(|error| unreadable(error.into()))
        }))
    }

    /// Writes the rows of `group` in their order.
    fn rewrite(
        &self,
        runtime: &Handle,
        layout: &TableLayout,
        (dataset, prefix): (&str, &str),
        group: &[Piece],
        settings: &WriterSettings,
    ) -> Result<Vec<DataFile>, LakeError> {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { return Ok(Vec::new()) };
        // The ids of files are never given twice, so that no other file has this name.
        let stem = format!("{prefix}{:010}-{:010}", first.id, last.id);
        let mut writer = TableWriter::new(&self.files, runtime, layout, dataset, &stem, settings.clone());
        for piece in group {
            let path = format!("{dataset}/{}/{}", layout.table.name, piece.name);
            for batch in self.rows_of(&path, layout)? {
                writer.write(&batch?)?;
            }
        }
        writer.finish()
    }

    /// The commit that shows `files` in the place of `group`; nothing where one of the group has gone meanwhile.
    async fn exchange(
        &self,
        dataset: &str,
        layout: &TableLayout,
        table_id: i64,
        group: &[Piece],
        files: &[DataFile],
        now: Timestamp,
    ) -> Result<bool, LakeError> {
        let mut tx = self.store.write().await?;
        let mut changes = Changes::begin(tx.connection(), now).await?;
        if end(&mut changes, group.iter().map(|piece| piece.id)).await? != group.len() {
            return Ok(false);
        }
        let mut row_id = group.first().map_or(0, |piece| piece.row_id_start);
        changes.insert_compacted(dataset, table_id, layout, files, &mut row_id).await?;
        changes.made.push(format!("compacted_table:{table_id}"));
        let message =
            format!("wrote {} files of {dataset}.{} again as {}", group.len(), layout.table.name, files.len());
        changes.finish((concat!("telemill ", env!("CARGO_PKG_VERSION")), &message, Some(COMPACTION))).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Ends the files of `dataset` whose rows are all before `before`, in tables that place rows in time; only files that
    /// `eligible` picks by name. They are there in older snapshots until these expire. Returns how many.
    ///
    /// # Errors
    /// There is no such dataset, or the database failed.
    pub async fn forget_before(
        &self,
        tx: &mut WriteTx,
        dataset: &str,
        before: Timestamp,
        now: Timestamp,
        eligible: &(dyn Fn(&str) -> bool + Sync),
    ) -> Result<u64, LakeError> {
        let missing = || LakeError::NoDataset { dataset: dataset.to_owned(), at: None };
        let schema_id = catalog::live_schema(tx.connection(), dataset).await?.ok_or_else(missing)?;
        let mut changes = Changes::begin(tx.connection(), now).await?;
        let mut ended = 0;
        for table in read::tables(changes.connection, schema_id, None).await? {
            let Some(time) = table.table.time_index() else { continue };
            let old = old_files(changes.connection, table.id, time, before, eligible).await?;
            let count = end(&mut changes, old.into_iter()).await?;
            if count > 0 {
                changes.made.push(format!("deleted_from_table:{}", table.id));
                ended += count as u64;
            }
        }
        if ended > 0 {
            let message = format!("let go of {ended} files of {dataset} with rows before {before}");
            changes.finish((concat!("telemill ", env!("CARGO_PKG_VERSION")), &message, Some(COMPACTION))).await?;
        }
        Ok(ended)
    }
}

/// What snapshots of compactions and of rows that were let go carry in the place of a run's id.
pub const COMPACTION: &str = "compaction";

/// Ends files that are still there; returns how many were.
async fn end(changes: &mut Changes<'_>, ids: impl Iterator<Item = i64>) -> Result<usize, LakeError> {
    let mut ended = 0;
    for id in ids {
        let query = sqlx::query(
            "UPDATE ducklake_data_file SET end_snapshot = ? WHERE data_file_id = ? AND end_snapshot IS NULL",
        );
        let query = query.bind(changes.head.snapshot).bind(id);
        ended += usize::try_from(query.execute(&mut *changes.connection).await?.rows_affected()).unwrap_or(0);
    }
    Ok(ended)
}

async fn old_files(
    connection: &mut SqliteConnection,
    table_id: i64,
    time: usize,
    before: Timestamp,
    eligible: &(dyn Fn(&str) -> bool + Sync),
) -> Result<Vec<i64>, LakeError> {
    let query = sqlx::query_as(
        "SELECT f.data_file_id, f.path, s.max_value FROM ducklake_data_file f
         JOIN ducklake_file_column_stats s ON s.data_file_id = f.data_file_id AND s.column_id = ?
         WHERE f.table_id = ? AND f.end_snapshot IS NULL ORDER BY f.data_file_id",
    );
    let rows: Vec<(i64, String, Option<String>)> =
        query.bind(time as i64 + 1).bind(table_id).fetch_all(connection).await?;
    let old = rows.into_iter().filter(|(_, name, last)| {
        let last = last.as_deref().and_then(stats::parse_timestamp);
        last.is_some_and(|last| last < before) && eligible(name)
    });
    Ok(old.map(|(id, ..)| id).collect())
}

/// Runs of adjacent files that are worth writing again: at least [`MIN_FILES`] of one tier or lower ones, without a gap
/// between their row ids, together no larger than one file may be. A file is not written again for others that are less
/// than itself.
fn groups<'a>(pieces: &'a [Piece], file_bytes: u64, eligible: &dyn Fn(&str) -> bool) -> Vec<&'a [Piece]> {
    let mut groups = Vec::new();
    let mut at = 0;
    while at < pieces.len() {
        let rest = pieces.get(at..).unwrap_or_default();
        let tier = rest.first().map_or(0, |piece| tier(piece.bytes));
        let (mut length, mut bytes, mut largest, mut next_row) = (0, 0, 0, None);
        for piece in rest {
            let adjacent = next_row.is_none_or(|row| row == piece.row_id_start);
            let fits = self::tier(piece.bytes) <= tier && bytes + piece.bytes <= file_bytes;
            if !(adjacent && fits && eligible(&piece.name)) {
                break;
            }
            (length, bytes, next_row) = (length + 1, bytes + piece.bytes, Some(piece.row_id_start + piece.rows));
            largest = piece.bytes.max(largest);
        }
        let worth = length >= MIN_FILES && bytes >= 2 * largest;
        if worth {
            groups.extend(rest.get(..length));
        }
        at += if worth { length } else { 1 };
    }
    groups
}

/// How often files of this size were written again, about.
fn tier(bytes: u64) -> u32 {
    let mut tier = 0;
    let mut bound = TIER_BYTES;
    while bytes >= bound {
        tier += 1;
        bound = bound.saturating_mul(MIN_FILES as u64);
    }
    tier
}

/// `batch` with the table's columns: what an older file lacks is null.
fn conform(batch: &RecordBatch, layout: &TableLayout) -> Result<RecordBatch, ArrowError> {
    let columns = layout.schema.fields().iter().map(|field| match batch.column_by_name(field.name()) {
        None => Ok(new_null_array(field.data_type(), batch.num_rows())),
        Some(column) if column.data_type() == field.data_type() => Ok(Arc::clone(column)),
        Some(column) => cast(column, field.data_type()),
    });
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(&layout.schema), columns.collect::<Result<Vec<_>, _>>()?, &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(bytes: &[u64]) -> Vec<Piece> {
        let piece = |(index, &bytes): (usize, &u64)| {
            let index = index as i64;
            Piece { id: index, name: format!("f{index}"), rows: 10, bytes, row_id_start: index * 10 }
        };
        bytes.iter().enumerate().map(piece).collect()
    }

    fn lengths(pieces: &[Piece], eligible: &dyn Fn(&str) -> bool) -> Vec<(i64, usize)> {
        groups(pieces, 64 << 20, eligible).iter().map(|group| (group[0].id, group.len())).collect()
    }

    #[test]
    fn small_neighbours_are_grouped_and_large_ones_left_alone() {
        let all = |_: &str| true;
        assert_eq!(lengths(&pieces(&[1; 7]), &all), []);
        assert_eq!(lengths(&pieces(&[1; 20]), &all), [(0, 20)]);
        let mut mixed = vec![TIER_BYTES; 3];
        mixed.extend([1; 9]);
        mixed.push(TIER_BYTES * 100);
        mixed.extend([1; 8]);
        // A higher tier takes lower ones in; a file of a still higher one parts them.
        assert_eq!(lengths(&pieces(&mixed), &all), [(0, 12), (13, 8)]);
    }

    #[test]
    fn a_gap_between_row_ids_and_a_file_that_is_needed_part_groups() {
        let mut gap = pieces(&[1; 16]);
        gap.iter_mut().skip(8).for_each(|piece| piece.row_id_start += 5);
        assert_eq!(lengths(&gap, &|_| true), [(0, 8), (8, 8)]);
        assert_eq!(lengths(&pieces(&[1; 16]), &|name| name != "f7"), [(8, 8)]);
    }
}
