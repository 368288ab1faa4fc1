//! Errors as RFC 9457 problem documents. The only place that maps errors of lower layers to statuses.

mod rows;
mod tasks;

pub(super) use crate::api::ProblemDocument;

use crate::alert::AlertError;
use crate::core::problem as core_problem;
use crate::lake::LakeError;
use crate::plugin::PluginError;
use crate::query::QueryError;
use crate::run::{RunError, SpecError};
use crate::sink::SinkError;
use crate::store::StoreError;
use crate::stream::StreamError;
use crate::versions::VersionsError;
use axum::Json;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

/// The media type of problem documents.
pub(super) const PROBLEM_JSON: &str = "application/problem+json";
/// How long a client is asked to wait where the server has too much to do, in seconds.
const BUSY_SECONDS: u64 = 1;
/// How long where somebody must make room, stop a stream or start the server again, in seconds.
const HELP_SECONDS: u64 = 30;

/// What is said where the layer below does not say it better.
const DISK_FULL: &str = "the disk of the data folder is full";

/// A problem on its way out.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    status: StatusCode,
    detail: String,
    errors: Vec<core_problem::Problem>,
    total: Option<u64>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), errors: Vec::new(), total: None, headers: Vec::new() }
    }

    /// A request that can't be understood.
    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// A value of the request that can't be used.
    pub(super) fn bad_field(field: impl Into<String>, message: impl Into<String>) -> Self {
        let problem = core_problem::Problem::new(field, message);
        Self::bad_request(problem.to_string()).with_errors(vec![problem])
    }

    /// Something that is not there.
    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// A fault of the server: told in its log, and to the client without the inside.
    pub(super) fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error, "a request failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "the server failed at this; its log says more")
    }

    /// No room on the disk.
    pub(super) fn disk_full(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::INSUFFICIENT_STORAGE, detail).retry_after(HELP_SECONDS)
    }

    /// More work than the server takes at once.
    pub(super) fn overloaded() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "the server has too much to do; try again").retry_after(BUSY_SECONDS)
    }

    /// No token, or none that is known.
    pub(super) fn unauthorized(detail: &str) -> Self {
        let challenge = HeaderValue::from_static("Bearer realm=\"telemill\", Basic realm=\"telemill\"");
        Self::new(StatusCode::UNAUTHORIZED, detail).with_header(WWW_AUTHENTICATE, challenge)
    }

    pub(super) fn with_errors(mut self, errors: Vec<core_problem::Problem>) -> Self {
        self.errors = errors;
        self
    }

    /// The first of so many faults.
    pub(super) fn with_first_of(self, total: u64, first: Vec<core_problem::Problem>) -> Self {
        Self { errors: first, total: Some(total), ..self }
    }

    pub(super) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(super) fn retry_after(self, seconds: u64) -> Self {
        self.with_header(RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// The same problem with another status.
    pub(super) fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    /// What went wrong, for answers in other dialects.
    pub(super) fn detail(&self) -> &str {
        &self.detail
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let document = ProblemDocument {
            r#type: "about:blank".to_owned(),
            title: self.status.canonical_reason().unwrap_or("Error").to_owned(),
            status: self.status.as_u16(),
            detail: self.detail.clone(),
            errors: self.errors.clone(),
            total: self.total,
        };
        let mut response = (self.status, Json(document)).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        response.headers_mut().extend(self.headers.iter().cloned());
        // For layers that say it in another dialect.
        response.extensions_mut().insert(self);
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if error.is_disk_full() {
            return Self::disk_full(DISK_FULL);
        }
        let detail = error.to_string();
        match error {
            StoreError::NoRun(_)
            | StoreError::NoStream(_)
            | StoreError::NoPipeline(_)
            | StoreError::NoPipelineRun { .. }
            | StoreError::NoToken(_)
            | StoreError::NoDatabase(_) => Self::not_found(detail),
            StoreError::Transition { .. } | StoreError::TokenExists(_) => Self::new(StatusCode::CONFLICT, detail),
            StoreError::Locked(_)
            | StoreError::Folder { .. }
            | StoreError::Migrate { .. }
            | StoreError::Damaged { .. }
            | StoreError::ReadOnly
            | StoreError::Corrupt { .. }
            | StoreError::Sql(_) => Self::internal(&error),
        }
    }
}

impl From<AlertError> for Problem {
    fn from(error: AlertError) -> Self {
        match error {
            AlertError::NotOpen(_) => Self::not_found(error.to_string()),
            AlertError::Store(error) => error.into(),
            AlertError::Setting { .. } => Self::internal(&error),
        }
    }
}

impl From<LakeError> for Problem {
    fn from(error: LakeError) -> Self {
        let detail = error.to_string();
        match error {
            LakeError::Store(error) => error.into(),
            LakeError::File { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
                Self::disk_full(DISK_FULL)
            }
            LakeError::NoDataset { .. } | LakeError::NoSnapshot(_) => Self::not_found(detail),
            LakeError::DatasetExists { .. } => {
                Self::new(StatusCode::CONFLICT, format!("{detail} (\"existing\": \"append\" or \"replace\" in a spec)"))
            }
            LakeError::SchemaChanged { problems, .. } => Self::new(StatusCode::CONFLICT, detail).with_errors(problems),
            LakeError::File { .. }
            | LakeError::Objects { .. }
            | LakeError::Parquet { .. }
            | LakeError::Corrupt(_)
            | LakeError::Misplaced { .. } => Self::internal(&error),
        }
    }
}

impl From<QueryError> for Problem {
    fn from(error: QueryError) -> Self {
        let detail = error.to_string();
        match error {
            QueryError::UnknownDataset { .. } | QueryError::UnknownTable { .. } => Self::not_found(detail),
            QueryError::UnknownColumn { .. } | QueryError::NoNumbers { .. } => {
                Self::bad_request(&detail).with_errors(vec![core_problem::Problem::new("column", detail)])
            }
            QueryError::NoDataset { .. }
            | QueryError::NoTimeField { .. }
            | QueryError::NotReadOnly { .. }
            | QueryError::Invalid(_)
            | QueryError::Failed(_) => Self::bad_request(detail),
            QueryError::TimedOut { .. } | QueryError::Resources(_) | QueryError::TooLarge { .. } => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
            }
            QueryError::Stopped => Self::new(StatusCode::CONFLICT, detail),
            QueryError::Lake(error) => error.into(),
            // Nobody reads it: a client that went away is no fault of the server.
            QueryError::Output(gone) if gone.kind() == std::io::ErrorKind::BrokenPipe => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
            }
            QueryError::File { .. } | QueryError::Output(_) => Self::internal(&error),
        }
    }
}

