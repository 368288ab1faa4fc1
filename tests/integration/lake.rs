//! DuckDB reads what the lake's own writer wrote: the same rows, at every snapshot, and only the files that it needs.

use crate::duckdb;
use anyhow::Result;
use arrow::array::{
    Array, ArrayRef, BooleanArray, Date32Array, DictionaryArray, Float32Array, Float64Array, Int32Array, Int64Array,
    StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::Int32Type;
use arrow::record_batch::RecordBatch;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use telemill::batch::TableLayout;
use telemill::core::schema::{DataType, Field, Table, TableKind};
use telemill::core::time::{DAY_US, Timestamp};
use telemill::lake::{Commit, DataFile, Lake, Mode, SnapshotId, TableFiles, TableWriter, WriterSettings};
use telemill::store::{DATABASE_FILE, DataDirLock, Store};

/// Midnight of 2026-11-09.
const START_US: i64 = 20_766 * DAY_US;
/// Rows of a day; one file each.
const DAY_ROWS: i64 = 10_000;
const WORDS: [&str; 4] = ["it's", "\"quoted\"; DROP TABLE events", "", "Überraschung, 日本 🦀"];

fn table(extra: bool) -> Table {
    let field = |(name, data_type, nullable): (&str, DataType, bool)| Field {
        name: name.into(),
        data_type,
        nullable,
        unit: None,
        summary: format!("the row's \"{name}\""),
        attributes: Vec::new(),
    };
    let mut fields = vec![
        ("time", DataType::Timestamp, false),
        ("id", DataType::Int64, false),
        ("small", DataType::Int32, true),
        ("value", DataType::Float64, true),
        ("ratio", DataType::Float32, false),
        ("ok", DataType::Boolean, true),
        ("day", DataType::Date, false),
        ("word", DataType::Utf8, true),
        ("text", DataType::Utf8, false),
        ("nothing", DataType::Utf8, true),
    ];
    fields.extend(extra.then_some(("extra", DataType::Float64, true)));
    Table {
        name: "events".into(),
        summary: "rows of \"every\" type".into(),
        kind: TableKind::Events,
        fields: fields.into_iter().map(field).collect(),
        primary_key: vec!["id".into()],
        time_field: Some("time".into()),
        attributes: Vec::new(),
    }
}

/// The rows of one day: nulls, NaN, infinity, the least and the largest integer, text of all kinds.
fn batch(day: i64, extra: bool) -> Result<RecordBatch> {
    let rows = day * DAY_ROWS..(day + 1) * DAY_ROWS;
    let every = |n: i64, i: i64| i % n == 0;
    let value = |i: i64| match i % 1_000 {
        0 => Some(f64::NAN),
        1 => Some(f64::INFINITY),
        2 => None,
        _ => Some((i as f64 - 20_000.0) / 8.0),
    };
    let words: DictionaryArray<Int32Type> = DictionaryArray::try_new(
        rows.clone().map(|i| (!every(5, i)).then_some((i % 4) as i32)).collect::<Int32Array>(),
        Arc::new(StringArray::from(WORDS.to_vec())),
    )?;
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(
            TimestampMicrosecondArray::from_iter_values(rows.clone().map(|i| START_US + i * (DAY_US / DAY_ROWS)))
                .with_timezone("UTC"),
        ),
        Arc::new(Int64Array::from_iter_values(rows.clone().map(|i| if i == 77 { i64::MIN } else { i }))),
        Arc::new(rows.clone().map(|i| (!every(3, i)).then_some((i % 100) as i32 - 50)).collect::<Int32Array>()),
        Arc::new(rows.clone().map(value).collect::<Float64Array>()),
        Arc::new(Float32Array::from_iter_values(rows.clone().map(|i| (i % 16) as f32 / 16.0))),
        Arc::new(rows.clone().map(|i| (!every(7, i)).then_some(every(2, i))).collect::<BooleanArray>()),
        Arc::new(Date32Array::from_iter_values(rows.clone().map(|i| (i / DAY_ROWS) as i32 - 1))),
        Arc::new(words),
        Arc::new(StringArray::from_iter_values(rows.clone().map(|i| format!("{i:08}{}", "x".repeat(90))))),
        // A dictionary of which no row has a value.
        Arc::new(DictionaryArray::<Int32Type>::try_new(
            Int32Array::new_null(DAY_ROWS as usize),
            Arc::new(StringArray::from(vec!["never"])),
        )?),
    ];
    if extra {
        columns.push(Arc::new(Float64Array::from_iter_values(rows.map(|i| i as f64))));
    }
    let fields = TableLayout::new(table(extra)).schema.fields().clone();
    let typed = fields.iter().zip(&columns).map(|(f, c)| f.as_ref().clone().with_data_type(c.data_type().clone()));
    Ok(RecordBatch::try_new(Arc::new(arrow::datatypes::Schema::new(typed.collect::<Vec<_>>())), columns)?)
}

