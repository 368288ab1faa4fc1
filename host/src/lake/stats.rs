//! What the catalog says of a file and its columns, taken from the Parquet metadata that its writer returns.

use crate::core::schema::DataType;
use crate::core::time::Timestamp;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp as Instant, tz::TimeZone};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::statistics::Statistics;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// A complete file of the lake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DataFile {
    /// Below the lake's folder: `<dataset>/<table>/<name>.parquet`.
    pub path: String,
    /// Its rows.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
    /// The size of its Parquet footer, without the eight bytes behind it.
    pub footer_bytes: u64,
    /// What is known of each column, by field id.
    pub columns: Vec<ColumnStats>,
}

/// What is known of a column in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ColumnStats {
    /// The column: its place in the table, from 1.
    pub field_id: i64,
    /// No value is smaller, in the catalog's text form; none where that is unknown. NaN is no value here.
    pub min: Option<String>,
    /// No value is larger.
    pub max: Option<String>,
    /// How many are null.
    pub null_count: u64,
    /// How many are not null.
    pub value_count: u64,
    /// Whether a float is NaN; none for other types.
    pub contains_nan: Option<bool>,
    /// Compressed bytes.
    pub column_size_bytes: u64,
}

/// The bounds of a column as they are gathered over row groups.
#[derive(Debug, Clone, Default, PartialEq)]
struct Bounds {
    min: Option<Value>,
    max: Option<Value>,
    unknown: bool,
}

/// A value that can be a bound, in Parquet's physical types.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
enum Value {
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Text(String),
}

impl ColumnStats {
    /// The columns of a file with this metadata; `nan` tells of each whether a NaN was written.
    pub(super) fn of_file(metadata: &ParquetMetaData, types: &[DataType], nan: &[bool]) -> Vec<Self> {
        let columns = types.iter().zip(nan).enumerate();
        columns.map(|(index, (data_type, nan))| Self::of_column(metadata, index, *data_type, *nan)).collect()
    }

    fn of_column(metadata: &ParquetMetaData, index: usize, data_type: DataType, nan: bool) -> Self {
        let mut bounds = Bounds::default();
        let (mut values, mut nulls, mut bytes) = (0_i64, 0_u64, 0_i64);
        for group in metadata.row_groups() {
            let Some(column) = group.columns().get(index) else { continue };
            bytes += column.compressed_size();
            values += column.num_values();
            let statistics = column.statistics();
            let group_nulls = statistics.and_then(Statistics::null_count_opt).unwrap_or(0);
            nulls += group_nulls;
            let all_null = i64::try_from(group_nulls) == Ok(column.num_values());
            match statistics.and_then(group_bounds) {
                Some((min, max)) => bounds.widen(min, max),
                // A row group of nulls has no bounds and bounds nothing; anything else is unknown.
                None => bounds.unknown |= !all_null,
            }
        }
        let text = |value: Option<Value>| value.filter(|_| !bounds.unknown).and_then(|value| value.text(data_type));
        Self {
            field_id: index as i64 + 1,
            min: text(bounds.min.clone()),
            max: text(bounds.max.clone()),
            null_count: nulls,
            value_count: u64::try_from(values).unwrap_or(0).saturating_sub(nulls),
            contains_nan: matches!(data_type, DataType::Float32 | DataType::Float64).then_some(nan),
            column_size_bytes: u64::try_from(bytes).unwrap_or(0),
        }
    }
}

impl Bounds {
    fn widen(&mut self, min: Value, max: Value) {
        if self.min.as_ref().is_none_or(|known| min < *known) {
            self.min = Some(min);
        }
        if self.max.as_ref().is_none_or(|known| max > *known) {
            self.max = Some(max);
        }
    }
}

fn group_bounds(statistics: &Statistics) -> Option<(Value, Value)> {
    let text = |bytes: &[u8]| std::str::from_utf8(bytes).ok().map(|text| Value::Text(text.to_owned()));
    Some(match statistics {
        Statistics::Boolean(s) => (Value::Boolean(*s.min_opt()?), Value::Boolean(*s.max_opt()?)),
        Statistics::Int32(s) => (Value::Integer((*s.min_opt()?).into()), Value::Integer((*s.max_opt()?).into())),
        Statistics::Int64(s) => (Value::Integer(*s.min_opt()?), Value::Integer(*s.max_opt()?)),
        Statistics::Float(s) => (Value::Float((*s.min_opt()?).into()), Value::Float((*s.max_opt()?).into())),
        Statistics::Double(s) => (Value::Float(*s.min_opt()?), Value::Float(*s.max_opt()?)),
        Statistics::ByteArray(s) => (text(s.min_bytes_opt()?)?, text(s.max_bytes_opt()?)?),
        Statistics::Int96(_) | Statistics::FixedLenByteArray(_) => return None,
    })
}

