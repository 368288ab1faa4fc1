//! Python environments below Cargo's target folder, each made once and used again by later runs.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;

use anyhow::{Context as _, Result, ensure};

/// The Python of the environment `name` with these packages of PyPI.
pub(crate) fn environment(name: &str, packages: &[&str]) -> Result<PathBuf> {
    /// Two tests must not make one environment at once.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let folder = target()?.join(name);
    let python = folder.join("bin/python");
    let (done, wanted) = (folder.join("installed"), packages.join("\n"));
    if std::fs::read_to_string(&done).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(packages))?;
    std::fs::write(done, wanted)?;
    Ok(python)
}

/// Standard output of a command that must succeed.
pub(crate) fn run(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("{command:?} does not start"))?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} failed: {}", error.chars().take(4_000).collect::<String>());
    Ok(String::from_utf8(output.stdout)?)
}

/// Cargo's target folder: the test's program is in its `release/deps`.
fn target() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let target = own.ancestors().nth(3).context("the test's program is in no target folder")?;
    Ok(target.to_owned())
}
