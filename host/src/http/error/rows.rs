//! Errors of rows that come in, as problems.

use super::{HELP_SECONDS, Problem};
use crate::ingest::IngestError;
use crate::ingest::log::{LogError, RETRY_AFTER_S};
use crate::user_data::UserDataError;
use axum::http::StatusCode;

impl From<LogError> for Problem {
    fn from(error: LogError) -> Self {
        let detail = error.to_string();
        match error {
            LogError::Full { .. } | LogError::Busy => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, detail).retry_after(RETRY_AFTER_S)
            }
            LogError::DiskFull { .. } => Self::disk_full(detail),
            LogError::KeyReused => Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail),
            LogError::Broken | LogError::Stopped => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(HELP_SECONDS)
            }
            LogError::Lake(error) => error.into(),
            LogError::Store(error) => error.into(),
            LogError::Damaged { .. } | LogError::Io { .. } | LogError::Frame(_) | LogError::Rows(_) => {
                Self::internal(&error)
            }
        }
    }
}

impl From<IngestError> for Problem {
    fn from(error: IngestError) -> Self {
        let detail = error.to_string();
        match error {
            IngestError::BadRows { total, first, .. } => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail).with_first_of(total, first)
            }
            IngestError::BadFile { problems, .. } => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail).with_errors(problems)
            }
            IngestError::Stopped => Self::new(StatusCode::CONFLICT, detail),
            IngestError::BadName(_) => Self::bad_request(detail),
            // A body that can't be read is the sender's: broken compression, or a line without an end.
            IngestError::Read { source, .. } => Self::bad_request(format!("{detail}: {source}")),
            IngestError::TooLarge { .. } => Self::new(StatusCode::PAYLOAD_TOO_LARGE, detail),
            IngestError::Lake(error) => error.into(),
            IngestError::Log(error) => error.into(),
            IngestError::Batch(_) => Self::internal(&error),
        }
    }
}

impl From<UserDataError> for Problem {
    fn from(error: UserDataError) -> Self {
        let detail = error.to_string();
        match error {
            UserDataError::BadFiles { total, first } => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail).with_first_of(total, first)
            }
            UserDataError::Changed(_) => Self::new(StatusCode::CONFLICT, detail),
            UserDataError::NoFiles(_) => Self::not_found(detail),
            UserDataError::Ingest(error) => error.into(),
            UserDataError::Lake(error) => error.into(),
            UserDataError::Store(error) => error.into(),
            UserDataError::Query(error) => error.into(),
            UserDataError::Sink(error) => error.into(),
            UserDataError::Io { .. } | UserDataError::Source(_) | UserDataError::Batch(_) => Self::internal(&error),
        }
    }
}
