//! Generated types from and to ours. Buffers are moved, never copied.

use crate::batch::{Text, Values};
use crate::bindings::shared::telemill::plugin::types;

fn each<A, B: From<A>>(items: Vec<A>) -> Vec<B> {
    items.into_iter().map(B::from).collect()
}

/// Enumerations whose cases have the same names on both sides, in both directions.
macro_rules! same_cases {
    ($name:ident: $($case:ident),+) => {
        impl From<types::$name> for crate::$name {
            fn from(value: types::$name) -> Self {
                match value { $(types::$name::$case => Self::$case),+ }
            }
        }

        impl From<crate::$name> for types::$name {
            fn from(value: crate::$name) -> Self {
                match value { $(crate::$name::$case => Self::$case),+ }
            }
        }
    };
}

same_cases!(DataType: Boolean, Int32, Int64, Float32, Float64, Utf8, Date, Timestamp);
same_cases!(TableKind: Events, Snapshot);
same_cases!(Operation: Scale, Offset, Set);
same_cases!(Severity: Info, Low, Medium, High, Critical);
same_cases!(Role: Incident, Decoy);

/// Records whose fields have the same names on both sides, in both directions; `into` fields are converted, `each` ones element by element.
macro_rules! same_fields {
    ($name:ident: $($plain:ident),* ; into $($converted:ident),* ; each $($listed:ident),*) => {
        impl From<types::$name> for crate::$name {
            fn from(value: types::$name) -> Self {
                Self {
                    $($plain: value.$plain,)*
                    $($converted: value.$converted.into(),)*
                    $($listed: each(value.$listed),)*
                }
            }
        }

        impl From<crate::$name> for types::$name {
            fn from(value: crate::$name) -> Self {
                Self {
                    $($plain: value.$plain,)*
                    $($converted: value.$converted.into(),)*
                    $($listed: each(value.$listed),)*
                }
            }
        }
    };
}

same_fields!(Window: start, end; into; each);
same_fields!(Attribute: name, value; into; each);
same_fields!(Problem: path, message; into; each);
same_fields!(Field: name, nullable, unit, summary; into data_type; each attributes);
same_fields!(Table: name, summary, primary_key, time_field; into kind; each fields, attributes);
same_fields!(Signal: name, unit, summary, table, column, inverse; into; each);
same_fields!(Target: name, parents, signals; into; each attributes);
same_fields!(Effect: target, signal, value, start, full, release, end; into operation; each);
same_fields!(Incident: id, kind, title, cause, recovered; into role, severity, window; each effects, attributes);

impl From<crate::Error> for types::Error {
    fn from(error: crate::Error) -> Self {
        match error {
            crate::Error::InvalidConfig(problems) => Self::InvalidConfig(each(problems)),
            crate::Error::UnsupportedState => Self::UnsupportedState,
            crate::Error::Failed(message) => Self::Failed(message),
        }
    }
}

impl From<crate::Batch> for types::Batch {
    fn from(batch: crate::Batch) -> Self {
        Self { table: batch.table() as u32, rows: batch.rows() as u32, columns: each(batch.into_columns()) }
    }
}

impl From<crate::Column> for types::Column {
    fn from(column: crate::Column) -> Self {
        let text = |text: Text| types::Text { offsets: text.offsets, bytes: text.bytes };
        let values = match column.values {
            Values::Packed(bytes) => types::Values::Packed(bytes),
            Values::Text(strings) => types::Values::Text(text(strings)),
            Values::Dictionary { keys, values } => {
                types::Values::Dictionary(types::Dictionary { keys, values: text(values) })
            }
        };
        Self { values, validity: column.validity }
    }
}

impl TryFrom<types::Column> for crate::Column {
    type Error = types::Error;

    fn try_from(column: types::Column) -> Result<Self, types::Error> {
        let text = |text: types::Text| Text { offsets: text.offsets, bytes: text.bytes };
        let values = match column.values {
            types::Values::Packed(bytes) => Values::Packed(bytes),
            types::Values::Text(strings) => Values::Text(text(strings)),
            types::Values::Dictionary(dictionary) => {
                Values::Dictionary { keys: dictionary.keys, values: text(dictionary.values) }
            }
            // The contract says that the host sends none of the typed lists.
            _ => {
                return Err(types::Error::Failed(
                    "the host sent a column that is neither packed, text nor dictionary".to_owned(),
                ));
            }
        };
        Ok(Self { values, validity: column.validity })
    }
}
