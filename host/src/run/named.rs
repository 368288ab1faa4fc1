//! Names of targets that come from rows of an input, such as a real inventory of devices.
//!
//! A generator plans before it is fed, so it counts such targets by their rows: `pos-00002`. Incident models, people and the ground truth
//! see the names that the rows have, and no target whose row is not there; the generator itself is told its own names.

use super::error::RunError;
use super::inputs::InputRows;
use crate::core::incident::Incident;
use crate::core::schema::{Simulation, Target};
use std::collections::BTreeMap;

/// Attributes of a target that stands for a row of an input: `TABLE.COLUMN` with the name, the row from 0, and where it has a parent of
/// the same kind, the column with that one's name.
const NAME: &str = "input";
const ROW: &str = "input_row";
const PARENT: &str = "input_parent";

/// What the generator calls targets that are shown under other names.
#[derive(Clone, Default)]
pub(super) struct TargetNames(BTreeMap<String, String>);

impl TargetNames {
    /// The simulation as incident models see it, and the way back.
    ///
    /// # Errors
    /// Two targets would have one name, or a generator names what it does not ask for.
    pub(super) fn of(simulation: &Simulation, rows: &InputRows) -> Result<(Simulation, Self), RunError> {
        let mut shown = BTreeMap::new();
        let mut targets = Vec::with_capacity(simulation.targets.len());
        for target in &simulation.targets {
            let Some(place) = Place::of(target).filter(|place| rows.is_given(place.table)) else {
                targets.push((target.clone(), None));
                continue;
            };
            if let Some(name) = rows.text(place.table, place.column, place.row)? {
                let parent =
                    place.parent.map(|column| rows.text(place.table, column, place.row)).transpose()?.flatten();
                shown.insert(target.name.clone(), name.clone());
                targets.push((Target { name, ..target.clone() }, parent));
            } else {
                // No row, no target; nothing may name it as a parent either.
                shown.insert(target.name.clone(), String::new());
            }
        }
        let mut names = Self::default();
        for (target, _) in &targets {
            if names.0.insert(target.name.clone(), target.name.clone()).is_some() {
                let message = format!("{:?} is the name of another target, too", target.name);
                let input = Place::of(target).map_or_else(String::new, |place| place.table.to_owned());
                return Err(RunError::Input { input, message });
            }
        }
        for (declared, shown) in &shown {
            if let Some(name) = names.0.get_mut(shown) {
                declared.clone_into(name);
            }
        }
        let adopt = |(mut target, parent): (Target, Option<String>)| {
            let named = target.parents.iter().map(|parent| shown.get(parent).unwrap_or(parent));
            let there = named.filter(|parent| !parent.is_empty()).cloned();
            target.parents = there.chain(parent.filter(|parent| names.0.contains_key(parent))).collect();
            target
        };
        let targets = targets.into_iter().map(adopt).collect();
        Ok((Simulation { targets, ..simulation.clone() }, names))
    }

    /// Incidents as the generator is told them.
    pub(super) fn declared(&self, mut incidents: Vec<Incident>) -> Vec<Incident> {
        for effect in incidents.iter_mut().flat_map(|incident| &mut incident.effects) {
            if let Some(name) = self.0.get(&effect.target) {
                effect.target.clone_from(name);
            }
        }
        incidents
    }
}

/// The row that a target stands for.
struct Place<'a> {
    table: &'a str,
    column: &'a str,
    row: usize,
    parent: Option<&'a str>,
}

impl<'a> Place<'a> {
    fn of(target: &'a Target) -> Option<Self> {
        let attribute = |name: &str| {
            let found = target.attributes.iter().find(|attribute| attribute.name == name);
            found.map(|attribute| attribute.value.as_str())
        };
        let (table, column) = attribute(NAME)?.split_once('.')?;
        Some(Self { table, column, row: attribute(ROW)?.parse().ok()?, parent: attribute(PARENT) })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::core::schema::Attribute;
    use arrow::array::{RecordBatch, StringArray};
    use arrow::datatypes::{DataType, Field, Schema};
    use std::sync::Arc;

    fn target(name: &str, parents: &[&str], attributes: &[(&str, &str)]) -> Target {
        let attribute = |(name, value): &(&str, &str)| Attribute { name: (*name).into(), value: (*value).into() };
        Target {
            name: name.into(),
            parents: parents.iter().map(|&parent| parent.into()).collect(),
            signals: Vec::new(),
            attributes: attributes.iter().map(attribute).collect(),
        }
    }

    fn tills(names: [&str; 2]) -> InputRows {
        let field = |name| Field::new(name, DataType::Utf8, false);
        let schema = Schema::new(vec![field("id"), field("site")]);
        let columns: [[&str; 2]; 2] = [names, ["mill", "moon"]];
        let columns = columns.map(|column| Arc::new(StringArray::from(column.to_vec())) as _).to_vec();
        let batch = RecordBatch::try_new(Arc::new(schema), columns).unwrap();
        InputRows(BTreeMap::from([("tills".to_owned(), vec![batch.slice(0, 1), batch.slice(1, 1)])]))
    }

    fn simulation() -> Simulation {
        let till = |name, row| target(name, &["all"], &[(NAME, "tills.id"), (ROW, row), (PARENT, "site")]);
        let targets = vec![
            target("all", &["gone-3"], &[]),
            target("mill", &[], &[]),
            till("t-1", "0"),
            till("t-2", "1"),
            till("gone-3", "2"),
        ];
        let (tables, signals, inputs, attributes) = Default::default();
        Simulation { tables, signals, targets, inputs, step_us: 1, attributes }
    }

    #[test]
    fn targets_have_the_names_of_their_rows() {
        let (shown, names) = TargetNames::of(&simulation(), &tills(["a", "b"])).unwrap();
        let told: Vec<_> = shown.targets.iter().map(|t| format!("{} {}", t.name, t.parents.join("+"))).collect();
        assert_eq!(told, ["all ", "mill ", "a all+mill", "b all"], "no moon, and no third till");
        assert_eq!(names.0.get("b").unwrap(), "t-2");
        assert_eq!(names.0.get("all").unwrap(), "all");
        let error = TargetNames::of(&simulation(), &tills(["a", "mill"])).err().unwrap().to_string();
        assert!(error.contains("tills") && error.contains("mill"), "{error}");
        let nothing = InputRows(BTreeMap::new());
        assert_eq!(TargetNames::of(&simulation(), &nothing).unwrap().0.targets.len(), 5, "nothing is fed");
    }
}
