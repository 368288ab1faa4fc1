//! Queries and scans over a real lake in a folder of its own.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::batch::{TableFingerprint, TableLayout};
use crate::core::schema::{DataType, Field, Table, TableKind};
use crate::core::time::{Timestamp, Window};
use crate::lake::{Commit, DataFile, Mode, TableFiles, TableWriter, WriterSettings};
use crate::store::{DATABASE_FILE, Store};
use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, DictionaryArray, Float64Array, Int64Array, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType as ArrowType, Int32Type, TimestampMicrosecondType};
use arrow::record_batch::RecordBatch;
use tempfile::TempDir;
use tokio::runtime::Handle;

const SECOND: i64 = 1_000_000;

fn field(name: &str, data_type: DataType, nullable: bool) -> Field {
    Field { name: name.into(), data_type, nullable, unit: None, summary: String::new(), attributes: Vec::new() }
}

/// `extra` adds a column that older files lack.
fn table(extra: bool) -> Table {
    let mut fields = vec![
        field("ts", DataType::Timestamp, false),
        field("id", DataType::Int64, false),
        field("value", DataType::Float64, true),
        field("name", DataType::Utf8, false),
        field("kind", DataType::Utf8, true),
        field("ok", DataType::Boolean, false),
        field("day", DataType::Date, false),
    ];
    if extra {
        fields.push(field("note", DataType::Utf8, true));
    }
    Table {
        name: "events".into(),
        summary: String::new(),
        kind: TableKind::Events,
        fields,
        primary_key: Vec::new(),
        time_field: Some("ts".into()),
        attributes: Vec::new(),
    }
}

/// `rows` rows, one a second from `start`; every third value is null, one in ten kinds too.
fn batch(start: i64, rows: i64, extra: bool) -> RecordBatch {
    let at = start..start + rows;
    let kinds = at.clone().map(|i| if i % 10 == 0 { None } else { Some(["a", "b", "c"][(i % 3) as usize]) });
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(TimestampMicrosecondArray::from_iter_values(at.clone().map(|i| i * SECOND)).with_timezone("UTC")),
        Arc::new(Int64Array::from_iter_values(at.clone())),
        Arc::new(at.clone().map(|i| (i % 3 != 0).then_some(i as f64 / 4.0)).collect::<Float64Array>()),
        Arc::new(StringArray::from_iter_values(at.clone().map(|i| format!("{:016x}", i * 7_919)))),
        Arc::new(kinds.collect::<DictionaryArray<Int32Type>>()),
        Arc::new(at.clone().map(|i| Some(i % 2 == 0)).collect::<BooleanArray>()),
        Arc::new(Date32Array::from_iter_values(at.clone().map(|i| (i / 86_400) as i32))),
    ];
    let mut fields = TableLayout::new(table(extra)).schema.fields().to_vec();
    fields[4] = Arc::new(arrow::datatypes::Field::new("kind", columns[4].data_type().clone(), true));
    if extra {
        columns.push(Arc::new(StringArray::from_iter_values(at.map(|i| format!("note {i}")))));
    }
    RecordBatch::try_new(Arc::new(arrow::datatypes::Schema::new(fields)), columns).unwrap()
}

struct Fixture {
    folder: TempDir,
    lake: Lake,
}

impl Fixture {
    async fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join(DATABASE_FILE)).await.unwrap();
        let lake = Lake::open(folder.path(), store, Timestamp(0)).await.unwrap();
        Self { folder, lake }
    }

    /// Dataset `shop` with `files` files of 1,000 rows each, one after the other in time.
    async fn with_files(files: i64) -> Self {
        let this = Self::empty().await;
        for file in 0..files {
            this.append("shop", &format!("f{file}"), vec![batch(file * 1_000, 1_000, false)], false).await;
        }
        this
    }

    async fn append(&self, dataset: &str, stem: &str, batches: Vec<RecordBatch>, extra: bool) -> SnapshotId {
        let (files, runtime) = (self.lake.files().clone(), Handle::current());
        let (name, stem) = (dataset.to_owned(), stem.to_owned());
        let write = move || -> Vec<DataFile> {
            let layout = TableLayout::new(table(extra));
            let mut writer = TableWriter::new(&files, &runtime, &layout, &name, &stem, WriterSettings::default());
            batches.iter().for_each(|batch| writer.write(batch).unwrap());
            writer.finish().unwrap()
        };
        let files = tokio::task::spawn_blocking(write).await.unwrap();
        let commit = Commit {
            dataset: dataset.into(),
            mode: Mode::Append,
            tables: vec![TableFiles { table: table(extra), files, replace: false }],
            at: Timestamp(0),
            author: "tests".into(),
            message: "rows".into(),
            extra: None,
        };
        let mut tx = self.lake.store().write().await.unwrap();
        let snapshot = self.lake.commit(&mut tx, &commit).await.unwrap();
        tx.commit().await.unwrap();
        snapshot
    }

    async fn engine(&self) -> Engine {
        self.engine_with(Limits::default()).await
    }

    async fn engine_with(&self, limits: Limits) -> Engine {
        Engine::open(&self.lake, None, limits, self.folder.path().join("spill")).await.unwrap()
    }
}

