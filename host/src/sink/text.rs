//! Columns as rows of text: what CSV, NDJSON and document ids share. Each column is looked at once a batch (its type,
//! its dictionary), so that a value costs one branch and one copy.

use super::SinkError;
use super::thousandths::Thousandths;
use super::time_text::{TimeText, write_date};
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, LargeStringArray, StringArray, StringViewArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Date32Type, Float32Type, Float64Type, Int32Type, Int64Type, TimeUnit};
use arrow::datatypes::{
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};

/// How a format writes what is not a number.
pub(super) trait Dialect {
    /// Whether dates and times stand in double quotes.
    const QUOTED: bool;
    /// Whether floats that are not finite are written as nulls.
    const FINITE: bool;
    /// Appends a text with the format's quotes and escapes.
    fn text(value: &str, out: &mut Vec<u8>);
}

/// What stands around the values of one column.
#[derive(Debug, Clone, Default)]
pub(super) struct Frame {
    /// Before each value.
    pub(super) prefix: Vec<u8>,
    /// Instead of prefix and value where the value is null.
    pub(super) null: Vec<u8>,
}

/// One column of a batch, ready to be written value by value.
pub(super) struct ColumnText<'a> {
    frame: &'a Frame,
    nulls: Option<NullBuffer>,
    values: Values<'a>,
}

