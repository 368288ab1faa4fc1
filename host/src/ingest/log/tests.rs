//! The log over a real lake and database: what was acknowledged is there once, whenever the process ends.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::core::schema::{DataType, Field, TableKind};
use crate::query::{Engine, Limits};
use crate::store::{DATABASE_FILE, Store};
use arrow::array::{AsArray, Int64Array};
use arrow::datatypes::Int64Type;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// A data folder with a log that moves nothing by itself.
pub(in crate::ingest) struct Fixture {
    folder: TempDir,
    runtime: Runtime,
    lake: Lake,
}

/// Settings under which rows move only when a test says so.
pub(in crate::ingest) fn at_rest() -> LogSettings {
    LogSettings { move_after_s: 86_400, move_bytes: usize::MAX, keep_free_bytes: 0, ..LogSettings::default() }
}

impl Fixture {
    pub(in crate::ingest) fn new() -> Self {
        Self::of(tempfile::tempdir().unwrap())
    }

    fn of(folder: TempDir) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let lake = runtime.block_on(async {
            let store = Store::open(&folder.path().join(DATABASE_FILE)).await.unwrap();
            Lake::open(folder.path(), store, Timestamp(0)).await.unwrap()
        });
        Self { folder, runtime, lake }
    }

    pub(in crate::ingest) fn open(&self, settings: LogSettings) -> Result<Log, LogError> {
        let host = LogHost {
            lake: self.lake.clone(),
            runtime: self.runtime.handle().clone(),
            writer: WriterSettings::default(),
            clock: || Timestamp(1_794_234_300_000_000),
        };
        Log::open(self.folder.path(), host, settings)
    }

    /// Another data folder with what a kill would leave of this one now.
    fn killed(&self) -> Self {
        let copy = tempfile::tempdir().unwrap();
        copy_all(self.folder.path(), copy.path());
        Self::of(copy)
    }

    /// The one column of a query of one column, as numbers; without `log`, as another process sees the lake.
    pub(in crate::ingest) fn numbers(&self, log: Option<&Log>, sql: &str) -> Vec<i64> {
        let unmoved = log.map(Log::unmoved);
        let batches = self.runtime.block_on(async {
            let spill = self.folder.path().join("spill");
            let engine =
                Engine::open_beside(&self.lake, unmoved.as_deref(), None, Limits::default(), spill).await.unwrap();
            engine.sql(sql).await.unwrap().collect().await.unwrap()
        });
        let numbers = batches.iter().flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values().to_vec());
        numbers.collect()
    }

    /// The result of a query as text, line by line.
    pub(in crate::ingest) fn text(&self, log: &Log, sql: &str) -> Vec<String> {
        let batches = self.runtime.block_on(async {
            let spill = self.folder.path().join("spill");
            let unmoved = log.unmoved();
            let engine =
                Engine::open_beside(&self.lake, Some(&*unmoved), None, Limits::default(), spill).await.unwrap();
            engine.sql(sql).await.unwrap().collect().await.unwrap()
        });
        let text = arrow::util::pretty::pretty_format_batches(&batches).unwrap().to_string();
        let rows = text.lines().filter(|line| line.starts_with('|')).skip(1);
        rows.map(|line| line.split('|').map(str::trim).filter(|cell| !cell.is_empty()).collect::<Vec<_>>().join(" "))
            .collect()
    }

    fn segments(&self) -> Vec<PathBuf> {
        let mut paths: Vec<_> = std::fs::read_dir(self.folder.path().join(LOG_FOLDER))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        paths.sort();
        paths
    }
}

