//! The lake by its own reading: what is written, committed, replaced, dropped, expired and swept.

use super::*;
use crate::batch::TableLayout;
use crate::core::id::RunId;
use crate::core::schema::{DataType, Field, Table, TableKind};
use crate::core::time::{Length, Window};
use crate::store::{DATABASE_FILE, RunRecord, Segment};
use arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray};
use arrow::record_batch::RecordBatch;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;

struct Fixture {
    folder: TempDir,
    lake: Lake,
}

impl Fixture {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join(DATABASE_FILE)).await.unwrap();
        let lake = Lake::open(folder.path(), store, Timestamp(0)).await.unwrap();
        Self { folder, lake }
    }

    /// Files of `rows` rows each.
    async fn write(
        &self,
        table: &Table,
        stem: &str,
        settings: WriterSettings,
        batches: Vec<RecordBatch>,
    ) -> Vec<DataFile> {
        let (files, table, stem) = (self.lake.files().clone(), table.clone(), stem.to_owned());
        let runtime = tokio::runtime::Handle::current();
        let write = move || {
            let layout = TableLayout::new(table);
            let mut writer = TableWriter::new(&files, &runtime, &layout, "shop", &stem, settings);
            for batch in batches {
                writer.write(&batch).unwrap();
            }
            writer.finish().unwrap()
        };
        tokio::task::spawn_blocking(write).await.unwrap()
    }

    async fn simple(&self, stem: &str, start: i64) -> Vec<DataFile> {
        self.write(&table(), stem, WriterSettings::default(), vec![batch(start, 100)]).await
    }

    async fn commit(&self, commit: Commit) -> Result<SnapshotId, LakeError> {
        let mut tx = self.lake.store().write().await.unwrap();
        let snapshot = self.lake.commit(&mut tx, &commit).await?;
        tx.commit().await.unwrap();
        Ok(snapshot)
    }

    fn on_disk(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.folder.path().join(LAKE_FOLDER)];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { folders.push(path) } else { found.push(path) }
            }
        }
        found.sort();
        found
    }
}

fn field(name: &str, data_type: DataType, nullable: bool) -> Field {
    let (name, summary) = (name.to_owned(), format!("the {name}"));
    Field { name, data_type, nullable, unit: Some("ms".into()), summary, attributes: Vec::new() }
}

fn table() -> Table {
    Table {
        name: "events".into(),
        summary: "what happened".into(),
        kind: TableKind::Events,
        fields: vec![
            field("time", DataType::Timestamp, false),
            field("value", DataType::Float64, true),
            field("name", DataType::Utf8, false),
        ],
        primary_key: vec!["name".into()],
        time_field: Some("time".into()),
        attributes: Vec::new(),
    }
}

fn batch(start: i64, rows: i64) -> RecordBatch {
    let values = (start..start + rows).map(|i| if i % 7 == 0 { None } else { Some(i as f64 / 2.0) });
    let columns: Vec<ArrayRef> = vec![
        Arc::new(TimestampMicrosecondArray::from_iter_values(start..start + rows).with_timezone("UTC")),
        Arc::new(values.collect::<Float64Array>()),
        Arc::new(StringArray::from_iter_values((start..start + rows).map(|i| format!("name {i:06}")))),
    ];
    RecordBatch::try_new(TableLayout::new(table()).schema, columns).unwrap()
}

fn commit(mode: Mode, files: Vec<DataFile>) -> Commit {
    Commit {
        dataset: "shop".into(),
        mode,
        tables: vec![TableFiles { table: table(), files, replace: false }],
        at: Timestamp(1_000_000),
        author: "tests".into(),
        message: "some rows".into(),
        extra: Some("r1".into()),
    }
}

