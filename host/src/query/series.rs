//! A column over time, cut into as many points as a picture has room for.

use super::{Engine, QueryError, Rows, quoted};
use crate::core::schema::DataType;
use crate::core::time::{Timestamp, Window};
use arrow::array::{Array, AsArray as _};
use arrow::datatypes::{Float64Type, Int64Type};
use futures::StreamExt as _;
use serde::Serialize;
use std::str::FromStr;

/// Most points of a series: more than any screen is wide.
pub const MAX_POINTS: u32 = 10_000;

/// What becomes of the values of one point's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Downsampling {
    /// Least and greatest, so that no peak is lost.
    #[default]
    MinMax,
    /// The mean.
    Average,
}

impl FromStr for Downsampling {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "min-max" => Ok(Self::MinMax),
            "average" => Ok(Self::Average),
            other => Err(format!("{other:?} is no way to downsample; there are min-max and average")),
        }
    }
}

/// A point of a series: the rows of one span of time.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct SeriesPoint {
    /// Where its span starts.
    pub at: Timestamp,
    /// Rows that have a value.
    pub rows: u64,
    /// The least value; with `min-max` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// The greatest value; with `min-max` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// The mean; with `average` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean: Option<f64>,
}

/// A column over time.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Series {
    /// The span that was cut.
    pub window: Window,
    /// The length of a point's span in microseconds.
    pub step_us: u64,
    /// The points that have rows, in order of time.
    pub points: Vec<SeriesPoint>,
}

impl Engine {
    /// The numbers in `column` of `dataset.table` over `window`, or over all of the table's time, in at most `max_points`
    /// points of equal spans. None where the table has no rows to tell a window from.
    ///
    /// # Errors
    /// Unknown names, a table without time, a column that holds no numbers, and those of [`Engine::sql`].
    pub async fn series(
        &self,
        dataset: &str,
        table: &str,
        column: &str,
        window: Option<Window>,
        max_points: u32,
        how: Downsampling,
    ) -> Result<Option<Series>, QueryError> {
        let view = self.dataset(dataset).await?.table(table)?.clone();
        let declared = &view.layout.table;
        let named = || (table.to_owned(), column.to_owned());
        let Some(field) = declared.fields.iter().find(|field| field.name == column) else {
            let known = declared.fields.iter().map(|field| field.name.clone()).collect();
            let (table, column) = named();
            return Err(QueryError::UnknownColumn { table, column, known });
        };
        if !matches!(field.data_type, DataType::Int32 | DataType::Int64 | DataType::Float32 | DataType::Float64) {
            let (table, column) = named();
            return Err(QueryError::NoNumbers { table, column, data_type: field.data_type });
        }
        let Some(time) = &declared.time_field else {
            return Err(QueryError::NoTimeField { dataset: dataset.to_owned(), table: table.to_owned() });
        };
        let from = format!("{}.{}", quoted(dataset), quoted(table));
        let time = format!("CAST({} AS BIGINT)", quoted(time));
        let window = match window {
            Some(window) => window,
            None => match self.bounds(&time, &from).await? {
                Some(window) => window,
                None => return Ok(None),
            },
        };
        let points = u64::from(max_points.clamp(1, MAX_POINTS));
        let step_us = window.length_us().div_ceil(points).max(1);
        let (value, start, end) = (quoted(column), window.start.0, window.end.0);
        let results = match how {
            Downsampling::MinMax => format!("CAST(min({value}) AS DOUBLE) AS a, CAST(max({value}) AS DOUBLE) AS b"),
            Downsampling::Average => format!("avg({value}) AS a, CAST(NULL AS DOUBLE) AS b"),
        };
        let sql = format!(
            "SELECT ({time} - {start}) / {step_us} AS bucket, count({value}) AS n, {results} FROM {from}
             WHERE {time} >= {start} AND {time} < {end} GROUP BY 1 HAVING count({value}) > 0 ORDER BY 1"
        );
        let mut rows = self.sql(&sql).await?;
        let mut found = Vec::new();
        while let Some(batch) = rows.next().await {
            let batch = batch?;
            let whole = |column: usize, row: usize| batch.column(column).as_primitive::<Int64Type>().value(row);
            let number = |column: usize, row: usize| {
                let column = batch.column(column).as_primitive_opt::<Float64Type>()?;
                column.is_valid(row).then(|| column.value(row))
            };
            for row in 0..batch.num_rows() {
                let (bucket, count) = (whole(0, row), whole(1, row));
                let offset = bucket.saturating_mul(i64::try_from(step_us).unwrap_or(i64::MAX));
                let (a, b) = (number(2, row), number(3, row));
                let (min, max, mean) = match how {
                    Downsampling::MinMax => (a, b, None),
                    Downsampling::Average => (None, None, a),
                };
                let rows = u64::try_from(count).unwrap_or_default();
                found.push(SeriesPoint { at: window.start.plus_us(offset), rows, min, max, mean });
            }
        }
        Ok(Some(Series { window, step_us, points: found }))
    }

    /// The span of all rows of a table; none where it is empty.
    async fn bounds(&self, time: &str, from: &str) -> Result<Option<Window>, QueryError> {
        let rows: Rows = self.sql(&format!("SELECT min({time}) AS a, max({time}) AS b FROM {from}")).await?;
        let batches = rows.collect().await?;
        let Some(batch) = batches.first().filter(|batch| batch.num_rows() > 0) else { return Ok(None) };
        let (first, last) = (batch.column(0).as_primitive::<Int64Type>(), batch.column(1).as_primitive::<Int64Type>());
        let some = first.is_valid(0) && last.is_valid(0);
        Ok(some.then(|| Window { start: Timestamp(first.value(0)), end: Timestamp(last.value(0)).plus_us(1) }))
    }
}
