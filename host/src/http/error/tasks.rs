//! Errors of what the command line does as well, as problems.

use super::Problem;
use crate::clean::CleanError;
use crate::core::problem::chain;
use crate::plugin::PluginError;
use crate::task::TaskError;
use axum::http::StatusCode;

impl From<CleanError> for Problem {
    fn from(error: CleanError) -> Self {
        let detail = error.to_string();
        match error {
            CleanError::Step { source, .. } => {
                Self { detail: format!("{detail}: {}", chain(&*source)), ..Self::from(*source) }
            }
            CleanError::Recipe(_) | CleanError::Itself(_) | CleanError::BadName(_) => Self::bad_request(detail),
            CleanError::Exists { .. } => Self::new(StatusCode::CONFLICT, detail),
            CleanError::TooLarge { .. } => Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail),
            CleanError::Query(error) => error.into(),
            CleanError::Lake(error) => error.into(),
            CleanError::Sink(error) => error.into(),
            CleanError::Scratch { .. } | CleanError::Arrow(_) => Self::internal(&error),
        }
    }
}

impl From<TaskError> for Problem {
    fn from(error: TaskError) -> Self {
        let detail = error.to_string();
        match error {
            TaskError::Table(_) | TaskError::Request(_) | TaskError::Text(_) | TaskError::Recipe(_) => {
                Self::bad_request(detail)
            }
            TaskError::Stopped | TaskError::Streamed { .. } => Self::new(StatusCode::CONFLICT, detail),
            TaskError::Spec(error) => error.into(),
            TaskError::Run(error) => error.into(),
            // What a request names that is not there is a fault of the request.
            TaskError::Plugin(error @ PluginError::NotFound { .. }) => {
                Self::from(error).with_status(StatusCode::BAD_REQUEST)
            }
            TaskError::Plugin(error) => error.into(),
            TaskError::Clean { source, .. } => {
                let problem = Self::from(source);
                Self { detail: format!("{detail}: {}", problem.detail), ..problem }
            }
            TaskError::Ingest(error) => error.into(),
            TaskError::Lake(error) => error.into(),
            TaskError::Query(error) => error.into(),
            TaskError::Sink(error) => error.into(),
            TaskError::Load(_) | TaskError::Source(_) | TaskError::File { .. } | TaskError::Write(_) => {
                Self::internal(&error)
            }
        }
    }
}
