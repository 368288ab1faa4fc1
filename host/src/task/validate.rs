//! Validators over a dataset that is there.

use super::TaskError;
use crate::core::time::{Length, Timestamp, Window};
use crate::lake::{LakeTable, Span};
use crate::plugin::{PluginKind, log_to_tracing};
use crate::run::{self, Cancel, Configured, Host, Judged, Judgement, PluginUse, RunError, RunSpec};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::path::PathBuf;

/// Which validator, or those of a spec, over which rows.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Validate {
    /// The dataset.
    pub dataset: String,
    /// The validator: a name, the path of a `.wasm` file, or `sha256:` and a digest.
    #[serde(default)]
    pub with: Option<String>,
    /// Its configuration.
    #[serde(default)]
    pub config: Map<String, Value>,
    /// A spec, or the name of a shipped scenario, all of whose validators judge.
    #[serde(default)]
    pub scenario: Option<PathBuf>,
    /// Only rows from here on.
    #[serde(default)]
    pub from: Option<Timestamp>,
    /// Only rows before this.
    #[serde(default)]
    pub to: Option<Timestamp>,
    /// Only the span of this length that ends with the newest row.
    #[serde(default)]
    pub last: Option<Length>,
}

impl Validate {
    /// Looks for what can't go together.
    ///
    /// # Errors
    /// Neither a validator nor a scenario, or both.
    pub fn check(&self) -> Result<(), TaskError> {
        match (&self.with, &self.scenario) {
            (Some(_), Some(_)) | (None, None) => {
                Err(TaskError::Request("name a validator (with) or the scenario that has some (scenario)".to_owned()))
            }
            (None, Some(_)) if !self.config.is_empty() => {
                Err(TaskError::Request("config belongs to a validator (with); a scenario has its own".to_owned()))
            }
            _ => Ok(()),
        }
    }

    /// Judges, and records the reports.
    ///
    /// # Errors
    /// No such validator, dataset or rows; or somebody set `cancel`.
    pub fn run(&self, host: &Host, cancel: &Cancel) -> Result<Vec<Judgement>, TaskError> {
        self.check()?;
        let validators = self.uses()?.into_iter().map(|PluginUse { plugin, config }| {
            let plugin = host.registry.load(&plugin)?;
            plugin.expect_kind(PluginKind::Validator)?;
            let config = plugin.check_config(&Value::Object(config))?;
            Ok(Configured { plugin, config })
        });
        let validators = validators.collect::<Result<Vec<_>, TaskError>>()?;
        let window = self.window(host)?;
        let judged = Judged { dataset: &self.dataset, window, at: None, run: None };
        run::judge(host, &validators, judged, &log_to_tracing(), cancel).map_err(|error| match error {
            // There is no run to resume.
            RunError::Cancelled => TaskError::Stopped,
            error => error.into(),
        })
    }

    fn window(&self, host: &Host) -> Result<Window, TaskError> {
        let dataset = host.runtime.block_on(host.lake.dataset(&self.dataset, None))?;
        let span = Span { from: self.from, to: self.to, last: self.last };
        Ok(span.covered(dataset.tables.iter().map(LakeTable::times)))
    }

    fn uses(&self) -> Result<Vec<PluginUse>, TaskError> {
        let own = self.with.iter().map(|plugin| PluginUse { plugin: plugin.clone(), config: self.config.clone() });
        match &self.scenario {
            Some(path) => Ok(RunSpec::named(path)?.validators),
            None => Ok(own.collect()),
        }
    }
}
