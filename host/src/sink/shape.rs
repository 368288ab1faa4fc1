//! Rows of a table in the shape that a profile wants: its columns, in its forms, in the bytes of its format.

use super::csv::CsvEncoder;
use super::influx::InfluxEncoder;
use super::ndjson::{NdjsonEncoder, Nulls};
use super::parquet::ParquetEncoder;
use super::profile::{Profile, ProfileColumn, ProfileFormat, Role};
use super::{Columns, Encoder, SinkError};
use crate::batch::TableLayout;
use crate::core::schema::{DataType, Field};
use crate::core::time::{DAY_US, Timestamp};
use crate::core::time_format::TimeFormat;
use arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch, RecordBatchOptions, StringBuilder};
use arrow::compute::cast;
use arrow::datatypes::TimestampMicrosecondType;
use arrow::datatypes::{DataType as ArrowType, Date32Type, Field as ArrowField, Float64Type, Schema};
use std::sync::Arc;

/// Floats from here on have no decimals to round.
const WHOLE: f64 = 9_007_199_254_740_992.0;

/// Encodes batches of a table as a profile has it.
pub struct ProfileEncoder {
    columns: Vec<Shaped>,
    width: usize,
    inner: Box<dyn Encoder>,
}

/// A column on its way out.
struct Shaped {
    index: usize,
    field: ArrowField,
    form: Form,
}

enum Form {
    AsItIs,
    Time(TimeFormat),
    Date(TimeFormat),
    Boolean([String; 2]),
    /// Ten to the power of the decimals.
    Rounded(f64),
}

impl ProfileEncoder {
    /// An encoder of rows of `layout`.
    ///
    /// # Errors
    /// [`SinkError::Profile`] where the table does not have a column, or has it in a type that its form is not for.
    pub fn new(profile: &Profile, layout: &TableLayout) -> Result<Self, SinkError> {
        let columns = profile.columns.iter().enumerate();
        let columns = columns.map(|(index, column)| shaped(profile, index, column, layout));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let schema = Schema::new(columns.iter().map(|column| column.field.clone()).collect::<Vec<_>>());
        let all = Columns::all(&schema);
        let inner: Box<dyn Encoder> = match profile.format {
            ProfileFormat::Csv => {
                let nulls = profile.columns.iter().map(|column| column.null.clone().unwrap_or_default());
                Box::new(CsvEncoder::with_nulls(all, nulls))
            }
            ProfileFormat::Ndjson => Box::new(NdjsonEncoder::new(all, Nulls::Written)),
            ProfileFormat::Parquet => Box::new(ParquetEncoder::new(&schema, all)?),
            ProfileFormat::Influx => {
                let roles = profile.columns.iter().map(|column| column.role.unwrap_or(Role::Field));
                let measurement = profile.measurement.as_deref().unwrap_or(&profile.table);
                Box::new(InfluxEncoder::new(measurement, all, roles.collect()))
            }
        };
        Ok(Self { columns, width: layout.schema.fields().len(), inner })
    }
}

impl Encoder for ProfileEncoder {
    fn begin(&mut self, out: &mut Vec<u8>) -> Result<(), SinkError> {
        self.inner.begin(out)
    }

