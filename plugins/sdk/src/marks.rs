//! The column that says which incident changed a row, as the dictionary of one batch.
//!
//! Knows nothing of what counts as a change: the caller asks [`Bent::blame`](crate::Bent::blame).

use crate::{DictionaryColumn, Effects, Nullable};

/// The incidents that rows of one batch are marked with, in the order in which the rows met them.
///
/// A batch meets few of a run's incidents, so its dictionary holds those alone.
#[derive(Clone, Debug, Default)]
pub struct Marks {
    known: Vec<usize>,
}

impl Marks {
    /// Adds a row to the column: marked with the incident of this index, or with none.
    #[inline]
    pub fn push(&mut self, column: &mut Nullable<DictionaryColumn>, incident: Option<usize>) {
        match incident {
            Some(incident) => column.push(self.key(incident)),
            None => column.push_null(),
        }
    }

    /// The key of an incident in the dictionary of this batch, for rows that are added many at once.
    pub fn key(&mut self, incident: usize) -> u32 {
        let at = self.known.iter().position(|known| *known == incident).unwrap_or_else(|| {
            self.known.push(incident);
            self.known.len() - 1
        });
        at as u32
    }

    /// Gives the column the ids of its incidents and begins anew. Call it before the rows are finished.
    pub fn finish(&mut self, column: &mut Nullable<DictionaryColumn>, effects: &Effects) {
        if self.known.is_empty() {
            // A key must name a value even under a null.
            column.inner_mut().set_values([""]);
        } else {
            column.inner_mut().set_values(self.known.iter().map(|incident| effects.id(*incident)));
        }
        self.known.clear();
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::column::Build;
    use crate::{Effect, Incident, Operation, Role, Severity, Simulation, Window};

    fn incident(id: &str) -> Incident {
        let effect = Effect {
            target: "t".to_owned(),
            signal: "s".to_owned(),
            operation: Operation::Scale,
            value: 2.0,
            start: 0,
            full: 0,
            release: 1,
            end: 1,
        };
        Incident {
            id: id.to_owned(),
            kind: "k".to_owned(),
            role: Role::Incident,
            title: String::new(),
            severity: Severity::Low,
            cause: None,
            window: Window::new(0, 1),
            recovered: 1,
            effects: vec![effect],
            attributes: Vec::new(),
        }
    }

    #[test]
    fn rows_carry_the_ids_of_their_batch() {
        let mut effects = Effects::new(&Simulation {
            tables: Vec::new(),
            signals: Vec::new(),
            targets: Vec::new(),
            inputs: Vec::new(),
            step_micros: 1,
            attributes: Vec::new(),
        });
        effects.inject(["a", "b", "c"].map(incident).to_vec()).unwrap();
        let (mut marks, mut column) = (Marks::default(), Nullable::<DictionaryColumn>::default());
        for (batch, dictionary) in [([Some(2), None, Some(0), Some(2)], 2), ([None, Some(1), None, None], 1)] {
            batch.into_iter().for_each(|incident| marks.push(&mut column, incident));
            marks.finish(&mut column, &effects);
            let finished = column.finish();
            for (row, incident) in batch.into_iter().enumerate() {
                assert_eq!(finished.text(row), incident.map(|incident| effects.id(incident)));
            }
            assert_eq!(finished.dictionary().unwrap().len(), dictionary);
        }
        marks.push(&mut column, None);
        marks.finish(&mut column, &effects);
        assert_eq!(column.finish().text(0), None);
    }
}