impl From<SpecError> for Problem {
    fn from(error: SpecError) -> Self {
        let detail = error.to_string();
        match error {
            SpecError::Values(problems) => Self::bad_request(detail).with_errors(problems),
            SpecError::Syntax { message, .. } => match core_problem::Problem::of_text(&message) {
                Some(problem) => Self::bad_request(detail).with_errors(vec![problem]),
                None => Self::bad_request(detail),
            },
            SpecError::Read { .. } | SpecError::Unknown { .. } | SpecError::Set { .. } => Self::bad_request(detail),
        }
    }
}

impl From<PluginError> for Problem {
    fn from(error: PluginError) -> Self {
        let detail = error.to_string();
        match error {
            PluginError::NotFound { .. } => Self::not_found(detail),
            PluginError::InvalidConfig { problems, .. } => Self::bad_request(detail).with_errors(problems),
            PluginError::WrongKind { .. } => Self::bad_request(detail),
            PluginError::Rejected { .. }
            | PluginError::OverLimit { .. }
            | PluginError::Crashed { .. }
            | PluginError::Failed { .. }
            | PluginError::UnsupportedState { .. }
            | PluginError::BrokenContract { .. }
            | PluginError::BadRows { .. } => Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail),
            PluginError::Dead { .. }
            | PluginError::Worker { .. }
            | PluginError::Io { .. }
            | PluginError::BadLimits { .. }
            | PluginError::Engine { .. } => Self::internal(&error),
        }
    }
}

