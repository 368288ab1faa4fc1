//! Which columns of a table are written, in which order and under which names.

use super::SinkError;
use arrow::array::ArrayRef;
use arrow::datatypes::Schema;
use arrow::record_batch::RecordBatch;

/// A selection of a schema's columns, with the names that they get outside.
#[derive(Debug, Clone)]
pub struct Columns {
    picked: Vec<Picked>,
    width: usize,
}

#[derive(Debug, Clone)]
struct Picked {
    index: usize,
    source: String,
    name: String,
}

impl Columns {
    /// All columns under their own names.
    pub fn all(schema: &Schema) -> Self {
        let picked = schema.fields().iter().enumerate().map(|(index, field)| Picked {
            index,
            source: field.name().clone(),
            name: field.name().clone(),
        });
        Self { picked: picked.collect(), width: schema.fields().len() }
    }

    /// The named columns in the order of the names.
    ///
    /// # Errors
    /// [`SinkError::UnknownColumn`] for a name that the schema does not have.
    pub fn select(schema: &Schema, names: &[impl AsRef<str>]) -> Result<Self, SinkError> {
        let all = Self::all(schema);
        let pick = |name: &str| {
            all.picked.iter().find(|column| column.source == name).cloned().ok_or_else(|| SinkError::UnknownColumn {
                name: name.to_owned(),
                known: all.picked.iter().map(|column| column.source.clone()).collect(),
            })
        };
        let picked = names.iter().map(|name| pick(name.as_ref())).collect::<Result<_, _>>()?;
        Ok(Self { picked, width: all.width })
    }

    /// The selection without the column `source`; the same where it is not in it.
    #[must_use]
    pub fn without(mut self, source: &str) -> Self {
        self.picked.retain(|column| column.source != source);
        self
    }

    /// The selection with the column `source` written as `name`; the same where it is not in it.
    #[must_use]
    pub fn renamed(mut self, source: &str, name: &str) -> Self {
        for column in self.picked.iter_mut().filter(|column| column.source == source) {
            name.clone_into(&mut column.name);
        }
        self
    }

    /// The names that are written, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.picked.iter().map(|column| column.name.as_str())
    }

    /// How many columns are written.
    pub fn len(&self) -> usize {
        self.picked.len()
    }

    /// Whether none is written.
    pub fn is_empty(&self) -> bool {
        self.picked.is_empty()
    }

    /// The picked columns of `batch`, in order.
    pub(super) fn arrays<'a>(&self, batch: &'a RecordBatch) -> Result<Vec<&'a ArrayRef>, SinkError> {
        let shape = || SinkError::Shape { expected: self.width, found: batch.num_columns() };
        if batch.num_columns() != self.width {
            return Err(shape());
        }
        self.picked.iter().map(|column| batch.columns().get(column.index).ok_or_else(shape)).collect()
    }
}
