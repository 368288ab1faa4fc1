//! What steps do: a kind's keys become work, and the work is done.

use super::call::Call;
use super::collect::Collect;
use super::command::RunCommand;
use super::error::StepError;
use super::log::StepLog;
use crate::core::document;
use crate::core::time::Timestamp;
use crate::run::{Cancel, Host, Judgement, Unobserved};
use crate::sink::opensearch::Credentials;
use crate::task::{self, TaskError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::time::Duration;

/// Findings of a validator that go into a step's log.
const LOGGED_FINDINGS: usize = 20;

/// The kinds of steps.
const KINDS: [&str; 9] = ["generate", "collect", "ingest", "validate", "clean", "export", "load", "http", "command"];

/// What a step does, its templates filled in.
#[derive(Debug, Clone)]
pub enum Work {
    /// A run of a spec.
    Generate(task::Generate),
    /// Rows of an endpoint or an InfluxDB at one instant.
    Collect(Collect),
    /// Rows from a file.
    Ingest(task::Ingest),
    /// Validators over a dataset.
    Validate(task::Validate),
    /// A recipe over a dataset.
    Clean(task::Clean),
    /// Files of a dataset.
    Export(task::Export),
    /// Documents for a server.
    Load(task::Load),
    /// A call of an endpoint.
    Http(Call),
    /// A program.
    Command(RunCommand),
}

/// What work has around it.
pub struct Around<'a> {
    /// The data folder.
    pub host: &'a Host,
    /// Set where the try is to end.
    pub cancel: &'a Cancel,
    /// Takes what it writes.
    pub log: &'a StepLog,
    /// The time of day.
    pub now: Timestamp,
    /// How long the try may take.
    pub timeout: Duration,
}

/// What came of work.
#[derive(Debug, Default)]
pub struct Done {
    /// For the record.
    pub result: Value,
    /// What validators said, and of which dataset.
    pub judged: Option<(String, Vec<Judgement>)>,
}

impl Work {
    /// Reads a kind's own keys.
    ///
    /// # Errors
    /// The key that is at fault, and what is wrong with it.
    pub fn read(kind: &str, keys: Value) -> Result<Self, String> {
        fn of<T: DeserializeOwned>(keys: Value) -> Result<T, String> {
            document::from_value(keys)
        }
        let wrong = |error: TaskError| error.to_string();
        Ok(match kind {
            "generate" => Self::Generate(of(keys)?),
            "collect" => Self::Collect(of::<Collect>(keys)?.checked()?),
            "ingest" => Self::Ingest(of(keys)?),
            "validate" => {
                let validate: task::Validate = of(keys)?;
                validate.check().map_err(wrong)?;
                Self::Validate(validate)
            }
            "clean" => Self::Clean(of(keys)?),
            "export" => {
                let export: task::Export = of(keys)?;
                export.check().map_err(wrong)?;
                if export.output_dir.is_none() {
                    return Err("output_dir: name a folder for the files".to_owned());
                }
                Self::Export(export)
            }
            "load" => Self::Load(of(keys)?),
            "http" => Self::Http(Call::checked(of(keys)?)?),
            "command" => Self::Command(RunCommand::checked(of(keys)?)?),
            other => return Err(format!("kind: {other:?} is no kind of step; there are {}", KINDS.join(", "))),
        })
    }

    /// Whether it may read or replace rows of the lake; a program may from beside.
    pub fn looks_at_rows(&self) -> bool {
        !matches!(self, Self::Http(_))
    }

