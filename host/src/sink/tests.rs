//! What the encoders write is read back by other readers, value by value.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use super::bulk::BulkEncoder;
use super::csv::CsvEncoder;
use super::ndjson::{NdjsonEncoder, Nulls};
use super::parquet::ParquetEncoder;
use super::{Columns, Encoder, SinkError};
use crate::batch::TableLayout;
use crate::core::schema::{Attribute, DataType, Field, Table, TableKind};
use arrow::array::{Array, DictionaryArray, RecordBatchOptions, StringArray, TimestampMicrosecondArray, UInt16Array};
use arrow::array::{ArrayRef, AsArray, BooleanArray, Date32Array, Float32Array, Float64Array, Int32Array, Int64Array};
use arrow::datatypes::{Int32Type, Schema};
use arrow::record_batch::RecordBatch;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

mod speed;

/// A field of a test's table.
pub(super) fn field(name: &str, data_type: DataType) -> Field {
    Field { name: name.into(), data_type, nullable: true, unit: None, summary: String::new(), attributes: Vec::new() }
}

/// A table of a test.
pub(super) fn layout(name: &str, fields: Vec<Field>, primary_key: &[&str], time_field: Option<&str>) -> TableLayout {
    TableLayout::new(Table {
        name: name.into(),
        summary: String::new(),
        kind: TableKind::Events,
        fields,
        primary_key: primary_key.iter().map(|&key| key.into()).collect(),
        time_field: time_field.map(Into::into),
        attributes: Vec::new(),
    })
}

fn every_type() -> TableLayout {
    let types = [
        ("flag", DataType::Boolean),
        ("small", DataType::Int32),
        ("large", DataType::Int64),
        ("single", DataType::Float32),
        ("double", DataType::Float64),
        ("text", DataType::Utf8),
        ("word", DataType::Utf8),
        ("day", DataType::Date),
        ("time", DataType::Timestamp),
    ];
    let fields = types.map(|(name, data_type)| field(name, data_type)).to_vec();
    layout("every_type", fields, &["text", "small"], None)
}

/// One row of [`every_type`].
type Row = (
    (Option<bool>, Option<i32>, Option<i64>, Option<f32>, Option<f64>),
    (Option<String>, Option<String>, Option<i32>, Option<i64>),
);

fn row() -> impl Strategy<Value = Row> {
    let word = prop::sample::select(vec!["", "a", "a,b", "say \"yes\"", "two\nlines", "tab\t\u{1}", "größe", "\\"]);
    // Arrow's own readers know the years 0000 to 9999 only.
    let (days, times) = (-719_528..2_932_897_i32, -62_167_219_200_000_000..253_402_300_800_000_000_i64);
    (
        (
            option::of(any::<bool>()),
            option::of(any::<i32>()),
            option::of(any::<i64>()),
            option::of(any::<f32>()),
            option::of(any::<f64>()),
        ),
        (option::of(any::<String>()), option::of(word.prop_map(str::to_owned)), option::of(days), option::of(times)),
    )
}

fn batch(layout: &TableLayout, rows: &[Row]) -> RecordBatch {
    let words: DictionaryArray<Int32Type> = rows.iter().map(|row| row.1.1.as_deref()).collect();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(|row| row.0.0).collect::<BooleanArray>()),
        Arc::new(rows.iter().map(|row| row.0.1).collect::<Int32Array>()),
        Arc::new(rows.iter().map(|row| row.0.2).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|row| row.0.3).collect::<Float32Array>()),
        Arc::new(rows.iter().map(|row| row.0.4).collect::<Float64Array>()),
        Arc::new(rows.iter().map(|row| row.1.0.clone()).collect::<StringArray>()),
        Arc::new(words),
        Arc::new(rows.iter().map(|row| row.1.2).collect::<Date32Array>()),
        Arc::new(rows.iter().map(|row| row.1.3).collect::<TimestampMicrosecondArray>().with_timezone("UTC")),
    ];
    let fields = layout.schema.fields().iter().zip(&columns);
    let fields = fields.map(|(field, column)| field.as_ref().clone().with_data_type(column.data_type().clone()));
    RecordBatch::try_new(Arc::new(Schema::new(fields.collect::<Vec<_>>())), columns).unwrap()
}