impl Value {
    /// The catalog's text form, as DuckDB writes it; none for what it could not read back.
    fn text(&self, data_type: DataType) -> Option<String> {
        match (self, data_type) {
            (Self::Boolean(value), _) => Some(u8::from(*value).to_string()),
            (Self::Integer(us), DataType::Timestamp) => timestamp_text(Timestamp(*us)),
            (Self::Integer(days), DataType::Date) => date_text(*days),
            (Self::Integer(value), _) => Some(value.to_string()),
            // Shortest text that reads back as the same number of the column's own width.
            (Self::Float(value), DataType::Float32) => Some(format!("{:?}", *value as f32)),
            (Self::Float(value), _) => Some(format!("{value:?}")),
            (Self::Text(text), _) => (!text.contains('\0')).then(|| text.clone()),
        }
    }
}

/// `2026-11-22 01:25:43.575015+00`, which sorts as the times do; none before year 0 and after 9999.
pub(super) fn timestamp_text(at: Timestamp) -> Option<String> {
    let civil = Instant::from_microsecond(at.0).ok()?.to_zoned(TimeZone::UTC).datetime();
    (civil.year() >= 0).then(|| format!("{} {}+00", civil.date(), civil.time()))
}

/// The time that a text form means.
pub(super) fn parse_timestamp(text: &str) -> Option<Timestamp> {
    let (date, rest) = text.strip_suffix("+00")?.split_once(' ')?;
    format!("{date}T{rest}Z").parse().ok()
}

fn date_text(days: i64) -> Option<String> {
    let date = Date::constant(1970, 1, 1).checked_add(SignedDuration::from_hours(days.checked_mul(24)?)).ok()?;
    (date.year() >= 0).then(|| date.to_string())
}

/// The order of two text forms of a type; none where one can't be read.
pub(super) fn compare(a: &str, b: &str, data_type: DataType) -> Option<Ordering> {
    match data_type {
        DataType::Int32 | DataType::Int64 => Some(a.parse::<i64>().ok()?.cmp(&b.parse().ok()?)),
        DataType::Float32 | DataType::Float64 => a.parse::<f64>().ok()?.partial_cmp(&b.parse().ok()?),
        DataType::Boolean | DataType::Utf8 | DataType::Date | DataType::Timestamp => Some(a.cmp(b)),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn times_have_the_text_that_duckdb_writes_and_sort_like_it() {
        let texts: Vec<_> = [-31_535_999_999_999, -1, 0, 500_000, 500_001, 1_774_000_000_000_000]
            .map(|us| timestamp_text(Timestamp(us)).unwrap())
            .into();
        assert_eq!(texts.first().map(String::as_str), Some("1969-01-01 00:00:00.000001+00"));
        assert_eq!(texts.get(2).map(String::as_str), Some("1970-01-01 00:00:00+00"));
        assert!(texts.is_sorted(), "{texts:?}");
        assert_eq!(parse_timestamp("1970-01-01 00:00:00.5+00"), Some(Timestamp(500_000)));
        assert_eq!(timestamp_text(Timestamp::MAX), None);
        assert_eq!(timestamp_text(Timestamp(-70_000_000_000_000_000)), None);
    }

    #[test]
    fn dates_and_floats_have_short_texts() {
        assert_eq!(date_text(-1).as_deref(), Some("1969-12-31"));
        assert_eq!(date_text(i64::MAX), None);
        assert_eq!(Value::Float(f64::from(0.1_f32)).text(DataType::Float32).as_deref(), Some("0.1"));
        assert_eq!(Value::Float(f64::INFINITY).text(DataType::Float64).as_deref(), Some("inf"));
        assert_eq!(Value::Float(1e300).text(DataType::Float64).as_deref(), Some("1e300"));
    }

    #[test]
    fn numbers_compare_as_numbers() {
        assert_eq!(compare("9", "10", DataType::Int64), Some(Ordering::Less));
        assert_eq!(compare("9", "10", DataType::Utf8), Some(Ordering::Greater));
        assert_eq!(compare("-1e3", "0.5", DataType::Float64), Some(Ordering::Less));
        assert_eq!(compare("x", "1", DataType::Int32), None);
    }
}
