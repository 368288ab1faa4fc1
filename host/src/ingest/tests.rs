//! Files into a real lake and out again: what the sinks write comes back the same, and bad rows leave nothing.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::batch::TableFingerprint;
use crate::core::schema::{DataType, Field, TableKind};
use crate::query::{Engine, Limits, Scan};
use crate::sink::bulk::BulkEncoder;
use crate::sink::csv::CsvEncoder;
use crate::sink::ndjson::{NdjsonEncoder, Nulls};
use crate::sink::parquet::ParquetEncoder;
use crate::sink::{Columns, Encoder};
use crate::store::{DATABASE_FILE, Store};
use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, DictionaryArray, Float32Array, Float64Array, Int32Array, Int64Array,
    LargeStringArray, StringArray, TimestampMicrosecondArray, TimestampNanosecondArray, UInt64Array,
};
use arrow::datatypes::Int32Type;
use proptest::prelude::*;
use std::io::{Read as _, Write as _};
use std::sync::Arc;
use tempfile::TempDir;
use tokio::runtime::Runtime;

struct Fixture {
    folder: TempDir,
    runtime: Runtime,
    lake: Lake,
}

impl Fixture {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let lake = runtime.block_on(async {
            let store = Store::open(&folder.path().join(DATABASE_FILE)).await.unwrap();
            Lake::open(folder.path(), store, Timestamp(0)).await.unwrap()
        });
        Self { folder, runtime, lake }
    }

    fn write(&self, name: &str, content: &[u8]) -> Request {
        let file = self.folder.path().join(name);
        std::fs::write(&file, content).unwrap();
        static CLOCK: std::sync::atomic::AtomicI64 = std::sync::atomic::AtomicI64::new(1);
        Request {
            dataset: "shop".into(),
            table: "events".into(),
            file,
            format: None,
            profile: None,
            time_field: None,
            writer: WriterSettings::default(),
            at: Timestamp(CLOCK.fetch_add(1, std::sync::atomic::Ordering::Relaxed)),
            author: "tests".into(),
        }
    }

    fn ingest(&self, request: &Request) -> Result<IngestOutcome, IngestError> {
        self.ingest_unless(request, &Cancel::default())
    }

    fn ingest_unless(&self, request: &Request, cancel: &Cancel) -> Result<IngestOutcome, IngestError> {
        file(&self.lake, self.runtime.handle(), request, cancel)
    }

    fn take(&self, name: &str, content: &[u8]) -> Result<IngestOutcome, IngestError> {
        self.ingest(&self.write(name, content))
    }

    /// Makes `table` in the dataset, without rows.
    fn create(&self, dataset: &str, table: &Table) {
        self.runtime.block_on(async {
            let commit = Commit {
                dataset: dataset.into(),
                mode: Mode::Append,
                tables: vec![TableFiles { table: table.clone(), files: Vec::new(), replace: false }],
                at: Timestamp(0),
                author: "tests".into(),
                message: "a table".into(),
                extra: None,
            };
            let mut tx = self.lake.store().write().await.unwrap();
            self.lake.commit(&mut tx, &commit).await.unwrap();
            tx.commit().await.unwrap();
        });
    }

    fn rows(&self, dataset: &str) -> Vec<RecordBatch> {
        self.runtime.block_on(async {
            let engine =
                Engine::open(&self.lake, None, Limits::default(), self.folder.path().join("spill")).await.unwrap();
            engine.scan(&Scan::new(dataset, "events")).await.unwrap().collect().await.unwrap()
        })
    }

    fn snapshot(&self) -> SnapshotId {
        self.runtime.block_on(self.lake.latest_snapshot()).unwrap()
    }

    fn lake_files(&self) -> Vec<PathBuf> {
        let mut folders = vec![self.lake.files().root().to_owned()];
        let mut found = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { folders.push(path) } else { found.push(path) }
            }
        }
        found
    }
}

fn fingerprint(batches: &[RecordBatch]) -> TableFingerprint {
    let mut sum = TableFingerprint::default();
    batches.iter().for_each(|batch| sum.add(batch).unwrap());
    sum
}

