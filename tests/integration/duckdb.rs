//! DuckDB with its DuckLake extension, from PyPI, as an independent reader of what we write.

use crate::python::environment;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// What is installed.
const PACKAGES: [&str; 5] = [
    "duckdb==1.5.5",
    "duckdb-extensions==1.5.5",
    "duckdb-extension-ducklake==1.5.5",
    "duckdb-extension-sqlite-scanner==1.5.5",
    "pytz",
];

/// What stands before every script: a connection `c` with the lake attached for reading as `lake`, and `emit`.
const PRELUDE: &str = r#"
import datetime, json, sys
import duckdb
from duckdb_extensions import import_extension

for extension in ("ducklake", "sqlite_scanner"):
    import_extension(extension)

c = duckdb.connect()
c.execute("LOAD ducklake; LOAD sqlite_scanner; SET TimeZone = 'UTC'")
c.execute(f"ATTACH 'ducklake:sqlite:{sys.argv[1]}' AS lake (READ_ONLY)")


def emit(value):
    """The test's answer: one JSON value."""
    print(json.dumps(value, default=str))


"#;

/// Runs a Python script against the lake in `data_dir` and returns the JSON that it emits. It has a DuckDB connection
/// `c`, the lake attached read-only as `lake`, and `emit(value)`.
///
/// # Errors
/// DuckDB can't be installed, or the script failed; the message has what it wrote.
pub(crate) fn query(data_dir: &Path, script: &str) -> Result<Value> {
    let mut python = Command::new(environment("duckdb-venv", &PACKAGES)?)
        .arg("-")
        .arg(data_dir.join("telemill.sqlite"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("Python does not start")?;
    let mut stdin = python.stdin.take().context("Python has no standard input")?;
    stdin.write_all(PRELUDE.as_bytes())?;
    stdin.write_all(script.as_bytes())?;
    drop(stdin);
    let output = python.wait_with_output()?;
    ensure!(output.status.success(), "the script failed: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout)?;
    serde_json::from_str(&text).with_context(|| format!("the script emitted no JSON: {text}"))
}
