//! A stream's rows as server-sent events, commit by commit.

use crate::core::id::StreamId;
use crate::http::Shared;
use crate::http::body::{Path, Query};
use crate::http::error::{Problem, ProblemDocument};
use crate::http::events::{LAST_EVENT_ID, event, events};
use crate::http::work::blocking;
use crate::run::Host;
use crate::store::{StoreError, StreamCommit, StreamState};
use crate::stream::{self, MAX_TAIL_ROWS, Tail};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::Event;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::sync::watch;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Rows of a table in an event where nobody says.
const DEFAULT_ROWS: usize = 100;
/// How long nothing is heard before the record is looked at: the stream may have been stopped by others.
const LOOK: Duration = Duration::from_secs(5);
/// How long to wait where the server has too much to do.
const AGAIN: Duration = Duration::from_secs(1);

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(tail))
}

/// What a tail shows.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct TailQuery {
    /// One table; all where it is left out.
    table: Option<String>,
    /// Most rows of a table that are shown of a commit, 0 to 1,000; 100 where it is left out. The others are counted.
    #[param(minimum = 0, maximum = 1000)]
    rows: Option<usize>,
}

/// Commits whose rows are no longer in their own files: the lake has them, as long as the stream keeps them.
#[derive(Debug, Serialize, ToSchema)]
struct Skipped {
    /// The first of them.
    first: u64,
    /// The last of them.
    last: u64,
}

/// How a stream ended.
#[derive(Debug, Serialize, ToSchema)]
struct Ended {
    state: StreamState,
}

/// What happens next.
enum Step {
    Rows(StreamCommit),
    Skipped(Skipped),
    Ended(StreamState),
    Wait,
}

/// Committed rows as server-sent events named `rows`, a commit an event, from the next commit on. An event's id is the
/// commit's number: a client that comes back with `Last-Event-ID` misses none, as far back as rows are in the files of their
/// commits (a thousand commits, and an hour); `skipped` names those that are not. `ended` comes where the stream is stopped;
/// who comes back after that gets 204.
#[utoipa::path(get, path = "/api/v1/streams/{id}/tail", tag = "streams", params(("id" = StreamId, Path), TailQuery),
    responses((status = 200, body = Tail, content_type = "text/event-stream"), (status = 204, description = "The stream has ended, and all was told"),
        (status = 400, body = ProblemDocument), (status = 404, body = ProblemDocument)))]
async fn tail(
    State(services): State<Shared>,
    Path(id): Path<StreamId>,
    Query(query): Query<TailQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let rows = query.rows.unwrap_or(DEFAULT_ROWS);
    if rows > MAX_TAIL_ROWS {
        return Err(Problem::bad_field("rows", format!("must be 0 to {MAX_TAIL_ROWS}, not {rows}")));
    }
    let record = services.host.store.stream(&id).await?;
    if let Some(table) = query.table.as_ref().filter(|table| !record.tables.contains_key(*table)) {
        return Err(Problem::bad_field("table", format!("the stream makes no table {table:?}")));
    }
    let seen = headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok()).and_then(|id| id.parse::<u64>().ok());
    if record.state == StreamState::Stopped && seen.is_some_and(|seen| seen >= record.commits) {
        // Tells a browser's EventSource that there is nothing to come back for.
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    // A stream that nobody runs makes nothing, and is looked at now and then.
    let (streams, watched) = (services.streams.clone(), id.clone());
    let commits = blocking(&services, move |_| Ok::<_, Problem>(streams.watch(&watched).ok())).await?;
    let (table, last) = (query.table, seen.unwrap_or(record.commits).min(record.commits));
    let follower = Follower { services: services.clone(), id, table, rows, last, commits, ended: false };
    let told = futures::stream::unfold(follower, |mut follower| async move {
        let event = follower.next().await?;
        Some((event, follower))
    });
    Ok(events(&services, told).into_response())
}

/// Goes from commit to commit.
struct Follower {
    services: Shared,
    id: StreamId,
    table: Option<String>,
    rows: usize,
    /// The last commit that was told.
    last: u64,
    commits: Option<watch::Receiver<u64>>,
    ended: bool,
}

impl Follower {
    async fn next(&mut self) -> Option<Event> {
        while !self.ended {
            if let Some(commits) = &mut self.commits {
                commits.borrow_and_update();
            }
            match self.step().await {
                Ok(Step::Rows(commit)) => {
                    if let Some(event) = self.rows(commit).await {
                        return Some(event);
                    }
                }
                Ok(Step::Skipped(skipped)) => return Some(self.skipped(skipped)),
                Ok(Step::Ended(state)) => {
                    self.ended = true;
                    return Some(event("ended", &self.last.to_string(), &Ended { state }));
                }
                Ok(Step::Wait) => self.wait().await,
                Err(error) => {
                    tracing::error!(stream.id = %self.id, %error, "its commits can't be read");
                    return None;
                }
            }
        }
        None
    }

    async fn step(&self) -> Result<Step, StoreError> {
        let store = &self.services.host.store;
        // The state first: a commit that comes before the end is not missed.
        let record = store.stream(&self.id).await?;
        let commit = store.stream_commits(&self.id, self.last, 1).await?.pop();
        Ok(match commit {
            Some(commit) if commit.number == self.last + 1 => Step::Rows(commit),
            Some(commit) => Step::Skipped(Skipped { first: self.last + 1, last: commit.number - 1 }),
            None if record.commits > self.last => Step::Skipped(Skipped { first: self.last + 1, last: record.commits }),
            None if record.state == StreamState::Stopped => Step::Ended(record.state),
            None => Step::Wait,
        })
    }

    /// The rows of a commit; none where the server has too much to do, which is no reason to pass them over.
    async fn rows(&mut self, commit: StreamCommit) -> Option<Event> {
        let number = commit.number;
        let (table, limit) = (self.table.clone(), self.rows);
        let read = move |host: &Host| Ok::<_, Problem>(stream::tail(host, &commit, table.as_deref(), limit));
        match blocking(&self.services, read).await {
            Ok(Ok(tail)) => {
                self.last = number;
                Some(event("rows", &number.to_string(), &tail))
            }
            Ok(Err(_)) => Some(self.skipped(Skipped { first: number, last: number })),
            Err(_) => {
                tokio::time::sleep(AGAIN).await;
                None
            }
        }
    }

    fn skipped(&mut self, skipped: Skipped) -> Event {
        self.last = skipped.last;
        event("skipped", &skipped.last.to_string(), &skipped)
    }

    async fn wait(&mut self) {
        let Some(commits) = &mut self.commits else { return tokio::time::sleep(LOOK).await };
        // What is heard and the end of the wait both mean to look; nothing is heard any more where nobody runs the stream.
        if let Ok(Err(_)) = tokio::time::timeout(LOOK, commits.changed()).await {
            self.commits = None;
        }
    }
}
