//! Rows of a generator for the asking: a spec in, one table out, nothing stored. Routes that ship beside a plugin, as mapping
//! files, are cases of it: the host knows none of them by name.

use super::Shared;
use super::body::{Json as Body, Raw, parse_json};
use super::error::{Problem, ProblemDocument};
use super::spec;
use super::work::blocking;
use crate::core::document;
use crate::core::time::Timestamp;
use crate::plugin::{self, log_to_tracing};
use crate::run::{self, Cancel, Host, Plan, RunError, RunSpec};
use crate::sink::profile::{Profile, ProfileFormat};
use crate::sink::{Encoder as _, ProfileEncoder};
use axum::Router;
use axum::body::Body as AnswerBody;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Most rows of an answer: larger tables are made by runs.
const MAX_ROWS: u64 = 100_000;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(tabulate))
}

/// A spec as for a run, and the table that is wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(value_type = Object, example = json!({"scenario": "device-fleet", "duration": "15m", "table": "segment_timeseries"}))]
#[serde(transparent)]
struct NewTable(Map<String, Value>);

/// Rows of one table.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "its form is written piece by piece")]
struct TableAnswer {
    /// The table.
    table: String,
    /// The start of the span.
    start: Timestamp,
    /// Its rows, in the order of time.
    #[schema(value_type = Vec<Object>)]
    rows: Vec<Value>,
}

/// Runs a generator over a span and answers with the rows of one table. Nothing is stored; the same request with a seed
/// and a start gives the same rows.
#[utoipa::path(post, path = "/api/v1/tables", tag = "runs", request_body = NewTable,
    responses((status = 200, body = TableAnswer), (status = 422, description = "Too many rows", body = ProblemDocument)))]
async fn tabulate(
    State(services): State<Shared>,
    Body(NewTable(mut body)): Body<NewTable>,
) -> Result<Response, Problem> {
    let table = match body.remove("table") {
        Some(Value::String(table)) => table,
        _ => return Err(Problem::bad_field("table", "must name a table of the generator")),
    };
    answer(&services, spec::read(body)?, table, None).await
}

async fn answer(
    services: &Shared,
    spec: RunSpec,
    table: String,
    profile: Option<Profile>,
) -> Result<Response, Problem> {
    let bytes = blocking(services, move |host| made(host, spec, &table, profile)).await?;
    Ok(([(CONTENT_TYPE, "application/json")], AnswerBody::from(bytes)).into_response())
}

fn made(host: &Host, spec: RunSpec, table: &str, profile: Option<Profile>) -> Result<Vec<u8>, Problem> {
    let spec = spec.resolve(run::now(), run::random())?;
    let plan = Plan::make(&host.registry, spec, None, host.read_input, log_to_tracing())?;
    let position = plan.layouts.iter().position(|layout| layout.table.name == table);
    let Some((position, layout)) = position.and_then(|position| Some((position, plan.layouts.get(position)?))) else {
        let known: Vec<_> = plan.layouts.iter().map(|layout| layout.table.name.as_str()).collect();
        return Err(Problem::bad_field("table", format!("{table:?} is none of {}", known.join(", "))));
    };
    let profile = profile.map(|profile| Profile { format: ProfileFormat::Ndjson, ..profile });
    let profile = profile.unwrap_or_else(|| Profile::whole(&layout.table, ProfileFormat::Ndjson));
    let mut encoder = ProfileEncoder::new(&profile, layout)?;
    let (mut lines, mut rows) = (Vec::new(), 0);
    encoder.begin(&mut lines)?;
    run::stream(&plan, &Cancel::default(), &mut |_, batches| {
        for (_, batch) in batches.iter().filter(|(table, _)| *table == position) {
            rows += batch.num_rows() as u64;
            if rows > MAX_ROWS {
                return Err(RunError::Cancelled);
            }
            encoder.encode(&layout.conform(batch)?, &mut lines).map_err(|error| RunError::Taker(Box::new(error)))?;
        }
        Ok(())
    })
    .map_err(|error| match error {
        RunError::Cancelled if rows > MAX_ROWS => {
            let detail = format!("the table has more than {MAX_ROWS} rows; start a run, or ask for a shorter span");
            Problem::new(axum::http::StatusCode::UNPROCESSABLE_ENTITY, detail)
        }
        error => error.into(),
    })?;
    encoder.finish(&mut lines)?;
    let head = json!({ "table": table, "start": plan.spec.window().start }).to_string();
    let mut bytes = head.trim_end_matches('}').as_bytes().to_vec();
    bytes.extend_from_slice(b",\"rows\":[");
    for (index, line) in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).enumerate() {
        if index > 0 {
            bytes.push(b',');
        }
        bytes.extend_from_slice(line);
    }
    bytes.extend_from_slice(b"]}");
    Ok(bytes)
}