fn copy_all(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            std::fs::create_dir_all(&target).unwrap();
            copy_all(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

fn column(name: &str, nullable: bool) -> Field {
    Field {
        name: name.into(),
        data_type: DataType::Int64,
        nullable,
        unit: None,
        summary: String::new(),
        attributes: Vec::new(),
    }
}

fn table(name: &str, fields: Vec<Field>) -> Table {
    Table {
        name: name.into(),
        summary: "numbers".into(),
        kind: TableKind::Events,
        fields,
        primary_key: Vec::new(),
        time_field: None,
        attributes: Vec::new(),
    }
}

fn declared(log: &Log, name: &str) -> Declared {
    if log.table("shop", name).unwrap().is_none() {
        log.declare("shop", vec![table(name, vec![column("n", false)])]).unwrap();
    }
    log.table("shop", name).unwrap().unwrap()
}

fn numbers(declared: &Declared, values: impl IntoIterator<Item = i64>) -> RecordBatch {
    let values = Int64Array::from_iter_values(values);
    RecordBatch::try_new(declared.layout.schema.clone(), vec![Arc::new(values)]).unwrap()
}

fn ticket(log: &Log, key: Option<Key>) -> Ticket {
    match log.begin(key, 0).unwrap() {
        Begun::New(ticket) => ticket,
        Begun::Repeated(receipt) => panic!("{receipt:?}"),
    }
}

fn append(log: &Log, values: impl IntoIterator<Item = i64>) -> Receipt {
    let table = declared(log, "events");
    log.append(ticket(log, None), &[(table.clone(), numbers(&table, values))]).unwrap().wait().unwrap()
}

const ALL: &str = "SELECT n FROM shop.events ORDER BY n";

#[test]
fn what_is_acknowledged_is_visible_at_once_survives_a_kill_and_moves_once() {
    let data = Fixture::new();
    let log = data.open(at_rest()).unwrap();
    for n in 0..50 {
        assert!(matches!(append(&log, [n]), Receipt { rows: 1, repeated: false, .. }));
    }
    assert_eq!(data.numbers(Some(&log), ALL), (0..50).collect::<Vec<_>>());
    assert_eq!(data.numbers(None, ALL), Vec::<i64>::new(), "another process sees the lake");
    let killed = data.killed();
    let again = killed.open(at_rest()).unwrap();
    assert_eq!(killed.numbers(Some(&again), ALL), (0..50).collect::<Vec<_>>());
    again.move_now().unwrap();
    for n in 50..60 {
        append(&again, [n]);
    }
    let twice = killed.killed();
    let log = twice.open(at_rest()).unwrap();
    assert_eq!(twice.numbers(Some(&log), ALL), (0..60).collect::<Vec<_>>());
    assert_eq!(twice.numbers(None, ALL), (0..50).collect::<Vec<_>>());
    log.close().unwrap();
    assert_eq!(twice.numbers(None, ALL), (0..60).collect::<Vec<_>>());
    assert_eq!(twice.segments(), Vec::<PathBuf>::new());
    let log = twice.open(at_rest()).unwrap();
    assert_eq!(twice.numbers(Some(&log), ALL), (0..60).collect::<Vec<_>>());
}

#[test]
fn a_query_sees_every_row_once_while_rows_come_and_move() {
    let data = Fixture::new();
    let log = data.open(LogSettings { move_bytes: 1, move_after_s: 0, ..at_rest() }).unwrap();
    append(&log, [0]);
    let (acknowledged, done) = (AtomicU64::new(1), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 1..400 {
                append(&log, [n]);
                acknowledged.store(n as u64 + 1, Ordering::SeqCst);
            }
            done.store(true, Ordering::SeqCst);
        });
        while !done.load(Ordering::SeqCst) {
            let before = acknowledged.load(Ordering::SeqCst);
            let found = data.numbers(Some(&log), ALL);
            assert_eq!(found, (0..found.len() as i64).collect::<Vec<_>>());
            assert!(found.len() as u64 >= before, "{} of {before}", found.len());
        }
    });
    let moved = data.numbers(None, "SELECT count(*) FROM shop.events");
    assert!(moved[0] > 0, "nothing moved, so this shows nothing");
    log.close().unwrap();
    assert_eq!(data.numbers(None, ALL), (0..400).collect::<Vec<_>>());
}

