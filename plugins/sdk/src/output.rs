//! Where a generator puts its finished rows, checked against what it declared.

use std::sync::Arc;

use crate::{Batch, Column, Error, Table};

/// The rows of one table under construction; [`crate::table!`] implements it.
pub trait Rows {
    /// The table's name.
    const TABLE: &'static str;

    /// The rows in each column, by the field's name.
    fn lens(&self) -> Vec<(&'static str, usize)>;

    /// Moves the columns out, in the order of the fields.
    fn take_columns(&mut self) -> Vec<Column>;

    /// Moves the rows into the output and begins anew. Nothing is added where there are no rows.
    ///
    /// # Errors
    /// Where a column has more or fewer rows than the first, or the table is not one of the simulation's.
    fn finish(&mut self, output: &mut Output) -> Result<(), Error> {
        let lens = self.lens();
        let Some(&(_, rows)) = lens.first() else {
            return Ok(());
        };
        if let Some((name, len)) = lens.iter().find(|(_, len)| *len != rows) {
            return Err(Error::failed(format!("column {name:?} of table {:?} has {len} rows of {rows}", Self::TABLE)));
        }
        if rows == 0 {
            return Ok(());
        }
        let columns = self.take_columns();
        output.push(Self::TABLE, rows, columns)
    }
}

/// The batches that one `advance` returns.
#[derive(Clone, Debug)]
pub struct Output {
    tables: Arc<[Table]>,
    batches: Vec<Batch>,
}

impl Output {
    /// An output for a simulation's tables.
    pub fn new(tables: impl Into<Arc<[Table]>>) -> Self {
        Self { tables: tables.into(), batches: Vec::new() }
    }

    /// Adds the rows of a table: columns in the order of its fields, each of `rows` values.
    ///
    /// # Errors
    /// Where there is no such table, or the columns are not those of its fields.
    pub fn push(&mut self, table: &str, rows: usize, columns: Vec<Column>) -> Result<(), Error> {
        let index = self.tables.iter().position(|candidate| candidate.name == table);
        let Some((index, declared)) = index.and_then(|index| Some((index, self.tables.get(index)?))) else {
            return Err(Error::failed(format!("table {table:?} is not declared in the simulation")));
        };
        let rows = u32::try_from(rows)
            .map_err(|_| Error::failed(format!("table {table:?}: {rows} rows are too many for a batch")))?;
        if declared.fields.len() != columns.len() {
            return Err(Error::failed(format!(
                "table {table:?} has {} fields and {} columns",
                declared.fields.len(),
                columns.len()
            )));
        }
        for (field, column) in declared.fields.iter().zip(&columns) {
            column
                .check(field, rows)
                .map_err(|what| Error::failed(format!("column {:?} of table {table:?}: {what}", field.name)))?;
        }
        self.batches.push(Batch::new(index as u32, rows, columns, Arc::clone(&self.tables)));
        Ok(())
    }

    /// What was added so far.
    pub fn batches(&self) -> &[Batch] {
        &self.batches
    }

    /// Moves out what was added.
    pub fn take(&mut self) -> Vec<Batch> {
        std::mem::take(&mut self.batches)
    }
}
