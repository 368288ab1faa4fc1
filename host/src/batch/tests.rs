//! Laws of the way between guests and Arrow: what goes in comes out, faults are named, fingerprints ignore order.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use super::check::Fault;
use super::*;
use crate::core::schema::{DataType, Field, Table, TableKind};
use crate::core::time::{Timestamp, Window};
use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use proptest::prelude::*;

const WINDOW: Window = Window { start: Timestamp(0), end: Timestamp(1_000) };

fn layout() -> TableLayout {
    let field = |name: &str, data_type, nullable| Field {
        name: name.into(),
        data_type,
        nullable,
        unit: None,
        summary: String::new(),
        attributes: vec![],
    };
    TableLayout::new(Table {
        name: "readings".into(),
        summary: String::new(),
        kind: TableKind::Events,
        fields: vec![
            field("time", DataType::Timestamp, false),
            field("value", DataType::Float64, true),
            field("name", DataType::Utf8, false),
            field("flag", DataType::Boolean, true),
            field("count", DataType::Int32, false),
        ],
        primary_key: vec![],
        time_field: Some("time".into()),
        attributes: vec![],
    })
}

type Row = (i64, Option<f64>, String, Option<bool>, i32);

fn bits(values: &[bool]) -> Vec<u8> {
    values.chunks(8).map(|chunk| chunk.iter().rev().fold(0, |byte, &bit| byte << 1 | u8::from(bit))).collect()
}

fn text(values: &[&str]) -> GuestText {
    let mut text = GuestText { offsets: 0_u32.to_le_bytes().to_vec(), bytes: vec![] };
    for value in values {
        text.bytes.extend(value.as_bytes());
        text.offsets.extend((text.bytes.len() as u32).to_le_bytes());
    }
    text
}

fn guest(rows: &[Row], dictionary: bool) -> GuestBatch {
    let packed = |bytes: Vec<u8>| GuestColumn { values: GuestValues::Packed(bytes), validity: None };
    let names: Vec<&str> = rows.iter().map(|row| row.2.as_str()).collect();
    let name = if dictionary {
        let mut distinct = names.clone();
        distinct.sort_unstable();
        distinct.dedup();
        let key = |name: &&str| distinct.binary_search(name).unwrap() as u32;
        GuestValues::Dictionary(names.iter().flat_map(|name| key(name).to_le_bytes()).collect(), text(&distinct))
    } else {
        GuestValues::Text(text(&names))
    };
    let columns = vec![
        packed(rows.iter().flat_map(|row| row.0.to_le_bytes()).collect()),
        GuestColumn {
            values: GuestValues::Packed(rows.iter().flat_map(|row| row.1.unwrap_or(7.0).to_le_bytes()).collect()),
            validity: Some(bits(&rows.iter().map(|row| row.1.is_some()).collect::<Vec<_>>())),
        },
        GuestColumn { values: name, validity: None },
        GuestColumn {
            values: GuestValues::Packed(bits(&rows.iter().map(|row| row.3 == Some(true)).collect::<Vec<_>>())),
            validity: Some(bits(&rows.iter().map(|row| row.3.is_some()).collect::<Vec<_>>())),
        },
        packed(rows.iter().flat_map(|row| row.4.to_le_bytes()).collect()),
    ];
    GuestBatch { table: 0, rows: rows.len() as u32, columns }
}

fn arrow(rows: &[Row], dictionary: bool) -> RecordBatch {
    to_arrow(guest(rows, dictionary), &[layout()], WINDOW).unwrap().1
}

fn fingerprint(batches: &[RecordBatch]) -> TableFingerprint {
    let mut sum = TableFingerprint::default();
    batches.iter().for_each(|batch| sum.add(batch).unwrap());
    sum
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let row = (0..1_000_i64, any::<Option<f64>>(), ".{0,3}|[ab]", any::<Option<bool>>(), any::<i32>());
    proptest::collection::vec(row, 0..700)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn guests_get_back_what_they_sent(rows in rows()) {
        let batch = arrow(&rows, false);
        let back = to_arrow(to_guest(&batch, 0).unwrap(), &[layout()], WINDOW).unwrap().1;
        prop_assert_eq!(&fingerprint(std::slice::from_ref(&batch)), &fingerprint(&[back]));
        let cut = rows.len() / 3;
        let slice = to_guest(&batch.slice(cut, rows.len() - cut), 0).unwrap();
        let rest = to_arrow(slice, &[layout()], WINDOW).unwrap().1;
        prop_assert_eq!(fingerprint(&[rest]), fingerprint(&[arrow(&rows[cut..], true)]));
    }

    #[test]
    fn fingerprints_ignore_order_batches_and_dictionaries(rows in rows(), cut in 0..700_usize) {
        let whole = fingerprint(&[arrow(&rows, false)]);
        let (head, tail) = rows.split_at(cut.min(rows.len()));
        let mut reversed = tail.to_vec();
        reversed.reverse();
        prop_assert_eq!(whole, fingerprint(&[arrow(&reversed, true), arrow(head, false)]));
        let mut merged = fingerprint(&[arrow(head, true)]);
        merged.merge(&fingerprint(&[arrow(tail, true)]));
        prop_assert_eq!(whole, merged);
    }

    #[test]
    fn fingerprints_see_every_change(rows in rows().prop_filter("needs rows", |rows| !rows.is_empty()), at in any::<prop::sample::Index>()) {
        let whole = fingerprint(&[arrow(&rows, false)]);
        let changes: [fn(&mut Row); 5] = [
            |row| row.0 = (row.0 + 1) % 1_000,
            |row| row.1 = row.1.map_or(Some(7.0), |_| None),
            |row| row.2.push('x'),
            |row| row.3 = row.3.map_or(Some(false), |_| None),
            |row| row.4 = row.4.wrapping_add(1),
        ];
        for change in changes {
            let mut other = rows.clone();
            let index = at.index(other.len());
            change(&mut other[index]);
            prop_assert_ne!(whole, fingerprint(&[arrow(&other, false)]));
        }
    }
}

