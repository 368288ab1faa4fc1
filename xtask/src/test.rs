//! Everything that a change has to pass, in the order of what fails fastest.

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::repository::Repository;
use crate::steps::step;
use crate::{build, cargo};

pub(crate) const HELP: &str = "\
Check format and lints, then run every test

Usage: cargo xtask test [-- FILTER AND OPTIONS OF THE TEST RUNNER]

Options:
  -h, --help  Print help

Runs, each with its duration: cargo fmt --check; the build of plugins, guests and host; clippy with
the workspace's lints as errors; unit, property, integration and documentation tests. With
a filter only the builds and the tests that it names run.

Example:
  cargo xtask test -- layers
";

pub(crate) fn run(repository: &Repository, arguments: &[String]) -> Result<ExitCode> {
    let filter = match arguments.split_first() {
        None => &[][..],
        Some((separator, filter)) if separator == "--" => filter,
        Some((other, _)) => {
            bail!("test takes no `{other}`: a filter stands after `--`, as in `cargo xtask test -- {other}`")
        }
    };
    if filter.is_empty() {
        format(repository)?;
    }
    build::plugins(repository)?;
    build::test_guests(repository)?;
    build::program(repository, "telemill")?;
    if filter.is_empty() {
        lint(repository)?;
    }
    tests(repository, filter)?;
    Ok(ExitCode::SUCCESS)
}

fn format(repository: &Repository) -> Result<()> {
    step("format", "run `cargo fmt --all`", || {
        let mut command = cargo::cargo(&repository.root);
        command.args(["fmt", "--all", "--check"]);
        cargo::run(command)
    })
}

fn lint(repository: &Repository) -> Result<()> {
    let mend = "mend what it says, then run `cargo clippy --release --workspace --all-targets` until it is silent";
    step("clippy", mend, || {
        let mut command = cargo::cargo(&repository.root);
        command.args(["clippy", "--release", "--workspace", "--all-targets", "--", "--deny", "warnings"]);
        cargo::run(command)
    })
}

/// Has no `step` around it: the last lines of a log are the test runner's own.
fn tests(repository: &Repository, filter: &[String]) -> Result<()> {
    eprintln!("==> tests");
    let mut command = cargo::cargo(&repository.root);
    command
        .args(["test", "--release", "--workspace", "--no-fail-fast", "--"])
        .args(filter)
        .env("TELEMILL_BIN", repository.program("telemill"));
    if cargo::run(command).is_err() {
        bail!("tests failed: the names stand above, and `cargo xtask test -- NAME` runs one of them again");
    }
    Ok(())
}
