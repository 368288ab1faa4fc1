//! What is in a table's columns: missing values, extremes, and about how many distinct values.

use super::{Engine, QueryError, quoted};
use crate::core::schema::DataType;
use arrow::array::{Array, Int64Array, UInt64Array};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What a column holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ColumnProfile {
    /// The column.
    pub name: String,
    /// Its type.
    pub data_type: DataType,
    /// Rows without a value.
    pub nulls: u64,
    /// The least value as text; none where there is no value.
    pub min: Option<String>,
    /// The greatest value as text; none where there is no value.
    pub max: Option<String>,
    /// About how many distinct values; none where it was not asked for.
    pub distinct: Option<u64>,
}

/// Results of one column: values there are, least, greatest, distinct.
const RESULTS: usize = 4;

impl Engine {
    /// Profiles all columns of `dataset.table`. Without `distinct` the catalog's bounds answer and nothing is read,
    /// where they are known; with it every value is.
    ///
    /// # Errors
    /// Unknown names, and those of [`Engine::sql`].
    pub async fn profile(&self, dataset: &str, table: &str, distinct: bool) -> Result<Vec<ColumnProfile>, QueryError> {
        let view = Arc::clone(self.dataset(dataset).await?.table(table)?);
        // Results have aliases by position: those of two columns may be spelled alike.
        let results = view.layout.table.fields.iter().enumerate().map(|(index, field)| {
            let name = quoted(&field.name);
            let distinct = match (distinct, field.data_type) {
                (false, _) => "CAST(NULL AS BIGINT UNSIGNED)".to_owned(),
                (true, DataType::Float32 | DataType::Float64) => format!("approx_distinct(CAST({name} AS VARCHAR))"),
                (true, _) => format!("approx_distinct({name})"),
            };
            format!(
                ", count({name}) AS c{index}, min({name}) AS l{index}, max({name}) AS g{index}, {distinct} AS d{index}"
            )
        });
        let results: String = results.collect();
        let sql = format!("SELECT count(*) AS total{results} FROM {}.{}", quoted(dataset), quoted(table));
        let batches = self.sql(&sql).await?.collect().await?;
        let row = batches.first().ok_or_else(|| QueryError::Failed("a profile came back empty".to_owned()))?;
        let rows = count(row.columns().first()).unwrap_or_default();
        let profiles = view.layout.table.fields.iter().enumerate().map(|(index, field)| {
            let result = |offset: usize| row.columns().get(1 + index * RESULTS + offset);
            Ok(ColumnProfile {
                name: field.name.clone(),
                data_type: field.data_type,
                nulls: rows.saturating_sub(count(result(0)).unwrap_or_default()),
                min: text(result(1))?,
                max: text(result(2))?,
                distinct: count(result(3)),
            })
        });
        profiles.collect()
    }
}

fn count(column: Option<&arrow::array::ArrayRef>) -> Option<u64> {
    let column = column?;
    if column.is_empty() || column.is_null(0) {
        return None;
    }
    let any = column.as_any();
    match (any.downcast_ref::<UInt64Array>(), any.downcast_ref::<Int64Array>()) {
        (Some(values), _) => Some(values.value(0)),
        (_, Some(values)) => u64::try_from(values.value(0)).ok(),
        _ => None,
    }
}

fn text(column: Option<&arrow::array::ArrayRef>) -> Result<Option<String>, QueryError> {
    match column {
        Some(column) if !column.is_empty() && column.is_valid(0) => {
            let formatter = ArrayFormatter::try_new(column.as_ref(), &FormatOptions::default())?;
            let text = formatter.value(0).to_string();
            // Files keep the least zero as a negative one, whichever it was.
            Ok(Some(if column.data_type().is_floating() && text == "-0.0" { "0.0".to_owned() } else { text }))
        }
        _ => Ok(None),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Float64Array, StringArray};

    #[test]
    fn a_least_zero_has_no_sign() {
        let shown = |column: ArrayRef| text(Some(&column)).unwrap().unwrap();
        assert_eq!(shown(Arc::new(Float64Array::from(vec![-0.0]))), "0.0");
        assert_eq!(shown(Arc::new(Float64Array::from(vec![-0.5]))), "-0.5");
        assert_eq!(shown(Arc::new(StringArray::from(vec!["-0.0"]))), "-0.0");
    }
}
