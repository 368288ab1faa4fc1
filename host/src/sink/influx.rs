//! InfluxDB's line protocol: `measurement,tag=value field=1.5,count=3i,text="a" 1794234300000000000`.
//!
//! Escapes as its reference has them: commas and spaces of the measurement; commas, equals signs and spaces of tags
//! and of the keys of fields; double quotes and backslashes of texts. Integers end with `i`, times are nanoseconds.
//! What is missing is left out, and so are empty tags and floats that are not finite, for which there is no word. A
//! point needs a field: a row without one is skipped and counted.

use super::columns::Columns;
use super::profile::Role;
use super::text::{ColumnText, Dialect, Frame};
use super::{Encoder, SinkError};
use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use arrow::record_batch::RecordBatch;

/// Nanoseconds of a microsecond.
const MICRO_NS: i64 = 1_000;

/// Writes points.
#[derive(Debug)]
pub struct InfluxEncoder {
    measurement: Vec<u8>,
    columns: Columns,
    roles: Vec<Role>,
    frames: Vec<Frame>,
    skipped: u64,
}

impl InfluxEncoder {
    /// An encoder of `columns`, each of which is what `roles` says in its place.
    pub fn new(measurement: &str, columns: Columns, roles: Vec<Role>) -> Self {
        let frame = |name: &str| {
            let mut prefix = b",".to_vec();
            escape(name, b",= ", &mut prefix);
            prefix.push(b'=');
            Frame { prefix, null: Vec::new() }
        };
        let frames = columns.names().map(frame).collect();
        let mut escaped = Vec::new();
        escape(measurement, b", ", &mut escaped);
        Self { measurement: escaped, columns, roles, frames, skipped: 0 }
    }
}

impl Encoder for InfluxEncoder {
    fn begin(&mut self, _out: &mut Vec<u8>) -> Result<(), SinkError> {
        Ok(())
    }

    fn encode(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<(), SinkError> {
        let (mut tags, mut fields, mut times) = (Vec::new(), Vec::new(), None);
        let arrays = self.columns.arrays(batch)?;
        let columns = arrays.into_iter().zip(self.columns.names()).zip(&self.frames).zip(&self.roles);
        for (((array, name), frame), role) in columns {
            match role {
                Role::Tag => tags.push((ColumnText::new::<Tag>(array, frame, name)?, frame.prefix.len())),
                Role::Field => {
                    fields.push((ColumnText::new::<Value>(array, frame, name)?, array.data_type().is_integer()));
                }
                Role::Time => times = times_of(array.as_ref()),
            }
        }
        let no_time = || self.unfit(0, "has no time of microseconds");
        let times = times.ok_or_else(no_time)?;
        for (row, us) in times.iter().enumerate() {
            let start = out.len();
            out.extend_from_slice(&self.measurement);
            for (tag, empty) in &mut tags {
                let before = out.len();
                tag.write::<Tag>(row, out);
                if out.len() == before + *empty {
                    out.truncate(before);
                } else if out.len() > before && out.last() == Some(&b'\\') {
                    return Err(
                        self.unfit(row, "has a tag that ends with a backslash, which would escape what follows")
                    );
                }
            }
            let before = out.len();
            for (field, integer) in &mut fields {
                let length = out.len();
                field.write::<Value>(row, out);
                if *integer && out.len() > length {
                    out.push(b'i');
                }
            }
            match out.get_mut(before) {
                // Every field is written with a comma before it; the first comma is the space behind the tags.
                Some(first) => *first = b' ',
                None => {
                    out.truncate(start);
                    self.skipped += 1;
                    continue;
                }
            }
            if out.get(start..).is_some_and(|line| line.contains(&b'\n')) {
                return Err(self.unfit(row, "has a text of several lines, which line protocol can't hold"));
            }
            let ns = us.checked_mul(MICRO_NS).ok_or_else(|| self.unfit(row, "has a time beyond its range"))?;
            out.push(b' ');
            out.extend_from_slice(itoa::Buffer::new().format(ns).as_bytes());
            out.push(b'\n');
        }
        Ok(())
    }

    fn finish(&mut self, _out: &mut Vec<u8>) -> Result<(), SinkError> {
        Ok(())
    }

    fn skipped(&self) -> u64 {
        self.skipped
    }
}

impl InfluxEncoder {
    fn unfit(&self, row: usize, what: &'static str) -> SinkError {
        let measurement = String::from_utf8_lossy(&self.measurement).into_owned();
        SinkError::LineProtocol { measurement, row: row as u64, what }
    }
}

fn times_of(array: &dyn Array) -> Option<&[i64]> {
    let micros = matches!(array.data_type(), DataType::Timestamp(TimeUnit::Microsecond, _));
    micros.then(|| array.as_primitive::<TimestampMicrosecondType>().values().as_ref())
}

/// Appends `text` with a backslash before each of `special`.
fn escape(text: &str, special: &[u8], out: &mut Vec<u8>) {
    for &byte in text.as_bytes() {
        if special.contains(&byte) {
            out.push(b'\\');
        }
        out.push(byte);
    }
}

/// Values of tags: text, whatever the column's type.
struct Tag;

impl Dialect for Tag {
    const QUOTED: bool = false;
    const FINITE: bool = true;

