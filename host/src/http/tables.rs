//! Rows of a generator for the asking: a spec in, one table out, nothing stored. Routes that ship beside a plugin, as mapping
//! files, are cases of it: the host knows none of them by name.

mod mapping;

use super::Shared;
use super::body::Json as Body;
use super::error::{Problem, ProblemDocument};
use super::spec;
use super::work::blocking;
use crate::core::time::Timestamp;
use crate::plugin::log_to_tracing;
use crate::run::{self, Cancel, Host, Plan, RunError, RunSpec};
use crate::sink::profile::{Profile, ProfileFormat};
use crate::sink::{Encoder as _, ProfileEncoder};
use axum::body::Body as AnswerBody;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Most rows of an answer: larger tables are made by runs.
const MAX_ROWS: u64 = 100_000;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(tabulate)).merge(mapping::routes())
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