/// All that an encoder writes for batches.
pub(super) fn encode(mut encoder: impl Encoder, batches: &[RecordBatch]) -> Vec<u8> {
    let mut out = Vec::new();
    encoder.begin(&mut out).unwrap();
    for batch in batches {
        encoder.encode(batch, &mut out).unwrap();
    }
    encoder.finish(&mut out).unwrap();
    out
}

/// A field of a CSV record: the text, and whether it stood in quotes.
type CsvField = (String, bool);

/// Reads CSV as RFC 4180 describes it, keeping what was quoted.
fn read_csv(text: &str) -> Vec<Vec<CsvField>> {
    let (mut records, mut record, mut field, mut quoted, mut inside) =
        (Vec::new(), Vec::new(), String::new(), false, false);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if inside && letters.peek() == Some(&'"') => field.push(letters.next().unwrap()),
            '"' => (inside, quoted) = (!inside, true),
            _ if inside => field.push(letter),
            ',' | '\n' => {
                record.push((std::mem::take(&mut field), std::mem::take(&mut quoted)));
                if letter == '\n' {
                    records.push(std::mem::take(&mut record));
                }
            }
            _ => field.push(letter),
        }
    }
    records
}

fn lines(bytes: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(bytes).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))).collect()
}

proptest! {
    #[test]
    fn csv_reads_back_through_arrow_and_tells_null_from_empty(rows in vec(row(), 0..30)) {
        let layout = every_type();
        let batch = batch(&layout, &rows);
        let out = encode(CsvEncoder::new(Columns::all(&layout.schema)), &[batch.slice(0, rows.len() / 2), batch.slice(rows.len() / 2, rows.len() - rows.len() / 2)]);

        let mut reader = arrow::csv::ReaderBuilder::new(Arc::clone(&layout.schema)).with_header(true).with_batch_size(64).build(out.as_slice()).unwrap();
        let read = reader.next().transpose().unwrap().unwrap_or_else(|| RecordBatch::new_empty(Arc::clone(&layout.schema)));
        prop_assert_eq!(read.num_rows(), rows.len());
        for (name, column) in read.schema().fields().iter().map(|field| field.name()).zip(read.columns()) {
            let expected = arrow::compute::cast(batch.column_by_name(name).unwrap(), column.data_type()).unwrap();
            if name == "text" || name == "word" {
                let empty_is_null = |value: Option<&str>| value.filter(|text| !text.is_empty()).map(str::to_owned);
                let texts = |array: &ArrayRef| array.as_string::<i32>().iter().map(empty_is_null).collect::<Vec<_>>();
                prop_assert_eq!(texts(column), texts(&expected));
            } else if name == "single" || name == "double" {
                // NaN is not itself, and every NaN is one word.
                prop_assert_eq!(format!("{column:?}"), format!("{expected:?}"));
            } else {
                prop_assert_eq!(column, &expected, "{}", name);
            }
        }

        let records = read_csv(std::str::from_utf8(&out).unwrap());
        prop_assert_eq!(records.len(), rows.len() + 1);
        for (record, row) in records[1..].iter().zip(&rows) {
            for (field, value) in [(&record[5], &row.1.0), (&record[6], &row.1.1)] {
                let read = (field.1 || !field.0.is_empty()).then_some(&field.0);
                prop_assert_eq!(read, value.as_ref());
            }
        }
    }

    #[test]
    fn ndjson_reads_back_through_serde(rows in vec(row(), 0..30)) {
        let layout = every_type();
        let batch = batch(&layout, &rows);
        for nulls in [Nulls::Written, Nulls::LeftOut] {
            let out = encode(NdjsonEncoder::new(Columns::all(&layout.schema), nulls), std::slice::from_ref(&batch));
            let read = lines(&out);
            prop_assert_eq!(read.len(), rows.len());
            for ((line, text), row) in read.iter().zip(std::str::from_utf8(&out).unwrap().lines()).zip(&rows) {
                let object = line.as_object().unwrap();
                prop_assert!(nulls == Nulls::LeftOut || object.len() == 9);
                prop_assert!(nulls == Nulls::Written || object.values().all(|value| !value.is_null()));
                let get = |name: &str| object.get(name).filter(|value| !value.is_null());
                prop_assert_eq!(get("flag").map(|v| v.as_bool().unwrap()), row.0.0);
                prop_assert_eq!(get("small").map(|v| v.as_i64().unwrap()), row.0.1.map(i64::from));
                prop_assert_eq!(get("large").map(|v| v.as_i64().unwrap()), row.0.2);
                prop_assert_eq!(get("single").map(|v| v.as_f64().unwrap() as f32), row.0.3.filter(|v| v.is_finite()));
                // serde_json reads doubles one step off where told to be quick, so the text is what counts.
                let texts: BTreeMap<&str, &RawValue> = serde_json::from_str(text).unwrap();
                let double = texts.get("double").map(|text| text.get()).filter(|text| *text != "null");
                prop_assert_eq!(double.map(|text| text.parse().unwrap()), row.0.4.filter(|v| v.is_finite()));
                prop_assert_eq!(get("text").map(|v| v.as_str().unwrap()), row.1.0.as_deref());
                prop_assert_eq!(get("word").map(|v| v.as_str().unwrap()), row.1.1.as_deref());
                let day = get("day").map(|v| v.as_str().unwrap().parse::<jiff::civil::Date>().unwrap());
                let epoch = jiff::civil::date(1970, 1, 1);
                prop_assert_eq!(day.map(|day| day.duration_since(epoch).as_hours() / 24), row.1.2.map(i64::from));
                let time = get("time").map(|v| v.as_str().unwrap().parse::<jiff::Timestamp>().unwrap());
                prop_assert_eq!(time.map(jiff::Timestamp::as_microsecond), row.1.3);
            }
        }
    }

    #[test]
    fn ids_differ_where_keys_differ(rows in vec(row(), 0..30)) {
        let layout = every_type();
        let keys: HashSet<_> = rows.iter().map(|row| (row.1.0.clone(), row.0.1)).collect();
        let out = encode(BulkEncoder::for_table(&layout, Some("demo")).unwrap(), &[batch(&layout, &rows)]);
        let read = lines(&out);
        prop_assert_eq!(read.len(), rows.len() * 2);
        let ids: HashSet<_> = read.chunks(2).map(|pair| pair[0]["index"]["_id"].as_str().unwrap().to_owned()).collect();
        prop_assert_eq!(ids.len(), keys.len());
        prop_assert!(read.chunks(2).all(|pair| pair[0]["index"]["_index"] == "demo" && pair[1].is_object()));
    }

    #[test]
    fn parquet_reads_back(rows in vec(row(), 1..30)) {
        let layout = every_type();
        let batch = batch(&layout, &rows);
        let encoder = ParquetEncoder::new(&layout.schema, Columns::all(&layout.schema)).unwrap();
        let out = encode(encoder, &[batch.clone(), batch.clone()]);
        let reader = ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(out)).unwrap().build().unwrap();
        let read: Vec<_> = reader.map(Result::unwrap).collect();
        let read = arrow::compute::concat_batches(&read[0].schema(), &read).unwrap();
        for (name, column) in read.schema().fields().iter().map(|field| field.name()).zip(read.columns()) {
            let expected = arrow::compute::cast(batch.column_by_name(name).unwrap(), column.data_type()).unwrap();
            let expected = arrow::compute::concat(&[&expected, &expected]).unwrap();
            prop_assert_eq!(format!("{column:?}"), format!("{expected:?}"), "{}", name);
        }
    }
}