fn write_day(lake: &Lake, runtime: &tokio::runtime::Handle, day: i64, extra: bool) -> Result<Vec<DataFile>> {
    let settings = WriterSettings { row_group_rows: 3_000, ..WriterSettings::default() };
    let layout = TableLayout::new(table(extra));
    let mut writer = TableWriter::new(lake.files(), runtime, &layout, "shop", &format!("day{day}"), settings);
    let batch = batch(day, extra)?;
    for start in (0..batch.num_rows()).step_by(4_096) {
        writer.write(&batch.slice(start, 4_096.min(batch.num_rows() - start)))?;
    }
    Ok(writer.finish()?)
}

/// Three days, then a fourth by an appended run whose rows have one more column.
fn make_lake(data_dir: &Path) -> Result<(SnapshotId, SnapshotId)> {
    let _lock = DataDirLock::acquire(data_dir)?;
    let runtime = tokio::runtime::Runtime::new()?;
    let store = runtime.block_on(Store::open(&data_dir.join(DATABASE_FILE)))?;
    let lake = runtime.block_on(Lake::open(data_dir, store, Timestamp(START_US)))?;
    let commit = |mode, days: std::ops::Range<i64>, extra| -> Result<SnapshotId> {
        let mut files = Vec::new();
        for day in days {
            files.extend(write_day(&lake, runtime.handle(), day, extra)?);
        }
        let commit = Commit {
            dataset: "shop".into(),
            mode,
            tables: vec![TableFiles { table: table(extra), files, replace: false }],
            at: Timestamp(START_US),
            author: "tests".into(),
            message: "it's \"quoted\"".into(),
            extra: None,
        };
        runtime.block_on(async {
            let mut tx = lake.store().write().await?;
            let snapshot = lake.commit(&mut tx, &commit).await?;
            tx.commit().await?;
            Ok(snapshot)
        })
    };
    let (first, second) = (commit(Mode::Create, 0..3, false)?, commit(Mode::Append, 3..4, true)?);
    runtime.block_on(lake.store().close());
    Ok((first, second))
}

const SCRIPT: &str = r#"
figures = """
    SELECT count(*), sum(id) FILTER (id >= 0), min(id), max(id), sum(small), count(small), min(small), max(small),
        count(value), count(*) FILTER (isnan(value)), sum(value) FILTER (isfinite(value)), min(value), max(value)::VARCHAR,
        sum(ratio), min(ratio), max(ratio), count(ok), count(*) FILTER (ok), min(ok), max(ok), min(day), max(day),
        count(word), count(DISTINCT word), min(word), max(word), min(text), max(text), count(nothing),
        min(time), max(time) FROM lake.shop.events"""
one = lambda sql: c.execute(sql).fetchone()
emit({
    "now": one(figures),
    "first": one(figures + f" AT (VERSION => {FIRST})"),
    "words": c.execute("SELECT DISTINCT word FROM lake.shop.events WHERE word IS NOT NULL ORDER BY word").fetchall(),
    "quoted": one("SELECT count(*) FROM lake.shop.events WHERE word = 'it''s'"),
    "nan": one("SELECT count(*) FROM lake.shop.events WHERE value = 'nan'::DOUBLE"),
    "beyond": one("SELECT count(*) FROM lake.shop.events WHERE value > 1e100 AND NOT isnan(value)"),
    "long": one("SELECT count(*) FROM lake.shop.events WHERE text >= '00039999xxxx'"),
    "null extra": one("SELECT count(*) FROM lake.shop.events WHERE extra IS NULL"),
    "extra": one("SELECT count(extra), min(extra), max(extra) FROM lake.shop.events"),
    "true": one("SELECT count(*) FROM lake.shop.events WHERE ok"),
    "types": c.execute("DESCRIBE lake.shop.events").fetchall(),
    "comments": one("SELECT comment FROM duckdb_tables() WHERE table_name = 'events'"),
    "column comment": one("SELECT comment FROM duckdb_columns() WHERE table_name = 'events' AND column_name = 'id'"),
    "snapshots": c.execute("SELECT snapshot_id, author, commit_message FROM lake.snapshots() ORDER BY 1").fetchall(),
})
"#;

