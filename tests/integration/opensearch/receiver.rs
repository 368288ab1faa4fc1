//! A receiver that keeps the rules of OpenSearch's documentation, since no OpenSearch server can be had here. It is a
//! real HTTP server on loopback; what it stores lives in memory.
//!
//! Pages are those of docs.opensearch.org: "Bulk API" (Document APIs), "Create Index API", "Delete Index API", "Index
//! exists API", "Refresh Index API" (Index APIs), "Count API", "Network settings", "Date field type". Each rule below
//! names its page. Texts of errors that no page has are those of the server itself (`BulkRequest`, `MapperService`).

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// Something that goes wrong with the next `_bulk` request.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// Nothing: the turn of a request that goes well.
    None,
    /// The request is answered with this status and nothing is stored; seconds for `Retry-After`.
    Status(u16, Option<u64>),
    /// Everything is stored, but the answer is lost behind a proxy's 502.
    LostAnswer,
    /// Every n-th item is not stored and has this status.
    Items(usize, u16),
    /// This body with status 200.
    Answer(&'static str),
}

/// What the receiver saw of a `_bulk` request.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) content_type: String,
    pub(crate) chunked: bool,
    pub(crate) bytes: usize,
    pub(crate) documents: usize,
}

/// An index.
#[derive(Debug, Default)]
pub(crate) struct Index {
    types: BTreeMap<String, String>,
    /// By id; a document is stored once for each id.
    pub(crate) documents: BTreeMap<String, Value>,
    searchable: usize,
}

/// What there is, and what is going to go wrong.
#[derive(Debug, Default)]
pub(crate) struct Cluster {
    pub(crate) indices: BTreeMap<String, Index>,
    pub(crate) faults: VecDeque<Fault>,
    pub(crate) seen: Vec<Seen>,
    /// `http.max_content_length` ("Network settings": larger requests are rejected; 100 MB by default).
    pub(crate) max_content_bytes: usize,
    /// The `Authorization` that is wanted.
    pub(crate) authorization: Option<String>,
    generated_ids: u64,
}

type Shared = Arc<Mutex<Cluster>>;

/// The running server; gone when dropped.
#[derive(Debug)]
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    cluster: Shared,
    _runtime: Runtime,
}

impl Receiver {
    pub(crate) fn start() -> Self {
        let cluster = Shared::new(Mutex::new(Cluster { max_content_bytes: 100 * 1024 * 1024, ..Cluster::default() }));
        let app = Router::new()
            .route("/", get(about))
            .route("/_bulk", any(bulk_without_index))
            .route("/{index}", any(index))
            .route("/{index}/_bulk", any(bulk_with_index))
            .route("/{index}/_refresh", post(refresh))
            .route("/{index}/_count", get(count).post(count))
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::clone(&cluster));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(async move { axum::serve(listener, app).await });
        Self { address, cluster, _runtime: runtime }
    }

    pub(crate) fn cluster(&self) -> MutexGuard<'_, Cluster> {
        self.cluster.lock().unwrap()
    }
}

fn answer(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap();
    (status, [("content-type", "application/json")], body.to_string()).into_response()
}

fn error(status: u16, kind: &str, reason: impl Into<String>) -> Response {
    let reason = reason.into();
    let cause = json!({ "type": kind, "reason": reason });
    answer(status, &json!({ "error": { "root_cause": [cause], "type": kind, "reason": reason }, "status": status }))
}

fn let_in(cluster: &Cluster, headers: &HeaderMap) -> Result<(), Box<Response>> {
    let given = headers.get("authorization").and_then(|value| value.to_str().ok());
    if cluster.authorization.is_some() && cluster.authorization.as_deref() != given {
        return Err(Box::new((StatusCode::UNAUTHORIZED, "Unauthorized").into_response()));
    }
    Ok(())
}

async fn about(State(cluster): State<Shared>, headers: HeaderMap) -> Response {
    if let Err(refusal) = let_in(&cluster.lock().unwrap(), &headers) {
        return *refusal;
    }
    let version =
        json!({ "distribution": "opensearch", "number": "3.2.0", "minimum_wire_compatibility_version": "2.19.0" });
    answer(
        200,
        &json!({ "name": "node", "cluster_name": "receiver", "version": version, "tagline": "The OpenSearch Project: https://opensearch.org/" }),
    )
}

