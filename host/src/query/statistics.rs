//! The catalog's bounds of files as DataFusion's statistics, which prune files and answer counts and extremes
//! without reading.

use super::view::{Bound, ColumnBounds, FileView};
use crate::core::schema::{DataType, Field};
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, ScalarValue, Statistics};

/// The statistics of `file`, one entry for each of `fields`.
pub(super) fn of_file(file: &FileView, fields: &[Field]) -> Statistics {
    let unknown = ColumnBounds::default();
    let columns = fields.iter().enumerate().map(|(index, field)| {
        let bounds = file.columns.get(index).unwrap_or(&unknown);
        ColumnStatistics {
            null_count: bounds
                .nulls
                .and_then(|nulls| usize::try_from(nulls).ok())
                .map_or(Precision::Absent, Precision::Exact),
            min_value: bound(bounds.min.as_ref(), field.data_type),
            max_value: bound(bounds.max.as_ref(), field.data_type),
            ..ColumnStatistics::new_unknown()
        }
    });
    Statistics {
        num_rows: usize::try_from(file.rows).map_or(Precision::Absent, Precision::Exact),
        total_byte_size: Precision::Absent,
        column_statistics: columns.collect(),
    }
}

fn bound(bound: Option<&Bound>, data_type: DataType) -> Precision<ScalarValue> {
    let int32 = |value: i64| i32::try_from(value).ok();
    let value = match (bound, data_type) {
        (Some(Bound::Boolean(value)), DataType::Boolean) => Some(ScalarValue::Boolean(Some(*value))),
        (Some(Bound::Int(value)), DataType::Int32) => int32(*value).map(|value| ScalarValue::Int32(Some(value))),
        (Some(Bound::Int(value)), DataType::Int64) => Some(ScalarValue::Int64(Some(*value))),
        (Some(Bound::Int(value)), DataType::Date) => int32(*value).map(|value| ScalarValue::Date32(Some(value))),
        (Some(Bound::Int(value)), DataType::Timestamp) => {
            Some(ScalarValue::TimestampMicrosecond(Some(*value), Some("UTC".into())))
        }
        #[expect(clippy::cast_possible_truncation, reason = "a bound of a 32-bit column is a 32-bit float, widened")]
        (Some(Bound::Float(value)), DataType::Float32) => Some(ScalarValue::Float32(Some(*value as f32))),
        (Some(Bound::Float(value)), DataType::Float64) => Some(ScalarValue::Float64(Some(*value))),
        (Some(Bound::Text(value)), DataType::Utf8) => Some(ScalarValue::Utf8View(Some(value.clone()))),
        _ => None,
    };
    value.map_or(Precision::Absent, Precision::Exact)
}
