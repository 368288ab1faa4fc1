//! The lake's Parquet files, with HEAD and Range, so that DuckDB and pandas read them as they are. Only files that the
//! catalog names are served.

use super::Shared;
use super::body::Path;
use super::error::{Problem, ProblemDocument};
use axum::Json;
use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use tower_http::services::ServeFile;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(file))
}

/// A file of a table.
#[derive(Debug, Serialize, ToSchema)]
struct FileLink {
    /// Where it is: a path on this server.
    href: String,
    /// Its rows.
    rows: u64,
    /// Its size.
    bytes: u64,
}

/// The Parquet files of a table. Together they are its rows; a column that one of them lacks is null in its rows.
#[utoipa::path(get, path = "/api/v1/datasets/{dataset}/tables/{table}/files", tag = "data",
    params(("dataset" = String, Path), ("table" = String, Path)),
    responses((status = 200, body = Vec<FileLink>), (status = 404, body = ProblemDocument)))]
async fn list(
    State(services): State<Shared>,
    Path((dataset, table)): Path<(String, String)>,
) -> Result<Json<Vec<FileLink>>, Problem> {
    let found = services.host.lake.dataset(&dataset, None).await?;
    let table = found.table(&table).ok_or_else(|| Problem::not_found(format!("{dataset} has no table {table:?}")))?;
    let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let link = |file: &crate::lake::LakeFile| FileLink {
        href: format!("/api/v1/datasets/{dataset}/tables/{}/files/{}", table.table.name, name(&file.path)),
        rows: file.rows,
        bytes: file.bytes,
    };
    Ok(Json(table.files.iter().map(link).collect()))
}

/// One Parquet file, or a range of its bytes.
#[utoipa::path(get, path = "/api/v1/datasets/{dataset}/tables/{table}/files/{file}", tag = "data",
    params(("dataset" = String, Path), ("table" = String, Path), ("file" = String, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "application/vnd.apache.parquet"),
        (status = 206, body = Vec<u8>, content_type = "application/vnd.apache.parquet"),
        (status = 404, body = ProblemDocument), (status = 416, description = "No such range")))]
async fn file(
    State(services): State<Shared>,
    Path((dataset, table, file)): Path<(String, String, String)>,
    request: Request,
) -> Result<Response, Problem> {
    let lake = &services.host.lake;
    let path = format!("{dataset}/{table}/{file}");
    let found = lake.dataset(&dataset, None).await?;
    let named = found.table(&table).is_some_and(|table| table.files.iter().any(|file| file.path == path));
    if !named {
        return Err(Problem::not_found(format!("the table {dataset}.{table} has no file {file:?} now")));
    }
    let served = ServeFile::new(lake.files().local_path(&path)).try_call(request).await;
    let mut response = served.map_err(|error| Problem::internal(&error))?.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/vnd.apache.parquet"));
    // A file never changes under its name.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, max-age=86400, immutable"));
    Ok(response)
}