    fn text(value: &str, out: &mut Vec<u8>) {
        escape(value, b",= ", out);
    }
}

/// Values of fields.
struct Value;

impl Dialect for Value {
    const QUOTED: bool = true;
    const FINITE: bool = true;

    fn text(value: &str, out: &mut Vec<u8>) {
        out.push(b'"');
        escape(value, b"\"\\", out);
        out.push(b'"');
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray};
    use std::sync::Arc;

    fn encoded(rows: RecordBatch, roles: &[Role]) -> Result<(String, u64), SinkError> {
        let columns = Columns::all(rows.schema_ref());
        let mut encoder = InfluxEncoder::new("my, m=", columns, roles.to_vec());
        let mut out = Vec::new();
        encoder.encode(&rows, &mut out)?;
        Ok((String::from_utf8(out).unwrap(), encoder.skipped()))
    }

    fn rows(tag: &str, text: &str) -> RecordBatch {
        let column = |array: ArrayRef| array;
        RecordBatch::try_from_iter_with_nullable([
            ("t", column(Arc::new(TimestampMicrosecondArray::from(vec![1, -2, 3]))), false),
            ("a, b", column(Arc::new(StringArray::from(vec![Some(tag), None, Some("")]))), true),
            ("f=", column(Arc::new(Float64Array::from(vec![Some(1.0), Some(f64::NAN), None]))), true),
            ("i", column(Arc::new(Int64Array::from(vec![Some(-7), Some(8), None]))), true),
            ("s", column(Arc::new(StringArray::from(vec![Some(text), Some(""), None]))), true),
            ("ok", column(Arc::new(BooleanArray::from(vec![Some(true), None, None]))), true),
        ])
        .unwrap()
    }

    const ROLES: [Role; 6] = [Role::Time, Role::Tag, Role::Field, Role::Field, Role::Field, Role::Field];

    #[test]
    fn points_are_escaped_as_the_reference_has_it() {
        let (text, skipped) = encoded(rows("x y,z=\"w\"", "say \"a, b=\\c\""), &ROLES).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines,
            [
                r#"my\,\ m=,a\,\ b=x\ y\,z\="w" f\==1.0,i=-7i,s="say \"a, b=\\c\"",ok=true 1000"#,
                r#"my\,\ m= i=8i,s="" -2000"#,
            ]
        );
        assert_eq!(skipped, 1, "the third row has no field");
    }

    #[test]
    fn what_no_line_can_hold_is_refused() {
        assert!(encoded(rows("x", "two\nlines"), &ROLES).is_err());
        assert!(encoded(rows("two\nlines", "x"), &ROLES).is_err());
        assert!(encoded(rows("back\\", "x"), &ROLES).is_err());
        assert!(encoded(rows("x", "x"), &[Role::Field; 6]).is_err());
    }
}
