//! The one transaction that makes files visible, and the one that takes a dataset away.

use super::catalog::{self, Head, TableStats};
use super::evolve::{self, Fit};
use super::stats::DataFile;
use super::{Lake, LakeError, SnapshotId, read};
use crate::batch::TableLayout;
use crate::core::schema::Table;
use crate::core::time::Timestamp;
use crate::store::WriteTx;
use sqlx::sqlite::SqliteConnection;

/// What becomes of the rows that a dataset has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// There must be none.
    Create,
    /// They stay, but those of tables that are to be replaced.
    Append,
    /// They go, and so do tables that the commit does not name. Older snapshots still have them.
    Replace,
}

/// Files of one table.
#[derive(Debug, Clone, PartialEq)]
pub struct TableFiles {
    /// What the table is declared as.
    pub table: Table,
    /// The files, in order.
    pub files: Vec<DataFile>,
    /// Whether the rows that the table has go, whatever the mode; so for tables of kind snapshot.
    pub replace: bool,
}

/// Files that become visible together.
#[derive(Debug, Clone, PartialEq)]
pub struct Commit {
    /// The dataset; it is made where it is missing.
    pub dataset: String,
    /// What becomes of its rows.
    pub mode: Mode,
    /// Its tables; one without files is made all the same.
    pub tables: Vec<TableFiles>,
    /// Wall-clock time of the snapshot.
    pub at: Timestamp,
    /// Who.
    pub author: String,
    /// What, in one line.
    pub message: String,
    /// The run's id, where a run did it.
    pub extra: Option<String>,
}

/// A snapshot in the making.
pub(super) struct Changes<'a> {
    pub(super) connection: &'a mut SqliteConnection,
    pub(super) head: Head,
    at: Timestamp,
    /// What the snapshot changed, in DuckLake's words.
    pub(super) made: Vec<String>,
    schema_changed: bool,
}

impl Lake {
    /// Makes files visible: they, and all else that was written to `tx`, are there once the caller commits it.
    ///
    /// # Errors
    /// The dataset has rows that the mode does not expect, a table's columns do not fit, or the database failed. The
    /// caller drops `tx` then.
    pub async fn commit(&self, tx: &mut WriteTx, commit: &Commit) -> Result<SnapshotId, LakeError> {
        let mut changes = Changes::begin(tx.connection(), commit.at).await?;
        let schema_id = match catalog::live_schema(changes.connection, &commit.dataset).await? {
            Some(id) => id,
            None => changes.create_schema(&commit.dataset).await?,
        };
        let live = read::tables(changes.connection, schema_id, None).await?;
        let rows: u64 = live.iter().map(|table| table.rows).sum();
        if commit.mode == Mode::Create && rows > 0 {
            return Err(LakeError::DatasetExists { dataset: commit.dataset.clone(), rows });
        }
        let named = |name: &str| commit.tables.iter().any(|new| new.table.name == name);
        for table in live.iter().filter(|table| commit.mode == Mode::Replace && !named(&table.table.name)) {
            changes.drop_table(table.id).await?;
        }
        for new in &commit.tables {
            let old = live.iter().find(|table| table.table.name == new.table.name);
            let (table_id, table) =
                changes.prepare_table(commit, schema_id, old.map(|old| (old.id, &old.table)), new).await?;
            changes.insert_files(&commit.dataset, table_id, &table, &new.files).await?;
        }
        changes.finish((&commit.author, &commit.message, commit.extra.as_deref())).await
    }

    /// Takes a dataset away: it is not there from the new snapshot on. Older snapshots have it until they expire.
    ///
    /// # Errors
    /// There is no such dataset, or the database failed.
    pub async fn drop_dataset(
        &self,
        tx: &mut WriteTx,
        dataset: &str,
        at: Timestamp,
        author: &str,
    ) -> Result<SnapshotId, LakeError> {
        let mut changes = Changes::begin(tx.connection(), at).await?;
        let schema_id = match catalog::live_schema(changes.connection, dataset).await? {
            Some(id) if dataset != catalog::MAIN_SCHEMA => id,
            _ => return Err(LakeError::NoDataset { dataset: dataset.to_owned(), at: None }),
        };
        catalog::end_schema(changes.connection, schema_id, changes.head.snapshot).await?;
        changes.made.push(format!("dropped_schema:{schema_id}"));
        for table in read::tables(changes.connection, schema_id, None).await? {
            changes.drop_table(table.id).await?;
        }
        changes.schema_changed = true;
        changes.finish((author, &format!("dropped {dataset}"), None)).await
    }
}

impl<'a> Changes<'a> {
    pub(super) async fn begin(connection: &'a mut SqliteConnection, at: Timestamp) -> Result<Self, LakeError> {
        let mut head = catalog::head(connection).await?;
        head.snapshot += 1;
        // The version that the snapshot has if it changes a schema at all.
        head.schema_version += 1;
        Ok(Self { connection, head, at, made: Vec::new(), schema_changed: false })
    }

