//! Metrics of many users: sent, merged to train on, counted.

use super::Shared;
use super::body::{Path, Query, parse_json};
use super::error::{Problem, ProblemDocument};
use super::intake;
use super::work::blocking;
use crate::run;
use crate::user_data::{self, Collected, DATASET, Merged, Sent, Stats, UserDataError};
use axum::Json;
use axum::extract::{Request, State};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(collect)).routes(routes!(merge)).routes(routes!(stats)).routes(routes!(upload))
}

/// Whose data.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct DatasetQuery {
    /// The dataset; `user_data` where it is left out.
    dataset: Option<String>,
}

impl DatasetQuery {
    fn name(self) -> String {
        self.dataset.unwrap_or_else(|| DATASET.to_owned())
    }
}

/// Samples of one user.
#[derive(Debug, Deserialize, ToSchema)]
struct CollectRequest {
    /// Each with timestamp (seconds since the start), cpu_percent, memory_percent, memory_used_gb, disk_read_mb,
    /// disk_write_mb, network_sent_mb, network_recv_mb and phase.
    #[schema(value_type = Vec<Object>)]
    metrics: Vec<Map<String, Value>>,
    /// The user.
    user_id: String,
    /// `external`, `simulation` or `web`.
    #[serde(default = "external")]
    source: String,
    /// `normal`, `anomaly` or another name.
    #[serde(default = "normal")]
    label: String,
    /// Add the samples to those to train on at once.
    #[serde(default)]
    merge_to_training: bool,
}

fn external() -> String {
    "external".to_owned()
}

fn normal() -> String {
    user_data::NORMAL.to_owned()
}

/// What became of samples.
#[derive(Debug, Serialize, ToSchema)]
struct CollectAnswer {
    /// `success`.
    status: &'static str,
    /// The file that the samples are kept as.
    file: String,
    /// Samples that are on the disk now.
    samples: u64,
    /// Whether they had been taken before.
    repeated: bool,
    /// Whether they are among those to train on.
    merged_to_training: bool,
}

/// What a merge did.
#[derive(Debug, Serialize, ToSchema)]
struct MergeAnswer {
    /// `success`.
    status: &'static str,
    /// Files whose samples were added.
    merged_files: u64,
    /// Samples that were added.
    merged_samples: u64,
    /// Samples to train on, all in all.
    training_samples: u64,
}

impl CollectAnswer {
    fn new(collected: Collected, merged_to_training: bool) -> Self {
        let Collected { file, samples, repeated } = collected;
        Self { status: "success", file, samples, repeated, merged_to_training }
    }
}

/// Takes samples of a user. The answer comes when they are on the disk.
#[utoipa::path(post, path = "/api/collect-data", tag = "user data", request_body = CollectRequest,
    responses((status = 200, body = CollectAnswer), (status = 422, description = "Bad samples", body = ProblemDocument)))]
async fn collect(State(services): State<Shared>, request: Request) -> Result<Json<CollectAnswer>, Problem> {
    let intake = intake::read(&services, request).await?;
    let log = Arc::clone(&services.log);
    let collected = blocking(&services, move |host| -> Result<_, Problem> {
        let CollectRequest { metrics, user_id, source, label, merge_to_training } = parse_json(&intake.bytes)?;
        let sent = Sent { metrics, user_id, source, label };
        let collected = user_data::collect(&log, DATASET, sent, intake.key)?;
        // Samples that came before are merged as well: the server may have died between the two. What is merged adds nothing.
        if merge_to_training {
            user_data::merge_file(host, DATASET, &collected.file, run::now())?;
        }
        Ok(CollectAnswer::new(collected, merge_to_training))
    });
    Ok(Json(collected.await?))
}

/// Adds the samples of all users that were not merged yet to those to train on. Again, it adds nothing.
#[utoipa::path(post, path = "/api/merge-all-data", tag = "user data", params(DatasetQuery),
    responses((status = 200, body = MergeAnswer)))]
async fn merge(
    State(services): State<Shared>,
    Query(query): Query<DatasetQuery>,
) -> Result<Json<MergeAnswer>, Problem> {
    let merged = blocking(&services, move |host| user_data::merge(host, &query.name(), run::now())).await?;
    let Merged { merged_files, merged_samples, training_samples } = merged;
    Ok(Json(MergeAnswer { status: "success", merged_files, merged_samples, training_samples }))
}

/// Counts files and samples by user.
#[utoipa::path(get, path = "/api/user-data-stats", tag = "user data", params(DatasetQuery),
    responses((status = 200, body = Stats)))]
async fn stats(State(services): State<Shared>, Query(query): Query<DatasetQuery>) -> Result<Json<Stats>, Problem> {
    Ok(Json(blocking(&services, move |host| user_data::stats(host, &query.name())).await?))
}

/// Takes a user's CSV file, named `{user_id}_{source}_{yyyymmdd}_{hhmmss}.csv`. The same file again adds nothing.
#[utoipa::path(put, path = "/api/v1/user-data/files/{name}", tag = "user data", params(("name" = String, Path)),
    request_body(content = String, content_type = "text/csv"),
    responses((status = 200, body = CollectAnswer), (status = 409, description = "Another file of that name", body = ProblemDocument),
        (status = 422, description = "Bad samples", body = ProblemDocument)))]
async fn upload(
    State(services): State<Shared>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Json<CollectAnswer>, Problem> {
    let intake = intake::read(&services, request).await?;
    let log = Arc::clone(&services.log);
    let uploaded = blocking(&services, move |host| -> Result<_, UserDataError> {
        user_data::upload(host, &log, DATASET, &name, intake.bytes.clone())
    });
    Ok(Json(CollectAnswer::new(uploaded.await?, false)))
}
