//! Rows cut into the columns of the one table, and the faults that a batch can carry.
//! Knows nothing of how rows come about.

use crate::bindings::telemill::plugin::types::{Attribute, Batch, Column, DataType, Dictionary, Field, Text, Values};
use crate::fault::Fault;
use crate::meters::{self, KINDS, Row};

/// Positions of the columns that faults are put into.
const TIME: usize = 0;
const ID: usize = 1;
const NAME: usize = 3;
const KIND: usize = 4;

/// More than the host takes from one `advance` by default.
const HUGE_OUTPUT_BYTES: usize = 17 << 20;
/// Empty strings: 20 bytes each in the guest's memory, 24 in the host's, which allows 128 MiB a call.
const HUGE_LIST_LEN: usize = 7_000_000;

/// The fields of the table, one for each data type that generators mostly use.
pub(crate) fn fields() -> Vec<Field> {
    vec![
        field("time", DataType::Timestamp, false, None),
        field("id", DataType::Int64, false, None),
        field("value", DataType::Float64, true, Some("kW")),
        owning(field("name", DataType::Utf8, false, None)),
        field("kind", DataType::Utf8, false, None),
        field("flag", DataType::Boolean, false, None),
        still(field("count", DataType::Int32, false, None)),
        field("day", DataType::Date, false, None),
    ]
}

/// A column that a later version adds.
pub(crate) fn added_field() -> Field {
    still(field("added", DataType::Int32, true, None))
}

/// Its values.
pub(crate) fn added(rows: &[Row]) -> Column {
    packed(rows.iter().flat_map(|row| (row.id as i32 % 10).to_le_bytes()))
}

fn field(name: &str, data_type: DataType, nullable: bool, unit: Option<&str>) -> Field {
    Field {
        name: name.into(),
        data_type,
        nullable,
        unit: unit.map(str::to_owned),
        summary: format!("the reading's {name}"),
        attributes: Vec::new(),
    }
}

/// The same field, which says whose a row is.
pub(crate) fn owning(mut field: Field) -> Field {
    field.attributes.push(Attribute { name: "owner".into(), value: "target".into() });
    field
}

/// Lets no field say whose a row is.
pub(crate) fn disown(fields: &mut [Field]) {
    fields.iter_mut().for_each(|field| field.attributes.retain(|attribute| attribute.name != "owner"));
}

/// The same field, which no signal may move.
fn still(field: Field) -> Field {
    Field { attributes: vec![Attribute { name: "moved_by".into(), value: String::new() }], ..field }
}

/// The rows as one honest batch.
pub(crate) fn batch(rows: &[Row]) -> Batch {
    let names: Vec<String> = rows.iter().map(|row| meters::name(row.meter)).collect();
    let columns = vec![
        packed(rows.iter().flat_map(|row| row.time.to_le_bytes())),
        packed(rows.iter().flat_map(|row| row.id.to_le_bytes())),
        Column {
            values: Values::Packed(rows.iter().flat_map(|row| row.value.unwrap_or(0.0).to_le_bytes()).collect()),
            validity: Some(bits(rows.iter().map(|row| row.value.is_some()))),
        },
        plain(Values::Text(text(names.iter().map(String::as_str)))),
        plain(Values::Dictionary(Dictionary {
            keys: rows.iter().flat_map(|row| (row.meter % KINDS.len() as u32).to_le_bytes()).collect(),
            values: text(KINDS.into_iter()),
        })),
        plain(Values::Packed(bits(rows.iter().map(|row| row.flag)))),
        packed(rows.iter().flat_map(|row| (row.id as i32 % 1000).to_le_bytes())),
        packed(rows.iter().flat_map(|row| (row.time.div_euclid(86_400_000_000) as i32).to_le_bytes())),
    ];
    Batch { table: 0, rows: rows.len() as u32, columns }
}

