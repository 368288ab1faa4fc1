//! The project's own commands: what has to happen around `cargo build` so that plugins, host and
//! tests find each other. This file knows the commands' names and help, and leaves the work to one
//! module each.

mod bench;
mod build;
mod cargo;
mod demo;
mod dist;
mod notices;
mod repository;
mod steps;
mod test;
mod wasm_target;

use std::process::ExitCode;

use anyhow::{Result, bail};
use repository::Repository;

const HELP: &str = "\
The commands of the Telemill repository

Usage: cargo xtask <COMMAND> [OPTIONS]

Commands:
  build   Build the plugins, the guests of the tests and the host
  demo    Build what is missing and run a week of e-commerce operations into a lake
  test    Check format and lints, then run every test
  bench   Run the benchmarks and print their ratios
  dist    Write a release archive

`cargo xtask <COMMAND> --help` says more. Everything is built in release, into one tree of dependencies.

Example:
  cargo xtask demo --days 1
";

/// Carries out one command with the arguments behind its name.
type Run = fn(&Repository, &[String]) -> Result<ExitCode>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[String]) -> Result<ExitCode> {
    let Some((command, rest)) = arguments.split_first() else {
        print!("{HELP}");
        return Ok(ExitCode::from(2));
    };
    let (help, run): (&str, Run) = match command.as_str() {
        "build" => (build::HELP, build::run),
        "demo" => (demo::HELP, demo::run),
        "test" => (test::HELP, test::run),
        "bench" => (bench::HELP, bench::run),
        "dist" => (dist::HELP, dist::run),
        "help" | "-h" | "--help" => {
            print!("{HELP}");
            return Ok(ExitCode::SUCCESS);
        }
        unknown => bail!("there is no command `{unknown}`: `cargo xtask --help` lists those that there are"),
    };
    let own = rest.iter().take_while(|argument| argument.as_str() != "--");
    if own.into_iter().any(|argument| argument == "-h" || argument == "--help") {
        print!("{help}");
        return Ok(ExitCode::SUCCESS);
    }
    run(&Repository::find()?, rest)
}
