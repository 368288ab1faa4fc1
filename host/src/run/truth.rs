//! Ground truth as rows: the tables `incidents` and `incident_effects` that stand in every dataset.

use crate::batch::TableLayout;
use crate::core::incident::{Incident, Operation, Role, Severity};
use crate::core::schema::{DataType, Field, Table, TableKind};
use crate::core::time::Timestamp;
use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::error::ArrowError;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// An incident and the model that made it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedIncident {
    /// The model's plugin name.
    pub model: String,
    /// Whether it was placed by hand.
    pub placed: bool,
    /// The incident.
    pub incident: Incident,
}

fn field(name: &str, data_type: DataType, nullable: bool, summary: &str) -> Field {
    let (name, summary) = (name.to_owned(), summary.to_owned());
    Field { name, data_type, nullable, unit: None, summary, attributes: Vec::new() }
}

fn table(name: &str, summary: &str, key: &[&str], time: &str, fields: Vec<Field>) -> TableLayout {
    TableLayout::new(Table {
        name: name.to_owned(),
        summary: summary.to_owned(),
        kind: TableKind::Events,
        fields,
        primary_key: key.iter().map(|&name| name.to_owned()).collect(),
        time_field: Some(time.to_owned()),
        attributes: Vec::new(),
    })
}

/// What went wrong: a row an incident.
pub fn incidents_layout() -> TableLayout {
    let fields = vec![
        field("incident_id", DataType::Utf8, false, "The id that affected rows carry"),
        field("model", DataType::Utf8, false, "The incident model that made it"),
        field("kind", DataType::Utf8, false, "The kind of trouble"),
        field("role", DataType::Utf8, false, "incident, or decoy: looks like trouble and is none"),
        field("title", DataType::Utf8, false, "One line for people"),
        field("severity", DataType::Utf8, false, "info, low, medium, high or critical"),
        field("cause", DataType::Utf8, true, "The incident that brought this one about"),
        field("start_time", DataType::Timestamp, false, "The first effect starts"),
        field("end_time", DataType::Timestamp, false, "The last effect is released"),
        field("recovered_time", DataType::Timestamp, false, "Everything is back to normal"),
        field("origin", DataType::Utf8, false, "planned by the model, or placed by hand"),
        field("attributes", DataType::Utf8, true, "What else the model said, as JSON"),
    ];
    table("incidents", "Ground truth: what went wrong, when and why", &["incident_id"], "start_time", fields)
}

/// What incidents did: a row an effect.
pub fn effects_layout() -> TableLayout {
    let fields = vec![
        field("incident_id", DataType::Utf8, false, "The incident"),
        field("target", DataType::Utf8, false, "The part of the system, or a parent of parts"),
        field("signal", DataType::Utf8, false, "The quantity that was bent"),
        field("operation", DataType::Utf8, false, "scale, offset or set"),
        field("value", DataType::Float64, false, "Factor, addend or replacement"),
        field("start_time", DataType::Timestamp, false, "Untouched before"),
        field("full_time", DataType::Timestamp, false, "In full force from here"),
        field("release_time", DataType::Timestamp, false, "In full force until here"),
        field("end_time", DataType::Timestamp, false, "Untouched from here"),
    ];
    table("incident_effects", "Ground truth: which signals incidents bent, and how", &[], "start_time", fields)
}

fn texts<'a, T: 'a>(rows: &'a [T], value: impl Fn(&'a T) -> &'a str) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(rows.iter().map(value)))
}

fn times<T>(rows: &[T], value: impl Fn(&T) -> Timestamp) -> ArrayRef {
    let values = TimestampMicrosecondArray::from_iter_values(rows.iter().map(|row| value(row).0));
    Arc::new(values.with_timezone("UTC"))
}

/// The rows of `incidents`.
///
/// # Errors
/// None but for a bug: the columns fit the layout.
pub fn incident_rows(incidents: &[PlannedIncident]) -> Result<RecordBatch, ArrowError> {
    let attributes = |planned: &PlannedIncident| {
        let map: serde_json::Map<_, _> =
            planned.incident.attributes.iter().map(|a| (a.name.clone(), a.value.clone().into())).collect();
        (!map.is_empty()).then(|| serde_json::Value::Object(map).to_string())
    };
    let columns = vec![
        texts(incidents, |i| &i.incident.id),
        texts(incidents, |i| &i.model),
        texts(incidents, |i| &i.incident.kind),
        texts(incidents, |i| role_name(i.incident.role)),
        texts(incidents, |i| &i.incident.title),
        texts(incidents, |i| severity_name(i.incident.severity)),
        Arc::new(StringArray::from_iter(incidents.iter().map(|i| i.incident.cause.as_deref()))) as ArrayRef,
        times(incidents, |i| i.incident.window.start),
        times(incidents, |i| i.incident.window.end),
        times(incidents, |i| i.incident.recovered),
        texts(incidents, |i| if i.placed { "placed" } else { "planned" }),
        Arc::new(StringArray::from_iter(incidents.iter().map(attributes))),
    ];
    RecordBatch::try_new(incidents_layout().schema, columns)
}

/// The rows of `incident_effects`.
///
/// # Errors
/// None but for a bug: the columns fit the layout.
pub fn effect_rows(incidents: &[PlannedIncident]) -> Result<RecordBatch, ArrowError> {
    let rows: Vec<_> = incidents
        .iter()
        .flat_map(|i| i.incident.effects.iter().map(|effect| (i.incident.id.as_str(), effect)))
        .collect();
    let columns = vec![
        texts(&rows, |row| row.0),
        texts(&rows, |row| &row.1.target),
        texts(&rows, |row| &row.1.signal),
        texts(&rows, |row| operation_name(row.1.operation)),
        Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| row.1.value))) as ArrayRef,
        times(&rows, |row| row.1.start),
        times(&rows, |row| row.1.full),
        times(&rows, |row| row.1.release),
        times(&rows, |row| row.1.end),
    ];
    RecordBatch::try_new(effects_layout().schema, columns)
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Incident => "incident",
        Role::Decoy => "decoy",
    }
}

fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Low => "low",
        Severity::Medium => "medium",
        Severity::High => "high",
        Severity::Critical => "critical",
    }
}

fn operation_name(operation: Operation) -> &'static str {
    match operation {
        Operation::Scale => "scale",
        Operation::Offset => "offset",
        Operation::Set => "set",
    }
}
