//! Rows of a user's file, checked, as rows of the lake's table.

use super::{FileName, NORMAL, PHASES, Problems, origin_fields, sample_fields};
use crate::batch::TableLayout;
use crate::core::schema::{Table, TableKind};
use crate::core::time::Timestamp;
use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, RecordBatch, StringArray, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{Float64Type, TimestampMicrosecondType};
use arrow::error::ArrowError;
use std::sync::Arc;

/// A user's file is read as this table: the sample, and perhaps its origin.
pub(super) fn file_table() -> Table {
    let mut fields = sample_fields();
    fields.extend(origin_fields().into_iter().map(|mut field| {
        field.nullable = true;
        field
    }));
    Table {
        name: "samples".to_owned(),
        summary: String::new(),
        kind: TableKind::Events,
        fields,
        primary_key: Vec::new(),
        time_field: None,
        attributes: Vec::new(),
    }
}

/// The file that rows come from.
pub(super) struct Origin<'a> {
    /// What the rows are called in problems.
    pub(super) place: &'a str,
    /// The file's name.
    pub(super) file: &'a str,
    pub(super) digest: &'a str,
    pub(super) name: &'a FileName,
    /// When it is taken in: the time of collection where the file gives none.
    pub(super) at: Timestamp,
}

/// Columns of a batch of [`file_table`] by their position.
struct Columns<'a> {
    numbers: Vec<(&'a str, &'a Float64Array)>,
    phase: &'a StringArray,
    user: &'a StringArray,
    source: &'a StringArray,
    label: &'a StringArray,
}

/// Names of the columns that are numbers, in order; the first is the time, and two are percentages.
const NUMBERS: usize = 8;
const PERCENTAGES: [&str; 2] = ["cpu_percent", "memory_percent"];
/// Longest time since the start: a hundred years.
const MAX_SECONDS: f64 = 3.2e9;

/// Rows of `layout` from rows of a file, which begin in `lines`. Bad values go to `problems`, and the result is of no use then.
pub(super) fn rows(
    batch: &RecordBatch,
    lines: &[u64],
    origin: &Origin<'_>,
    layout: &TableLayout,
    problems: &mut Problems,
) -> Result<RecordBatch, ArrowError> {
    let schema = batch.schema();
    let numbers = schema.fields().iter().zip(batch.columns()).take(NUMBERS);
    let columns = Columns {
        numbers: numbers.map(|(field, column)| (field.name().as_str(), column.as_primitive::<Float64Type>())).collect(),
        phase: batch.column(NUMBERS).as_string(),
        user: batch.column(NUMBERS + 1).as_string(),
        source: batch.column(NUMBERS + 2).as_string(),
        label: batch.column(NUMBERS + 3).as_string(),
    };
    for (row, line) in (0..batch.num_rows()).zip(lines) {
        if let Err(message) = columns.check(row, origin) {
            problems.add(format!("{}: line {line}", origin.place), message);
        }
    }
    let n = batch.num_rows();
    let mut arrays: Vec<ArrayRef> = vec![times(batch.column(0).as_primitive::<Float64Type>(), origin.name.start)];
    arrays.extend(batch.columns().iter().take(NUMBERS + 1).cloned());
    let all = |text: &str| -> ArrayRef { Arc::new(StringArray::from_iter_values(std::iter::repeat_n(text, n))) };
    arrays.push(all(&origin.name.user_id));
    arrays.push(all(&origin.name.source));
    let mut labels = StringBuilder::with_capacity(n, n * NORMAL.len());
    columns.label.iter().for_each(|label| labels.append_value(label.unwrap_or(NORMAL)));
    arrays.push(Arc::new(labels.finish()));
    let collected = batch.column(NUMBERS + 4).as_primitive::<TimestampMicrosecondType>();
    let mut times = TimestampMicrosecondBuilder::with_capacity(n).with_data_type(collected.data_type().clone());
    collected.iter().for_each(|time| times.append_value(time.unwrap_or(origin.at.0)));
    arrays.push(Arc::new(times.finish()));
    arrays.push(all(origin.file));
    arrays.push(all(origin.digest));
    RecordBatch::try_new(Arc::clone(&layout.schema), arrays)
}

impl Columns<'_> {
    /// What types alone do not say.
    fn check(&self, row: usize, origin: &Origin<'_>) -> Result<(), String> {
        for (index, (name, column)) in self.numbers.iter().enumerate() {
            let value = column.value(row);
            let most = match () {
                () if index == 0 => MAX_SECONDS,
                () if PERCENTAGES.contains(name) => 100.0,
                () => f64::MAX,
            };
            if !value.is_finite() {
                return Err(format!("column {name}: {value} is no finite number"));
            }
            if !(0.0..=most).contains(&value) {
                let range = if most == f64::MAX { "at least 0".to_owned() } else { format!("0 to {most}") };
                return Err(format!("column {name}: {value} is not {range}"));
            }
        }
        let phase = self.phase.value(row);
        if !PHASES.contains(&phase) {
            return Err(format!("column phase: {phase:?} is none of {}", PHASES.join(", ")));
        }
        for (name, column, expected) in
            [("user_id", self.user, &origin.name.user_id), ("source", self.source, &origin.name.source)]
        {
            if column.is_valid(row) && column.value(row) != expected {
                return Err(format!("column {name}: {:?} is not the file's {expected:?}", column.value(row)));
            }
        }
        Ok(())
    }
}

/// Seconds since the start as points in time.
fn times(seconds: &Float64Array, start: Timestamp) -> ArrayRef {
    let mut times = TimestampMicrosecondBuilder::with_capacity(seconds.len()).with_timezone("UTC");
    for second in seconds.values() {
        times.append_value(start.plus_us((second * 1e6).round() as i64).0);
    }
    Arc::new(times.finish())
}
