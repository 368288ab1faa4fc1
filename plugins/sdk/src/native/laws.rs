//! What tests of a generator's laws need: all rows in a form that can be compared, and trouble to bend them.

use std::collections::BTreeMap;

use super::Run;
use crate::batch::Column;
use crate::{DataType, Effect, Error, Generator, Incident, Operation, Role, Severity, Window};

impl Run {
    /// Every row as text, sorted, by the table's position: two runs that make the same set of rows have the same texts.
    ///
    /// # Errors
    /// Whatever the generator reports.
    pub fn texts<G: Generator>(&self) -> Result<BTreeMap<usize, Vec<String>>, Error> {
        let mut all: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        self.each::<G>(|batch| {
            let fields = batch.declaration().map_or(&[][..], |table| &table.fields);
            let lines = all.entry(batch.table()).or_default();
            for row in 0..batch.rows() {
                let cells =
                    fields.iter().zip(batch.columns()).map(|(field, column)| cell(field.data_type, column, row));
                lines.push(cells.collect::<Vec<_>>().join("|"));
            }
        })?;
        all.values_mut().for_each(|lines| lines.sort());
        Ok(all)
    }
}

fn cell(data_type: DataType, column: &Column, row: usize) -> String {
    match data_type {
        DataType::Utf8 => format!("{:?}", column.text(row)),
        DataType::Boolean => format!("{:?}", column.bool(row)),
        DataType::Int32 | DataType::Date => format!("{:?}", column.i32(row)),
        DataType::Float32 => format!("{:?}", column.f32(row)),
        DataType::Float64 => format!("{:?}", column.f64(row)),
        DataType::Int64 | DataType::Timestamp => format!("{:?}", column.i64(row)),
    }
}

/// An incident that scales one signal of one target over `window`: it sets in over the first quarter and fades over the last. Its id is
/// `T-TARGET-SIGNAL`.
pub fn trouble(target: &str, signal: &str, value: f64, window: Window) -> Incident {
    let quarter = window.micros() / 4;
    let effect = Effect {
        target: target.to_owned(),
        signal: signal.to_owned(),
        operation: Operation::Scale,
        value,
        start: window.start,
        full: window.start + quarter,
        release: window.end - quarter,
        end: window.end,
    };
    Incident {
        id: format!("T-{target}-{signal}"),
        kind: "test".to_owned(),
        role: Role::Incident,
        title: String::new(),
        severity: Severity::High,
        cause: None,
        window: Window::new(effect.start, effect.release),
        recovered: effect.end,
        effects: vec![effect],
        attributes: Vec::new(),
    }
}