    /// Does it, on this thread.
    ///
    /// # Errors
    /// It failed, it answered no, or it was stopped.
    pub fn run(&self, around: &Around<'_>) -> Result<Done, StepError> {
        let Around { host, cancel, log, now, timeout } = around;
        match self {
            Self::Generate(generate) => self::generate(generate, around),
            Self::Collect(collect) => Ok(done(collect.run(around)?)),
            Self::Ingest(ingest) => {
                let outcome = ingest.run(host, *now, cancel)?;
                log.line(format!("{} rows into {}", outcome.rows, ingest.table));
                Ok(done(json!({ "rows": outcome.rows, "snapshot": outcome.snapshot })))
            }
            Self::Validate(validate) => {
                let judgements = validate.run(host, cancel)?;
                judge(&validate.dataset, judgements, log)
            }
            Self::Clean(clean) => {
                let cleaned = clean.run(host, *now, cancel)?;
                log.line(format!("{} of {} rows are in {}", cleaned.rows_out, cleaned.rows_in, cleaned.dataset));
                Ok(done(to_value(&cleaned)))
            }
            Self::Export(export) => {
                let files = export.to_folder(host, cancel)?;
                files.iter().for_each(|file| log.line(format!("{} rows in {}", file.rows, file.file.display())));
                Ok(done(to_value(&files)))
            }
            Self::Load(load) => self::load(load, around),
            Self::Http(call) => Ok(done(call.run(*timeout, log)?)),
            Self::Command(command) => Ok(done(command.run(cancel, log)?)),
        }
    }
}

fn done(result: Value) -> Done {
    Done { result, judged: None }
}

fn to_value(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

fn generate(generate: &task::Generate, around: &Around<'_>) -> Result<Done, StepError> {
    let log = around.log;
    let outcome = generate.run(
        around.host,
        &|record, plan| log.line(format!("run {} into {}: {}", record.id, record.dataset, plan.spec.window())),
        &Unobserved,
        around.cancel,
    )?;
    let record = outcome.record;
    record.tables.iter().for_each(|table| log.line(format!("{} rows in {}", table.rows, table.table)));
    let judged = judge(&record.dataset, outcome.judgements, log)?;
    let result = json!({ "run": record.id, "dataset": record.dataset, "fingerprint": record.fingerprint,
        "rows": record.tables.iter().map(|table| table.rows).sum::<u64>() });
    Ok(Done { result, ..judged })
}

/// Tells what validators said. That one says no is told by the caller, which raises alerts first.
fn judge(dataset: &str, judgements: Vec<Judgement>, log: &StepLog) -> Result<Done, StepError> {
    for judgement in &judgements {
        log.line(format!("{}: {}", judgement.plugin, if judgement.passed { "passed" } else { "FAILED" }));
        for finding in judgement.report.findings.iter().filter(|finding| finding.failed > 0).take(LOGGED_FINDINGS) {
            log.line(format!("  {} {}: {}", finding.severity, finding.rule, finding.message));
        }
    }
    let verdicts =
        judgements.iter().map(|j| json!({ "validator": j.plugin, "version": j.version, "passed": j.passed }));
    let result = Value::Array(verdicts.collect());
    Ok(Done { result, judged: Some((dataset.to_owned(), judgements)) })
}

/// Credentials stand in the environment, under the names that the command reads.
fn load(load: &task::Load, around: &Around<'_>) -> Result<Done, StepError> {
    let variable = |name: &str| std::env::var(name).ok();
    let mut load = load.clone();
    if let Some(key) = variable("TELEMILL_OPENSEARCH_API_KEY") {
        load.credentials = Some(Credentials::ApiKey(key));
    } else if let Some((user, password)) =
        variable("TELEMILL_OPENSEARCH_USER").as_deref().and_then(|user| user.split_once(':'))
    {
        load.credentials = Some(Credentials::Basic { user: user.to_owned(), password: password.to_owned() });
    }
    let rows = task::LakeRows::of(around.host)?;
    let loaded = load.run(Some(&rows), around.cancel, &mut |_| {})?;
    let outcome = &loaded.outcome;
    around.log.line(format!("{} of {} documents are in {}", outcome.accepted, outcome.sent, load.index));
    outcome.refusals.iter().for_each(|refusal| around.log.line(format!("  {}: {}", refusal.status, refusal.reason)));
    if !loaded.complete {
        return Err(StepError::Verdict(format!(
            "not all documents are in {}: {} were refused",
            load.index, outcome.refused
        )));
    }
    Ok(done(
        json!({ "index": load.index, "sent": outcome.sent, "accepted": outcome.accepted, "retried": outcome.retried }),
    ))
}