impl From<VersionsError> for Problem {
    fn from(error: VersionsError) -> Self {
        let detail = error.to_string();
        match error {
            VersionsError::Plugin(error) => error.into(),
            VersionsError::Store(error) => error.into(),
            VersionsError::Stream(error) => error.into(),
            VersionsError::NotInstalled { .. } | VersionsError::NotEnabled { .. } => Self::not_found(detail),
            VersionsError::Tables { problems, .. } => Self::new(StatusCode::CONFLICT, detail).with_errors(problems),
            VersionsError::NameTaken { .. } | VersionsError::InUse { .. } | VersionsError::NothingBefore(_) => {
                Self::new(StatusCode::CONFLICT, detail)
            }
            VersionsError::Pin { .. } | VersionsError::Refused { .. } | VersionsError::Scenario { .. } => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
            }
            VersionsError::Source { .. } | VersionsError::NoImage { .. } => Self::bad_request(detail),
            VersionsError::File { .. } | VersionsError::Registry { .. } => Self::internal(&error),
        }
    }
}

impl From<SinkError> for Problem {
    fn from(error: SinkError) -> Self {
        match error {
            SinkError::UnknownColumn { .. } | SinkError::Profile { .. } => Self::bad_request(error.to_string()),
            SinkError::Shape { .. }
            | SinkError::UnknownPhase { .. }
            | SinkError::SameName { .. }
            | SinkError::LineProtocol { .. }
            | SinkError::Column { .. }
            | SinkError::Parquet(_)
            | SinkError::File { .. } => Self::internal(&error),
        }
    }
}

impl From<RunError> for Problem {
    fn from(error: RunError) -> Self {
        let detail = error.to_string();
        match error {
            RunError::Spec(error) => error.into(),
            // A spec that names what is not there is wrong itself.
            RunError::Plugin(error @ PluginError::NotFound { .. }) => {
                Self::from(error).with_status(StatusCode::BAD_REQUEST)
            }
            RunError::Plugin(error) => error.into(),
            RunError::Shard { source, .. } => Self { detail: format!("{detail}: {source}"), ..Self::from(*source) },
            RunError::Incidents { problems, .. } => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail).with_errors(problems)
            }
            RunError::Input { .. } | RunError::Selection { .. } | RunError::LargeSnapshot { .. } => {
                Self::bad_request(detail)
            }
            RunError::NoRun(_) => Self::not_found(detail),
            RunError::Cancelled | RunError::State { .. } => Self::new(StatusCode::CONFLICT, detail),
            RunError::Busy { .. } => Self::new(StatusCode::TOO_MANY_REQUESTS, detail).retry_after(BUSY_SECONDS),
            RunError::Lake(error) => error.into(),
            RunError::Store(error) => error.into(),
            RunError::Query(error) => error.into(),
            RunError::Record { .. }
            | RunError::Worker { .. }
            | RunError::Arrow(_)
            | RunError::File { .. }
            | RunError::Thread(_)
            | RunError::Taker(_) => Self::internal(&error),
        }
    }
}

impl From<StreamError> for Problem {
    fn from(error: StreamError) -> Self {
        let detail = error.to_string();
        match error {
            StreamError::Spec { key, message } if !key.is_empty() => Self::bad_field(key, message),
            StreamError::Spec { .. } => Self::bad_request(detail),
            StreamError::State { .. }
            | StreamError::TooLate { .. }
            | StreamError::Successor { .. }
            | StreamError::Sending => Self::new(StatusCode::CONFLICT, detail),
            StreamError::NoSink { .. } | StreamError::NoLetter { .. } => Self::not_found(detail),
            StreamError::TooMany { .. } => Self::new(StatusCode::TOO_MANY_REQUESTS, detail).retry_after(HELP_SECONDS),
            StreamError::Interrupted => Self::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(HELP_SECONDS),
            StreamError::Run(error) => error.into(),
            StreamError::Plugin(error) => error.into(),
            StreamError::Lake(error) => error.into(),
            StreamError::Store(error) => error.into(),
            StreamError::Query(error) => error.into(),
            StreamError::Alert(error) => error.into(),
            StreamError::Sink(error) => error.into(),
            StreamError::Arrow(_) | StreamError::Record { .. } => Self::internal(&error),
        }
    }
}
