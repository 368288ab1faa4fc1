//! Routes that ship beside a plugin, as mapping files: cases of [`super::answer`], in the document like those of the host.

use super::{MAX_ROWS, TableAnswer, answer};
use crate::core::document;
use crate::core::time::Timestamp;
use crate::http::Shared;
use crate::http::body::{Raw, parse_json};
use crate::http::error::Problem;
use crate::http::spec;
use crate::plugin;
use crate::run;
use crate::sink::profile::Profile;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::ToSchema as _;
use utoipa::openapi::path::{HttpMethod, Operation, OperationBuilder, PathItem, PathsBuilder};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder};
use utoipa_axum::router::OpenApiRouter;

/// Where the document files these routes.
const TAG: &str = "runs";
const JSON: &str = "application/json";

/// A route that ships beside a plugin.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mapping {
    /// What it is for, in one line.
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
pub(super) fn routes() -> OpenApiRouter<Shared> {
    let mut router = OpenApiRouter::new();
    for (name, text) in plugin::routes() {
        match document::from_toml::<Mapping>(text) {
            Ok(mapping) => {
                let paths = PathsBuilder::new()
                    .path(&mapping.path, PathItem::new(HttpMethod::Post, mapping.operation()))
                    .build();
                let mapping = Arc::new(mapping);
                let handler = async move |State(services): State<Shared>, Raw(bytes): Raw| {
                    mapping.answer(&services, &bytes).await
                };
                router = router.routes((Vec::new(), paths, post(handler)));
            }
            Err(message) => tracing::error!(mapping = name, message, "a route that ships can't be read"),
        }
    }
    router
}

impl Mapping {
    /// What the document says of the route.
    fn operation(&self) -> Operation {
        let mut members = ObjectBuilder::new().additional_properties(Some(AdditionalProperties::FreeForm(false)));
        for (name, parameter) in &self.parameters {
            members = members.property(name, parameter.schema());
        }
        let body = ContentBuilder::new().schema(Some(Schema::Object(members.build()))).build();
        let rows = ContentBuilder::new().schema(Some(Ref::from_schema_name(TableAnswer::name()))).build();
        let description =
            format!("Answers with the table `{}`; nothing is stored. At most {MAX_ROWS} rows.", self.table);
        OperationBuilder::new()
            .tag(TAG)
            .summary(Some(&self.summary))
            .description(Some(description))
            .request_body(Some(RequestBodyBuilder::new().content(JSON, body).build()))
            .response("200", ResponseBuilder::new().description("The rows").content(JSON, rows).build())
            .build()
    }

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

impl Parameter {
    /// A time, or what the spec says of the place that it goes to, which only its plugin knows.
    fn schema(&self) -> RefOr<Schema> {
        if !self.time {
            let description = format!("Goes to `{}` of the spec", self.at);
            return ObjectBuilder::new()
                .schema_type(SchemaType::AnyValue)
                .description(Some(description))
                .build()
                .into();
        }
        let description = "RFC 3339, or YYYY-MM-DD HH:MM:SS in UTC; now where it is left out";
        ObjectBuilder::new().schema_type(Type::String).description(Some(description)).build().into()
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