/// The same figures as the script's, from the rows that were written.
fn expected(days: i64) -> Value {
    let rows = 0..days * DAY_ROWS;
    let small: Vec<i64> = rows.clone().filter(|i| i % 3 != 0).map(|i| i % 100 - 50).collect();
    let finite: f64 = rows.clone().filter(|i| i % 1_000 > 2).map(|i| (i as f64 - 20_000.0) / 8.0).sum();
    let count = |keep: &dyn Fn(&i64) -> bool| rows.clone().filter(|i| keep(i)).count();
    let text = |i: i64| format!("{i:08}{}", "x".repeat(90));
    json!([
        rows.end,
        rows.clone().filter(|i| *i != 77).sum::<i64>(),
        i64::MIN,
        rows.end - 1,
        small.iter().sum::<i64>(),
        small.len(),
        small.iter().min(),
        small.iter().max(),
        count(&|i| i % 1_000 != 2),
        days * 10,
        finite,
        (3.0 - 20_000.0) / 8.0,
        "nan",
        rows.clone().map(|i| (i % 16) as f64 / 16.0).sum::<f64>(),
        0.0,
        0.9375,
        count(&|i| i % 7 != 0),
        count(&|i| i % 7 != 0 && i % 2 == 0),
        false,
        true,
        "1969-12-31",
        if days == 3 { "1970-01-02" } else { "1970-01-03" },
        count(&|i| i % 5 != 0),
        4,
        "",
        WORDS[3],
        text(0),
        text(rows.end - 1),
        0,
        "2026-11-09 00:00:00+00:00",
        format!("2026-11-{:02} 23:59:51.360000+00:00", 8 + days),
    ])
}

#[test]
fn duckdb_reads_the_same_rows_at_every_snapshot() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (first, second) = make_lake(folder.path())?;
    let found = duckdb::query(folder.path(), &SCRIPT.replace("{FIRST}", &first.to_string()))?;
    assert_eq!(found["first"], expected(3));
    assert_eq!(found["now"], expected(4));
    let mut words = WORDS;
    words.sort_unstable();
    assert_eq!(found["words"], json!(words.map(|word| [word])));
    assert_eq!(found["quoted"], json!([8_000]));
    assert_eq!(found["nan"], json!([40]));
    assert_eq!(found["beyond"], json!([40]));
    assert_eq!(found["long"], json!([1]));
    assert_eq!(found["null extra"], json!([30_000]));
    assert_eq!(found["extra"], json!([10_000, 30_000.0, 39_999.0]));
    assert_eq!(found["true"], expected(4)[17].as_i64().map(|n| json!([n])).unwrap_or_default());
    assert_eq!(found["types"][0][1], "TIMESTAMP WITH TIME ZONE");
    assert_eq!(found["comments"], json!(["rows of \"every\" type"]));
    assert_eq!(found["column comment"], json!(["the row's \"id\""]));
    assert_eq!(found["snapshots"][2], json!([second.0, "tests", "it's \"quoted\""]));
    Ok(())
}

#[test]
fn a_filter_on_time_prunes_files() -> Result<()> {
    let folder = tempfile::tempdir()?;
    make_lake(folder.path())?;
    let script = r#"
import re
def files(where):
    plan = c.execute(f"EXPLAIN ANALYZE SELECT sum(id) FROM lake.shop.events WHERE {where}").fetchall()[0][1]
    found = re.search(r"Total Files Read: (\d+)", plan)
    return int(found.group(1)) if found else plan

emit([
    files("time >= '2026-11-08'"),
    files("time >= '2026-11-10 00:00:00+00' AND time < '2026-11-11 00:00:00+00'"),
    files("time >= '2026-11-11 12:00:00+00'"),
    files("time < '2026-11-09 00:00:00.000001+00'"),
])
"#;
    assert_eq!(duckdb::query(folder.path(), script)?, json!([4, 1, 2, 1]));
    Ok(())
}