/// Breaks the batch as the fault says; leaves it alone where the fault lies elsewhere.
/// The batch has two rows or more.
pub(crate) fn corrupt(batch: &mut Batch, fault: Fault, window_start: i64, window_end: i64) {
    match fault {
        Fault::WrongRowCount => batch.rows += 1,
        Fault::WrongColumnCount => drop(batch.columns.pop()),
        Fault::WrongColumnType => {
            batch.columns[ID].values = Values::Strings(vec![String::from("7"); batch.rows as usize])
        }
        Fault::UnknownTable => batch.table = 7,
        Fault::ShortBuffer => with_packed(batch, ID, |bytes| bytes.truncate(bytes.len() - 1)),
        Fault::LongBuffer => with_packed(batch, ID, |bytes| bytes.extend([0; 8])),
        Fault::ShortValidity => batch.columns[ID].validity = Some(Vec::new()),
        Fault::NullWhereNone => {
            let mut validity = vec![0xff; (batch.rows as usize).div_ceil(8)];
            validity[0] = 0xfe;
            batch.columns[ID].validity = Some(validity);
        }
        Fault::RowOutsideWindow => {
            with_packed(batch, TIME, |bytes| bytes[..8].copy_from_slice(&window_end.to_le_bytes()))
        }
        Fault::RowBeforeWindow => {
            with_packed(batch, TIME, |bytes| bytes[..8].copy_from_slice(&(window_start - 1).to_le_bytes()));
        }
        Fault::BadOffsets => with_text(batch, |text| text.offsets[4..8].copy_from_slice(&u32::MAX.to_le_bytes())),
        Fault::ShortOffsets => with_text(batch, |text| text.offsets.truncate(text.offsets.len() - 4)),
        Fault::OffsetsBeyondBytes => with_text(batch, |text| {
            let end = text.offsets.len() - 4;
            text.offsets[end..].copy_from_slice(&(text.bytes.len() as u32 + 1).to_le_bytes());
        }),
        Fault::InvalidUtf8 => with_text(batch, |text| text.bytes[0] = 0xff),
        // The bytes as a whole are good, but the first value ends within a character.
        Fault::SplitCharacter => with_text(batch, |text| {
            let first =
                u32::from_le_bytes([text.offsets[4], text.offsets[5], text.offsets[6], text.offsets[7]]) as usize;
            text.bytes[first - 1..=first].copy_from_slice("ä".as_bytes());
        }),
        Fault::BadDictionaryKey => {
            if let Values::Dictionary(dictionary) = &mut batch.columns[KIND].values {
                dictionary.keys[..4].copy_from_slice(&(KINDS.len() as u32).to_le_bytes());
            }
        }
        Fault::HugeOutput => {
            let long = "x".repeat(HUGE_OUTPUT_BYTES / batch.rows as usize + 1);
            let values = std::iter::repeat_n(long.as_str(), batch.rows as usize);
            batch.columns[NAME].values = Values::Text(text(values));
        }
        Fault::HugeHostAllocation => batch.columns[NAME].values = Values::Strings(vec![String::new(); HUGE_LIST_LEN]),
        _ => {}
    }
}

fn plain(values: Values) -> Column {
    Column { values, validity: None }
}

fn packed(bytes: impl Iterator<Item = u8>) -> Column {
    plain(Values::Packed(bytes.collect()))
}

fn bits(values: impl Iterator<Item = bool>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (i, value) in values.enumerate() {
        if i % 8 == 0 {
            bytes.push(0);
        }
        if let Some(last) = bytes.last_mut() {
            *last |= u8::from(value) << (i % 8);
        }
    }
    bytes
}

fn text<'a>(values: impl Iterator<Item = &'a str>) -> Text {
    let mut text = Text { offsets: 0u32.to_le_bytes().to_vec(), bytes: Vec::new() };
    for value in values {
        text.bytes.extend_from_slice(value.as_bytes());
        text.offsets.extend((text.bytes.len() as u32).to_le_bytes());
    }
    text
}

fn with_packed(batch: &mut Batch, column: usize, change: impl FnOnce(&mut Vec<u8>)) {
    if let Values::Packed(bytes) = &mut batch.columns[column].values {
        change(bytes);
    }
}

fn with_text(batch: &mut Batch, change: impl FnOnce(&mut Text)) {
    if let Values::Text(text) = &mut batch.columns[NAME].values {
        change(text);
    }
}
