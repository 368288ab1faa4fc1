//! Laws of the column builders.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

fn packed(column: &Column) -> &[u8] {
    match &column.values {
        Values::Packed(bytes) => bytes,
        _ => &[],
    }
}

#[test]
fn numbers_are_little_endian() {
    let mut column = I32Column::default();
    column.push(1);
    column.push(-2);
    assert_eq!(packed(&column.finish()), [1, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff]);
    assert!(column.is_empty());
}

#[test]
fn booleans_are_bits_from_the_least_significant() {
    let mut column = BoolColumn::default();
    for i in 0..10 {
        column.push(i % 3 == 0);
    }
    assert_eq!(packed(&column.finish()), [0b0100_1001, 0b10]);
}

#[test]
fn texts_are_written_in_every_way() {
    let mut column = TextColumn::default();
    column.push_str("a\u{e9}");
    column.push_fmt(format_args!("{}-{}", 1, 2));
    column.push_hex16(0x0123_4567_89ab_cdef);
    column.push_numbered("user-", 90_210);
    column.push_numbered("", 0);
    column.push_numbered("", u64::MAX);
    column.push_with(|writer| {
        let _ = writer.write_str("");
    });
    let finished = column.finish();
    let all: Vec<_> = (0..7).map(|i| finished.text(i).unwrap()).collect();
    assert_eq!(all, ["a\u{e9}", "1-2", "0123456789abcdef", "user-90210", "0", "18446744073709551615", ""]);
    assert_eq!(finished.text(7), None);
    // A second batch begins at offset 0 again.
    column.push_str("b");
    assert_eq!(column.finish().text(0), Some("b"));
}

#[test]
fn a_dictionary_keeps_its_values_from_batch_to_batch() {
    let mut column = DictionaryColumn::of(["eu", "us"]);
    column.push(1);
    assert_eq!(column.finish().text(0), Some("us"));
    assert_eq!(column.add_value("asia"), 2);
    column.push(2);
    column.push(0);
    let finished = column.finish();
    assert_eq!((finished.text(0), finished.text(1), finished.key(1)), (Some("asia"), Some("eu"), Some(0)));
}

#[test]
fn validity_costs_nothing_without_nulls() {
    let mut column = Nullable::<DictionaryColumn>::default();
    column.push_null();
    let finished = column.finish();
    assert_eq!((finished.text(0), finished.is_valid(0)), (None, false));
    // A null's key must name a value, even where none was set.
    assert_eq!(finished.dictionary().unwrap().len(), 1);
    column.inner_mut().set_values(["x"]);
    column.push(0);
    assert_eq!(column.finish().validity, None);
}

proptest! {
    #[test]
    fn nullable_texts_come_back(rows in prop::collection::vec(prop::option::of(".{0,12}"), 0..60)) {
        let mut column = Nullable::<TextColumn>::default();
        for (i, row) in rows.iter().enumerate() {
            match row {
                Some(text) if i % 2 == 0 => column.present().push_str(text),
                other => column.push_option(other.as_deref()),
            }
        }
        let finished = column.finish();
        for (i, row) in rows.iter().enumerate() {
            prop_assert_eq!(finished.text(i), row.as_deref());
            prop_assert_eq!(finished.is_valid(i), row.is_some());
        }
        let field = crate::Field { nullable: true, ..crate::Field::new("f", DataType::Utf8) };
        prop_assert_eq!(finished.check(&field, rows.len() as u32), Ok(()));
        prop_assert!(finished.check(&field, rows.len() as u32 + 9).is_err());
    }

    #[test]
    fn nullable_numbers_come_back(rows in prop::collection::vec(prop::option::of(any::<f64>()), 0..60)) {
        let mut column = Nullable::<F64Column>::default();
        rows.iter().for_each(|row| column.push_option(*row));
        let finished = column.finish();
        for (i, row) in rows.iter().enumerate() {
            prop_assert_eq!(finished.f64(i).map(f64::to_bits), row.map(f64::to_bits));
        }
    }

    #[test]
    fn hex_digits_are_those_of_the_standard_library(value: u64) {
        let mut column = TextColumn::default();
        column.push_hex16(value);
        let finished = column.finish();
        prop_assert_eq!(finished.text(0).unwrap(), format!("{value:016x}"));
    }
}
