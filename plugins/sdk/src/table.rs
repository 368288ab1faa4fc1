//! The macro that declares a table once: its fields, their types and the columns that collect its rows.

/// Declares a table and the struct that collects its rows.
///
/// Doc comments become the summaries of the table and its fields; a field's type is its column, [`Nullable`](crate::Nullable)
/// where a row may lack it; `=> "ms"` gives a unit. The struct gets `Default`, `table()` (the declaration),
/// and [`Rows`](crate::Rows) (`len`, `finish`).
///
/// `moved_by` says of fields which signals may move them, with commas between, or `""` for none: the attribute of that name,
/// to which the conformance check holds the generator. `owner` says which field names the target that a row belongs to: effects on
/// other targets leave the row as it is, and the check holds the generator to that, too.
///
/// ```
/// use telemill_sdk::{DictionaryColumn, F64Column, Nullable, Output, Rows, TextColumn, TimestampColumn, table};
///
/// table! {
///     /// Requests that the shop answered.
///     #[derive(Debug)]
///     pub struct Requests("requests") {
///         /// When the request came in.
///         time: TimestampColumn,
///         /// Which part of the shop answered.
///         service: DictionaryColumn,
///         /// How long it took.
///         response_time_ms: F64Column => "ms",
///         /// Why it failed.
///         error: Nullable<TextColumn>,
///     }
///     time_field: "time",
///     primary_key: [],
///     moved_by: { "demand": [time, service], "demand, latency": [response_time_ms] },
///     owner: service,
/// }
///
/// let mut rows = Requests::default();
/// rows.service.set_values(["cart", "checkout"]);
/// rows.time.push(1_000_000);
/// rows.service.push(1);
/// rows.response_time_ms.push(312.5);
/// rows.error.push_null();
/// let mut output = Output::new(vec![Requests::table()]);
/// rows.finish(&mut output).unwrap();
/// assert_eq!(output.batches()[0].text("service", 0), Some("checkout"));
/// let field = Requests::table().field("response_time_ms").cloned().unwrap();
/// assert_eq!((field.attributes[0].name.as_str(), field.attributes[0].value.as_str()), ("moved_by", "demand, latency"));
/// let field = Requests::table().field("service").cloned().unwrap();
/// assert_eq!((field.attributes[1].name.as_str(), field.attributes[1].value.as_str()), ("owner", "target"));
/// ```
#[macro_export]
macro_rules! table {
    (
        $(#[doc = $summary:literal])+
        $(#[derive($($derive:path),* $(,)?)])?
        $visibility:vis struct $name:ident($table:literal) {
            $(
                $(#[doc = $field_summary:literal])+
                $field:ident : $column:ty $(=> $unit:literal)?
            ),* $(,)?
        }
        $(time_field: $time_field:literal,)?
        $(primary_key: [$($key:literal),* $(,)?],)?
        $(kind: $kind:ident,)?
        $(moved_by: { $($signals:literal: [$($moved:ident),* $(,)?]),* $(,)? },)?
        $(owner: $owner:ident,)?
    ) => {
        $(#[doc = $summary])+
        $(#[derive($($derive),*)])?
        #[derive(Default)]
        $visibility struct $name {
            $(
                $(#[doc = $field_summary])+
                $visibility $field: $column,
            )*
        }

        impl $name {
            /// The declaration of the table.
            $visibility fn table() -> $crate::Table {
                // A field that the table does not have is an error of the compiler's.
                $($($(let _ = |rows: &Self| { let _ = &rows.$moved; };)*)*)?
                $(let _ = |rows: &Self| { let _ = &rows.$owner; };)?
                let declared = $crate::Table {
                    name: $table.to_owned(),
                    summary: $crate::schema::summary(&[$($summary),+]),
                    kind: [$($crate::TableKind::$kind,)? $crate::TableKind::Events][0],
                    fields: vec![$($crate::Field {
                        name: stringify!($field).to_owned(),
                        data_type: <$column as $crate::column::Build>::DATA_TYPE,
                        nullable: <$column as $crate::column::Build>::NULLABLE,
                        unit: None $(.or(Some($unit.to_owned())))?,
                        summary: $crate::schema::summary(&[$($field_summary),+]),
                        attributes: Vec::new(),
                    }),*],
                    primary_key: vec![$($($key.to_owned()),*)?],
                    time_field: None $(.or(Some($time_field.to_owned())))?,
                    attributes: Vec::new(),
                };
                $($(let declared = declared.moved_by($signals, &[$(stringify!($moved)),*]);)*)?
                $(let declared = declared.owner(stringify!($owner));)?
                declared
            }
        }

        impl $crate::Rows for $name {
            const TABLE: &'static str = $table;

            fn lens(&self) -> Vec<(&'static str, usize)> {
                vec![$((stringify!($field), $crate::column::Build::len(&self.$field))),*]
            }

            fn take_columns(&mut self) -> Vec<$crate::Column> {
                vec![$($crate::column::Build::finish(&mut self.$field)),*]
            }
        }
    };
}
