//! Files that are sent as they are, of any size, and taken in like those of the command line: all or nothing, straight into the
//! lake. They wait in the scratch folder meanwhile.

use super::Shared;
use super::body::{Path, Query};
use super::error::{Problem, ProblemDocument};
use super::work::{CancelOnDrop, blocking};
use crate::api::IngestQuery;
use crate::ingest::{self, IngestOutcome};
use crate::plugin;
use crate::run;
use crate::sink::profile::Profile;
use crate::store::Scratch;
use crate::task::{self, TaskError};
use crate::user_data::{self, DATASET, Imported};
use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use futures::StreamExt as _;
use serde::Deserialize;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::PathBuf;
use tokio::sync::{Semaphore, mpsc};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Files that are sent at once; each may take as much of the disk as a query's spill.
static SENT: Semaphore = Semaphore::const_new(4);
/// Pieces of a body that wait for the disk.
const PIECES: usize = 4;
/// Most files of an archive: each is a file of the disk meanwhile.
const MAX_FILES: usize = 100_000;
/// How the folders' names begin.
const KIND: &str = "upload";
/// Longest name of a file, in bytes: what file systems take.
const MAX_NAME_BYTES: usize = 255;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(ingest_file)).routes(routes!(import))
}

/// Where users' files go.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ImportQuery {
    /// The dataset; `user_data` where it is left out.
    dataset: Option<String>,
}

/// Takes a whole file into a table, in one commit: all of its rows, or none where one is bad. Unlike rows that come to
/// `/api/v1/ingest`, a file may have any size, and is in the lake when the answer comes. Formats are those of `telemill ingest`,
/// also packed with gzip or zstd.
#[utoipa::path(post, path = "/api/v1/datasets/{dataset}/tables/{table}/files", tag = "data",
    params(("dataset" = String, Path), ("table" = String, Path), IngestQuery),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = IngestOutcome), (status = 413, body = ProblemDocument),
        (status = 422, description = "Bad rows, by line", body = ProblemDocument),
        (status = 507, description = "The disk is full", body = ProblemDocument)))]
async fn ingest_file(
    State(services): State<Shared>,
    Path((dataset, table)): Path<(String, String)>,
    Query(query): Query<IngestQuery>,
    request: Request,
) -> Result<Json<IngestOutcome>, Problem> {
    let IngestQuery { name, format, time_field, profile, profile_text } = query;
    if name.is_empty() || name.len() > MAX_NAME_BYTES || name == "." || name == ".." || name.contains(['/', '\\', '\0'])
    {
        return Err(Problem::bad_field("name", "must be the name of a file, without a folder"));
    }
    let format = format.map(|name| name.parse().map_err(|error: String| Problem::bad_field("format", error)));
    let format: Option<ingest::Format> = format.transpose()?;
    let text = match (&profile, profile_text) {
        (Some(name), None) => Some(plugin::shipped_text("profile", name, plugin::profiles()).map_err(TaskError::from)?),
        (_, text) => text,
    };
    let profile_name = profile.unwrap_or_else(|| "of the request".to_owned());
    let profile = text.map(|text| Profile::parse(&text, &profile_name)).transpose()?;
    let (_turn, scratch) = (turn()?, scratch(&services).await?);
    let file = scratch.path().join(name);
    receive(&services, request.into_body(), file.clone()).await?;
    let task = task::Ingest { table: format!("{dataset}.{table}"), file, format, profile: None, time_field };
    let guard = CancelOnDrop::default();
    let cancel = guard.cancel();
    let taken = blocking(&services, move |host| {
        // Until here the file is needed.
        let _scratch = scratch;
        task.run_with(profile, host, run::now(), &cancel)
    });
    Ok(Json(taken.await?))
}

/// Takes users' files, a tar archive of CSV files named `{user_id}_{source}_{yyyymmdd}_{hhmmss}.csv`, in one commit: all of them,
/// or none where one can't be taken in. Files that are there already are passed over.
#[utoipa::path(post, path = "/api/v1/user-data/import", tag = "user data", params(ImportQuery),
    request_body(content = Vec<u8>, content_type = "application/x-tar"),
    responses((status = 200, body = Imported), (status = 413, body = ProblemDocument),
        (status = 422, description = "Files that can't be taken in", body = ProblemDocument)))]
