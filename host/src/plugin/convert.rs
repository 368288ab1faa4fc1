//! Between the records that wasmtime generates and the host's own: field by field, buffers moved and never copied.
//! Texts for people are made harmless; else it checks nothing: that is the adapters' and `batch`'s part.

use super::bindings::types as wit;
use crate::batch::{GuestBatch, GuestColumn, GuestText, GuestValues};
use crate::core::incident::{Effect, Incident, Operation, Role, Severity};
use crate::core::printable::printable;
use crate::core::problem::Problem;
use crate::core::schema::{Attribute, DataType, Field, Signal, Table, TableKind, Target};
use crate::core::time::{Timestamp, Window};

/// Most problems of a guest that are told: enough to see what is wrong.
const MAX_PROBLEMS: usize = 20;

/// Every element of a list, converted.
pub(super) fn list<From, To>(from: Vec<From>, convert: impl Fn(From) -> To) -> Vec<To> {
    from.into_iter().map(convert).collect()
}

pub(super) fn window(window: Window) -> wit::Window {
    wit::Window { start: window.start.0, end: window.end.0 }
}

fn window_from(window: wit::Window) -> Window {
    Window { start: Timestamp(window.start), end: Timestamp(window.end) }
}

pub(super) fn attribute_from(attribute: wit::Attribute) -> Attribute {
    Attribute { name: attribute.name, value: attribute.value }
}

fn attribute(attribute: &Attribute) -> wit::Attribute {
    wit::Attribute { name: attribute.name.clone(), value: attribute.value.clone() }
}

/// What a guest finds wrong.
pub(super) fn problems_from(problems: Vec<wit::Problem>) -> Vec<Problem> {
    problems_of(list(problems, |problem| Problem::new(problem.path, problem.message)))
}

/// Problems in a guest's words as they are told: the first so many, made harmless, because they end up on terminals.
pub(super) fn problems_of(problems: Vec<Problem>) -> Vec<Problem> {
    let left_out = problems.len().saturating_sub(MAX_PROBLEMS);
    let shown = |problem: Problem| Problem::new(printable(&problem.path), printable(&problem.message));
    let mut told: Vec<_> = problems.into_iter().take(MAX_PROBLEMS).map(shown).collect();
    if left_out > 0 {
        told.push(Problem::new("", format!("{left_out} more problems")));
    }
    told
}

pub(super) fn table_from(table: wit::Table) -> Table {
    Table {
        name: table.name,
        summary: printable(&table.summary),
        kind: match table.kind {
            wit::TableKind::Events => TableKind::Events,
            wit::TableKind::Snapshot => TableKind::Snapshot,
        },
        fields: list(table.fields, field_from),
        primary_key: table.primary_key,
        time_field: table.time_field,
        attributes: list(table.attributes, attribute_from),
    }
}

pub(super) fn field_from(field: wit::Field) -> Field {
    Field {
        name: field.name,
        data_type: match field.data_type {
            wit::DataType::Boolean => DataType::Boolean,
            wit::DataType::Int32 => DataType::Int32,
            wit::DataType::Int64 => DataType::Int64,
            wit::DataType::Float32 => DataType::Float32,
            wit::DataType::Float64 => DataType::Float64,
            wit::DataType::Utf8 => DataType::Utf8,
            wit::DataType::Date => DataType::Date,
            wit::DataType::Timestamp => DataType::Timestamp,
        },
        nullable: field.nullable,
        unit: field.unit.as_deref().map(printable),
        summary: printable(&field.summary),
        attributes: list(field.attributes, attribute_from),
    }
}

pub(super) fn table(table: &Table) -> wit::Table {
    wit::Table {
        name: table.name.clone(),
        summary: table.summary.clone(),
        kind: match table.kind {
            TableKind::Events => wit::TableKind::Events,
            TableKind::Snapshot => wit::TableKind::Snapshot,
        },
        fields: table.fields.iter().map(field).collect(),
        primary_key: table.primary_key.clone(),
        time_field: table.time_field.clone(),
        attributes: table.attributes.iter().map(attribute).collect(),
    }
}

fn field(field: &Field) -> wit::Field {
    wit::Field {
        name: field.name.clone(),
        data_type: match field.data_type {
            DataType::Boolean => wit::DataType::Boolean,
            DataType::Int32 => wit::DataType::Int32,
            DataType::Int64 => wit::DataType::Int64,
            DataType::Float32 => wit::DataType::Float32,
            DataType::Float64 => wit::DataType::Float64,
            DataType::Utf8 => wit::DataType::Utf8,
            DataType::Date => wit::DataType::Date,
            DataType::Timestamp => wit::DataType::Timestamp,
        },
        nullable: field.nullable,
        unit: field.unit.clone(),
        summary: field.summary.clone(),
        attributes: field.attributes.iter().map(attribute).collect(),
    }
}

pub(super) fn signal_from(signal: wit::Signal) -> Signal {
    Signal {
        name: signal.name,
        unit: signal.unit.as_deref().map(printable),
        summary: printable(&signal.summary),
        table: signal.table,
        column: signal.column,
        inverse: signal.inverse,
    }
}

