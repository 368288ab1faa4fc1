//! Alerts: what validators, pipelines and streams find wrong is stored once, told to channels, and resolved by itself when it is
//! right again.
//!
//! Whoever judges rows calls [`Alerts::judged`]; what is told, and to whom, is the matter of [`Notifier`]. It knows neither
//! schedules nor the server.

mod address;
mod log_file;
mod mail;
mod notify;
mod settings;
mod webhook;

pub use notify::Notifier;
pub use settings::{Secret, Settings, SmtpSecurity};

use crate::core::incident::Severity;
use crate::core::report::Metric;
use crate::core::time::Timestamp;
use crate::run::Judgement;
use crate::store::{Alert, NewAlert, Store, StoreError};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::sync::watch;

/// Resolved alerts, and events, that are kept.
const KEPT: u32 = 10_000;
/// Most figures of one name that stand in an alert: the last of them.
const KEPT_FIGURES: usize = 5;

/// Why alerts could not be raised or told.
#[derive(Debug, thiserror::Error)]
pub enum AlertError {
    /// Mend the setting.
    #[error("the setting alert.{key} can't be used: {message}")]
    Setting {
        /// Which.
        key: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// There is none of that number, or it is not open.
    #[error("there is no open alert {0}: `telemill alert list` shows those there are")]
    NotOpen(i64),
    /// Records can't be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Raises, acknowledges and resolves alerts. Clones tell the same subscribers.
#[derive(Debug, Clone)]
pub struct Alerts {
    store: Store,
    runtime: Handle,
    news: Arc<watch::Sender<u64>>,
}

impl Alerts {
    /// Alerts in `store`.
    pub fn new(store: Store, runtime: Handle) -> Self {
        Self { store, runtime, news: Arc::new(watch::Sender::new(0)) }
    }

    /// Changes whenever there are new events, which are read from the store: however slow a subscriber is, it misses none.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    /// Validators have judged rows of `dataset` for `source`: rules that are broken raise an alert each, and those of the
    /// same validators that hold again are resolved.
    ///
    /// # Errors
    /// The database failed.
    pub fn judged(
        &self,
        source: &str,
        dataset: &str,
        judgements: &[Judgement],
        now: Timestamp,
    ) -> Result<(), AlertError> {
        // One validator may judge twice, with two configurations.
        let mut validators: BTreeMap<&str, BTreeMap<String, NewAlert>> = BTreeMap::new();
        for judgement in judgements {
            let broken = validators.entry(&judgement.plugin).or_default();
            for new in broken_rules(source, dataset, judgement) {
                broken.entry(new.rule.clone()).or_insert(new);
            }
        }
        self.runtime.block_on(async {
            let mut tx = self.store.write().await?;
            for (validator, broken) in &validators {
                for new in broken.values() {
                    tx.raise_alert(new, now).await?;
                }
                let rules: Vec<String> = broken.keys().cloned().collect();
                tx.resolve_alerts(source, Some(validator), Some(dataset), &rules, now).await?;
            }
            tx.prune_alerts(KEPT).await?;
            tx.commit().await
        })?;
        self.tell();
        Ok(())
    }

    /// The pipeline `name` has ended: well, or for the reason that is given.
    ///
    /// # Errors
    /// The database failed.
    pub fn pipeline_ended(&self, name: &str, error: Option<&str>, now: Timestamp) -> Result<(), AlertError> {
        let message = error.map(|error| format!("the pipeline {name} failed: {error}"));
        self.holds_or_not(format!("pipeline {name}"), None, "succeeds", message, now)
    }

    /// The stream into `dataset` goes on, or failed for the reason that is given.
    ///
    /// # Errors
    /// The database failed.
    pub fn stream_goes_on(&self, dataset: &str, error: Option<&str>, now: Timestamp) -> Result<(), AlertError> {
        let message = error.map(|error| format!("the stream into {dataset} failed: {error}"));
        self.holds_or_not(stream_source(dataset), None, "goes on", message, now)
    }

    /// Validators could judge the rows of the stream into `dataset`, or could not for the reason that is given.
    ///
    /// # Errors
    /// The database failed.
    pub fn stream_is_judged(&self, dataset: &str, error: Option<&str>, now: Timestamp) -> Result<(), AlertError> {
        let message = error.map(|error| format!("the stream into {dataset} can't be judged: {error}"));
        self.holds_or_not(stream_source(dataset), Some(dataset), "is judged", message, now)
    }

    /// What is no validator's matter: raises the alert of `rule` with a message, and resolves it without.
    fn holds_or_not(
        &self,
        source: String,
        dataset: Option<&str>,
        rule: &str,
        message: Option<String>,
        now: Timestamp,
    ) -> Result<(), AlertError> {
        self.runtime.block_on(async {
            let mut tx = self.store.write().await?;
            match message {
                Some(message) => {
                    let (rule, dataset) = (rule.to_owned(), dataset.map(str::to_owned));
                    let (severity, details) = (Severity::High, json!({}));
                    let new = NewAlert { source, validator: None, dataset, rule, severity, message, details };
                    tx.raise_alert(&new, now).await?;
                }
                None => drop(tx.resolve_alerts(&source, None, dataset, &[], now).await?),
            }
            tx.commit().await
        })?;
        self.tell();
        Ok(())
    }

    /// Somebody has seen an alert.
    ///
    /// # Errors
    /// There is none of that number that is open, or the database failed.
    pub fn acknowledge(
        &self,
        id: i64,
        by: Option<&str>,
        note: Option<&str>,
        now: Timestamp,
    ) -> Result<Alert, AlertError> {
        let alert = self.runtime.block_on(async {
            let mut tx = self.store.write().await?;
            let alert = tx.acknowledge_alert(id, by, note, now).await?;
            tx.commit().await?;
            Ok::<_, StoreError>(alert)
        })?;
        self.tell();
        alert.ok_or(AlertError::NotOpen(id))
    }

    fn tell(&self) {
        self.news.send_modify(|times| *times += 1);
    }
}

/// What finds something wrong in the stream into `dataset`: the next stream there may set it right.
pub fn stream_source(dataset: &str) -> String {
    format!("stream into {dataset}")
}

/// An alert for each rule that fails the report.
fn broken_rules(source: &str, dataset: &str, judgement: &Judgement) -> Vec<NewAlert> {
    let mut rules: BTreeMap<&str, (Severity, Vec<&str>)> = BTreeMap::new();
    for finding in judgement.report.findings.iter().filter(|finding| finding.severity >= Severity::High) {
        let (severity, messages) = rules.entry(&finding.rule).or_insert((finding.severity, Vec::new()));
        *severity = (*severity).max(finding.severity);
        messages.push(&finding.message);
    }
    let details = figures(&judgement.report.metrics);
    let alert = |(rule, (severity, messages)): (&str, (Severity, Vec<&str>))| {
        // Of several, the last is the newest where findings follow time.
        let more = if messages.len() > 1 { format!(" (and {} more)", messages.len() - 1) } else { String::new() };
        NewAlert {
            source: source.to_owned(),
            validator: Some(judgement.plugin.clone()),
            dataset: Some(dataset.to_owned()),
            rule: rule.to_owned(),
            severity,
            message: format!("{}{more}", messages.last().copied().unwrap_or_default()),
            details: details.clone(),
        }
    };
    rules.into_iter().map(alert).collect()
}

/// The last figures of each name, with their times.
fn figures(metrics: &[Metric]) -> Value {
    let mut names: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for metric in metrics {
        let figures = names.entry(&metric.name).or_default();
        if figures.len() == KEPT_FIGURES {
            figures.remove(0);
        }
        figures.push(match metric.at {
            Some(at) => json!({ "value": metric.value, "at": at }),
            None => json!({ "value": metric.value }),
        });
    }
    Value::Object(
        names.into_iter().map(|(name, figures)| (name.to_owned(), Value::Array(figures))).collect::<Map<_, _>>(),
    )
}

#[cfg(test)]
mod tests;