#[test]
fn rows_look_as_the_module_says() {
    let layout = every_type();
    let row = (
        (Some(true), Some(-1), None, Some(0.1), Some(f64::NAN)),
        (Some("a \"b\", c".into()), Some(String::new()), Some(20_000), Some(1_500)),
    );
    let batch = batch(&layout, &[row]);
    let csv = encode(CsvEncoder::new(Columns::all(&layout.schema)), std::slice::from_ref(&batch));
    insta_eq(
        &csv,
        "flag,small,large,single,double,text,word,day,time\ntrue,-1,,0.1,NaN,\"a \"\"b\"\", c\",\"\",2024-10-04,1970-01-01T00:00:00.001500Z\n",
    );
    let columns =
        Columns::select(&layout.schema, &["time", "text", "large", "double"]).unwrap().renamed("time", "@timestamp");
    let ndjson = encode(NdjsonEncoder::new(columns, Nulls::Written), std::slice::from_ref(&batch));
    insta_eq(
        &ndjson,
        "{\"@timestamp\":\"1970-01-01T00:00:00.001500Z\",\"text\":\"a \\\"b\\\", c\",\"large\":null,\"double\":null}\n",
    );
    let none = encode(
        NdjsonEncoder::new(Columns::select(&layout.schema, &["large"]).unwrap(), Nulls::LeftOut),
        std::slice::from_ref(&batch),
    );
    insta_eq(&none, "{}\n");
}

