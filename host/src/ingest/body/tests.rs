//! Bodies of every format into a real log.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::ingest::log::LogSettings;
use crate::ingest::log::tests::{Fixture, at_rest};
use arrow::array::{ArrayRef, Int64Array, StringArray};
use arrow::ipc::writer::{FileWriter, StreamWriter};
use std::io::Write as _;
use std::sync::Arc;

fn body(format: Format, bytes: &[u8]) -> Body {
    Body {
        dataset: "shop".into(),
        table: "orders".into(),
        bytes: Bytes::copy_from_slice(bytes),
        format,
        delimiter: b',',
        partial: false,
        time_field: None,
        key: None,
    }
}

fn batch(ids: Vec<i64>) -> RecordBatch {
    let names = StringArray::from_iter_values(ids.iter().map(|id| format!("n{id}")));
    let columns: [(&str, ArrayRef); 2] = [("id", Arc::new(Int64Array::from(ids))), ("name", Arc::new(names))];
    RecordBatch::try_from_iter(columns).unwrap()
}

fn arrow(ids: Vec<i64>) -> Vec<u8> {
    let batch = batch(ids);
    let mut writer = StreamWriter::try_new(Vec::new(), batch.schema_ref()).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

fn arrow_file(ids: Vec<i64>) -> Vec<u8> {
    let batch = batch(ids);
    let mut writer = FileWriter::try_new(Vec::new(), batch.schema_ref()).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

fn parquet(ids: Vec<i64>) -> Vec<u8> {
    let batch = batch(ids);
    let mut writer = ::parquet::arrow::ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn append(log: &Log, body: &Body) -> Result<Taken, IngestError> {
    super::append(log, body)?.wait()
}

const IDS: &str = "SELECT id FROM shop.orders ORDER BY id";

#[test]
fn every_format_goes_into_the_same_table() {
    let data = Fixture::new();
    let log = data.open(at_rest()).unwrap();
    let first = append(&log, &body(Format::Ndjson, b"{\"id\":1,\"name\":\"n1\"}\n{\"id\":2}\n")).unwrap();
    assert_eq!((first.rows, first.created, first.repeated), (2, true, false));
    for (format, bytes) in [
        (Format::Csv, b"id,name\n3,n3\n".to_vec()),
        (Format::Arrow, arrow(vec![4, 5])),
        (Format::Parquet, parquet(vec![6])),
        (Format::Csv, gzip(b"name,id\nn7,7\n")),
        (Format::Arrow, zstd::encode_all(&*arrow(vec![8]), 1).unwrap()),
        (Format::Parquet, gzip(&parquet(vec![9]))),
        (Format::Arrow, arrow_file(vec![10, 11])),
        (Format::Arrow, gzip(&arrow_file(vec![12]))),
    ] {
        assert!(!append(&log, &body(format, &bytes)).unwrap().created);
    }
    assert_eq!(data.numbers(Some(&log), IDS), (1..13).collect::<Vec<_>>());
    log.close().unwrap();
    assert_eq!(data.numbers(None, IDS), (1..13).collect::<Vec<_>>());
}

#[test]
fn a_new_table_may_begin_with_any_format() {
    for (format, bytes) in
        [(Format::Arrow, arrow(vec![1])), (Format::Parquet, parquet(vec![1])), (Format::Csv, b"id\n1\n".to_vec())]
    {
        let data = Fixture::new();
        let log = data.open(at_rest()).unwrap();
        assert!(append(&log, &body(format, &bytes)).unwrap().created);
        assert_eq!(data.numbers(Some(&log), IDS), [1]);
    }
}

#[test]
fn bad_rows_keep_all_out_or_only_themselves() {
    let data = Fixture::new();
    let log = data.open(at_rest()).unwrap();
    append(&log, &body(Format::Csv, b"id,name\n1,a\n")).unwrap();
    let bad = b"{\"id\":2}\n{\"id\":\"x\",\"name\":\"y\"}\nnonsense\n{\"id\":3,\"colour\":1}\n{\"id\":4}\n";
    match append(&log, &body(Format::Ndjson, bad)) {
        Err(IngestError::BadRows { total: 3, first, .. }) => assert_eq!(first[0].path, "line 2"),
        other => panic!("{other:?}"),
    }
    assert_eq!(data.numbers(Some(&log), IDS), [1]);
    let taken = append(&log, &Body { partial: true, ..body(Format::Ndjson, bad) }).unwrap();
    assert_eq!((taken.rows, taken.bad, taken.first.len()), (2, 3, 3));
    assert_eq!(data.numbers(Some(&log), IDS), [1, 2, 4]);
    // In columns: a value that does not fit the held type.
    let small: [(&str, ArrayRef); 1] = [("n", Arc::new(arrow::array::Int32Array::from(vec![1])))];
    let mut writer =
        StreamWriter::try_new(Vec::new(), RecordBatch::try_from_iter(small.clone()).unwrap().schema_ref()).unwrap();
    writer.write(&RecordBatch::try_from_iter(small).unwrap()).unwrap();
    let narrow = Body { table: "narrow".into(), ..body(Format::Arrow, &writer.into_inner().unwrap()) };
    append(&log, &narrow).unwrap();
    let wide: [(&str, ArrayRef); 1] = [("n", Arc::new(Int64Array::from(vec![2, i64::MAX, 3])))];
    let wide = RecordBatch::try_from_iter(wide).unwrap();
    let mut writer = StreamWriter::try_new(Vec::new(), wide.schema_ref()).unwrap();
    writer.write(&wide).unwrap();
    let wide = Body { partial: true, bytes: writer.into_inner().unwrap().into(), ..narrow };
    let taken = append(&log, &wide).unwrap();
    assert_eq!((taken.rows, taken.bad, taken.first[0].path.as_str()), (2, 1, "row 2"));
}

#[test]
fn a_key_repeats_and_a_bomb_is_refused() {
    let data = Fixture::new();
    let log = data.open(LogSettings { unfolded_bytes: 10_000, ..at_rest() }).unwrap();
    let bytes = b"id\n1\n";
    let keyed = Body { key: Some(Key::new("/t", "k", bytes)), ..body(Format::Csv, bytes) };
    assert!(!append(&log, &keyed).unwrap().repeated);
    assert!(append(&log, &keyed).unwrap().repeated);
    let bomb = gzip("id\n".bytes().chain("1\n".bytes().cycle().take(1_000_000)).collect::<Vec<_>>().as_slice());
    assert!(matches!(append(&log, &body(Format::Csv, &bomb)), Err(IngestError::TooLarge { .. })));
    // Ten thousand rows of one value are a few bytes of Parquet.
    let many = parquet(vec![7; 10_000]);
    assert!(many.len() < 10_000_000);
    assert!(matches!(
        append(&log, &body(Format::Parquet, &many)),
        Err(IngestError::TooLarge { .. } | IngestError::BadFile { .. })
    ));
    assert!(matches!(append(&log, &body(Format::Parquet, b"PAR1 nonsense")), Err(IngestError::BadFile { .. })));
    assert!(matches!(append(&log, &body(Format::Arrow, b"nonsense")), Err(IngestError::BadFile { .. })));
    let file = arrow_file(vec![2]);
    for length in [3, 8, file.len() / 2, file.len() - 1] {
        let cut = append(&log, &body(Format::Arrow, &file[..length]));
        assert!(matches!(cut, Err(IngestError::BadFile { .. })), "{length}: {cut:?}");
    }
    let bomb = zstd::encode_all(&*arrow_file(vec![7; 100_000]), 1).unwrap();
    assert!(matches!(append(&log, &body(Format::Arrow, &bomb)), Err(IngestError::TooLarge { .. })));
    assert_eq!(data.numbers(Some(&log), IDS), [1]);
}