async fn import(
    State(services): State<Shared>,
    Query(query): Query<ImportQuery>,
    request: Request,
) -> Result<Json<Imported>, Problem> {
    let (_turn, scratch) = (turn()?, scratch(&services).await?);
    let archive = scratch.path().join("files.tar");
    receive(&services, request.into_body(), archive.clone()).await?;
    let dataset = query.dataset.unwrap_or_else(|| DATASET.to_owned());
    let imported = blocking(&services, move |host| -> Result<_, Problem> {
        let folder = scratch.path().join("files");
        unpack(&archive, &folder)?;
        Ok(user_data::import(host, &dataset, &folder, run::now())?)
    });
    Ok(Json(imported.await?))
}

fn turn() -> Result<tokio::sync::SemaphorePermit<'static>, Problem> {
    SENT.try_acquire().map_err(|_| Problem::overloaded())
}

async fn scratch(services: &Shared) -> Result<Scratch, Problem> {
    blocking(services, |host| Scratch::create(&host.spill_dir, KIND).map_err(|error| disk(&error))).await
}

/// Writes a body to the disk as it comes.
async fn receive(services: &Shared, body: Body, path: PathBuf) -> Result<(), Problem> {
    let most = services.host.query.spill_bytes;
    let (sender, mut pieces) = mpsc::channel::<bytes::Bytes>(PIECES);
    let writing = tokio::task::spawn_blocking(move || {
        let mut file = File::create(&path)?;
        while let Some(piece) = pieces.blocking_recv() {
            file.write_all(&piece)?;
        }
        Ok::<(), io::Error>(())
    });
    let (mut body, mut bytes) = (body.into_data_stream(), 0_u64);
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(|error| Problem::bad_request(format!("the body broke off: {error}")))?;
        bytes = bytes.saturating_add(piece.len() as u64);
        if bytes > most {
            let detail =
                format!("the file is larger than {most} bytes; send less at a time, or raise query.spill_bytes");
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
        }
        if sender.send(piece).await.is_err() {
            // The writer says why.
            break;
        }
    }
    drop(sender);
    let written = writing.await.map_err(|error| Problem::internal(&error))?;
    written.map_err(|error| disk(&error))
}

/// A disk that is full is told; what else is wrong with it stays in the log.
fn disk(error: &io::Error) -> Problem {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Problem::disk_full("the disk is full; nothing was taken in")
        }
        _ => Problem::internal(error),
    }
}

/// Takes plain files out of an archive; whatever else is in it, or would leave the folder, is refused.
fn unpack(archive: &std::path::Path, folder: &std::path::Path) -> Result<(), Problem> {
    let broken = |error: &io::Error| Problem::bad_request(format!("the body is no tar archive: {error}"));
    fs::create_dir(folder).map_err(|error| disk(&error))?;
    let mut archive = tar::Archive::new(io::BufReader::new(File::open(archive).map_err(|error| disk(&error))?));
    for (index, entry) in archive.entries().map_err(|error| broken(&error))?.enumerate() {
        if index >= MAX_FILES {
            let detail = format!("the archive has more than {MAX_FILES} files; send fewer at a time");
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
        }
        let mut entry = entry.map_err(|error| broken(&error))?;
        let path = entry.path().map_err(|error| broken(&error))?.into_owned();
        let name = path.file_name().filter(|name| path.as_os_str() == *name).map(|name| folder.join(name));
        let Some(target) = name.filter(|_| entry.header().entry_type().is_file()) else {
            return Err(Problem::bad_request(format!(
                "the archive may hold plain files alone, not {:?}",
                path.display()
            )));
        };
        let mut file = File::create_new(&target).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => {
                Problem::bad_request(format!("{:?} is in the archive twice", path.display()))
            }
            _ => disk(&error),
        })?;
        io::copy(&mut entry, &mut file).map_err(|error| disk(&error))?;
    }
    Ok(())
}