    fn encode(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<(), SinkError> {
        let shape = || SinkError::Shape { expected: self.width, found: batch.num_columns() };
        if batch.num_columns() != self.width {
            return Err(shape());
        }
        let arrays = self.columns.iter().map(|column| {
            let array = batch.columns().get(column.index).ok_or_else(shape)?;
            let failed = |source| SinkError::Column { column: column.field.name().clone(), source };
            column.form.apply(array).map_err(failed)
        });
        let arrays = arrays.collect::<Result<Vec<_>, _>>()?;
        // Text may come as a dictionary of it, which the encoders know how to take.
        let fields = self.columns.iter().zip(&arrays);
        let fields = fields.map(|(column, array)| column.field.clone().with_data_type(array.data_type().clone()));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let whole = |source| SinkError::Column { column: "row".to_owned(), source };
        let batch = RecordBatch::try_new_with_options(schema, arrays, &options).map_err(whole)?;
        self.inner.encode(&batch, out)
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), SinkError> {
        self.inner.finish(out)
    }

    fn skipped(&self) -> u64 {
        self.inner.skipped()
    }
}

fn shaped(
    profile: &Profile,
    position: usize,
    column: &ProfileColumn,
    layout: &TableLayout,
) -> Result<Shaped, SinkError> {
    let at = |key: &str| format!("columns[{position}].{key}");
    let source = column.source();
    let index = layout.table.field_index(source);
    let Some((index, field)) = index.and_then(|index| Some((index, layout.table.fields.get(index)?))) else {
        let known: Vec<_> = layout.table.fields.iter().map(|field| field.name.as_str()).collect();
        let message = format!("{} has no column {source:?}; it has {}", layout.table.name, known.join(", "));
        return Err(profile.bad(at(if column.from.is_some() { "from" } else { "name" }), message));
    };
    let unfit = |key: &str, what: &str| Err(profile.bad(at(key), format!("is for {what}, and {source} is none")));
    let form = match (&column.time, &column.boolean, column.decimals, field.data_type) {
        (None, None, None, _) => Form::AsItIs,
        (Some(time), None, None, DataType::Timestamp) => Form::Time(time.clone()),
        (Some(time), None, None, DataType::Date) => Form::Date(time.clone()),
        (Some(_), ..) => return unfit("time", "a date or a time"),
        (_, Some(words), None, DataType::Boolean) => Form::Boolean(words.clone()),
        (_, Some(_), ..) => return unfit("boolean", "a truth value"),
        (.., Some(decimals), DataType::Float32 | DataType::Float64) => Form::Rounded(10_f64.powi(i32::from(decimals))),
        (.., Some(_), _) => return unfit("decimals", "a float"),
    };
    if column.role == Some(Role::Time) && (!is_time(field) || column.time.is_some()) {
        return unfit("role", "a time without a pattern of its own");
    }
    let arrow = layout.schema.fields().get(index).map(|field| field.data_type().clone());
    let data_type = match form {
        // A Parquet file has the table's own type, which the encoder casts to.
        Form::Rounded(_) if profile.format == ProfileFormat::Parquet => arrow.unwrap_or(ArrowType::Float64),
        Form::AsItIs => arrow.unwrap_or(ArrowType::Utf8),
        Form::Time(_) | Form::Date(_) | Form::Boolean(_) => ArrowType::Utf8,
        Form::Rounded(_) => ArrowType::Float64,
    };
    Ok(Shaped { index, field: ArrowField::new(&column.name, data_type, field.nullable), form })
}

fn is_time(field: &Field) -> bool {
    field.data_type == DataType::Timestamp && !field.nullable
}

impl Form {
    fn apply(&self, array: &ArrayRef) -> Result<ArrayRef, arrow::error::ArrowError> {
        Ok(match self {
            Self::AsItIs => Arc::clone(array),
            Self::Time(format) => {
                let times = array.as_primitive::<TimestampMicrosecondType>();
                texts(format, times.iter().map(|us| us.map(Timestamp)), 20 * array.len())
            }
            Self::Date(format) => {
                let days = array.as_primitive::<Date32Type>();
                texts(
                    format,
                    days.iter().map(|day| day.map(|day| Timestamp(i64::from(day) * DAY_US))),
                    10 * array.len(),
                )
            }
            Self::Boolean([yes, no]) => {
                let mut out = StringBuilder::with_capacity(array.len(), 5 * array.len());
                for value in array.as_boolean() {
                    out.append_option(value.map(|value| if value { yes } else { no }));
                }
                Arc::new(out.finish())
            }
            Self::Rounded(scale) => {
                let floats = cast(array, &ArrowType::Float64)?;
                let rounded: Float64Array = floats.as_primitive::<Float64Type>().unary(|value| round(value, *scale));
                Arc::new(rounded)
            }
        })
    }
}

fn texts(format: &TimeFormat, times: impl Iterator<Item = Option<Timestamp>>, bytes: usize) -> ArrayRef {
    let (mut out, mut writer, mut text) =
        (StringBuilder::with_capacity(times.size_hint().0, bytes), format.writer(), String::new());
    for time in times {
        match time {
            Some(time) => {
                text.clear();
                writer.write(time, &mut text);
                out.append_value(&text);
            }
            None => out.append_null(),
        }
    }
    Arc::new(out.finish())
}

/// `value` with the decimals of `scale`, half to even, as NumPy rounds.
fn round(value: f64, scale: f64) -> f64 {
    let scaled = value * scale;
    if scaled.abs() < WHOLE { scaled.round_ties_even() / scale } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_rounded_as_numpy_rounds() {
        let cases = [(2.675, 2.68), (0.125, 0.12), (0.135, 0.14), (-1.005, -1.0), (1e300, 1e300), (3.0, 3.0)];
        assert_eq!(cases.map(|(value, _)| round(value, 100.0)), cases.map(|(_, rounded)| rounded));
        assert!(round(f64::NAN, 100.0).is_nan() && round(f64::INFINITY, 100.0).is_infinite());
    }
}
