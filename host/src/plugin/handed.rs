//! How many bytes a guest's result made the host allocate, counted as wasmtime counts them against `host_bytes` while it
//! reads the result: it tells nobody what was left. Texts are taken to be UTF-8 in the guest, as every tool chain has them.

use super::bindings::about::exports::telemill::plugin::about;
use super::bindings::generator::exports::telemill::plugin::generator;
use super::bindings::incident_model::exports::telemill::plugin::incident_model;
use super::bindings::types;
use super::bindings::validator::exports::telemill::plugin::validator;

/// What a call hands over.
pub(super) trait Handed {
    /// Bytes behind it, beside its own.
    fn behind(&self) -> u64;
}

/// Elements that have nothing behind them, so that a list of millions is not walked.
macro_rules! flat {
    ($($type:ty),*) => {$(
        impl Handed for Vec<$type> {
            fn behind(&self) -> u64 {
                size_of_val(self.as_slice()) as u64
            }
        }
    )*};
}

/// Elements that may have something behind them.
macro_rules! lists {
    ($($type:ty),* $(,)?) => {$(
        impl Handed for Vec<$type> {
            fn behind(&self) -> u64 {
                size_of_val(self.as_slice()) as u64 + self.iter().map(Handed::behind).sum::<u64>()
            }
        }
    )*};
}

/// Records, each with its fields that have something behind them.
macro_rules! records {
    ($($type:ty: $($field:ident),*;)*) => {$(
        impl Handed for $type {
            fn behind(&self) -> u64 {
                [$(self.$field.behind()),*].into_iter().sum()
            }
        }
    )*};
}

flat!(u8, bool, i64, u64, f64);

lists!(
    String,
    types::Attribute,
    types::Batch,
    types::Column,
    types::Effect,
    types::Field,
    types::Incident,
    types::Problem,
    types::Signal,
    types::Table,
    types::Target,
    about::Example,
    generator::Input,
    incident_model::Kind,
    validator::Finding,
    validator::Metric,
    validator::Selection,
);

records! {
    types::Attribute: name, value;
    types::Batch: columns;
    types::Column: values, validity;
    types::Dictionary: keys, values;
    types::Effect: target, signal;
    types::Field: name, unit, summary, attributes;
    types::Incident: id, kind, title, cause, effects, attributes;
    types::Problem: path, message;
    types::Signal: name, unit, summary, table, column;
    types::Table: name, summary, fields, primary_key, time_field, attributes;
    types::Target: name, parents, signals, attributes;
    types::Text: offsets, bytes;
    about::Descriptor: name, version, summary, documentation, config_schema, examples, attributes;
    about::Example: name, config;
    generator::Input: table, fields;
    generator::Simulation: tables, signals, targets, inputs, attributes;
    incident_model::Kind: name, summary;
    validator::Finding: rule, table, column, message, samples;
    validator::Metric: name, unit;
    validator::Report: findings, metrics;
    validator::Selection: table, columns, order_by;
}

impl Handed for () {
    fn behind(&self) -> u64 {
        0
    }
}

impl Handed for String {
    fn behind(&self) -> u64 {
        self.len() as u64
    }
}

impl<T: Handed> Handed for Option<T> {
    fn behind(&self) -> u64 {
        self.as_ref().map_or(0, Handed::behind)
    }
}

impl<T: Handed, E: Handed> Handed for Result<T, E> {
    fn behind(&self) -> u64 {
        match self {
            Ok(value) => value.behind(),
            Err(error) => error.behind(),
        }
    }
}

impl Handed for types::Values {
    fn behind(&self) -> u64 {
        match self {
            Self::Packed(bytes) => bytes.behind(),
            Self::Booleans(values) => values.behind(),
            Self::Int64s(values) => values.behind(),
            Self::Float64s(values) => values.behind(),
            Self::Strings(values) => values.behind(),
            Self::Text(text) => text.behind(),
            Self::Dictionary(dictionary) => dictionary.behind(),
        }
    }
}

impl Handed for types::Error {
    fn behind(&self) -> u64 {
        match self {
            Self::InvalidConfig(problems) => problems.behind(),
            Self::UnsupportedState => 0,
            Self::Failed(message) => message.behind(),
        }
    }
}