pub(super) fn target_from(target: wit::Target) -> Target {
    Target {
        name: target.name,
        parents: target.parents,
        signals: target.signals,
        attributes: list(target.attributes, attribute_from),
    }
}

pub(super) fn target(target: &Target) -> wit::Target {
    wit::Target {
        name: target.name.clone(),
        parents: target.parents.clone(),
        signals: target.signals.clone(),
        attributes: target.attributes.iter().map(attribute).collect(),
    }
}

pub(super) fn severity_from(severity: wit::Severity) -> Severity {
    match severity {
        wit::Severity::Info => Severity::Info,
        wit::Severity::Low => Severity::Low,
        wit::Severity::Medium => Severity::Medium,
        wit::Severity::High => Severity::High,
        wit::Severity::Critical => Severity::Critical,
    }
}

fn severity(severity: Severity) -> wit::Severity {
    match severity {
        Severity::Info => wit::Severity::Info,
        Severity::Low => wit::Severity::Low,
        Severity::Medium => wit::Severity::Medium,
        Severity::High => wit::Severity::High,
        Severity::Critical => wit::Severity::Critical,
    }
}

pub(super) fn incident_from(incident: wit::Incident) -> Incident {
    Incident {
        id: incident.id,
        kind: incident.kind,
        role: match incident.role {
            wit::Role::Incident => Role::Incident,
            wit::Role::Decoy => Role::Decoy,
        },
        title: printable(&incident.title),
        severity: severity_from(incident.severity),
        cause: incident.cause,
        window: window_from(incident.window),
        recovered: Timestamp(incident.recovered),
        effects: list(incident.effects, effect_from),
        attributes: list(incident.attributes, attribute_from),
    }
}

pub(super) fn incident(incident: &Incident) -> wit::Incident {
    wit::Incident {
        id: incident.id.clone(),
        kind: incident.kind.clone(),
        role: match incident.role {
            Role::Incident => wit::Role::Incident,
            Role::Decoy => wit::Role::Decoy,
        },
        title: incident.title.clone(),
        severity: severity(incident.severity),
        cause: incident.cause.clone(),
        window: window(incident.window),
        recovered: incident.recovered.0,
        effects: incident.effects.iter().map(effect).collect(),
        attributes: incident.attributes.iter().map(attribute).collect(),
    }
}

fn effect_from(effect: wit::Effect) -> Effect {
    Effect {
        target: effect.target,
        signal: effect.signal,
        operation: match effect.operation {
            wit::Operation::Scale => Operation::Scale,
            wit::Operation::Offset => Operation::Offset,
            wit::Operation::Set => Operation::Set,
        },
        value: effect.value,
        start: Timestamp(effect.start),
        full: Timestamp(effect.full),
        release: Timestamp(effect.release),
        end: Timestamp(effect.end),
    }
}

fn effect(effect: &Effect) -> wit::Effect {
    wit::Effect {
        target: effect.target.clone(),
        signal: effect.signal.clone(),
        operation: match effect.operation {
            Operation::Scale => wit::Operation::Scale,
            Operation::Offset => wit::Operation::Offset,
            Operation::Set => wit::Operation::Set,
        },
        value: effect.value,
        start: effect.start.0,
        full: effect.full.0,
        release: effect.release.0,
        end: effect.end.0,
    }
}

pub(super) fn batch_from(batch: wit::Batch) -> GuestBatch {
    GuestBatch { table: batch.table, rows: batch.rows, columns: list(batch.columns, column_from) }
}

fn column_from(column: wit::Column) -> GuestColumn {
    let text = |text: wit::Text| GuestText { offsets: text.offsets, bytes: text.bytes };
    let values = match column.values {
        wit::Values::Packed(bytes) => GuestValues::Packed(bytes),
        wit::Values::Booleans(values) => GuestValues::Booleans(values),
        wit::Values::Int64s(values) => GuestValues::Int64s(values),
        wit::Values::Float64s(values) => GuestValues::Float64s(values),
        wit::Values::Strings(values) => GuestValues::Strings(values),
        wit::Values::Text(values) => GuestValues::Text(text(values)),
        wit::Values::Dictionary(dictionary) => GuestValues::Dictionary(dictionary.keys, text(dictionary.values)),
    };
    GuestColumn { values, validity: column.validity }
}

pub(super) fn batch(batch: GuestBatch) -> wit::Batch {
    wit::Batch { table: batch.table, rows: batch.rows, columns: list(batch.columns, column) }
}

fn column(column: GuestColumn) -> wit::Column {
    let text = |text: GuestText| wit::Text { offsets: text.offsets, bytes: text.bytes };
    let values = match column.values {
        GuestValues::Packed(bytes) => wit::Values::Packed(bytes),
        GuestValues::Booleans(values) => wit::Values::Booleans(values),
        GuestValues::Int64s(values) => wit::Values::Int64s(values),
        GuestValues::Float64s(values) => wit::Values::Float64s(values),
        GuestValues::Strings(values) => wit::Values::Strings(values),
        GuestValues::Text(values) => wit::Values::Text(text(values)),
        GuestValues::Dictionary(keys, values) => {
            wit::Values::Dictionary(wit::Dictionary { keys, values: text(values) })
        }
    };
    wit::Column { values, validity: column.validity }
}