fn field(name: &str, data_type: DataType, nullable: bool) -> Field {
    Field { name: name.into(), data_type, nullable, unit: None, summary: String::new(), attributes: Vec::new() }
}

fn table(fields: Vec<Field>, time_field: Option<&str>) -> Table {
    Table {
        name: "events".into(),
        summary: String::new(),
        kind: TableKind::Events,
        fields,
        primary_key: Vec::new(),
        time_field: time_field.map(str::to_owned),
        attributes: Vec::new(),
    }
}

/// One column of every type, null where it may be.
fn every_type() -> Table {
    let fields = vec![
        field("ts", DataType::Timestamp, false),
        field("flag", DataType::Boolean, true),
        field("small", DataType::Int32, true),
        field("large", DataType::Int64, true),
        field("single", DataType::Float32, true),
        field("double", DataType::Float64, true),
        field("text", DataType::Utf8, true),
        field("day", DataType::Date, true),
        field("sure", DataType::Utf8, false),
        field("rate", DataType::Float64, false),
    ];
    table(fields, Some("ts"))
}

#[derive(Debug, Clone)]
struct Row {
    ts: i64,
    flag: Option<bool>,
    small: Option<i32>,
    large: Option<i64>,
    single: Option<f32>,
    double: Option<f64>,
    text: Option<String>,
    day: Option<i32>,
    sure: String,
    rate: f64,
}

/// Text that tries the quotes of every format.
fn awkward() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "[a-z,\"\n\r;' \\\\{}:\t\u{1}é😀]{0,12}",
        Just("null".to_owned()),
        Just("1.50".to_owned()),
        Just("true".to_owned()),
        Just("\u{feff}".to_owned()),
    ]
}

fn row(finite: bool) -> impl Strategy<Value = Row> {
    use proptest::option::of;
    let times = -62_000_000_000_000_000_i64..250_000_000_000_000_000;
    let double = move || any::<f64>().prop_map(move |value| if finite && !value.is_finite() { 0.1 } else { value });
    let single = any::<f32>().prop_map(move |value| if finite && !value.is_finite() { 0.1 } else { value });
    (
        times,
        of(any::<bool>()),
        of(any::<i32>()),
        of(any::<i64>()),
        of(single),
        of(double()),
        of(awkward()),
        of(-700_000..2_900_000),
        awkward(),
        double(),
    )
        .prop_map(|(ts, flag, small, large, single, double, text, day, sure, rate)| Row {
            ts,
            flag,
            small,
            large,
            single,
            double,
            text,
            day,
            sure,
            rate,
        })
}

fn batch(rows: &[Row]) -> RecordBatch {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(TimestampMicrosecondArray::from_iter_values(rows.iter().map(|row| row.ts)).with_timezone("UTC")),
        Arc::new(rows.iter().map(|row| row.flag).collect::<BooleanArray>()),
        Arc::new(rows.iter().map(|row| row.small).collect::<Int32Array>()),
        Arc::new(rows.iter().map(|row| row.large).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|row| row.single).collect::<Float32Array>()),
        Arc::new(rows.iter().map(|row| row.double).collect::<Float64Array>()),
        Arc::new(rows.iter().map(|row| row.text.as_deref()).collect::<StringArray>()),
        Arc::new(rows.iter().map(|row| row.day).collect::<Date32Array>()),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.sure))),
        Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| row.rate))),
    ];
    RecordBatch::try_new(TableLayout::new(every_type()).schema, columns).unwrap()
}

fn encoded(encoder: &mut dyn Encoder, batches: &[RecordBatch]) -> Vec<u8> {
    let mut out = Vec::new();
    encoder.begin(&mut out).unwrap();
    batches.iter().for_each(|batch| encoder.encode(batch, &mut out).unwrap());
    encoder.finish(&mut out).unwrap();
    out
}