#[test]
fn a_torn_end_is_cut_off_at_every_byte_and_damage_before_it_is_told() {
    let data = Fixture::new();
    let log = data.open(LogSettings { segment_bytes: 1, ..at_rest() }).unwrap();
    append(&log, [1]);
    append(&log, [2]);
    let segments = data.segments();
    assert_eq!(segments.len(), 2);
    let bytes = std::fs::read(&segments[1]).unwrap();
    for length in (0..bytes.len()).step_by(7) {
        let killed = data.killed();
        let last = killed.segments().pop().unwrap();
        std::fs::write(&last, &bytes[..length]).unwrap();
        let log = killed.open(at_rest()).unwrap();
        assert_eq!(killed.numbers(Some(&log), ALL), [1], "cut at {length}");
        append(&log, [3]);
        drop(log);
        let log = killed.open(at_rest()).unwrap();
        assert_eq!(killed.numbers(Some(&log), ALL), [1, 3], "cut at {length}");
    }
    let killed = data.killed();
    let first = &killed.segments()[0];
    let mut bytes = std::fs::read(first).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(first, &bytes).unwrap();
    assert!(matches!(killed.open(at_rest()), Err(LogError::Damaged { at: 8, .. })));
}

#[test]
fn a_key_adds_its_rows_once_whenever_it_comes_again() {
    let data = Fixture::new();
    let log = data.open(at_rest()).unwrap();
    let key = Key::new("/events", "k1", b"rows");
    let table = declared(&log, "events");
    let rows = [(table.clone(), numbers(&table, [1, 2]))];
    let first = ticket(&log, Some(key));
    // Several at the same time: all have looked, and found nothing.
    let receipts: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..8).map(|_| scope.spawn(|| log.append(first, &rows).unwrap().wait().unwrap())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(receipts.iter().filter(|receipt| !receipt.repeated).count(), 1);
    assert!(receipts.iter().all(|receipt| receipt.rows == 2));
    let repeated = |log: &Log| matches!(log.begin(Some(key), 0).unwrap(), Begun::Repeated(Receipt { rows: 2, .. }));
    assert!(repeated(&log));
    // One that looked before the rows moved and comes after.
    log.move_now().unwrap();
    assert!(log.append(first, &rows).unwrap().wait().unwrap().repeated);
    assert!(repeated(&log));
    assert!(matches!(log.begin(Some(Key::new("/events", "k1", b"others")), 0), Err(LogError::KeyReused)));
    let other = ticket(&log, Some(Key::new("/elsewhere", "k1", b"others")));
    log.append(other, &[(table.clone(), numbers(&table, [3]))]).unwrap().wait().unwrap();
    let killed = data.killed();
    let log = killed.open(at_rest()).unwrap();
    assert!(repeated(&log));
    assert!(matches!(log.begin(Some(Key::new("/elsewhere", "k1", b"others")), 0).unwrap(), Begun::Repeated(_)));
    assert_eq!(killed.numbers(Some(&log), ALL), [1, 2, 3]);
}

#[test]
fn what_there_is_no_room_for_is_refused_before_anything_is_taken() {
    let data = Fixture::new();
    let log = data.open(LogSettings { memory_bytes: 20_000, ..at_rest() }).unwrap();
    let table = declared(&log, "events");
    let rows = |n: i64| [(table.clone(), numbers(&table, n * 1_000..n * 1_000 + 1_000))];
    let refused = (0..10).filter(|n| match log.append(ticket(&log, None), &rows(*n)).and_then(Pending::wait) {
        Ok(_) => false,
        Err(LogError::Full { .. }) => true,
        Err(error) => panic!("{error}"),
    });
    let refused: Vec<i64> = refused.collect();
    assert!(!refused.is_empty() && refused.len() < 10);
    // A refusal asks for a move, which makes room.
    let deadline = Instant::now() + Duration::from_secs(20);
    while log.append(ticket(&log, None), &rows(99)).and_then(Pending::wait).is_err() {
        assert!(Instant::now() < deadline, "nothing was moved");
        std::thread::yield_now();
    }
    let found = data.numbers(Some(&log), "SELECT count(*) FROM shop.events");
    assert_eq!(found, [(11 - refused.len() as i64) * 1_000]);
    drop(log);
    let log = data.open(LogSettings { keep_free_bytes: u64::MAX / 2, ..at_rest() }).unwrap();
    let bytes = |data: &Fixture| data.segments().iter().map(|path| path.metadata().unwrap().len()).sum::<u64>();
    let before = bytes(&data);
    assert!(matches!(log.begin(None, 0), Err(LogError::DiskFull { .. })));
    // The writer looks as well, with the rows in its hand.
    let ticket = Ticket { key: None, moves: 0, at: log.now() };
    assert!(matches!(log.append(ticket, &rows(0)).and_then(Pending::wait), Err(LogError::DiskFull { .. })));
    assert_eq!(bytes(&data), before);
    assert_eq!(data.numbers(Some(&log), "SELECT count(*) FROM shop.events"), found);
}

