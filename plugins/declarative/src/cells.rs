//! The values of one column on their way into a batch.

use telemill_sdk::column::Build;
use telemill_sdk::time::SECOND;
use telemill_sdk::{
    BoolColumn, Column, DataType, DateColumn, DictionaryColumn, F64Column, I64Column, Nullable, TextColumn,
    TimestampColumn,
};

use crate::columns::{self, Shape};

/// Of more texts than this, rows carry their own rather than a key: a batch's dictionary holds all of them.
const MOST_WORDS: usize = 2_000;

/// What a column holds while its row is made: a number (or the place of a text), or 64 bits (an id, or an instant).
#[derive(Clone, Copy, Debug, Default)]
pub struct Slot {
    /// A number, or the place of a text.
    pub number: f64,
    /// An id's bits, or microseconds since 1970.
    pub bits: u64,
}

/// The rows of one column so far.
#[derive(Debug)]
pub enum Cells {
    /// Floating point.
    Float(Nullable<F64Column>),
    /// Whole numbers.
    Integer(Nullable<I64Column>),
    /// Flags.
    Boolean(Nullable<BoolColumn>),
    /// Instants: the row's own, or seconds after it.
    Instant(Nullable<TimestampColumn>, bool),
    /// Days after the row's.
    Date(Nullable<DateColumn>),
    /// Few texts.
    Words(Nullable<DictionaryColumn>),
    /// Many texts.
    Texts(Nullable<TextColumn>, std::sync::Arc<[String]>),
    /// Ids after a prefix.
    Ids(Nullable<TextColumn>, String),
}

impl Cells {
    /// No rows yet of a column.
    pub fn of(column: &columns::Column) -> Self {
        match (&column.shape, column.field.data_type) {
            (Shape::Words(words), _) if words.len() <= MOST_WORDS => {
                let mut cells = Nullable::<DictionaryColumn>::default();
                cells.inner_mut().set_values(words.iter());
                Self::Words(cells)
            }
            (Shape::Words(words), _) => Self::Texts(Nullable::default(), words.clone()),
            (Shape::Hex(prefix), _) => Self::Ids(Nullable::default(), prefix.clone()),
            (Shape::Instant, _) => Self::Instant(Nullable::default(), true),
            (Shape::Number, DataType::Timestamp) => Self::Instant(Nullable::default(), false),
            (Shape::Number, DataType::Date) => Self::Date(Nullable::default()),
            (Shape::Number, DataType::Boolean) => Self::Boolean(Nullable::default()),
            (Shape::Number, DataType::Int64) => Self::Integer(Nullable::default()),
            (Shape::Number, _) => Self::Float(Nullable::default()),
        }
    }

    /// Adds a row: a slot, or none where the row has no value. `time` is the row's, `day` its local date since 1970.
    pub fn push(&mut self, slot: Option<Slot>, time: i64, day: i64) {
        match self {
            Self::Float(cells) => cells.push_option(slot.map(|slot| slot.number)),
            Self::Integer(cells) => cells.push_option(slot.map(|slot| whole(slot.number))),
            Self::Boolean(cells) => cells.push_option(slot.map(|slot| slot.number != 0.0)),
            Self::Instant(cells, true) => cells.push_option(slot.map(|slot| slot.bits as i64)),
            Self::Instant(cells, false) => {
                let after = slot.map(|slot| time.saturating_add((slot.number * SECOND as f64) as i64));
                cells.push_option(after);
            }
            Self::Date(cells) => {
                cells.push_option(slot.map(|slot| day.saturating_add(whole(slot.number)) as i32));
            }
            Self::Words(cells) => cells.push_option(slot.map(|slot| slot.number as u32)),
            Self::Texts(cells, words) => {
                cells.push_option(slot.and_then(|slot| words.get(slot.number as usize)).map(String::as_str));
            }
            Self::Ids(cells, prefix) => match slot {
                Some(slot) if prefix.is_empty() => cells.present().push_hex16(slot.bits),
                Some(slot) => cells.present().push_fmt(format_args!("{prefix}{:016x}", slot.bits)),
                None => cells.push_null(),
            },
        }
    }

    /// Moves the rows out.
    pub fn finish(&mut self) -> Column {
        match self {
            Self::Float(cells) => cells.finish(),
            Self::Integer(cells) => cells.finish(),
            Self::Boolean(cells) => cells.finish(),
            Self::Instant(cells, _) => cells.finish(),
            Self::Date(cells) => cells.finish(),
            Self::Words(cells) => cells.finish(),
            Self::Texts(cells, _) | Self::Ids(cells, _) => cells.finish(),
        }
    }
}

fn whole(number: f64) -> i64 {
    (number + 0.5).floor() as i64
}