    async fn create_schema(&mut self, name: &str) -> Result<i64, LakeError> {
        let id = self.next_catalog_id();
        catalog::insert_schema(self.connection, id, self.head.snapshot, name, self.at).await?;
        self.made.push(format!("created_schema:{name:?}"));
        self.schema_changed = true;
        Ok(id)
    }

    async fn drop_table(&mut self, table_id: i64) -> Result<(), LakeError> {
        catalog::end_table(self.connection, table_id, self.head.snapshot).await?;
        self.made.push(format!("dropped_table:{table_id}"));
        self.schema_changed = true;
        Ok(())
    }

    /// Makes the table ready for new files: creates it, lets it grow, or empties it. Returns it as it is then.
    async fn prepare_table(
        &mut self,
        commit: &Commit,
        schema_id: i64,
        old: Option<(i64, &Table)>,
        new: &TableFiles,
    ) -> Result<(i64, Table), LakeError> {
        let Some((table_id, old)) = old else {
            return Ok((self.create_table(commit, schema_id, &new.table).await?, new.table.clone()));
        };
        let replace = new.replace || commit.mode == Mode::Replace;
        let snapshot = self.head.snapshot;
        let table = match evolve::fit(old, &new.table) {
            Fit::Same(table) => table,
            Fit::Grown { known, table } => {
                let added = table.fields.get(known..).unwrap_or_default();
                catalog::insert_columns(self.connection, table_id, self.head, known, added).await?;
                table
            }
            Fit::Clash(_) if replace => {
                self.drop_table(table_id).await?;
                return Ok((self.create_table(commit, schema_id, &new.table).await?, new.table.clone()));
            }
            Fit::Clash(problems) => {
                let (dataset, table) = (commit.dataset.clone(), new.table.name.clone());
                return Err(LakeError::SchemaChanged { dataset, table, problems });
            }
        };
        if table != *old {
            catalog::declare(self.connection, table_id, snapshot, &table).await?;
            self.made.push(format!("altered_table:{table_id}"));
            self.schema_changed = true;
        }
        if replace && catalog::end_files(self.connection, table_id, snapshot).await? > 0 {
            self.made.push(format!("deleted_from_table:{table_id}"));
        }
        Ok((table_id, table))
    }

    async fn create_table(&mut self, commit: &Commit, schema_id: i64, table: &Table) -> Result<i64, LakeError> {
        let id = self.next_catalog_id();
        catalog::insert_table(self.connection, id, schema_id, self.head, table, self.at).await?;
        catalog::declare(self.connection, id, self.head.snapshot, table).await?;
        self.made.push(format!("created_table:{:?}.{:?}", commit.dataset, table.name));
        self.schema_changed = true;
        Ok(id)
    }

    async fn insert_files(
        &mut self,
        dataset: &str,
        table_id: i64,
        table: &Table,
        files: &[DataFile],
    ) -> Result<(), LakeError> {
        if files.is_empty() {
            return Ok(());
        }
        let mut stats = TableStats::load(self.connection, table_id).await?;
        for file in files {
            let name = file_name(dataset, &table.name, file)?;
            catalog::insert_file(self.connection, table_id, self.head, name, file, stats.next_row_id).await?;
            self.head.next_file_id += 1;
            stats.add(file, &table.fields)?;
        }
        stats.save(self.connection, table_id).await?;
        self.made.push(format!("inserted_into_table:{table_id}"));
        Ok(())
    }

    /// Inserts files whose rows were there before, under the ids that they had: from `row_id` on. The table's sums stay.
    pub(super) async fn insert_compacted(
        &mut self,
        dataset: &str,
        table_id: i64,
        layout: &TableLayout,
        files: &[DataFile],
        row_id: &mut i64,
    ) -> Result<(), LakeError> {
        for file in files {
            let name = file_name(dataset, &layout.table.name, file)?;
            catalog::insert_file(self.connection, table_id, self.head, name, file, *row_id).await?;
            self.head.next_file_id += 1;
            *row_id += catalog::to_i64(file.rows)?;
        }
        Ok(())
    }

    pub(super) async fn finish(mut self, by: (&str, &str, Option<&str>)) -> Result<SnapshotId, LakeError> {
        if !self.schema_changed {
            self.head.schema_version -= 1;
        }
        catalog::insert_snapshot(self.connection, self.head, self.at, &self.made, by).await?;
        Ok(SnapshotId(self.head.snapshot))
    }

    fn next_catalog_id(&mut self) -> i64 {
        let id = self.head.next_catalog_id;
        self.head.next_catalog_id += 1;
        id
    }
}

/// A file's name below its table's folder.
fn file_name<'a>(dataset: &str, table: &str, file: &'a DataFile) -> Result<&'a str, LakeError> {
    let misplaced =
        || LakeError::Misplaced { path: file.path.clone(), dataset: dataset.to_owned(), table: table.to_owned() };
    file.path.strip_prefix(&format!("{dataset}/{table}/")).ok_or_else(misplaced)
}
