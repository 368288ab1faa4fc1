//! The first command of a new reader: a week of e-commerce operations in a lake.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::build;
use crate::repository::Repository;

pub(crate) const HELP: &str = "\
Build what is missing and run a week of e-commerce operations, or another scenario, into a lake

Usage: cargo xtask demo [--scenario NAME | --all] [--days N] [OPTIONS OF `telemill run start`]

Options:
      --scenario NAME  The plugin whose scenario is run [default: ecommerce]
      --all            Every scenario of this repository, one after the other
      --days N         Days to simulate, from the start that the scenario names [default: the scenario's]
  -h, --help           Print help

The lake lies in ./telemill-data unless --data-dir says otherwise; a demo that is there is replaced.
A run prints rows per table, incidents and their causes, the validators' verdicts, the fingerprint
and three commands to go on with. Exits with the worst code of its runs: 1 where a verdict failed.

Examples:
  cargo xtask demo --days 1 --data-dir /tmp/demo
  cargo xtask demo --scenario device-fleet
";

/// The scenario of a demo that names none.
const SCENARIO: &str = "ecommerce";

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
struct Demo {
    scenarios: Scenarios,
    /// Options of `telemill run start`.
    options: Vec<String>,
}

#[derive(Debug, PartialEq, Eq)]
enum Scenarios {
    Named(String),
    All,
}

pub(crate) fn run(repository: &Repository, arguments: &[String]) -> Result<ExitCode> {
    let demo = read(arguments)?;
    let there_are = repository.scenarios()?;
    let chosen = match &demo.scenarios {
        Scenarios::All => there_are,
        Scenarios::Named(name) if there_are.contains(name) => vec![name.clone()],
        Scenarios::Named(name) => bail!("there is no scenario {name}; there are {}", there_are.join(", ")),
    };
    build::plugins(repository)?;
    build::program(repository, "telemill")?;
    let mut worst = 0;
    for name in chosen {
        let mut command = Command::new(repository.program("telemill"));
        command.args(["run", "start"]).arg(repository.scenario(&name)).arg("--replace").args(&demo.options);
        let status = command.status().context("cannot start telemill")?;
        worst = worst.max(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(2));
    }
    Ok(ExitCode::from(worst))
}

/// `--days N` becomes the run's `--duration Nd`; what is not the demo's own is the run's.
fn read(arguments: &[String]) -> Result<Demo> {
    let mut demo = Demo { scenarios: Scenarios::Named(SCENARIO.to_owned()), options: Vec::new() };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let (name, value) = match argument.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (argument.as_str(), None),
        };
        match name {
            "--all" => demo.scenarios = Scenarios::All,
            "--scenario" => {
                let name = value.or_else(|| arguments.next().map(String::as_str));
                demo.scenarios = Scenarios::Named(name.context("--scenario takes the name of a plugin")?.to_owned());
            }
            "--days" => {
                let days = value.or_else(|| arguments.next().map(String::as_str));
                let days: u32 = match days.map(str::parse) {
                    Some(Ok(days)) if days > 0 => days,
                    _ => bail!("--days takes a whole number of days from 1, such as `cargo xtask demo --days 1`"),
                };
                demo.options.extend([String::from("--duration"), format!("{days}d")]);
            }
            _ => demo.options.push(argument.clone()),
        }
    }
    Ok(demo)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::{Demo, Scenarios, read};

    fn told(line: &str) -> anyhow::Result<Demo> {
        let words: Vec<String> = line.split_whitespace().map(String::from).collect();
        read(&words)
    }

    #[test]
    fn days_become_the_runs_duration() {
        assert_eq!(told("--days 2 --workers 1").unwrap().options, ["--duration", "2d", "--workers", "1"]);
        assert_eq!(told("--data-dir d --days=3").unwrap().options, ["--data-dir", "d", "--duration", "3d"]);
    }

    #[test]
    fn days_that_are_no_number_are_refused() {
        for bad in ["--days", "--days=", "--days 0", "--days -1", "--days week"] {
            assert!(told(bad).is_err(), "{bad} was taken");
        }
    }

    #[test]
    fn a_scenario_is_chosen_by_name() {
        assert_eq!(told("").unwrap().scenarios, Scenarios::Named("ecommerce".to_owned()));
        assert_eq!(told("--scenario fleet").unwrap().scenarios, Scenarios::Named("fleet".to_owned()));
        assert_eq!(told("--scenario=fleet --days 1").unwrap().scenarios, Scenarios::Named("fleet".to_owned()));
        assert_eq!(told("--all").unwrap().scenarios, Scenarios::All);
        assert!(told("--scenario").is_err());
    }
}