/// A route that ships beside a plugin.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mapping {
    /// What it is for, in one line.
    #[expect(dead_code, reason = "for whoever reads the file")]
    summary: String,
    /// Its path.
    path: String,
    /// The table that it answers with.
    table: String,
    /// The export profile that says which columns, in which form.
    profile: Option<String>,
    /// The spec, as of a run over HTTP.
    spec: Map<String, Value>,
    /// What a request may say, and where in the spec that goes.
    #[serde(default)]
    parameters: BTreeMap<String, Parameter>,
}

/// A member of a request.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Parameter {
    /// A JSON Pointer into the spec.
    at: String,
    /// Whether it is a time: RFC 3339, or `YYYY-MM-DD HH:MM:SS` in UTC; now where the request does not say it.
    #[serde(default)]
    time: bool,
}

/// The routes of all mapping files that ship.
pub(super) fn mapped() -> Router<Shared> {
    let mut router = Router::new();
    for (name, text) in plugin::routes() {
        match document::from_toml::<Mapping>(text) {
            Ok(mapping) => {
                let path = mapping.path.clone();
                let mapping = Arc::new(mapping);
                let handler = async move |State(services): State<Shared>, Raw(bytes): Raw| {
                    mapping.answer(&services, &bytes).await
                };
                router = router.route(&path, post(handler));
            }
            Err(message) => tracing::error!(mapping = name, message, "a route that ships can't be read"),
        }
    }
    router
}

impl Mapping {
    async fn answer(&self, services: &Shared, bytes: &[u8]) -> Result<Response, Problem> {
        let given: Map<String, Value> = if bytes.is_empty() { Map::new() } else { parse_json(bytes)? };
        if let Some(unknown) = given.keys().find(|key| !self.parameters.contains_key(*key)) {
            let known: Vec<_> = self.parameters.keys().map(String::as_str).collect();
            return Err(Problem::bad_field(unknown, format!("is none of {}", known.join(", "))));
        }
        let mut body = Value::Object(self.spec.clone());
        for (name, parameter) in &self.parameters {
            let value = match (given.get(name).filter(|value| !value.is_null()), parameter.time) {
                (Some(value), true) => {
                    let time = value.as_str().and_then(|text| Timestamp::written(text).ok());
                    json!(time.ok_or_else(|| {
                        Problem::bad_field(name, "must be a time such as 2026-11-09T14:25:00Z or 2026-11-09 14:25:00")
                    })?)
                }
                (Some(value), false) => value.clone(),
                // Whole seconds, as people write them.
                (None, true) => json!(Timestamp(run::now().0.div_euclid(1_000_000) * 1_000_000)),
                (None, false) => continue,
            };
            put(&mut body, &parameter.at, value);
        }
        let Value::Object(body) = body else { return Err(Problem::bad_request("the spec is no object")) };
        let profile = self.profile.as_deref().map(|name| {
            let text = plugin::profiles().iter().find(|(found, _)| *found == name).map_or("", |(_, text)| *text);
            Profile::parse(text, name)
        });
        answer(services, spec::read(body)?, self.table.clone(), profile.transpose()?).await
    }
}

/// Puts a value where `pointer` says; objects on the way are made.
fn put(body: &mut Value, pointer: &str, value: Value) {
    let mut slot = body;
    for name in pointer.trim_start_matches('/').split('/') {
        if !slot.is_object() {
            *slot = Value::Object(Map::new());
        }
        slot = match slot {
            Value::Object(members) => members.entry(name.to_owned()).or_insert(Value::Null),
            _ => return,
        };
    }
    *slot = value;
}
