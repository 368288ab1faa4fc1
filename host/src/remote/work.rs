//! What happens by itself on a server: pipelines and alerts; and metrics of many users.

use super::target::Target;
use super::{RemoteError, Server};
use crate::api::{Requested, RunWithSteps, Schedule};
use crate::store::{Alert, AlertState, PipelineRun};
use crate::user_data::{Imported, Merged, Stats};
use serde_json::json;
use std::io::Read;
use ureq::SendBody;
use ureq::http::Method;

impl Server {
    /// Pipelines, by name.
    ///
    /// # Errors
    /// The server can't be asked.
    pub fn schedules(&self) -> Result<Vec<Schedule>, RemoteError> {
        self.get(Target::new(&["schedules"]))
    }

    /// At most `limit` runs of a pipeline, or of all, newest first; with `before`, only those with smaller numbers.
    ///
    /// # Errors
    /// There is no such pipeline, or the server can't be asked.
    pub fn pipeline_runs(
        &self,
        name: Option<&str>,
        limit: u32,
        before: Option<i64>,
    ) -> Result<Vec<PipelineRun>, RemoteError> {
        let target = match name {
            Some(name) => Target::new(&["schedules", name, "runs"]),
            None => Target::new(&["pipeline-runs"]),
        };
        self.pages(&target, limit, before.map(|id| id.to_string()))
    }

    /// A run of a pipeline, with its steps.
    ///
    /// # Errors
    /// There is no such run, or the server can't be asked.
    pub fn pipeline_run(&self, name: &str, id: i64) -> Result<RunWithSteps, RemoteError> {
        self.get(Target::new(&["schedules", name, "runs", &id.to_string()]))
    }

    /// Asks the scheduler for a run now, or for a run again.
    ///
    /// # Errors
    /// There is no such pipeline or run, or the server can't be asked.
    pub fn trigger(&self, name: &str, again: Option<i64>) -> Result<Requested, RemoteError> {
        self.post(Target::new(&["schedules", name, "runs"]), &json!({ "again": again }))
    }

    /// At most `limit` alerts, newest first: in `state`, where one is given, and with numbers below `before`.
    ///
    /// # Errors
    /// The server can't be asked.
    pub fn alerts(
        &self,
        state: Option<AlertState>,
        limit: u32,
        before: Option<i64>,
    ) -> Result<Vec<Alert>, RemoteError> {
        let target = Target::new(&["alerts"]).with("state", state.map(AlertState::as_str));
        self.pages(&target, limit, before.map(|id| id.to_string()))
    }

    /// An alert.
    ///
    /// # Errors
    /// There is no such alert, or the server can't be asked.
    pub fn alert(&self, id: i64) -> Result<Alert, RemoteError> {
        self.get(Target::new(&["alerts", &id.to_string()]))
    }

    /// Says that an alert was seen.
    ///
    /// # Errors
    /// There is no such alert that is open, or the server can't be asked.
    pub fn acknowledge(&self, id: i64, by: Option<&str>, note: Option<&str>) -> Result<Alert, RemoteError> {
        let body = json!({ "by": by, "note": note });
        self.post(Target::new(&["alerts", &id.to_string(), "acknowledge"]), &body)
    }

    /// Takes in users' files, a tar archive of them: all or none.
    ///
    /// # Errors
    /// Files that can't be taken in, or the server can't be asked.
    pub fn import_users(&self, dataset: &str, archive: impl Read + 'static) -> Result<Imported, RemoteError> {
        let target = Target::new(&["user-data", "import"]).with("dataset", Some(dataset));
        self.upload(Method::POST, target, "application/x-tar", SendBody::from_owned_reader(archive))
    }

    /// Adds users' samples that were not merged yet to those to train on.
    ///
    /// # Errors
    /// The server can't be asked.
    pub fn merge_users(&self, dataset: &str) -> Result<Merged, RemoteError> {
        self.post(Target::root(&["api", "merge-all-data"]).with("dataset", Some(dataset)), &json!({}))
    }

    /// Counts files and samples by user.
    ///
    /// # Errors
    /// The server can't be asked.
    pub fn count_users(&self, dataset: &str) -> Result<Stats, RemoteError> {
        self.get(Target::root(&["api", "user-data-stats"]).with("dataset", Some(dataset)))
    }
}