async fn index(
    State(cluster): State<Shared>,
    method: axum::http::Method,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut cluster = cluster.lock().unwrap();
    if let Err(refusal) = let_in(&cluster, &headers) {
        return *refusal;
    }
    let missing = || error(404, "index_not_found_exception", format!("no such index [{name}]"));
    match method.as_str() {
        // "Index exists API": 200 means the index exists, 404 that it does not.
        "HEAD" => {
            if cluster.indices.contains_key(&name) { StatusCode::OK } else { StatusCode::NOT_FOUND }.into_response()
        }
        "GET" => cluster.indices.get(&name).map_or_else(missing, |index| {
            let properties: Map<String, Value> =
                index.types.iter().map(|(field, kind)| (field.clone(), json!({ "type": kind }))).collect();
            answer(200, &json!({ name.as_str(): { "mappings": { "properties": properties } } }))
        }),
        // "Delete Index API".
        "DELETE" => {
            cluster.indices.remove(&name).map_or_else(missing, |_| answer(200, &json!({ "acknowledged": true })))
        }
        "PUT" => create(&mut cluster, &name, &body),
        _ => error(405, "illegal_argument_exception", "method not allowed"),
    }
}

/// "Create Index API", with its section "Index naming restrictions".
fn create(cluster: &mut Cluster, name: &str, body: &[u8]) -> Response {
    let forbidden = |c: char| c.is_uppercase() || " ,:\"*+/\\|?#><".contains(c);
    if name.starts_with(['_', '-']) || name.chars().any(forbidden) {
        return error(400, "invalid_index_name_exception", format!("Invalid index name [{name}]"));
    }
    if cluster.indices.contains_key(name) {
        return error(400, "resource_already_exists_exception", format!("index [{name}] already exists"));
    }
    let Ok(Value::Object(body)) = serde_json::from_slice(if body.is_empty() { b"{}" } else { body }) else {
        return error(400, "parse_exception", "request body is not valid JSON");
    };
    // Settings, mappings and aliases are what the page lists as the body's parts.
    if let Some(part) = body.keys().find(|part| !["settings", "mappings", "aliases"].contains(&part.as_str())) {
        return error(400, "parse_exception", format!("unknown key [{part}] for create index"));
    }
    let mut index = Index::default();
    let properties = body.get("mappings").and_then(|mappings| mappings.get("properties")).and_then(Value::as_object);
    for (field, mapping) in properties.into_iter().flatten() {
        let kind = mapping.get("type").and_then(Value::as_str).unwrap_or("object");
        if !["keyword", "text", "long", "integer", "double", "float", "boolean", "date"].contains(&kind) {
            return error(
                400,
                "mapper_parsing_exception",
                format!("No handler for type [{kind}] declared on field [{field}]"),
            );
        }
        index.types.insert(field.clone(), kind.to_owned());
    }
    cluster.indices.insert(name.to_owned(), index);
    answer(200, &json!({ "acknowledged": true, "shards_acknowledged": true, "index": name }))
}

/// "Refresh Index API": makes what was indexed visible to searches.
async fn refresh(State(cluster): State<Shared>, Path(name): Path<String>) -> Response {
    let mut cluster = cluster.lock().unwrap();
    let Some(index) = cluster.indices.get_mut(&name) else {
        return error(404, "index_not_found_exception", format!("no such index [{name}]"));
    };
    index.searchable = index.documents.len();
    answer(200, &json!({ "_shards": { "total": 1, "successful": 1, "failed": 0 } }))
}

/// "Count API": the number of documents that match, here all that are visible.
async fn count(State(cluster): State<Shared>, Path(name): Path<String>) -> Response {
    let cluster = cluster.lock().unwrap();
    match cluster.indices.get(&name) {
        Some(index) => answer(
            200,
            &json!({ "count": index.searchable, "_shards": { "total": 1, "successful": 1, "skipped": 0, "failed": 0 } }),
        ),
        None => error(404, "index_not_found_exception", format!("no such index [{name}]")),
    }
}

async fn bulk_without_index(State(cluster): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    bulk(&mut cluster.lock().unwrap(), None, &headers, &body)
}

