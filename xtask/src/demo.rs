//! The first command of a new reader: a week of e-commerce operations in a lake.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::build;
use crate::repository::Repository;

pub(crate) const HELP: &str = "\
Build what is missing and run a week of e-commerce operations into a lake

Usage: cargo xtask demo [--days N] [OPTIONS OF `telemill run start`]

Options:
      --days N  Days to simulate, from the start that the scenario names [default: 7]
  -h, --help    Print help

The lake lies in ./telemill-data unless --data-dir says otherwise; a demo that is there is replaced.
The run prints rows per table, incidents and their causes, the validators' verdicts, the fingerprint
and three commands to go on with. Exits with the run's own code: 1 where a verdict failed.

Example:
  cargo xtask demo --days 1 --data-dir /tmp/demo
";

/// The spec beside the plugin that it is for.
const SCENARIO: &str = "plugins/ecommerce/scenario.toml";

pub(crate) fn run(repository: &Repository, arguments: &[String]) -> Result<ExitCode> {
    let options = translate(arguments)?;
    build::plugins(repository)?;
    build::program(repository, "telemill")?;
    let mut command = Command::new(repository.program("telemill"));
    command.args(["run", "start"]).arg(repository.root.join(SCENARIO)).arg("--replace").args(options);
    let status = command.status().context("cannot start telemill")?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// `--days N` becomes the run's `--duration Nd`; the rest is the run's own.
fn translate(arguments: &[String]) -> Result<Vec<String>> {
    let mut options = Vec::new();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let days = match argument.strip_prefix("--days") {
            Some("") => arguments.next().map(String::as_str),
            Some(rest) if rest.starts_with('=') => rest.strip_prefix('='),
            _ => {
                options.push(argument.clone());
                continue;
            }
        };
        let days: u32 = match days.map(str::parse) {
            Some(Ok(days)) if days > 0 => days,
            _ => bail!("--days takes a whole number of days from 1, such as `cargo xtask demo --days 1`"),
        };
        options.extend([String::from("--duration"), format!("{days}d")]);
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::translate;

    fn translated(line: &str) -> Vec<String> {
        let words: Vec<String> = line.split_whitespace().map(String::from).collect();
        translate(&words).unwrap()
    }

    #[test]
    fn days_become_the_runs_duration() {
        assert_eq!(translated("--days 2 --workers 1"), ["--duration", "2d", "--workers", "1"]);
        assert_eq!(translated("--data-dir d --days=3"), ["--data-dir", "d", "--duration", "3d"]);
    }

    #[test]
    fn days_that_are_no_number_are_refused() {
        for bad in ["--days", "--days=", "--days 0", "--days -1", "--days week"] {
            let words: Vec<String> = bad.split_whitespace().map(String::from).collect();
            assert!(translate(&words).is_err(), "{bad} was taken");
        }
    }
}
