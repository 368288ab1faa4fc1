//! Whether new rows fit a table that is there: columns may be added at its end, and nothing else may change.

use crate::core::problem::Problem;
use crate::core::schema::{Field, Table};

/// How the declaration of new rows relates to the table that is there.
#[derive(Debug, PartialEq)]
pub(super) enum Fit {
    /// The same columns; the table is declared like this from now on.
    Same(Table),
    /// The first `known` columns are there; those behind are new.
    Grown {
        /// How many columns are there.
        known: usize,
        /// The table as it will be.
        table: Table,
    },
    /// They do not fit.
    Clash(Vec<Problem>),
}

/// Compares `new` with the table `old` that is there. Columns are matched by their place, which is their id in files.
pub(super) fn fit(old: &Table, new: &Table) -> Fit {
    let mut problems = Vec::new();
    if old.kind != new.kind {
        problems.push(Problem::new("", format!("the kind was {:?} and is {:?}", old.kind, new.kind)));
    }
    if old.time_field != new.time_field {
        problems.push(Problem::new("", format!("the time field was {:?} and is {:?}", old.time_field, new.time_field)));
    }
    let known = old.fields.len().min(new.fields.len());
    let mut table = new.clone();
    for (old, new) in old.fields.iter().zip(table.fields.iter_mut()) {
        if let Some(message) = clash(old, new) {
            problems.push(Problem::new(&old.name, message));
        }
        new.nullable = old.nullable;
    }
    for added in new.fields.iter().skip(known).filter(|field| !field.nullable) {
        problems.push(Problem::new(&added.name, "is new and never null, but the rows that are there have none"));
    }
    for missing in old.fields.iter().skip(known) {
        if missing.nullable {
            table.fields.push(missing.clone());
        } else {
            problems.push(Problem::new(&missing.name, "is missing and never null"));
        }
    }
    if !problems.is_empty() {
        Fit::Clash(problems)
    } else if table.fields.len() > old.fields.len() {
        Fit::Grown { known, table }
    } else {
        Fit::Same(table)
    }
}

/// What keeps rows of `new` from being those of `old` with columns added at the end; empty where nothing does.
pub fn added_only(old: &Table, new: &Table) -> Vec<Problem> {
    let gone = old.fields.iter().skip(new.fields.len()).map(|field| Problem::new(&field.name, "is missing"));
    match fit(old, new) {
        Fit::Clash(problems) => problems,
        Fit::Same(_) | Fit::Grown { .. } => gone.collect(),
    }
}

/// What keeps rows of `new` and those of `old` from standing in one table; empty where nothing does.
pub fn clashes(old: &Table, new: &Table) -> Vec<Problem> {
    match fit(old, new) {
        Fit::Clash(problems) => problems,
        Fit::Same(_) | Fit::Grown { .. } => Vec::new(),
    }
}

fn clash(old: &Field, new: &Field) -> Option<String> {
    if old.name != new.name {
        return Some(format!("{} stands in its place; new columns go to the end", new.name));
    }
    if old.data_type != new.data_type {
        return Some(format!("was {:?} and is {:?}", old.data_type, new.data_type));
    }
    if old.unit != new.unit {
        return Some(format!("was in {:?} and is in {:?}", old.unit, new.unit));
    }
    (new.nullable && !old.nullable).then(|| "was never null and may be".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::schema::{DataType, TableKind};

    fn table(fields: &[(&str, DataType, bool)]) -> Table {
        let field = |(name, data_type, nullable): &(&str, DataType, bool)| Field {
            name: (*name).to_owned(),
            data_type: *data_type,
            nullable: *nullable,
            unit: None,
            summary: String::new(),
            attributes: Vec::new(),
        };
        Table {
            name: "t".into(),
            summary: "rows".into(),
            kind: TableKind::Events,
            fields: fields.iter().map(field).collect(),
            primary_key: Vec::new(),
            time_field: None,
            attributes: Vec::new(),
        }
    }

    const A: (&str, DataType, bool) = ("a", DataType::Int64, false);
    const B: (&str, DataType, bool) = ("b", DataType::Utf8, true);

    #[test]
    fn nullable_columns_may_be_added_or_left_out_at_the_end() {
        let (short, long) = (table(&[A]), table(&[A, B]));
        assert_eq!(fit(&short, &long), Fit::Grown { known: 1, table: long.clone() });
        assert_eq!(fit(&long, &short), Fit::Same(long.clone()));
        assert_eq!(fit(&long, &long), Fit::Same(long));
    }

    #[test]
    fn columns_that_go_are_no_addition() {
        let (short, long) = (table(&[A]), table(&[A, B]));
        assert_eq!(added_only(&short, &long), []);
        assert_eq!(added_only(&long, &short), [Problem::new("b", "is missing")]);
        assert!(!added_only(&short, &table(&[("a", DataType::Int32, false)])).is_empty());
    }

    #[test]
    fn what_would_change_rows_that_are_there_is_named_by_column() {
        let cases = [
            (table(&[A]), table(&[("a", DataType::Int32, false)]), "was Int64 and is Int32"),
            (table(&[A]), table(&[B, A]), "b stands in its place"),
            (table(&[A]), table(&[("a", DataType::Int64, true)]), "was never null"),
            (table(&[B]), table(&[B, A]), "is new and never null"),
            (table(&[B, A]), table(&[B]), "is missing and never null"),
            (table(&[A]), Table { kind: TableKind::Snapshot, ..table(&[A]) }, "the kind was Events"),
        ];
        for (old, new, message) in cases {
            let found = fit(&old, &new);
            assert!(
                matches!(&found, Fit::Clash(problems) if problems.iter().any(|p| p.message.contains(message))),
                "{found:?}"
            );
        }
    }
}