fn insta_eq(bytes: &[u8], expected: &str) {
    assert_eq!(std::str::from_utf8(bytes).unwrap(), expected);
}

#[test]
fn types_without_a_path_of_their_own_are_written_too() {
    let counts: ArrayRef = Arc::new(UInt16Array::from(vec![Some(7), None]));
    let views: ArrayRef = Arc::new(arrow::array::StringViewArray::from(vec![Some("a,b"), None]));
    let nothing: ArrayRef = Arc::new(arrow::array::NullArray::new(2));
    let big: ArrayRef = Arc::new(DictionaryArray::<Int32Type>::new(
        Int32Array::from(vec![Some(2), None]),
        Arc::new(StringArray::from(vec!["x", "y", "z"])),
    ));
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("n", counts, true),
        ("v", views, true),
        ("o", nothing, true),
        ("d", big, true),
    ])
    .unwrap();
    let csv = encode(CsvEncoder::new(Columns::all(&batch.schema())), std::slice::from_ref(&batch));
    insta_eq(&csv, "n,v,o,d\n7,\"a,b\",,z\n,,,\n");
    let ndjson =
        encode(NdjsonEncoder::new(Columns::all(&batch.schema()), Nulls::Written), std::slice::from_ref(&batch));
    insta_eq(
        &ndjson,
        "{\"n\":7,\"v\":\"a,b\",\"o\":null,\"d\":\"z\"}\n{\"n\":null,\"v\":null,\"o\":null,\"d\":null}\n",
    );
}

#[test]
fn wrong_selections_and_batches_are_errors() {
    let layout = every_type();
    let error = Columns::select(&layout.schema, &["flags"]).expect_err("an unknown column");
    assert!(error.to_string().starts_with("there is no column \"flags\"; the columns are flag, small"), "{error}");
    let options = RecordBatchOptions::new().with_row_count(Some(1));
    let empty = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &options).unwrap();
    let error = CsvEncoder::new(Columns::all(&layout.schema)).encode(&empty, &mut Vec::new()).expect_err("no columns");
    assert!(matches!(error, SinkError::Shape { expected: 9, found: 0 }), "{error}");
}

#[test]
fn mappings_follow_the_declaration() {
    let mut fields = every_type().table.fields;
    fields.push(field("incident_id", DataType::Utf8));
    fields[5].attributes.push(Attribute { name: super::mapping::TYPE_ATTRIBUTE.into(), value: "text".into() });
    fields[6].attributes.push(Attribute { name: super::mapping::TYPE_ATTRIBUTE.into(), value: "no_such_type".into() });
    let body = super::mapping::index_body(&layout("t", fields, &[], Some("time")));
    let properties = &body["mappings"]["properties"];
    let types: Vec<_> = properties
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| format!("{name} {}", value["type"].as_str().unwrap()))
        .collect();
    assert_eq!(
        types,
        [
            "@timestamp date",
            "day date",
            "double double",
            "flag boolean",
            "large long",
            "single float",
            "small integer",
            "text text",
            "word keyword"
        ]
    );
}
