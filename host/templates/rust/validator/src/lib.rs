//! The validator `@name@`: numbers that are not there, or no numbers. Put your own rule in its place.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use telemill_sdk::{
    About, Batch, DataType, Error, Finding, Metric, Report, Selection, Severity, Table, Validator, Window,
};

/// What a user can say.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The share of missing numbers that is fine.
    pub at_most: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self { at_most: 0.05 }
    }
}

/// What was seen so far.
pub struct Numbers {
    config: Config,
    selections: Vec<Selection>,
    tallies: Vec<(u64, u64)>,
}

impl Validator for Numbers {
    type Config = Config;

    fn about() -> About {
        About {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "Numbers are there, and are finite".to_owned(),
            documentation: include_str!("../README.md").to_owned(),
            examples: Vec::new(),
            attributes: Vec::new(),
        }
    }

    /// The tables are those of the dataset: say which columns you read, and in which order you want the rows.
    fn open(config: Config, tables: &[Table], _window: Window) -> Result<(Self, Vec<Selection>), Error> {
        let numbers = |table: &Table| -> Vec<String> {
            let fields = table.fields.iter().filter(|field| field.data_type == DataType::Float64);
            fields.map(|field| field.name.clone()).collect()
        };
        let selections: Vec<Selection> = tables
            .iter()
            .map(|table| Selection { table: table.name.clone(), columns: numbers(table), order_by: Vec::new() })
            .filter(|selection| !selection.columns.is_empty())
            .collect();
        let tallies = vec![(0, 0); selections.len()];
        Ok((Self { config, selections: selections.clone(), tallies }, selections))
    }

    /// Rows come in batches; keep counts rather than rows.
    fn observe(&mut self, batch: &Batch) -> Result<(), Error> {
        let selection = batch.table();
        let (checked, failed) = &mut self.tallies[selection];
        for column in &self.selections[selection].columns {
            for row in 0..batch.rows() {
                *failed += u64::from(!batch.f64(column, row).is_some_and(f64::is_finite));
            }
            *checked += batch.rows() as u64;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<Report, Error> {
        let finding = |(selection, (checked, failed)): (&Selection, &(u64, u64))| Finding {
            rule: "numbers-are-there".to_owned(),
            severity: if *failed as f64 > *checked as f64 * self.config.at_most { Severity::High } else { Severity::Info },
            table: Some(selection.table.clone()),
            column: None,
            message: format!("{failed} of {checked} numbers are missing or not finite"),
            failed: *failed,
            checked: *checked,
            samples: Vec::new(),
        };
        let findings: Vec<Finding> = self.selections.iter().zip(&self.tallies).map(finding).collect();
        let tables = Metric { name: "tables".to_owned(), value: findings.len() as f64, unit: None, at: None };
        Ok(Report { findings, metrics: vec![tables] })
    }
}

telemill_sdk::export_validator!(Numbers);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dataset_without_numbers_is_fine() {
        let opened = Numbers::open(Config::default(), &[], Window::new(0, 1));
        let report = opened.and_then(|(mut judge, _)| judge.finish()).unwrap();
        assert!(report.findings.is_empty());
    }
}