async fn bulk_with_index(
    State(cluster): State<Shared>,
    Path(index): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    bulk(&mut cluster.lock().unwrap(), Some(&index), &headers, &body)
}

/// "Bulk API".
fn bulk(cluster: &mut Cluster, path_index: Option<&str>, headers: &HeaderMap, body: &[u8]) -> Response {
    if let Err(refusal) = let_in(cluster, headers) {
        return *refusal;
    }
    let content_type = headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let chunked = headers.contains_key("transfer-encoding");
    let documents = body.iter().filter(|&&byte| byte == b'\n').count() / 2;
    cluster.seen.push(Seen { content_type: content_type.clone(), chunked, bytes: body.len(), documents });
    // "Network settings", `http.max_content_length`: requests above the limit are rejected.
    if body.len() > cluster.max_content_bytes {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    }
    // "Bulk API", "Request body": the Content-Type is application/x-ndjson. Servers also take application/json,
    // which is what opensearch-py sends.
    if !["application/x-ndjson", "application/json"].iter().any(|kind| content_type.starts_with(kind)) {
        return error(
            406,
            "media_type_header_exception",
            format!("Content-Type header [{content_type}] is not supported"),
        );
    }
    // "Request body": the body must end with a newline character.
    if body.last() != Some(&b'\n') {
        return error(400, "illegal_argument_exception", "The bulk request must be terminated by a newline [\\n]");
    }
    let fault = cluster.faults.pop_front();
    match fault {
        Some(Fault::Status(status, retry_after)) => {
            let kind = if status == 429 { "rejected_execution_exception" } else { "cluster_block_exception" };
            let mut refusal = error(status, kind, "told to");
            if let Some(seconds) = retry_after {
                refusal.headers_mut().insert("retry-after", seconds.into());
            }
            return refusal;
        }
        Some(Fault::Answer(text)) => return (StatusCode::OK, text).into_response(),
        _ => {}
    }
    let actions = match parse(path_index, body) {
        Ok(actions) => actions,
        Err((kind, reason)) => return error(400, kind, reason),
    };
    // "Bulk API": actions are independent of each other, and items come back in the order of the actions.
    let mut items = Vec::new();
    for (position, action) in actions.into_iter().enumerate() {
        let told = match fault {
            Some(Fault::Items(nth, status)) if position % nth == 0 => Some(status),
            _ => None,
        };
        items.push(cluster.apply(action, told));
    }
    if matches!(fault, Some(Fault::LostAnswer)) {
        return (StatusCode::BAD_GATEWAY, "<html>502 Bad Gateway</html>").into_response();
    }
    let errors =
        items.iter().any(|item| item.as_object().unwrap().values().any(|result| result.get("error").is_some()));
    answer(200, &json!({ "took": 1, "errors": errors, "items": items }))
}

struct Action {
    name: String,
    index: String,
    id: Option<String>,
    document: Result<Map<String, Value>, String>,
}

/// "Bulk API", "Action metadata fields" and "Actions": one action a line, `create`, `delete`, `index` or `update`;
/// all but `delete` have a document on the next line; `_index` is required unless the path has one. What breaks these
/// rules is refused whole: the error's type and reason.
fn parse(path_index: Option<&str>, body: &[u8]) -> Result<Vec<Action>, (&'static str, String)> {
    let malformed = |line: usize, what: &str| {
        ("illegal_argument_exception", format!("Malformed action/metadata line [{}], {what}", line + 1))
    };
    let mut lines = body.split(|&byte| byte == b'\n').enumerate();
    let mut actions = Vec::new();
    while let Some((number, line)) = lines.next() {
        if line.is_empty() {
            continue;
        }
        let Ok(Value::Object(action)) = serde_json::from_slice(line) else {
            return Err(malformed(number, "expected START_OBJECT"));
        };
        let Some((name, Value::Object(meta))) = action.iter().next().filter(|_| action.len() == 1) else {
            return Err(malformed(number, "expected one action"));
        };
        if !["create", "delete", "index", "update"].contains(&name.as_str()) {
            return Err(malformed(
                number,
                &format!("expected field [create], [delete], [index] or [update] but found [{name}]"),
            ));
        }
        let text = |key: &str| meta.get(key).and_then(Value::as_str).map(str::to_owned);
        let Some(index) = text("_index").or_else(|| path_index.map(str::to_owned)) else {
            return Err(("action_request_validation_exception", "Validation Failed: 1: index is missing;".into()));
        };
        // "Bulk API": since 2.9 an `_id` must be 512 bytes or less.
        if text("_id").is_some_and(|id| id.len() > 512) {
            let reason = "Validation Failed: 1: id is too long, must be no longer than 512 bytes;";
            return Err(("action_request_validation_exception", reason.into()));
        }
        let document = if name == "delete" {
            Ok(Map::new())
        } else {
            let source = lines.next().map(|(_, source)| source).filter(|source| !source.is_empty());
            let source = source.ok_or_else(|| ("illegal_argument_exception", "a document is missing".to_owned()))?;
            serde_json::from_slice(source).map_err(|error| error.to_string())
        };
        actions.push(Action { name: name.clone(), index, id: text("_id"), document });
    }
    Ok(actions)
}

