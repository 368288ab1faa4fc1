//! Rows that guests return, as the host's own values: refused with a fault, or sound to Arrow's own checks.

use std::sync::LazyLock;

use arrow::array::Array as _;
use telemill::batch::{
    BadBatch, GuestBatch, GuestColumn, GuestText, GuestValues, TableFingerprint, TableLayout, to_arrow,
};
use telemill::core::schema::{DataType, Field, Table, TableKind};
use telemill::core::time::{Timestamp, Window};

use super::Choices;

/// Batches that are tried.
const BATCHES: usize = 20_000;

/// A table with a column of every type, each with nulls and without.
static LAYOUTS: LazyLock<Vec<TableLayout>> = LazyLock::new(|| {
    use DataType::{Boolean, Date, Float32, Float64, Int32, Int64, Timestamp, Utf8};
    let types = [Boolean, Int32, Int64, Float32, Float64, Utf8, Date, Timestamp];
    let field = |(at, (data_type, nullable)): (usize, (DataType, bool))| Field {
        name: format!("c{at}"),
        data_type,
        nullable,
        unit: None,
        summary: String::new(),
        attributes: Vec::new(),
    };
    let both = types.into_iter().flat_map(|data_type| [(data_type, false), (data_type, true)]);
    vec![TableLayout::new(Table {
        name: "t".into(),
        summary: String::new(),
        kind: TableKind::Events,
        fields: both.enumerate().map(field).collect(),
        primary_key: Vec::new(),
        time_field: Some("c14".into()),
        attributes: Vec::new(),
    })]
});

fn width(data_type: DataType) -> usize {
    match data_type {
        DataType::Int32 | DataType::Float32 | DataType::Date => 4,
        _ => 8,
    }
}

fn text(choices: &mut Choices<'_>, values: usize) -> GuestText {
    let mut bytes = Vec::new();
    let mut offsets = vec![0_u32];
    for _ in 0..values {
        let value: &[u8] = [&b"a"[..], "ü".as_bytes(), b"", b"\xff", b"bcd"][choices.below(5)];
        bytes.extend_from_slice(value);
        offsets.push(u32::try_from(bytes.len()).unwrap());
    }
    if choices.byte() < 8 {
        let at = choices.below(offsets.len());
        offsets[at] = u32::from(choices.byte()) << (choices.below(4) * 8);
    }
    let mut offsets: Vec<u8> = offsets.into_iter().flat_map(u32::to_le_bytes).collect();
    offsets.truncate(choices.about(offsets.len()));
    GuestText { offsets, bytes }
}

fn values(choices: &mut Choices<'_>, data_type: DataType, rows: usize) -> GuestValues {
    let length = choices.about(rows);
    match (data_type, choices.byte() % 8) {
        (DataType::Utf8, 0) => GuestValues::Strings(vec!["x".into(); length]),
        (DataType::Utf8, 1..=4) | (_, 0) => GuestValues::Text(text(choices, length)),
        (DataType::Utf8, _) | (_, 1) => {
            let distinct = choices.below(4);
            let values = text(choices, distinct);
            let keys = (0..length).flat_map(|_| u32::from(choices.byte() % 4).to_le_bytes()).collect();
            GuestValues::Dictionary(keys, values)
        }
        (DataType::Boolean, _) => GuestValues::Packed(choices.bytes(length.div_ceil(8))),
        (_, 2) => GuestValues::Float64s(vec![f64::NAN; length]),
        (_, 3) => GuestValues::Int64s((0..length).map(|_| i64::from(choices.byte()) << choices.below(56)).collect()),
        (_, 4) => GuestValues::Booleans(vec![true; length]),
        (DataType::Timestamp, _) => {
            GuestValues::Packed((0..length).flat_map(|_| i64::from(choices.byte()).to_le_bytes()).collect())
        }
        (data_type, _) => GuestValues::Packed(choices.bytes(length * width(data_type))),
    }
}

fn batch(choices: &mut Choices<'_>) -> GuestBatch {
    let rows = choices.below(20);
    let fields = &LAYOUTS[0].table.fields;
    let count = choices.about(fields.len()).min(fields.len() * 2);
    let columns = (0..count).map(|at| {
        let data_type = fields[at % fields.len()].data_type;
        let validity = (choices.byte().is_multiple_of(4)).then(|| {
            let length = choices.about(rows.div_ceil(8));
            choices.bytes(length)
        });
        GuestColumn { values: values(choices, data_type, rows), validity }
    });
    let columns = columns.collect();
    GuestBatch { table: u32::from(choices.byte() == 1), rows: u32::try_from(choices.about(rows)).unwrap(), columns }
}

#[test]
fn what_guests_return_is_refused_or_sound() {
    let window = Window { start: Timestamp(0), end: Timestamp(200) };
    bolero::check!().with_iterations(BATCHES).with_max_len(1_024).for_each(|input: &[u8]| {
        let batch = batch(&mut Choices(input));
        let rows = usize::try_from(batch.rows).unwrap();
        match to_arrow(batch, &LAYOUTS, window) {
            Ok((table, taken)) => {
                assert_eq!((table, taken.num_rows()), (0, rows));
                // Arrow's own checks in full, which the host does not pay for.
                taken.columns().iter().for_each(|column| column.to_data().validate_full().unwrap());
                TableFingerprint::default().add(&taken).unwrap();
            }
            Err(BadBatch { fault, .. }) => assert!(!fault.to_string().is_empty()),
        }
    });
}