#[tokio::test]
async fn files_roll_at_their_size_and_hold_all_rows_and_their_statistics() {
    let lake = Fixture::new().await;
    let settings = WriterSettings { file_bytes: 20_000, row_group_rows: 700, ..WriterSettings::default() };
    let batches: Vec<_> = (0..20).map(|i| batch(i * 1_000, 1_000)).collect();
    let files = lake.write(&table(), "a", settings, batches).await;
    assert!(files.len() > 2, "{files:?}");
    let mut next = 0;
    for (number, file) in files.iter().enumerate() {
        assert_eq!(file.path, format!("shop/events/a-{number}.parquet"));
        let path = lake.lake.files().local_path(&file.path);
        assert_eq!(std::fs::metadata(&path).unwrap().len(), file.bytes);
        let reader = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(&path).unwrap()).unwrap();
        assert!(reader.metadata().num_row_groups() > 1);
        let rows: usize = reader.build().unwrap().map(|batch| batch.unwrap().num_rows()).sum();
        assert_eq!(rows as u64, file.rows);
        let [time, value, name] = file.columns.as_slice() else { panic!("{file:?}") };
        let (first, last) = (next, next + file.rows as i64 - 1);
        next = last + 1;
        assert_eq!(time.min, stats::timestamp_text(Timestamp(first)));
        assert_eq!(time.max, stats::timestamp_text(Timestamp(last)));
        assert_eq!(name.min, Some(format!("name {first:06}")));
        assert_eq!((value.null_count + value.value_count, time.null_count), (file.rows, 0));
        assert_eq!(value.null_count as i64, (first..=last).filter(|i| i % 7 == 0).count() as i64);
        assert_eq!((value.contains_nan, name.contains_nan), (Some(false), None));
    }
    assert_eq!(next, 20_000);
    assert_eq!(lake.on_disk().len(), files.len());
}