#[test]
fn values_that_change_places_change_the_fingerprint() {
    let row = |time, count| (time, None, "a".to_owned(), None, count);
    let straight = fingerprint(&[arrow(&[row(1, 2), row(3, 4)], false)]);
    assert_ne!(straight, fingerprint(&[arrow(&[row(1, 4), row(3, 2)], false)]));
    assert_ne!(straight, fingerprint(&[arrow(&[row(1, 2)], false)]));
}

#[test]
fn fingerprints_are_the_same_everywhere() {
    let rows: Vec<Row> =
        (0..1_000).map(|i| (i, (i % 3 > 0).then_some(0.5), i.to_string(), Some(i % 2 > 0), 7)).collect();
    let tables = [("readings".to_owned(), fingerprint(&[arrow(&rows, true)]))].into();
    // Stored runs are verified against this function for ever: a new value here is a breaking change.
    assert_eq!(
        dataset_fingerprint(&tables).to_string(),
        "1ac096271a524b1ff397b961e220ed909984b9719f4674c71c83d9acd305bb52"
    );
}

#[test]
fn batches_of_one_table_join() {
    let rows = [(1, Some(1.5), "a".to_owned(), None, 1)];
    let batch = arrow(&rows, false);
    assert_eq!(concat_batches(&layout().schema, [&batch, &batch]).unwrap().num_rows(), 2);
}

#[test]
fn every_fault_is_named() {
    type Case = (&'static str, fn(&mut GuestBatch), fn(&Fault) -> bool);
    let cases: [Case; 12] = [
        ("unknown table", |b| b.table = 9, |f| matches!(f, Fault::UnknownTable(1))),
        ("missing column", |b| drop(b.columns.pop()), |f| matches!(f, Fault::ColumnCount { got: 4, expected: 5 })),
        ("more rows than values", |b| b.rows += 1, |f| matches!(f, Fault::Length { got: 16, expected: 24, .. })),
        ("short validity", |b| b.columns[1].validity = Some(vec![]), |f| matches!(f, Fault::Length { .. })),
        ("nulls where none are allowed", |b| b.columns[4].validity = Some(vec![1]), |f| *f == Fault::Null(1)),
        (
            "a row outside",
            |b| b.columns[0].values = GuestValues::Int64s(vec![1, 1_000]),
            |f| matches!(f, Fault::OutsideWindow { time: Timestamp(1_000), .. }),
        ),
        (
            "floats as text",
            |b| b.columns[2].values = GuestValues::Float64s(vec![0.0; 2]),
            |f| matches!(f, Fault::Form { .. }),
        ),
        (
            "a number too large",
            |b| b.columns[4].values = GuestValues::Int64s(vec![1, 1 << 40]),
            |f| matches!(f, Fault::Range(_)),
        ),
        (
            "offsets that step back",
            |b| {
                b.columns[2].values = GuestValues::Text(GuestText {
                    offsets: [0_u32, 2, 1].iter().flat_map(|o| o.to_le_bytes()).collect(),
                    bytes: b"a".to_vec(),
                })
            },
            |f| matches!(f, Fault::Offsets { index: 2, value: 1, .. }),
        ),
        (
            "offsets beyond the bytes",
            |b| {
                b.columns[2].values = GuestValues::Text(GuestText {
                    offsets: [0_u32, 1, u32::MAX].iter().flat_map(|o| o.to_le_bytes()).collect(),
                    bytes: b"ab".to_vec(),
                })
            },
            |f| matches!(f, Fault::Offsets { .. }),
        ),
        (
            "a cut character",
            |b| {
                b.columns[2].values = GuestValues::Text(GuestText {
                    offsets: [0_u32, 1, 2].iter().flat_map(|o| o.to_le_bytes()).collect(),
                    bytes: "é".as_bytes().to_vec(),
                })
            },
            |f| *f == Fault::Utf8,
        ),
        (
            "a key without a value",
            |b| {
                b.columns[2].values =
                    GuestValues::Dictionary([0_u32, 5].iter().flat_map(|o| o.to_le_bytes()).collect(), text(&["a"]))
            },
            |f| matches!(f, Fault::DictionaryKey { row: 1, key: 5, values: 1 }),
        ),
    ];
    let rows = [(1, Some(1.5), "a".to_owned(), None, 1), (2, None, "b".to_owned(), Some(true), 2)];
    for (name, fault, expected) in cases {
        let mut batch = guest(&rows, false);
        fault(&mut batch);
        let error = to_arrow(batch, &[layout()], WINDOW).expect_err(name);
        assert!(expected(&error.fault), "{name}: {error}");
    }
}