impl Cluster {
    fn apply(&mut self, action: Action, told: Option<u16>) -> Value {
        let Action { name, index: index_name, id, document } = action;
        let id = id.unwrap_or_else(|| {
            self.generated_ids += 1;
            format!("generated-{}", self.generated_ids)
        });
        let failed = |status: u16, kind: &str, reason: String| json!({ name.as_str(): { "_index": index_name, "_id": id, "status": status, "error": { "type": kind, "reason": reason } } });
        if let Some(status) = told {
            return failed(status, "rejected_execution_exception", "told to".into());
        }
        // "Create Index API": an index can also be made by using a document as its base.
        let index = self.indices.entry(index_name.clone()).or_default();
        let document = match document {
            Ok(document) => document,
            Err(cause) => return failed(400, "mapper_parsing_exception", format!("failed to parse: {cause}")),
        };
        // "Mapping errors" are among the failures that the page lists; the reason is the server's text.
        let misfit =
            document.iter().find(|(field, value)| index.types.get(*field).is_some_and(|kind| !fits(kind, value)));
        if let Some((field, _)) = misfit {
            let kind = &index.types[field];
            return failed(
                400,
                "mapper_parsing_exception",
                format!("failed to parse field [{field}] of type [{kind}] in document with id '{id}'"),
            );
        }
        let (status, result) = match name.as_str() {
            // "Create": an error where the document exists; 409 is the table's version conflict.
            "create" if index.documents.contains_key(&id) => {
                return failed(
                    409,
                    "version_conflict_engine_exception",
                    format!("[{id}]: version conflict, document already exists"),
                );
            }
            // "Delete": no error where there is none, but `not_found`.
            "delete" => match index.documents.remove(&id) {
                Some(_) => (200, "deleted"),
                None => (404, "not_found"),
            },
            // "Index": creates the document or replaces it. 201 created, 200 updated.
            _ => match index.documents.insert(id.clone(), Value::Object(document)) {
                Some(_) => (200, "updated"),
                None => (201, "created"),
            },
        };
        json!({ name.as_str(): { "_index": index_name, "_id": id, "_version": 1, "result": result, "status": status } })
    }
}

/// Whether a value can be stored in a field: numbers may come as strings (`coerce`, "Mapping parameters"), dates as
/// formatted strings or integers ("Date field type"), and null is no value.
fn fits(kind: &str, value: &Value) -> bool {
    let parses = |check: fn(&str) -> bool| value.as_str().is_some_and(check);
    match (kind, value) {
        (_, Value::Null) | ("keyword" | "text", Value::String(_) | Value::Number(_) | Value::Bool(_)) => true,
        ("long" | "integer", _) => value.is_i64() || parses(|text| text.parse::<i64>().is_ok()),
        ("double" | "float", _) => value.is_number() || parses(|text| text.parse::<f64>().is_ok_and(f64::is_finite)),
        ("boolean", _) => value.is_boolean() || parses(|text| ["true", "false", ""].contains(&text)),
        ("date", _) => value.is_i64() || parses(|text| text.parse::<telemill::core::time::Timestamp>().is_ok()),
        _ => false,
    }
}