/// Takes `content` into a new dataset with the table of every type, and compares.
fn comes_back(fixture: &Fixture, name: &str, content: &[u8], written: &RecordBatch) -> Result<(), TestCaseError> {
    static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let dataset = format!("d{}", NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
    fixture.create(&dataset, &every_type());
    let request = Request { dataset: dataset.clone(), ..fixture.write(name, content) };
    let outcome = fixture.ingest(&request).map_err(|error| TestCaseError::fail(format!("{name}: {error}")))?;
    prop_assert_eq!(outcome.rows, written.num_rows() as u64);
    prop_assert_eq!(fingerprint(&fixture.rows(&dataset)), fingerprint(std::slice::from_ref(written)), "{}", name);
    Ok(())
}

#[test]
fn every_export_comes_back_the_same() {
    let fixture = Fixture::new();
    let layout = TableLayout::new(every_type());
    let columns = || Columns::all(&layout.schema);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 24,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let exact = proptest::collection::vec(row(false), 1..40);
    runner
        .run(&exact, |rows| {
            let written = batch(&rows);
            let batches = std::slice::from_ref(&written);
            comes_back(&fixture, "x.csv", &encoded(&mut CsvEncoder::new(columns()), batches), &written)?;
            comes_back(
                &fixture,
                "x.parquet",
                &encoded(&mut ParquetEncoder::new(&layout.schema, columns()).unwrap(), batches),
                &written,
            )
        })
        .unwrap();
    // JSON has no word for what is not finite.
    let finite = proptest::collection::vec(row(true), 1..40);
    runner
        .run(&finite, |rows| {
            let written = batch(&rows);
            let batches = std::slice::from_ref(&written);
            comes_back(
                &fixture,
                "x.ndjson",
                &encoded(&mut NdjsonEncoder::new(columns(), Nulls::Written), batches),
                &written,
            )?;
            comes_back(
                &fixture,
                "y.ndjson",
                &encoded(&mut BulkEncoder::for_table(&layout, Some("shop")).unwrap(), batches),
                &written,
            )
        })
        .unwrap();
}

#[test]
fn what_json_can_not_say_is_nan_where_null_may_not_be() {
    let fixture = Fixture::new();
    fixture.create(
        "shop",
        &table(vec![field("rate", DataType::Float64, false), field("maybe", DataType::Float64, true)], None),
    );
    fixture.take("x.ndjson", b"{\"rate\":null,\"maybe\":null}\n").unwrap();
    let rows = fixture.rows("shop");
    let expected: Vec<ArrayRef> =
        vec![Arc::new(Float64Array::from(vec![f64::NAN])), Arc::new(Float64Array::from(vec![None]))];
    let schema = rows[0].schema();
    assert_eq!(fingerprint(&rows), fingerprint(&[RecordBatch::try_new(schema, expected).unwrap()]));
}

#[test]
fn a_new_table_gets_the_types_that_all_rows_have() {
    let fixture = Fixture::new();
    let csv = "@timestamp,User Id,amount,ok,code,day,empty\n\
               2026-11-09T14:25:00Z,1,2.5,true,007,2026-11-09,\n\
               2026-11-09 14:25:01.25,2,-1,false,12,,\n";
    let outcome = fixture.take("orders.csv", csv.as_bytes()).unwrap();
    let types: Vec<_> =
        outcome.table.fields.iter().map(|field| (field.name.as_str(), field.data_type, field.nullable)).collect();
    assert_eq!(
        types,
        [
            ("timestamp", DataType::Timestamp, false),
            ("user_id", DataType::Int64, true),
            ("amount", DataType::Float64, true),
            ("ok", DataType::Boolean, true),
            ("code", DataType::Utf8, true),
            ("day", DataType::Date, true),
            ("empty", DataType::Utf8, true),
        ]
    );
    assert_eq!(outcome.table.time_field.as_deref(), Some("timestamp"));
    assert_eq!(
        outcome.renamed,
        [("@timestamp".to_owned(), "timestamp".to_owned()), ("User Id".to_owned(), "user_id".to_owned())]
    );
    assert!(outcome.created && outcome.rows == 2);
    // The same file goes in again by the names that it has, and a file in JSON by the table's.
    let again = fixture.take("orders.csv", csv.as_bytes()).unwrap();
    assert!(!again.created && again.rows == 2);
    fixture.take("x.ndjson", b"{\"@timestamp\":\"2026-11-10T00:00:00Z\",\"user_id\":3}\n").unwrap();
    assert_eq!(fixture.rows("shop").iter().map(RecordBatch::num_rows).sum::<usize>(), 5);
}

#[test]
fn bad_rows_are_listed_by_line_and_nothing_is_taken_in() {
    let fixture = Fixture::new();
    fixture.create(
        "shop",
        &table(vec![field("ts", DataType::Timestamp, false), field("n", DataType::Int32, true)], Some("ts")),
    );
    let before = (fixture.snapshot(), fixture.lake_files());
    let mut csv = "ts,n\n2026-11-09T00:00:00Z,1\nnever,2\n,3\n2026-11-09T00:00:00Z,99999999999\n1,2,3\n".to_owned();
    // Far more rows than a batch holds, so that some are on their way to the disk when the last bad one comes.
    csv.push_str(&"2026-11-09T00:00:00Z,1\n".repeat(40_000));
    csv.push_str(&"x,1\n".repeat(30));
    let error = fixture.take("x.csv", csv.as_bytes()).unwrap_err();
    let IngestError::BadRows { total, first, .. } = &error else { panic!("{error:?}") };
    assert_eq!((*total, first.len()), (34, LISTED_BAD_ROWS));
    let listed: Vec<_> = first.iter().take(5).map(Problem::to_string).collect();
    assert_eq!(
        listed,
        [
            "line 3: column ts: \"never\" is no time (2026-11-09T14:25:00Z)",
            "line 4: column ts: a value is missing",
            "line 5: column n: \"99999999999\" is no whole number of 32 bits",
            "line 6: has 3 fields where the header has 2",
            "line 40007: column ts: \"x\" is no time (2026-11-09T14:25:00Z)",
        ]
    );
    assert!(error.to_string().ends_with("; and 14 more"), "{error}");
    let json = "{\"ts\":\"2026-11-09T00:00:00Z\"}\n{\"ts\":1}\n{\"n\":1}\n{\"ts\":\"2026-11-09T00:00:00Z\",\"m\":1}\nnot json\n{\"ts\":\"2026-11-09T00:00:00Z\",\"n\":{}}\n";
    let error = fixture.take("x.ndjson", json.as_bytes()).unwrap_err();
    let IngestError::BadRows { total: 5, first, .. } = &error else { panic!("{error:?}") };
    assert_eq!(
        first.iter().map(|problem| problem.path.as_str()).collect::<Vec<_>>(),
        ["line 2", "line 3", "line 4", "line 5", "line 6"]
    );
    assert_eq!((fixture.snapshot(), fixture.lake_files()), before);
    // A new table is not made of a file with bad records either.
    let error =
        fixture.ingest(&Request { dataset: "other".into(), ..fixture.write("y.csv", b"a,b\n1\n") }).unwrap_err();
    assert!(matches!(error, IngestError::BadRows { total: 1, .. }), "{error:?}");
    assert_eq!((fixture.snapshot(), fixture.lake_files()), before);
}

#[test]
fn files_that_do_not_fit_as_a_whole_are_refused_with_the_reason() {
    let fixture = Fixture::new();
    let existing = table(vec![field("ts", DataType::Timestamp, false), field("n", DataType::Int32, true)], Some("ts"));
    fixture.create("shop", &existing);
    for (name, content, reason) in [
        ("x.csv", "ts,m\n", "m: is no column of the table, which has ts, n"),
        ("x.csv", "n\n", "ts: is missing"),
        ("x.csv", "ts,TS\n", "TS: is there twice"),
        ("x.xlsx", "", "--format csv"),
        ("x.parquet", "not parquet", "no sound Parquet file"),
    ] {
        let error = fixture.take(name, content.as_bytes()).unwrap_err();
        assert!(matches!(&error, IngestError::BadFile { .. }) && error.to_string().contains(reason), "{name}: {error}");
    }
    let new = |name: &str, content: &str, time: Option<&str>| {
        let request = Request {
            dataset: "new".into(),
            time_field: time.map(str::to_owned),
            ..fixture.write(name, content.as_bytes())
        };
        fixture.ingest(&request).unwrap_err().to_string()
    };
    assert!(new("x.csv", "a,b\n", None).contains("no rows"));
    assert!(new("x.csv", "", None).contains("columns") || new("x.csv", "", None).contains("no rows"));
    assert!(new("x.csv", "a b,a-b\n1,2\n", None).contains("\"a b\" is already"));
    assert!(new("x.csv", "a,t\n1,2026-11-09T00:00:00Z\n2,\n", Some("t")).contains("some row has no time"));
    assert!(new("x.csv", "a\n1\n", Some("t")).contains("no such column"));
    let reserved = Request { table: "incidents".into(), ..fixture.write("x.csv", b"a\n1\n") };
    assert!(fixture.ingest(&reserved).unwrap_err().to_string().contains("the host writes"));
    let traversal = Request { dataset: "../up".into(), ..fixture.write("x.csv", b"a\n1\n") };
    assert!(matches!(fixture.ingest(&traversal).unwrap_err(), IngestError::BadName(_)));
    let missing = Request { file: fixture.folder.path().join("none.csv"), ..fixture.write("x.csv", b"") };
    assert!(matches!(fixture.ingest(&missing).unwrap_err(), IngestError::Read { .. }));
}

#[test]
fn compressed_files_are_unfolded_whatever_their_name() {
    let fixture = Fixture::new();
    let csv = b"a,b\n1,x\n2,y\n";
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(csv).unwrap();
    fixture.take("x.csv.gz", &gzip.finish().unwrap()).unwrap();
    fixture.take("x.csv", &zstd::encode_all(&csv[..], 1).unwrap()).unwrap();
    fixture.take("x.csv.zst", &zstd::encode_all(&csv[..], 1).unwrap()).unwrap();
    assert_eq!(fixture.rows("shop").iter().map(RecordBatch::num_rows).sum::<usize>(), 6);
    let zeros = zstd::encode_all(std::io::repeat(b' ').take(400 << 20), 1).unwrap();
    let error = fixture.take("bomb.csv.zst", &zeros).unwrap_err();
    assert!(matches!(error, IngestError::Read { .. }), "{error:?}");
}

#[test]
fn bulk_lines_and_documents_without_actions_are_told_apart() {
    let fixture = Fixture::new();
    let bulk = "{\"index\":{\"_index\":\"a\"}}\n{\"@timestamp\":\"2026-11-09T00:00:00Z\",\"n\":1}\n\n{\"create\":{}}\n{\"@timestamp\":\"2026-11-09T00:00:01Z\",\"n\":2}\n";
    let outcome = fixture.take("x.ndjson", bulk.as_bytes()).unwrap();
    assert_eq!((outcome.rows, outcome.table.time_field.as_deref()), (2, Some("timestamp")));
    let error = fixture
        .take(
            "x.ndjson",
            b"{\"index\":{}}\n{\"@timestamp\":\"2026-11-09T00:00:00Z\"}\n{\"delete\":{}}\n{\"index\":{}}\n",
        )
        .unwrap_err();
    let IngestError::BadRows { total: 2, first, .. } = &error else { panic!("{error:?}") };
    assert_eq!(first[0].path, "line 3");
    assert!(first[1].message.contains("without a document"), "{first:?}");
}

#[test]
fn parquet_of_other_programs_goes_in_where_nothing_is_lost() {
    let fixture = Fixture::new();
    let parquet = |columns: Vec<(&str, ArrayRef)>| {
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let mut writer = ::parquet::arrow::ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.into_inner().unwrap()
    };
    let keys: DictionaryArray<Int32Type> = [Some("a"), None, Some("a")].into_iter().collect();
    let file = parquet(vec![
        ("Time", Arc::new(TimestampNanosecondArray::from(vec![1_500, 2_000, 3_999])) as ArrayRef),
        ("big", Arc::new(UInt64Array::from(vec![1, 2, 3]))),
        ("name", Arc::new(LargeStringArray::from(vec!["x", "y", "z"]))),
        ("kind", Arc::new(keys)),
    ]);
    let outcome = fixture.take("x.parquet", &file).unwrap();
    let types: Vec<_> = outcome.table.fields.iter().map(|field| (field.name.as_str(), field.data_type)).collect();
    assert_eq!(
        types,
        [("time", DataType::Timestamp), ("big", DataType::Int64), ("name", DataType::Utf8), ("kind", DataType::Utf8)]
    );
    assert_eq!(outcome.table.time_field.as_deref(), Some("time"));
    let kinds: DictionaryArray<Int32Type> = [Some("a"), None].into_iter().collect();
    let too_big = parquet(vec![
        ("name", Arc::new(StringArray::from(vec!["x", "y"])) as ArrayRef),
        ("kind", Arc::new(kinds)),
        ("Time", Arc::new(TimestampNanosecondArray::from(vec![Some(1), None]))),
        ("big", Arc::new(UInt64Array::from(vec![u64::MAX, 2]))),
    ]);
    let error = fixture.take("x.parquet", &too_big).unwrap_err();
    let IngestError::BadRows { total: 2, first, .. } = &error else { panic!("{error:?}") };
    let mut rows: Vec<_> = first.iter().map(Problem::to_string).collect();
    rows.sort();
    assert_eq!(rows, ["row 1: column big: the value is too large for Int64", "row 2: column time: a value is missing"]);
    let wrong = parquet(vec![
        ("Time", Arc::new(Float64Array::from(vec![1.5])) as ArrayRef),
        ("big", Arc::new(Int64Array::from(vec![1]))),
        ("name", Arc::new(StringArray::from(vec!["x"]))),
    ]);
    let error = fixture.take("x.parquet", &wrong).unwrap_err();
    assert!(error.to_string().contains("does not go into Timestamp"), "{error}");
}

#[test]
fn a_file_of_many_rows_is_taken_in_batch_by_batch() {
    let fixture = Fixture::new();
    let mut csv = "ts,id,text\n".to_owned();
    for row in 0..50_000 {
        csv.push_str(&format!("2026-11-09T00:00:{:02}.{:06}Z,{row},\"a, \"\"b\"\"\n{row}\"\n", row % 60, row));
    }
    let outcome = fixture.take("x.csv", csv.as_bytes()).unwrap();
    assert_eq!((outcome.rows, outcome.table.time_field.as_deref()), (50_000, Some("ts")));
    assert_eq!(fixture.rows("shop").iter().map(RecordBatch::num_rows).sum::<usize>(), 50_000);
}

/// A file that has no end, in the midst of which somebody stops: rows of a new table are still looked at then, those of one that
/// is there are being written.
#[test]
fn what_is_stopped_in_the_midst_leaves_nothing() {
    /// More than a pipe and a batch hold.
    const ROWS: usize = 200_000;
    let fixture = Fixture::new();
    let endless = fixture.folder.path().join("endless.csv");
    assert!(std::process::Command::new("mkfifo").arg(&endless).status().unwrap().success());
    for known in [false, true] {
        if known {
            fixture.take("x.csv", b"id,text\n1,a\n").unwrap();
        }
        let (before, files) = (fixture.snapshot(), fixture.lake_files());
        let request = Request { file: endless.clone(), ..fixture.write("y.csv", b"") };
        let cancel = Cancel::default();
        let stopped = std::thread::scope(|scope| {
            scope.spawn(|| {
                let pipe = std::fs::OpenOptions::new().write(true).open(&endless).unwrap();
                let mut pipe = std::io::BufWriter::new(pipe);
                writeln!(pipe, "id,text").unwrap();
                // Ends when nobody reads any more.
                for row in 0.. {
                    if row == ROWS {
                        cancel.cancel();
                    }
                    if writeln!(pipe, "{row},some text of row {row}").is_err() {
                        return;
                    }
                }
            });
            fixture.ingest_unless(&request, &cancel)
        });
        assert!(matches!(stopped, Err(IngestError::Stopped)), "{stopped:?}");
        assert_eq!((fixture.snapshot(), fixture.lake_files()), (before, files), "known: {known}");
    }
    let cancel = Cancel::default();
    cancel.cancel();
    let batch = RecordBatch::try_from_iter([("id", Arc::new(Int64Array::from(vec![1])) as ArrayRef)]).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ::parquet::arrow::ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let request = fixture.write("x.parquet", &bytes);
    assert!(matches!(fixture.ingest_unless(&request, &cancel), Err(IngestError::Stopped)));
}