async fn rows_of(engine: &Engine, sql: &str) -> Vec<RecordBatch> {
    engine.sql(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}")).collect().await.unwrap()
}

async fn text_of(engine: &Engine, sql: &str) -> String {
    let rows = engine.sql(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    rendered(rows, Format::Csv).await.0
}

async fn rendered(rows: Rows, format: Format) -> (String, bool) {
    let mut rows = rows.blocking(Handle::current());
    tokio::task::spawn_blocking(move || {
        let mut out = Vec::new();
        let (_, more) = render(&mut rows, format, &mut out).unwrap();
        (String::from_utf8(out).unwrap(), more)
    })
    .await
    .unwrap()
}

async fn error_of(engine: &Engine, sql: &str) -> QueryError {
    match engine.sql(sql).await {
        Ok(rows) => rows.collect().await.unwrap_err(),
        Err(error) => error,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sql_counts_filters_and_groups() {
    let lake = Fixture::with_files(3).await;
    let engine = lake.engine().await;
    assert_eq!(
        text_of(
            &engine,
            "SELECT count(*) AS n, min(ts) AS first, max(name) AS last, sum(value) AS total FROM shop.events"
        )
        .await,
        "n,first,last,total\n3000,1970-01-01T00:00:00Z,000000000169f619,749625.0\n"
            .replace("000000000169f619", &format!("{:016x}", 2_999 * 7_919))
            .replace(
                "749625.0",
                &format!("{:?}", (0..3_000).filter(|i| i % 3 != 0).map(|i| f64::from(i) / 4.0).sum::<f64>())
            )
    );
    // The only dataset needs no name.
    assert_eq!(
        text_of(&engine, "SELECT kind, count(*) AS n FROM events WHERE id < 30 GROUP BY kind ORDER BY kind").await,
        "kind,n\na,9\nb,9\nc,9\n,3\n"
    );
    assert_eq!(
        text_of(
            &engine,
            "SELECT id FROM shop.events WHERE ts >= '1970-01-01T00:33:20Z' AND ts < '1970-01-01T00:33:22Z' ORDER BY id"
        )
        .await,
        "id\n2000\n2001\n"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_on_time_opens_only_the_files_of_that_time() {
    let lake = Fixture::with_files(5).await;
    let engine = lake.engine().await;
    let files = async |filter: &str| {
        text_of(&engine, &format!("EXPLAIN SELECT id FROM shop.events {filter}")).await.matches(".parquet").count()
    };
    assert_eq!(files("").await, 5);
    assert_eq!(files("WHERE ts < '1970-01-01T00:16:40Z'").await, 1);
    assert_eq!(files("WHERE ts > '1970-01-01T00:16:40Z' AND ts < '1970-01-01T00:50:00Z' AND ok").await, 2);
    assert_eq!(files("WHERE id = 4500 OR id = 17").await, 2);
    assert_eq!(files("WHERE ts > '1971-01-01'").await, 0);
    assert_eq!(text_of(&engine, "SELECT count(*) AS n FROM shop.events WHERE ts > '1971-01-01'").await, "n\n0\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_is_no_number_is_found_behind_every_bound() {
    let lake = Fixture::empty().await;
    let mut odd = batch(0, 4, false);
    let mut columns = odd.columns().to_vec();
    columns[2] = Arc::new(Float64Array::from(vec![1.0, f64::NAN, 2.0, f64::NEG_INFINITY]));
    odd = RecordBatch::try_new(odd.schema(), columns).unwrap();
    lake.append("shop", "odd", vec![odd], false).await;
    let engine = lake.engine().await;
    assert_eq!(text_of(&engine, "SELECT count(*) AS n FROM shop.events WHERE value > 5").await, "n\n1\n");
    assert_eq!(
        text_of(&engine, "SELECT min(value) AS low, count(value) AS n FROM shop.events").await,
        "low,n\n-inf,4\n"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_not_reading_is_refused() {
    let lake = Fixture::with_files(1).await;
    let engine = lake.engine().await;
    for sql in [
        "CREATE TABLE t AS SELECT 1",
        "CREATE VIEW v AS SELECT 1",
        "CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION '/etc/'",
        "DROP TABLE shop.events",
        "INSERT INTO shop.events VALUES (1)",
        "DELETE FROM shop.events",
        "UPDATE shop.events SET id = 1",
        "COPY shop.events TO '/tmp/x.parquet'",
        "SET datafusion.execution.batch_size = 1",
        "PREPARE p AS SELECT 1",
        "BEGIN",
        "EXPLAIN INSERT INTO shop.events SELECT * FROM shop.events",
        "CREATE FUNCTION f() RETURNS INT RETURN 1",
        "TRUNCATE shop.events",
    ] {
        let error = error_of(&engine, sql).await;
        assert!(matches!(error, QueryError::NotReadOnly { .. } | QueryError::Invalid(_)), "{sql}: {error:?}");
    }
    assert!(
        matches!(error_of(&engine, "DROP TABLE shop.events").await, QueryError::NotReadOnly { what } if what == "DROP")
    );
    // Files and addresses are no tables.
    for sql in [
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM 'lake.parquet'",
        "SELECT * FROM 'http://localhost/x.csv'",
        "SELECT * FROM read_csv('/etc/passwd')",
    ] {
        let error = error_of(&engine, sql).await;
        assert!(
            matches!(
                error,
                QueryError::UnknownTable { .. } | QueryError::UnknownDataset { .. } | QueryError::Invalid(_)
            ),
            "{sql}: {error:?}"
        );
    }
    assert_eq!(text_of(&engine, "SELECT count(*) AS n FROM shop.events").await, "n\n1000\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_names_are_answered_with_those_that_there_are() {
    let lake = Fixture::with_files(1).await;
    let engine = lake.engine().await;
    assert_eq!(
        error_of(&engine, "SELECT * FROM shop.event").await.to_string(),
        "dataset \"shop\" has no table \"event\"; it has events"
    );
    let unknown = error_of(&engine, "SELECT * FROM nowhere.events").await.to_string();
    assert!(unknown.contains("nowhere") && unknown.contains("telemill dataset list"), "{unknown}");
    let column = error_of(&engine, "SELECT nothing FROM shop.events").await.to_string();
    assert!(column.contains("nothing") && column.contains("value"), "{column}");
    assert!(matches!(error_of(&engine, "SELEC 1").await, QueryError::Invalid(_)));
    assert!(matches!(error_of(&engine, "SELECT 1; SELECT 2").await, QueryError::Invalid(_)));
    lake.append("depot", "f", vec![batch(0, 1, false)], false).await;
    let engine = lake.engine().await;
    let bare = error_of(&engine, "SELECT * FROM events").await.to_string();
    assert!(bare.contains("depot.events, shop.events"), "{bare}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_there_is_can_be_asked() {
    let lake = Fixture::with_files(1).await;
    lake.append("depot", "f", vec![batch(0, 1, false)], false).await;
    let engine = lake.engine().await;
    let tables = text_of(&engine, "SHOW TABLES").await;
    assert!(
        tables.contains("telemill,depot,events,BASE TABLE") && tables.contains("telemill,shop,events,BASE TABLE"),
        "{tables}"
    );
    let columns = "SELECT column_name FROM information_schema.columns WHERE table_schema = 'shop' AND is_nullable = 'YES' ORDER BY 1";
    assert_eq!(text_of(&engine, columns).await, "column_name\nkind\nvalue\n");
    assert!(text_of(&engine, "DESCRIBE shop.events").await.contains("ts,"));
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_hold() {
    let lake = Fixture::with_files(3).await;
    let engine = lake.engine_with(Limits { rows: 1_500, ..Limits::default() }).await;
    let (csv, more) = rendered(engine.sql("SELECT id FROM shop.events").await.unwrap(), Format::Csv).await;
    assert!(more && csv.lines().count() == 1_501, "{}", csv.lines().count());
    assert!(!rendered(engine.sql("SELECT id FROM shop.events LIMIT 1500").await.unwrap(), Format::Csv).await.1);

    let engine = lake.engine_with(Limits { output_bytes: 10_000, ..Limits::default() }).await;
    assert!(matches!(
        error_of(&engine, "SELECT * FROM shop.events").await,
        QueryError::TooLarge { limit_bytes: 10_000 }
    ));

    let engine = lake.engine_with(Limits { time_ms: 300, ..Limits::default() }).await;
    let started = std::time::Instant::now();
    let slow =
        "SELECT count(*) FROM shop.events a, shop.events b, shop.events c WHERE a.value + b.value + c.value = 17.25";
    assert!(matches!(error_of(&engine, slow).await, QueryError::TimedOut { limit_ms: 300 }));
    assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sort_that_is_larger_than_its_memory_spills_and_leaves_nothing() {
    let lake = Fixture::empty().await;
    lake.append("shop", "big", (0..30).map(|i| batch(i * 10_000, 10_000, false)).collect(), false).await;
    let engine = lake.engine_with(Limits { memory_bytes: 16 << 20, threads: Some(1), ..Limits::default() }).await;
    let batches = rows_of(&engine, "SELECT name, id, ts FROM shop.events ORDER BY name DESC").await;
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 300_000);
    drop(batches);
    let scan = Scan { order_by: vec!["name".into()], ..Scan::new("shop", "events") };
    let batches = engine.scan(&scan).await.unwrap().collect().await.unwrap();
    let names: Vec<_> = batches.iter().flat_map(|batch| batch["name"].as_string::<i32>().iter().flatten()).collect();
    assert!(names.len() == 300_000 && names.is_sorted());
    let spilled = std::fs::read_dir(lake.folder.path().join("spill")).map_or(0, |folder| {
        folder.flatten().map(|entry| std::fs::read_dir(entry.path()).map_or(0, Iterator::count)).sum::<usize>()
    });
    assert_eq!(spilled, 0);
    let engine = lake
        .engine_with(Limits { memory_bytes: 16 << 20, spill_bytes: 1 << 20, threads: Some(1), ..Limits::default() })
        .await;
    let error = error_of(&engine, "SELECT * FROM shop.events ORDER BY name DESC").await;
    assert!(matches!(error, QueryError::Resources(_)), "{error:?}");
}

/// A text is a key of four bytes where rows are kept, and all of itself where they are compared.
#[tokio::test(flavor = "multi_thread")]
async fn a_sort_of_narrow_rows_has_room_to_merge() {
    let lake = Fixture::empty().await;
    let long = |i: i64| {
        let made = batch(i * 10_000, 10_000, false);
        let names =
            (0..10_000).map(|row| Some(["the first of some machines", "the second of them", "a third"][row % 3]));
        let mut columns = made.columns().to_vec();
        columns[4] = Arc::new(names.collect::<DictionaryArray<Int32Type>>());
        RecordBatch::try_new(made.schema(), columns).unwrap()
    };
    lake.append("shop", "big", (0..100).map(long).collect(), false).await;
    let engine = lake.engine_with(Limits { memory_bytes: 8 << 20, threads: Some(1), ..Limits::default() }).await;
    let columns = vec!["kind".to_owned(), "ts".to_owned()];
    let text = TextForm::AsStored;
    let scan = Scan { order_by: columns.clone(), columns, text, ..Scan::new("shop", "events") };
    let batches = engine.scan(&scan).await.unwrap().collect().await.unwrap();
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 1_000_000);
}

fn fingerprint(batches: &[RecordBatch]) -> TableFingerprint {
    let mut sum = TableFingerprint::default();
    batches.iter().for_each(|batch| sum.add(batch).unwrap());
    sum
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_returns_every_row_in_the_order_of_the_files() {
    let lake = Fixture::with_files(3).await;
    let engine = lake.engine().await;
    let written: Vec<_> = (0..3).map(|file| batch(file * 1_000, 1_000, false)).collect();
    for text in [TextForm::Plain, TextForm::AsStored] {
        let scan = Scan { text, batch_rows: 300, ..Scan::new("shop", "events") };
        let batches = engine.scan(&scan).await.unwrap().collect().await.unwrap();
        assert_eq!(fingerprint(&batches), fingerprint(&written));
        assert!(batches.iter().all(|batch| batch.num_rows() <= 300));
        let ids: Vec<_> = batches
            .iter()
            .flat_map(|batch| batch["id"].as_primitive::<arrow::datatypes::Int64Type>().values().to_vec())
            .collect();
        assert_eq!(ids, (0..3_000).collect::<Vec<_>>());
        let kind = batches[0]["kind"].data_type().clone();
        assert_eq!(matches!(kind, ArrowType::Dictionary(..)), text == TextForm::AsStored, "{kind}");
        assert_eq!(batches[0]["name"].data_type(), &ArrowType::Utf8);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_takes_columns_in_the_order_asked_for_and_windows_to_the_microsecond() {
    let lake = Fixture::with_files(3).await;
    let engine = lake.engine().await;
    let scan = |window: (i64, i64), order: &[&str]| Scan {
        columns: vec!["name".into(), "ts".into()],
        window: Some(Window { start: Timestamp(window.0), end: Timestamp(window.1) }),
        order_by: order.iter().map(|name| (*name).to_owned()).collect(),
        ..Scan::new("shop", "events")
    };
    for order in [&[][..], &["ts"], &["name", "id"]] {
        for (window, rows) in [
            ((500 * SECOND, 1_500 * SECOND), 1_000),
            ((999 * SECOND + 1, 1_000 * SECOND), 0),
            ((999 * SECOND + 1, 1_000 * SECOND + 1), 1),
            ((i64::MIN, i64::MAX), 3_000),
        ] {
            let rows_found = engine.scan(&scan(window, order)).await.unwrap();
            let names: Vec<_> = rows_found.schema.fields().iter().map(|field| field.name().clone()).collect();
            assert_eq!(names, ["name", "ts"]);
            let batches = rows_found.collect().await.unwrap();
            assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), rows, "{window:?} {order:?}");
            for batch in &batches {
                let times = batch["ts"].as_primitive::<TimestampMicrosecondType>().values();
                assert!(times.iter().all(|us| (window.0..window.1).contains(us)));
            }
        }
    }
    let unknown = engine.scan(&Scan { columns: vec!["no".into()], ..Scan::new("shop", "events") }).await.unwrap_err();
    assert!(matches!(unknown, QueryError::UnknownColumn { .. }), "{unknown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ordered_scan_sorts_files_that_share_time_and_only_those_together() {
    let lake = Fixture::empty().await;
    // Two partitions that share all of their time, twice, the later stretch written first.
    for (stem, start) in [("late-a", 5_000), ("late-b", 5_500), ("early-a", 0), ("early-b", 700)] {
        lake.append("shop", stem, vec![batch(start, 1_000, false)], false).await;
    }
    let engine = lake.engine().await;
    for text in [TextForm::Plain, TextForm::AsStored] {
        let scan =
            Scan { order_by: vec!["ts".into(), "id".into()], batch_rows: 999, text, ..Scan::new("shop", "events") };
        let batches = engine.scan(&scan).await.unwrap().collect().await.unwrap();
        let times: Vec<_> = batches
            .iter()
            .flat_map(|batch| batch["ts"].as_primitive::<TimestampMicrosecondType>().values().to_vec())
            .collect();
        assert!(times.len() == 4_000 && times.is_sorted());
        let written: Vec<_> = [0, 700, 5_000, 5_500].map(|start| batch(start, 1_000, false)).into();
        assert_eq!(fingerprint(&batches), fingerprint(&written));
        assert_eq!(batches[0]["name"].data_type() == &ArrowType::Utf8, text == TextForm::Plain);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_that_was_added_is_null_in_older_files_and_snapshots_stay() {
    let lake = Fixture::with_files(1).await;
    let before = lake.lake.latest_snapshot().await.unwrap();
    lake.append("shop", "new", vec![batch(1_000, 10, true)], true).await;
    let engine = lake.engine().await;
    assert_eq!(
        text_of(&engine, "SELECT count(*) AS n, count(note) AS notes, min(note) AS least FROM shop.events").await,
        "n,notes,least\n1010,10,note 1000\n"
    );
    assert_eq!(
        text_of(&engine, "SELECT id, note FROM shop.events WHERE id IN (999, 1000) ORDER BY id").await,
        "id,note\n999,\n1000,note 1000\n"
    );
    let scan = Scan { columns: vec!["note".into()], ..Scan::new("shop", "events") };
    let batches = engine.scan(&scan).await.unwrap().collect().await.unwrap();
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 1_010);
    assert_eq!(batches.iter().map(|batch| batch["note"].null_count()).sum::<usize>(), 1_000);
    let old =
        Engine::open(&lake.lake, Some(before), Limits::default(), lake.folder.path().join("spill")).await.unwrap();
    assert_eq!(text_of(&old, "SELECT count(*) AS n FROM shop.events").await, "n\n1000\n");
    assert!(error_of(&old, "SELECT note FROM shop.events").await.to_string().contains("note"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_says_what_is_in_the_columns() {
    let lake = Fixture::with_files(2).await;
    let engine = lake.engine().await;
    let profile = engine.profile("shop", "events", true).await.unwrap();
    let column = |name: &str| profile.iter().find(|column| column.name == name).unwrap();
    assert_eq!(
        (column("kind").nulls, column("kind").distinct, column("kind").min.as_deref()),
        (200, Some(3), Some("a"))
    );
    assert_eq!((column("ts").min.as_deref(), column("ts").nulls), (Some("1970-01-01T00:00:00Z"), 0));
    assert_eq!(
        (column("ok").min.as_deref(), column("ok").max.as_deref(), column("ok").distinct),
        (Some("false"), Some("true"), Some(2))
    );
    let about = column("id").distinct.unwrap();
    assert!((1_900..2_100).contains(&about), "{about}");
    let quick = engine.profile("shop", "events", false).await.unwrap();
    assert!(quick.iter().all(|column| column.distinct.is_none()));
    assert!(
        quick
            .iter()
            .zip(&profile)
            .all(|(quick, full)| (quick.nulls, &quick.min, &quick.max) == (full.nulls, &full.min, &full.max))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn results_are_written_for_people_and_for_programs() {
    let lake = Fixture::with_files(2).await;
    let engine = lake.engine().await;
    let sql = "SELECT id, kind, ts FROM shop.events WHERE id < 2 ORDER BY id";
    let written = async |format| rendered(engine.sql(sql).await.unwrap(), format).await.0;
    assert_eq!(written(Format::Csv).await, "id,kind,ts\n0,,1970-01-01T00:00:00Z\n1,b,1970-01-01T00:00:01Z\n");
    assert_eq!(
        written(Format::Ndjson).await,
        "{\"id\":0,\"kind\":null,\"ts\":\"1970-01-01T00:00:00Z\"}\n{\"id\":1,\"kind\":\"b\",\"ts\":\"1970-01-01T00:00:01Z\"}\n"
    );
    let json: serde_json::Value = serde_json::from_str(&written(Format::Json).await).unwrap();
    assert_eq!(json.as_array().map(Vec::len), Some(2));
    let table = written(Format::Table).await;
    assert!(table.contains("| 0  | NULL | 1970-01-01T00:00:00Z |"), "{table}");
    let (table, more) = rendered(engine.sql("SELECT id FROM shop.events").await.unwrap(), Format::Table).await;
    assert!(more && table.lines().count() == 1_004, "{}", table.lines().count());
    let (table, _) = rendered(engine.sql("SELECT chr(27) || '[31m' AS c").await.unwrap(), Format::Table).await;
    assert!(!table.contains('\u{1b}') && table.contains("\\u{1b}[31m"), "{table:?}");
    assert_eq!(
        rendered(engine.sql("SELECT id FROM shop.events WHERE id < 0").await.unwrap(), Format::Csv).await.0,
        "id\n"
    );
    assert_eq!(
        rendered(engine.sql("SELECT id FROM shop.events WHERE id < 0").await.unwrap(), Format::Json).await.0,
        "[]"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_that_is_dropped_stops_and_a_file_that_is_gone_is_named() {
    let lake = Fixture::with_files(2).await;
    let engine = lake.engine().await;
    drop(engine.scan(&Scan { batch_rows: 10, ..Scan::new("shop", "events") }).await.unwrap());
    let dataset = lake.lake.dataset("shop", None).await.unwrap();
    let path = &dataset.tables[0].files[1].path;
    std::fs::remove_file(lake.lake.files().local_path(path)).unwrap();
    let error = engine.scan(&Scan::new("shop", "events")).await.unwrap().collect().await.unwrap_err();
    assert!(matches!(&error, QueryError::File { path: named, .. } if named == path), "{error:?}");
    assert!(engine.sql("SELECT sum(id) FROM shop.events").await.unwrap().collect().await.is_err());
}