#[tokio::test]
async fn nothing_is_visible_of_a_writer_that_does_not_finish() {
    let lake = Fixture::new().await;
    let (files, runtime) = (lake.lake.files().clone(), tokio::runtime::Handle::current());
    let written = tokio::task::spawn_blocking(move || {
        let settings = WriterSettings { file_bytes: 10_000, ..WriterSettings::default() };
        let mut writer = TableWriter::new(&files, &runtime, &TableLayout::new(table()), "shop", "a", settings);
        for i in 0..3 {
            writer.write(&batch(i * 5_000, 5_000)).unwrap();
        }
        (writer.rows(), writer.bytes())
    });
    let (rows, bytes) = written.await.unwrap();
    assert!(rows == 15_000 && bytes > 20_000, "{rows} {bytes}");
    assert_eq!(lake.on_disk(), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn a_writer_of_no_rows_makes_no_file_and_nan_is_told() {
    let lake = Fixture::new().await;
    assert_eq!(lake.write(&table(), "a", WriterSettings::default(), vec![batch(0, 0)]).await, []);
    let mut columns = batch(0, 3).columns().to_vec();
    columns[1] = Arc::new(Float64Array::from(vec![Some(f64::NAN), None, Some(-2.5)]));
    let nan = RecordBatch::try_new(batch(0, 3).schema(), columns).unwrap();
    let files = lake.write(&table(), "a", WriterSettings::default(), vec![nan]).await;
    let value = &files[0].columns[1];
    assert_eq!((value.contains_nan, value.null_count, value.value_count), (Some(true), 1, 2));
    assert_eq!((value.min.as_deref(), value.max.as_deref()), (Some("-2.5"), Some("-2.5")));
}

#[tokio::test]
async fn a_commit_is_visible_with_the_callers_transaction_and_not_before() {
    let lake = Fixture::new().await;
    let files = lake.simple("a", 0).await;
    let mut tx = lake.lake.store().write().await.unwrap();
    let snapshot = lake.lake.commit(&mut tx, &commit(Mode::Create, files.clone())).await.unwrap();
    assert!(matches!(lake.lake.dataset("shop", None).await, Err(LakeError::NoDataset { .. })));
    tx.commit().await.unwrap();

    let dataset = lake.lake.dataset("shop", None).await.unwrap();
    assert_eq!((dataset.snapshot, lake.lake.latest_snapshot().await.unwrap()), (snapshot, snapshot));
    let events = dataset.table("events").unwrap();
    assert_eq!((&events.table, events.rows, events.bytes), (&table(), 100, files[0].bytes));
    assert_eq!((&events.files[0].path, &events.files[0].columns), (&files[0].path, &files[0].columns));
    assert_eq!(events.files[0].time_bounds(&events.table), Some((Timestamp(0), Timestamp(99))));
    let summary = lake.lake.datasets(None).await.unwrap();
    let expected = DatasetSummary { name: "shop".into(), tables: 1, files: 1, rows: 100, bytes: files[0].bytes };
    assert_eq!(summary, [expected]);
    let snapshots = lake.lake.snapshots().await.unwrap();
    assert_eq!(snapshots[0].changes, r#"created_schema:"shop",created_table:"shop"."events",inserted_into_table:2"#);
    assert_eq!((snapshots[0].extra.as_deref(), snapshots.len()), (Some("r1"), 2));
}

#[tokio::test]
async fn append_adds_replace_ends_and_older_snapshots_stay() {
    let lake = Fixture::new().await;
    let rows =
        async |at: Option<SnapshotId>| lake.lake.dataset("shop", at).await.unwrap().table("events").unwrap().rows;
    let first = lake.commit(commit(Mode::Create, lake.simple("a", 0).await)).await.unwrap();
    let taken = lake.commit(commit(Mode::Create, lake.simple("x", 0).await)).await.unwrap_err();
    assert!(taken.to_string().contains("has 100 rows") && taken.to_string().contains("--append"), "{taken}");
    let second = lake.commit(commit(Mode::Append, lake.simple("b", 100).await)).await.unwrap();
    let third = lake.commit(commit(Mode::Replace, lake.simple("c", 200).await)).await.unwrap();
    assert_eq!((rows(Some(first)).await, rows(Some(second)).await, rows(Some(third)).await), (100, 200, 100));
    let mut replaced = commit(Mode::Append, lake.simple("d", 300).await);
    replaced.tables[0].replace = true;
    lake.commit(replaced).await.unwrap();
    let events = lake.lake.dataset("shop", None).await.unwrap();
    let paths: Vec<_> = events.tables[0].files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["shop/events/d-0.parquet"]);
    assert!(matches!(lake.lake.dataset("shop", Some(SnapshotId(99))).await, Err(LakeError::NoSnapshot(_))));

    let mut tx = lake.lake.store().write().await.unwrap();
    let last = lake.lake.drop_dataset(&mut tx, "shop", Timestamp(2), "tests").await.unwrap();
    tx.commit().await.unwrap();
    assert!(matches!(lake.lake.dataset("shop", None).await, Err(LakeError::NoDataset { .. })));
    assert_eq!(lake.lake.datasets(Some(last)).await.unwrap(), []);
    assert_eq!(rows(Some(second)).await, 200);
    let again = lake.commit(commit(Mode::Create, lake.simple("e", 0).await)).await.unwrap();
    assert_eq!(rows(Some(again)).await, 100);
}

#[tokio::test]
async fn a_table_may_grow_and_replace_may_change_it() {
    let lake = Fixture::new().await;
    let first = lake.commit(commit(Mode::Create, lake.simple("a", 0).await)).await.unwrap();
    let mut wide = table();
    wide.fields.push(field("extra", DataType::Int64, true));
    let mut columns = batch(0, 5).columns().to_vec();
    columns.push(Arc::new(Int64Array::from(vec![1, 2, 3, 4, 5])));
    let rows = RecordBatch::try_new(TableLayout::new(wide.clone()).schema, columns).unwrap();
    let files = lake.write(&wide, "b", WriterSettings::default(), vec![rows]).await;
    let grown = Commit {
        tables: vec![TableFiles { table: wide.clone(), files, replace: false }],
        ..commit(Mode::Append, vec![])
    };
    lake.commit(grown).await.unwrap();
    assert_eq!(lake.lake.dataset("shop", None).await.unwrap().tables[0].table, wide);
    assert_eq!(lake.lake.dataset("shop", Some(first)).await.unwrap().tables[0].table, table());
    // A run of the older generator still fits.
    lake.commit(commit(Mode::Append, lake.simple("c", 0).await)).await.unwrap();
    assert_eq!(lake.lake.dataset("shop", None).await.unwrap().tables[0].table, wide);

    let mut other = table();
    other.fields.swap(1, 2);
    let swapped = |mode| Commit {
        tables: vec![TableFiles { table: other.clone(), files: Vec::new(), replace: false }],
        ..commit(mode, vec![])
    };
    let clash = lake.commit(swapped(Mode::Append)).await.unwrap_err().to_string();
    assert!(clash.contains("shop.events") && clash.contains("value: name stands in its place"), "{clash}");
    lake.commit(swapped(Mode::Replace)).await.unwrap();
    let dataset = lake.lake.dataset("shop", None).await.unwrap();
    assert_eq!((dataset.tables.len(), &dataset.tables[0].table, dataset.tables[0].rows), (1, &other, 0));
}

#[tokio::test]
async fn a_file_of_another_folder_is_refused() {
    let lake = Fixture::new().await;
    let mut files = lake.simple("a", 0).await;
    files[0].path = "other/events/a-0.parquet".into();
    assert!(matches!(lake.commit(commit(Mode::Create, files)).await, Err(LakeError::Misplaced { .. })));
}

#[tokio::test]
async fn a_moved_data_folder_is_told_to_the_catalog() {
    let lake = Fixture::new().await;
    lake.commit(commit(Mode::Create, lake.simple("a", 0).await)).await.unwrap();
    lake.lake.store().close().await;
    let moved = lake.folder.path().with_extension("moved");
    std::fs::rename(lake.folder.path(), &moved).unwrap();
    let store = Store::open(&moved.join(DATABASE_FILE)).await.unwrap();
    Lake::open(&moved, store.clone(), Timestamp(1)).await.unwrap();
    let mut tx = store.read().await.unwrap();
    let path: String = sqlx::query_scalar("SELECT value FROM ducklake_metadata WHERE key = 'data_path'")
        .fetch_one(tx.connection())
        .await
        .unwrap();
    assert_eq!(path, format!("{}/lake/", moved.canonicalize().unwrap().display()));
    std::fs::remove_dir_all(moved).unwrap();
}

#[tokio::test]
async fn a_sweep_takes_rubbish_and_expired_files_and_leaves_what_rows_name() {
    let lake = Fixture::new().await;
    let now = Timestamp(i64::try_from(std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_micros()).unwrap());
    let (soon, age) = (now.plus_us(10_000_000_000), Length::from_us(1_000_000));
    let old = Commit { at: now, ..commit(Mode::Create, lake.simple("old", 0).await) };
    lake.commit(old).await.unwrap();
    let new = Commit { at: soon, ..commit(Mode::Replace, lake.simple("new", 0).await) };
    let newest = lake.commit(new).await.unwrap();
    lake.simple("orphan", 0).await;
    let segment_files = lake.simple("segment", 0).await;
    std::fs::write(lake.lake.files().local_path("_staging/x#1"), "half a file").unwrap();
    let run = RunRecord::planned(RunId::new(1, 1), "shop", serde_json::json!({}), now);
    let segment = Segment {
        run_id: run.id.clone(),
        partition: 0,
        segment: 0,
        window: Window { start: Timestamp(0), end: Timestamp(1) },
        state: None,
        files: serde_json::json!({ "events": segment_files }),
        fingerprints: serde_json::json!({}),
        rows: 100,
    };
    let mut tx = lake.lake.store().write().await.unwrap();
    tx.insert_run(&run).await.unwrap();
    tx.insert_segment(&segment).await.unwrap();
    tx.commit().await.unwrap();

    assert_eq!(lake.lake.sweep(now, age).await.unwrap(), Swept::default(), "all is young");
    let swept = lake.lake.sweep(soon, age).await.unwrap();
    assert_eq!(swept.files, 2, "the orphan and the staged one");
    let mut tx = lake.lake.store().write().await.unwrap();
    let expired = lake.lake.expire(&mut tx, soon, soon).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(expired, Expired { snapshots: 2, files: 1 });
    assert_eq!(lake.lake.sweep(soon, age).await.unwrap().files, 0, "queued, and young in the queue");
    assert_eq!(lake.lake.sweep(soon.plus_us(2_000_000), age).await.unwrap().files, 1);
    let left: Vec<_> =
        lake.on_disk().iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect();
    assert_eq!(left, ["new-0.parquet", "segment-0.parquet"]);
    assert_eq!(lake.lake.snapshots().await.unwrap().len(), 1);
    assert_eq!(lake.lake.dataset("shop", Some(newest)).await.unwrap().tables[0].rows, 100);
}

/// All rows of the table as they stand, with their ids: name of the row by id.
async fn rows_by_id(lake: &Fixture) -> Vec<(i64, String)> {
    let mut tx = lake.lake.store().read().await.unwrap();
    let files: Vec<(String, i64)> = sqlx::query_as(
        "SELECT path, row_id_start FROM ducklake_data_file WHERE end_snapshot IS NULL ORDER BY row_id_start",
    )
    .fetch_all(tx.connection())
    .await
    .unwrap();
    let mut rows = Vec::new();
    for (name, start) in files {
        let path = lake.lake.files().local_path(&format!("shop/events/{name}"));
        let reader = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(path).unwrap()).unwrap();
        let mut id = start;
        for batch in reader.build().unwrap() {
            let batch = batch.unwrap();
            let names = batch.column(2).as_any().downcast_ref::<StringArray>().unwrap();
            for name in names {
                rows.push((id, name.unwrap().to_owned()));
                id += 1;
            }
        }
    }
    rows
}

#[tokio::test]
async fn compaction_keeps_rows_and_their_ids_and_older_snapshots_until_they_expire() {
    let lake = Fixture::new().await;
    for number in 0..20 {
        let files = lake.simple(&format!("s-{number}"), number * 100).await;
        lake.commit(commit(Mode::Append, files)).await.unwrap();
    }
    let before = rows_by_id(&lake).await;
    let old = lake.lake.latest_snapshot().await.unwrap();
    let compact = |lake: Lake| async move {
        let runtime = tokio::runtime::Handle::current();
        let work = move || {
            let eligible = |name: &str| name != "s-3-0.parquet";
            lake.compact(
                &runtime,
                ("shop", "events"),
                "c-",
                &WriterSettings::default(),
                Timestamp(2_000_000),
                &eligible,
            )
        };
        tokio::task::spawn_blocking(work).await.unwrap().unwrap()
    };
    // The first four are parted from the rest by one that is needed, and are too few.
    assert_eq!(compact(lake.lake.clone()).await, Compacted { files: 16, into: 1, rows: 1_600 });
    assert_eq!(compact(lake.lake.clone()).await, Compacted::default());
    assert_eq!(rows_by_id(&lake).await, before);
    let files = async |at| lake.lake.dataset("shop", at).await.unwrap().tables.pop().unwrap().files;
    assert_eq!((files(None).await.len(), files(Some(old)).await.len()), (5, 20));
    let next = lake.simple("s-20", 2_000).await;
    lake.commit(commit(Mode::Append, next)).await.unwrap();
    assert_eq!(rows_by_id(&lake).await.last().unwrap(), &(2_099, "name 002099".to_owned()));

    let soon = Timestamp(9_000_000_000);
    let mut tx = lake.lake.store().write().await.unwrap();
    assert_eq!(lake.lake.expire_of(&mut tx, "s*", soon, soon).await.unwrap().snapshots, 0, "none is a stream's");
    // Snapshot 0 and the commits of this test but the last; those of the compaction have a word of their own.
    assert_eq!(lake.lake.expire_of(&mut tx, "r*", soon, soon).await.unwrap().files, 16);
    tx.commit().await.unwrap();
    assert_eq!(rows_by_id(&lake).await.len(), 2_100);
}

#[tokio::test]
async fn files_whose_rows_are_all_old_are_let_go() {
    let lake = Fixture::new().await;
    for number in 0..4 {
        let files = lake.simple(&format!("s-{number}"), number * 100).await;
        lake.commit(commit(Mode::Append, files)).await.unwrap();
    }
    let mut tx = lake.lake.store().write().await.unwrap();
    let eligible = |name: &str| name != "s-0-0.parquet";
    let ended = lake.lake.forget_before(&mut tx, "shop", Timestamp(299), Timestamp(5), &eligible).await.unwrap();
    tx.commit().await.unwrap();
    // The first is needed; the last row of the third is not old enough.
    assert_eq!(ended, 1);
    let left: Vec<_> = rows_by_id(&lake).await.into_iter().map(|(id, _)| id / 100).collect();
    assert_eq!(left.chunks(100).map(|chunk| chunk[0]).collect::<Vec<_>>(), [0, 2, 3]);
}