enum Values<'a> {
    Null,
    Boolean(&'a BooleanArray),
    Int32(&'a [i32]),
    Int64(&'a [i64]),
    Float32(&'a [f32]),
    Float64(&'a [f64]),
    Utf8(&'a StringArray),
    LargeUtf8(&'a LargeStringArray),
    Utf8View(&'a StringViewArray),
    /// Each distinct value rendered with the prefix.
    Dictionary {
        keys: &'a [i32],
        ends: Vec<usize>,
        bytes: Vec<u8>,
    },
    /// A dictionary larger than the batch, of which few values are used.
    LargeDictionary {
        keys: &'a [i32],
        values: &'a StringArray,
    },
    Date(&'a [i32]),
    Time(&'a [i64], TimeText),
    /// Types without a path of their own, rendered by Arrow.
    Rendered {
        ends: Vec<usize>,
        bytes: Vec<u8>,
    },
}

impl<'a> ColumnText<'a> {
    /// Looks at `array`, whose values stand in `frame`; `name` is for errors.
    pub(super) fn new<D: Dialect>(array: &'a ArrayRef, frame: &'a Frame, name: &str) -> Result<Self, SinkError> {
        let values = match array.data_type() {
            DataType::Null => Values::Null,
            DataType::Boolean => Values::Boolean(array.as_boolean()),
            DataType::Int32 => Values::Int32(array.as_primitive::<Int32Type>().values()),
            DataType::Int64 => Values::Int64(array.as_primitive::<Int64Type>().values()),
            DataType::Float32 => Values::Float32(array.as_primitive::<Float32Type>().values()),
            DataType::Float64 => Values::Float64(array.as_primitive::<Float64Type>().values()),
            DataType::Utf8 => Values::Utf8(array.as_string()),
            DataType::LargeUtf8 => Values::LargeUtf8(array.as_string()),
            DataType::Utf8View => Values::Utf8View(array.as_string_view()),
            DataType::Date32 => Values::Date(array.as_primitive::<Date32Type>().values()),
            DataType::Timestamp(unit, zone) => Values::Time(times(array, *unit), TimeText::new(*unit, zone.is_some())),
            DataType::Dictionary(key, value) if **key == DataType::Int32 && **value == DataType::Utf8 => {
                dictionary::<D>(array, frame)
            }
            _ => rendered::<D>(array).map_err(|source| SinkError::Column { column: name.to_owned(), source })?,
        };
        Ok(Self { frame, nulls: array.logical_nulls().filter(|nulls| nulls.null_count() > 0), values })
    }

    /// Appends the value of `row`.
    #[inline]
    pub(super) fn write<D: Dialect>(&mut self, row: usize, out: &mut Vec<u8>) {
        if let Some(nulls) = &self.nulls
            && nulls.is_null(row)
        {
            out.extend_from_slice(&self.frame.null);
            return;
        }
        let prefix = self.frame.prefix.as_slice();
        match &mut self.values {
            Values::Null => out.extend_from_slice(&self.frame.null),
            Values::Boolean(values) => {
                out.extend_from_slice(prefix);
                out.extend_from_slice(if values.value(row) { b"true" } else { b"false" });
            }
            Values::Int32(values) => integer(prefix, values.get(row).copied().unwrap_or_default(), out),
            Values::Int64(values) => integer(prefix, values.get(row).copied().unwrap_or_default(), out),
            Values::Float32(values) => {
                let value = values.get(row).copied().unwrap_or_default();
                float::<D>(self.frame, value, value.is_finite(), out);
            }
            Values::Float64(values) => {
                let value = values.get(row).copied().unwrap_or_default();
                match Thousandths::of(value) {
                    Some(short) => short.write(prefix, out),
                    None => float::<D>(self.frame, value, value.is_finite(), out),
                }
            }
            Values::Utf8(values) => text::<D>(prefix, values.value(row), out),
            Values::LargeUtf8(values) => text::<D>(prefix, values.value(row), out),
            Values::Utf8View(values) => text::<D>(prefix, values.value(row), out),
            Values::Dictionary { keys, ends, bytes } => {
                let key = keys.get(row).copied().unwrap_or_default() as usize;
                out.extend_from_slice(slice(bytes, ends, key));
            }
            Values::LargeDictionary { keys, values } => {
                let key = keys.get(row).copied().unwrap_or_default() as usize;
                text::<D>(prefix, values.value(key), out);
            }
            Values::Date(values) => {
                out.extend_from_slice(prefix);
                quote::<D>(out);
                write_date(i64::from(values.get(row).copied().unwrap_or_default()), out);
                quote::<D>(out);
            }
            Values::Time(values, time) => {
                out.extend_from_slice(prefix);
                quote::<D>(out);
                time.write(values.get(row).copied().unwrap_or_default(), out);
                quote::<D>(out);
            }
            Values::Rendered { ends, bytes } => {
                out.extend_from_slice(prefix);
                out.extend_from_slice(slice(bytes, ends, row));
            }
        }
    }
}

/// The bytes of item `index` of texts that end where `ends` says.
#[inline]
fn slice<'a>(bytes: &'a [u8], ends: &[usize], index: usize) -> &'a [u8] {
    let start = index.checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or_default();
    let end = ends.get(index).copied().unwrap_or(start);
    bytes.get(start..end).unwrap_or_default()
}

#[inline]
fn integer(prefix: &[u8], value: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(prefix);
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

#[inline]
fn float<D: Dialect>(frame: &Frame, value: impl zmij::Float, finite: bool, out: &mut Vec<u8>) {
    if D::FINITE && !finite {
        out.extend_from_slice(&frame.null);
        return;
    }
    out.extend_from_slice(&frame.prefix);
    out.extend_from_slice(zmij::Buffer::new().format(value).as_bytes());
}

#[inline]
fn text<D: Dialect>(prefix: &[u8], value: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(prefix);
    D::text(value, out);
}

#[inline]
fn quote<D: Dialect>(out: &mut Vec<u8>) {
    if D::QUOTED {
        out.push(b'"');
    }
}

fn times(array: &ArrayRef, unit: TimeUnit) -> &[i64] {
    match unit {
        TimeUnit::Second => array.as_primitive::<TimestampSecondType>().values(),
        TimeUnit::Millisecond => array.as_primitive::<TimestampMillisecondType>().values(),
        TimeUnit::Microsecond => array.as_primitive::<TimestampMicrosecondType>().values(),
        TimeUnit::Nanosecond => array.as_primitive::<TimestampNanosecondType>().values(),
    }
}

fn dictionary<'a, D: Dialect>(array: &'a ArrayRef, frame: &Frame) -> Values<'a> {
    let dictionary = array.as_dictionary::<Int32Type>();
    let (keys, values) = (dictionary.keys().values(), dictionary.values().as_string::<i32>());
    if values.len() > array.len() {
        return Values::LargeDictionary { keys, values };
    }
    let (mut ends, mut bytes) = (Vec::with_capacity(values.len()), Vec::new());
    for index in 0..values.len() {
        text::<D>(&frame.prefix, values.value(index), &mut bytes);
        ends.push(bytes.len());
    }
    Values::Dictionary { keys, ends, bytes }
}

fn rendered<D: Dialect>(array: &ArrayRef) -> Result<Values<'static>, arrow::error::ArrowError> {
    let formatter = ArrayFormatter::try_new(array.as_ref(), &FormatOptions::default())?;
    let (mut ends, mut bytes) = (Vec::with_capacity(array.len()), Vec::new());
    for row in 0..array.len() {
        if array.is_valid(row) {
            let value = formatter.value(row).try_to_string()?;
            if array.data_type().is_integer() {
                bytes.extend_from_slice(value.as_bytes())
            } else {
                D::text(&value, &mut bytes)
            }
        }
        ends.push(bytes.len());
    }
    Ok(Values::Rendered { ends, bytes })
}
