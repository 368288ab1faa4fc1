//! Runs of a server.

use super::events::Events;
use super::target::Target;
use super::{RemoteError, Server};
use crate::api::RunWithReports;
use crate::core::id::RunId;
use crate::run::{Progress, RunSpec, Verification};
use crate::store::{RunRecord, RunState};
use serde_json::json;
use ureq::SendBody;
use ureq::http::Method;

/// Runs among which one to go on with is looked for.
const LOOKED_AT: u32 = 1_000;

impl Server {
    /// At most `limit` runs, newest first; with `before`, only older ones.
    ///
    /// # Errors
    /// The server can't be asked.
    pub fn runs(&self, limit: u32, before: Option<&RunId>) -> Result<Vec<RunRecord>, RemoteError> {
        self.pages(&Target::new(&["runs"]), limit, before.map(RunId::to_string))
    }

    /// A run with what validators said of it.
    ///
    /// # Errors
    /// There is no such run, or the server can't be asked.
    pub fn run(&self, id: &RunId) -> Result<RunWithReports, RemoteError> {
        self.get(Target::new(&["runs", id.as_str()]))
    }

    /// The newest run that is not finished, or of which a validator's report is missing; none where there is no such run.
    ///
    /// # Errors
    /// The server can't be asked.
    pub fn run_to_resume(&self) -> Result<Option<RunId>, RemoteError> {
        for run in self.runs(LOOKED_AT, None)? {
            // Only a record that asks for reports is looked at once more.
            let validators = run.validators();
            if run.state != RunState::Finished || validators > 0 && self.run(&run.id)?.reports.len() < validators {
                return Ok(Some(run.id));
            }
        }
        Ok(None)
    }

    /// Starts a run; it is recorded, and rows are being made.
    ///
    /// # Errors
    /// The spec can't be used there, too many are under way, or the server can't be asked.
    pub fn start_run(&self, spec: &RunSpec) -> Result<RunRecord, RemoteError> {
        self.post(Target::new(&["runs"]), spec)
    }

    /// Goes on with a run that is not finished, or not judged by all its validators.
    ///
    /// # Errors
    /// There is no such run, it is finished and judged or under way, or the server can't be asked.
    pub fn resume_run(&self, id: &RunId) -> Result<RunRecord, RemoteError> {
        self.post(Target::new(&["runs", id.as_str(), "resume"]), &json!({}))
    }

    /// Asks a run to stop.
    ///
    /// # Errors
    /// There is no such run, it is not under way, or the server can't be asked.
    pub fn cancel_run(&self, id: &RunId) -> Result<(), RemoteError> {
        let target = Target::new(&["runs", id.as_str(), "cancel"]);
        self.send(&self.agent, Method::POST, target, &[], SendBody::none()).map(drop)
    }

    /// Makes a finished run again, or hashes its stored rows, and compares.
    ///
    /// # Errors
    /// There is no such run, it is not finished, or the server can't be asked.
    pub fn verify_run(&self, id: &RunId, lake: bool) -> Result<Verification, RemoteError> {
        self.post(Target::new(&["runs", id.as_str(), "verify"]).with("lake", Some(lake)), &json!({}))
    }

    /// How far a run is, from now on until it ends.
    ///
    /// # Errors
    /// There is no such run, or the server can't be asked.
    pub fn watch_run(&self, id: &RunId) -> Result<Events<Progress>, RemoteError> {
        self.events(Target::new(&["runs", id.as_str(), "events"]))
    }
}
