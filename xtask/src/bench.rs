//! Starts the benchmark, which is a program of the tests' crate so that it can use the host's library.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::build;
use crate::repository::Repository;

pub(crate) const HELP: &str = "\
Run the benchmarks and print their ratios

Usage: cargo xtask bench [OPTIONS OF THE BENCHMARK]

Options:
      --peers  Also measure other generators, installed from PyPI into a folder under target/
  -h, --help   Print help

Rows and bytes per CPU second, medians of several runs, and the ratios that the project holds itself to.

Example:
  cargo xtask bench --peers
";

pub(crate) fn run(repository: &Repository, arguments: &[String]) -> Result<ExitCode> {
    build::plugins(repository)?;
    build::program(repository, "telemill")?;
    build::program(repository, "bench")?;
    let mut command = Command::new(repository.program("bench"));
    command.args(arguments).env("TELEMILL_BIN", repository.program("telemill"));
    let status = command.status().context("cannot start the benchmark")?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}
