//! A validator that breaks the contract on purpose: `{"fault": "..."}` in its configuration says how.
//!
//! Without a fault it is a well-behaved one: it counts the readings of the guest `hostile` that have no value.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use telemill_sdk::{
    About, Batch, Error, Example, Finding, Metric, Problem, Report, Selection, Severity, Table, Timestamp, Validator,
    Window,
};

const TABLE: &str = "readings";
/// Positions of the columns that it asks for.
const TIME: usize = 0;
const VALUE: usize = 1;
const NAME: usize = 2;

/// One way to break the contract.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// Keeps the contract.
    #[default]
    None,
    /// Says nothing. Its name is as long as that of none, so that a test can write it over that.
    Mute,
    /// `check` refuses the configuration.
    Refused,
    /// Asks for a column that the table does not have.
    UnknownColumn,
    /// `observe` panics.
    ObservePanics,
    /// `finish` says that it can't go on.
    FinishFails,
    /// A metric is no number.
    NoNumber,
    /// What it reports depends on how texts are packed.
    SeesPacking,
    /// A finding counts batches.
    CountsBatches,
    /// A finding is about the first row that came.
    FirstRow,
    /// The verdict is another one where an earlier row comes last.
    LastRow,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What the validator does wrong.
    pub fault: Fault,
}

/// Rows under judgement.
#[derive(Debug)]
pub struct HostileValidator {
    fault: Fault,
    batches: u64,
    rows: u64,
    missing: u64,
    /// Texts that stood in dictionaries.
    shared: u64,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
}

impl Validator for HostileValidator {
    type Config = Config;

    fn about() -> About {
        About {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "A count of missing values whose validator breaks the contract on demand".to_owned(),
            documentation: "For tests of the conformance check: `fault` says what goes wrong.".to_owned(),
            // Wide enough for a test to write another fault over it.
            examples: vec![Example::new("honest", r#"{"fault": "none"              }"#)],
            attributes: Vec::new(),
        }
    }

    fn check(config: &Config) -> Vec<Problem> {
        let refused =
            (config.fault == Fault::Refused).then(|| Problem::new("/fault", "the guest was told to refuse this"));
        refused.into_iter().collect()
    }

    fn open(config: Config, tables: &[Table], _window: Window) -> Result<(Self, Vec<Selection>), Error> {
        let fault = config.fault;
        let opened = Self { fault, batches: 0, rows: 0, missing: 0, shared: 0, first: None, last: None };
        let third = if fault == Fault::UnknownColumn { "pressure" } else { "name" };
        let columns = ["time", "value", third].map(str::to_owned).to_vec();
        let selection = Selection { table: TABLE.to_owned(), columns, order_by: Vec::new() };
        let there = tables.iter().any(|table| table.name == TABLE);
        Ok((opened, there.then_some(selection).into_iter().collect()))
    }

    fn observe(&mut self, batch: &Batch) -> Result<(), Error> {
        assert!(self.fault != Fault::ObservePanics, "the guest was told to panic");
        let column = |at: usize| batch.columns().get(at).ok_or_else(|| Error::failed("a column is missing"));
        let (times, values, names) = (column(TIME)?, column(VALUE)?, column(NAME)?);
        let rows = batch.rows();
        self.batches += 1;
        self.rows += rows as u64;
        self.missing += (0..rows).filter(|row| !values.is_valid(*row)).count() as u64;
        self.shared += names.dictionary().map_or(0, |texts| texts.len() as u64);
        self.first = self.first.or_else(|| times.i64(0));
        self.last = times.i64(rows.saturating_sub(1)).or(self.last);
        Ok(())
    }

    fn finish(&mut self) -> Result<Report, Error> {
        let metric = |name: &str, value: f64| Metric { name: name.to_owned(), value, unit: None, at: None };
        let mut metrics = vec![metric("rows", self.rows as f64)];
        let mut findings = vec![self.finding("missing", Severity::Medium, self.missing)];
        match self.fault {
            Fault::Mute => return Ok(Report::default()),
            Fault::FinishFails => return Err(Error::failed("the judges are on strike")),
            Fault::NoNumber => metrics.push(metric("mean", f64::NAN)),
            Fault::SeesPacking => metrics.push(metric("shared", self.shared as f64)),
            Fault::CountsBatches => findings.push(self.finding("batches", Severity::Medium, self.batches)),
            Fault::FirstRow => {
                findings.push(self.finding("first row", Severity::Medium, self.first.unwrap_or(0).unsigned_abs()));
            }
            Fault::LastRow if self.last < self.first => findings.push(self.finding("order", Severity::High, 1)),
            _ => {}
        }
        Ok(Report { findings, metrics })
    }
}

impl HostileValidator {
    fn finding(&self, rule: &str, severity: Severity, failed: u64) -> Finding {
        Finding {
            rule: rule.to_owned(),
            severity,
            table: Some(TABLE.to_owned()),
            column: None,
            message: format!("{failed} of {} rows", self.rows),
            failed,
            checked: self.rows,
            samples: Vec::new(),
        }
    }
}

telemill_sdk::export_validator!(HostileValidator);
