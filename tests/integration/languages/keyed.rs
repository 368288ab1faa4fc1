//! The helpers of every language draw what the SDK draws: `tests/keyed/vectors.txt` has keys and what follows from them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use telemill_sdk::{Process, Stream, hash};
use telemill_tests::repository;

use super::projects::{in_hello, with_caches};
use crate::program::answer;

fn folder() -> PathBuf {
    repository().join("tests/keyed")
}

fn table() -> String {
    fs::read_to_string(folder().join("vectors.txt")).unwrap()
}

fn support(language: &str) -> PathBuf {
    repository().join("host/templates").join(language)
}

/// Runs what prints the table again, and holds it against the table.
fn same(command: &mut Command) {
    command.stdin(File::open(folder().join("vectors.txt")).unwrap()).stderr(Stdio::piped());
    let told = answer(command.output().unwrap()).with_code(0);
    assert_eq!(told.out, table());
}

/// What a line's key gives.
fn drawn(line: &str) -> String {
    let cells: Vec<&str> = line.split('\t').take(4).collect();
    let (seed, entity): (u64, u64) = (cells[0].parse().unwrap(), cells[2].parse().unwrap());
    let (process, step): (Process, i64) = (Process::named(cells[1]), cells[3].parse().unwrap());
    let mut draws = Stream::of(seed, process, entity, step);
    let bits = [hash(seed, process, entity, step), draws.next(), draws.next()].map(|bits| format!("{bits:016x}"));
    let (few, many) = (draws.below(1_000), draws.below(1 << 40));
    format!("{}\t{}\t{few}\t{many}\t{:016x}\n", cells.join("\t"), bits.join("\t"), draws.unit().to_bits())
}

/// To add a key, write its line and take the rest from what this test says.
#[test]
fn the_table_is_the_sdks() {
    let line = |line: &str| if line.starts_with('#') { format!("{line}\n") } else { drawn(line) };
    assert_eq!(table().lines().map(line).collect::<String>(), table());
    assert!(table().lines().count() > 10);
}

#[test]
fn python_draws_the_same() {
    let helpers = support("python/support/telemill/telemill");
    same(Command::new("python3").env("PYTHONDONTWRITEBYTECODE", "1").arg(folder().join("print.py")).arg(helpers));
}

#[test]
fn javascript_draws_the_same() {
    // Only a package says that its files are modules.
    let package = tempfile::tempdir().unwrap();
    fs::write(package.path().join("package.json"), r#"{"type": "module"}"#).unwrap();
    fs::copy(support("javascript/support/telemill/random.js"), package.path().join("random.js")).unwrap();
    same(Command::new("node").arg(folder().join("print.mjs")).arg(package.path().join("random.js")));
}

#[test]
fn c_draws_the_same() {
    let made = tempfile::tempdir().unwrap();
    let program = made.path().join("print");
    let include = |path: &Path| format!("-I{}", path.display());
    let mut compiler = Command::new("cc");
    compiler.args([include(&support("c/support/telemill")), include(&support("c/support-generator/telemill"))]);
    // The bindings have attributes for clang.
    compiler.args(["-Wno-attributes", "-o"]).arg(&program).arg(folder().join("print.c"));
    let compiled = compiler.arg(support("c/support/telemill/telemill.c")).arg("-lm").output().unwrap();
    answer(compiled).with_code(0);
    same(&mut Command::new(program));
}

#[test]
fn go_draws_the_same() {
    in_hello("generator", "go", |project| {
        fs::create_dir(project.join("keyed")).unwrap();
        fs::copy(folder().join("print.go"), project.join("keyed/print.go")).unwrap();
        let go = project.join(".venv/bin/go");
        same(with_caches(Command::new(go).args(["run", "./keyed"]).current_dir(project)).env("GOTOOLCHAIN", "local"));
    });
}
