//! The first rows of each table, for people to look at.

use super::pass::Subject;
use crate::core::time::Window;
use crate::plugin::error::PluginError;
use crate::plugin::generator::Shard;
use arrow::json::writer::{JsonArray, WriterBuilder};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Rows of a table.
const MOST_ROWS: usize = 3;

/// Some rows of each table, in the order of the tables.
pub type FirstRows = Vec<TableRows>;

/// Some rows of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TableRows {
    /// The table.
    pub table: String,
    /// Its first rows, a JSON object each.
    pub rows: Vec<Value>,
}

/// Lets an instance make rows until each table has some, or the windows end.
pub(super) fn first_rows(
    subject: &Subject<'_>,
    shard: Shard,
    windows: impl Iterator<Item = Window>,
) -> Result<FirstRows, PluginError> {
    let mut tables: FirstRows =
        subject.layouts.iter().map(|layout| TableRows { table: layout.table.name.clone(), rows: Vec::new() }).collect();
    let mut generator = subject.open(shard, &[])?;
    for window in windows {
        subject.batches(&mut generator, [window], |index, batch| {
            let (Some(table), Some(layout)) = (tables.get_mut(index), subject.layouts.get(index)) else { return };
            let wanted = MOST_ROWS.saturating_sub(table.rows.len()).min(batch.num_rows());
            let mut json = WriterBuilder::new().with_explicit_nulls(true).build::<_, JsonArray>(Vec::new());
            let written =
                layout.conform(&batch.slice(0, wanted)).and_then(|few| json.write(&few)).and_then(|()| json.finish());
            if written.is_ok() && wanted > 0 {
                table.rows.extend(serde_json::from_slice::<Vec<Value>>(&json.into_inner()).unwrap_or_default());
            }
        })?;
        if tables.iter().all(|table| table.rows.len() >= MOST_ROWS) {
            break;
        }
    }
    Ok(tables)
}