#[test]
fn rows_of_a_table_that_is_dropped_do_not_come_back() {
    let data = Fixture::new();
    let log = data.open(at_rest()).unwrap();
    append(&log, [1]);
    data.runtime.block_on(async {
        let mut tx = data.lake.store().write().await.unwrap();
        data.lake.drop_dataset(&mut tx, "shop", Timestamp(0), "tests").await.unwrap();
        tx.commit().await.unwrap();
    });
    append(&log, [2]);
    assert_eq!(data.numbers(Some(&log), ALL), [2]);
    log.close().unwrap();
    assert_eq!(data.numbers(None, ALL), [2]);
}

#[test]
fn one_request_writes_to_many_tables_and_these_may_grow() {
    let data = Fixture::new();
    let log = data.open(at_rest()).unwrap();
    let (one, two) = (declared(&log, "events"), declared(&log, "others"));
    let rows = [(one.clone(), numbers(&one, [1])), (two.clone(), numbers(&two, [2, 3]))];
    assert_eq!(log.append(ticket(&log, None), &rows).unwrap().wait().unwrap().rows, 3);
    log.declare("shop", vec![table("events", vec![column("n", false), column("m", true)])]).unwrap();
    let wide = declared(&log, "events");
    let columns: Vec<arrow::array::ArrayRef> =
        vec![Arc::new(Int64Array::from(vec![4])), Arc::new(Int64Array::from(vec![5]))];
    let batch = RecordBatch::try_new(wide.layout.schema.clone(), columns).unwrap();
    log.append(ticket(&log, None), &[(wide, batch)]).unwrap().wait().unwrap();
    // A request that was prepared before the table grew.
    log.append(ticket(&log, None), &[(one.clone(), numbers(&one, [6]))]).unwrap().wait().unwrap();
    let sums = "SELECT sum(n) * 100 + sum(m) * 10 + count(m) FROM shop.events UNION ALL SELECT sum(n) FROM shop.others";
    let check = |log: Option<&Log>| {
        let mut found = data.numbers(log, sums);
        found.sort_unstable();
        assert_eq!(found, [5, 1_151]);
    };
    check(Some(&log));
    log.close().unwrap();
    check(None);
}

#[test]
fn a_closed_log_takes_nothing_and_one_that_was_left_is_settled() {
    let data = Fixture::new();
    let log = data.open(at_rest()).unwrap();
    append(&log, [1]);
    let table = declared(&log, "events");
    let late = ticket(&log, None);
    log.close().unwrap();
    assert!(matches!(
        log.append(late, &[(table.clone(), numbers(&table, [2]))]).and_then(Pending::wait),
        Err(LogError::Stopped)
    ));
    let log = data.open(at_rest()).unwrap();
    append(&log, [3]);
    drop(log);
    assert_eq!(data.numbers(None, ALL), [1]);
    let host = LogHost {
        lake: data.lake.clone(),
        runtime: data.runtime.handle().clone(),
        writer: WriterSettings::default(),
        clock: || Timestamp(0),
    };
    settle(data.folder.path(), host.clone(), at_rest()).unwrap();
    assert_eq!(data.numbers(None, ALL), [1, 3]);
    settle(data.folder.path(), host, at_rest()).unwrap();
}
