//! The columns and the order that a selection asks for, out of batches in memory.

use std::cmp::Ordering;

use crate::batch::{Text, Values};
use crate::{Batch, Column, DataType, Error, Field, Selection, Table};

/// The rows of a selection, as (rows, columns): batch by batch, or one batch in order.
pub(super) fn rows(
    selection: &Selection,
    tables: &[Table],
    batches: &[Batch],
) -> Result<Vec<(u32, Vec<Column>)>, Error> {
    let missing = |name: &str| Error::failed(format!("no {name:?} in table {:?}", selection.table));
    let (index, table) =
        tables.iter().enumerate().find(|(_, table)| table.name == selection.table).ok_or_else(|| missing("rows"))?;
    let batches: Vec<&Batch> = batches.iter().filter(|batch| batch.table() == index).collect();
    let position = |name: &String| table.position(name).ok_or_else(|| missing(name));
    let columns: Vec<usize> = selection.columns.iter().map(position).collect::<Result<_, _>>()?;
    let keys: Vec<usize> = selection.order_by.iter().map(position).collect::<Result<_, _>>()?;
    if keys.is_empty() {
        return Ok(batches
            .iter()
            .map(|batch| (batch.rows() as u32, columns.iter().filter_map(|&i| batch.column(i).cloned()).collect()))
            .collect());
    }
    let mut order: Vec<(usize, usize)> =
        batches.iter().enumerate().flat_map(|(b, batch)| (0..batch.rows()).map(move |row| (b, row))).collect();
    order.sort_by(|a, b| {
        keys.iter()
            .map(|&key| match (table.fields.get(key), cell(&batches, *a, key), cell(&batches, *b, key)) {
                (Some(field), Some(x), Some(y)) => compare(field, (x, a.1), (y, b.1)),
                _ => Ordering::Equal,
            })
            .fold(Ordering::Equal, Ordering::then)
    });
    let gathered =
        columns.iter().filter_map(|&i| table.fields.get(i).map(|field| gather(field, &batches, i, &order))).collect();
    Ok(vec![(order.len() as u32, gathered)])
}

fn cell<'a>(batches: &[&'a Batch], place: (usize, usize), column: usize) -> Option<&'a Column> {
    batches.get(place.0)?.column(column)
}

/// Nulls last, floats by their total order.
fn compare(field: &Field, (x, i): (&Column, usize), (y, j): (&Column, usize)) -> Ordering {
    fn nulls_last<T>(a: Option<T>, b: Option<T>, by: impl Fn(&T, &T) -> Ordering) -> Ordering {
        match (a, b) {
            (Some(a), Some(b)) => by(&a, &b),
            (None, None) => Ordering::Equal,
            (None, _) => Ordering::Greater,
            (_, None) => Ordering::Less,
        }
    }
    match field.data_type {
        DataType::Boolean => nulls_last(x.bool(i), y.bool(j), Ord::cmp),
        DataType::Int32 | DataType::Date => nulls_last(x.i32(i), y.i32(j), Ord::cmp),
        DataType::Int64 | DataType::Timestamp => nulls_last(x.i64(i), y.i64(j), Ord::cmp),
        DataType::Float32 => nulls_last(x.f32(i), y.f32(j), f32::total_cmp),
        DataType::Float64 => nulls_last(x.f64(i), y.f64(j), f64::total_cmp),
        DataType::Utf8 => nulls_last(x.text_bytes(i), y.text_bytes(j), Ord::cmp),
    }
}

/// One column's values in a given order; text comes out whole.
fn gather(field: &Field, batches: &[&Batch], column: usize, order: &[(usize, usize)]) -> Column {
    let mut validity = vec![0u8; order.len().div_ceil(8)];
    let mut packed = Vec::new();
    let mut text = Text { offsets: 0u32.to_le_bytes().to_vec(), bytes: Vec::new() };
    for (at, &place) in order.iter().enumerate() {
        let Some(from) = cell(batches, place, column) else {
            continue;
        };
        let row = place.1;
        let bit = 1u8 << (at % 8);
        if let (true, Some(byte)) = (from.is_valid(row), validity.get_mut(at / 8)) {
            *byte |= bit;
        }
        match field.data_type {
            DataType::Boolean => {
                if at.is_multiple_of(8) {
                    packed.push(0);
                }
                if let (Some(true), Some(last)) = (from.bool(row), packed.last_mut()) {
                    *last |= bit;
                }
            }
            DataType::Int32 | DataType::Float32 | DataType::Date => {
                packed.extend_from_slice(&from.i32(row).unwrap_or(0).to_le_bytes());
            }
            DataType::Int64 | DataType::Float64 | DataType::Timestamp => {
                packed.extend_from_slice(&from.i64(row).unwrap_or(0).to_le_bytes());
            }
            DataType::Utf8 => {
                text.bytes.extend_from_slice(from.text_bytes(row).unwrap_or(&[]));
                text.offsets.extend_from_slice(&(text.bytes.len() as u32).to_le_bytes());
            }
        }
    }
    let values = if field.data_type == DataType::Utf8 { Values::Text(text) } else { Values::Packed(packed) };
    Column { values, validity: Some(validity) }
}
