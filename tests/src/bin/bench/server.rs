//! The built server, on a core of its own where the machine has several.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use telemill_tests::telemill;

/// The core that servers have, and the one of who asks them.
const CORES: [&str; 2] = ["0", "1"];

/// A server at work; killed when it is dropped.
pub(crate) struct Server {
    child: Child,
    url: String,
}

impl Server {
    /// Starts it over an empty data folder.
    pub(crate) fn start(data_dir: &Path) -> Result<Self> {
        let mut command = on_core_of_servers(&telemill()?);
        command.args(["serve", "--listen", "127.0.0.1:0", "--json", "--data-dir"]).arg(data_dir);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut out = child.stdout.take().context("the server has no output")?;
        let mut text = Vec::new();
        // The JSON document ends where it can be read.
        let told: Value = loop {
            let mut byte = [0];
            ensure!(out.read(&mut byte)? > 0, "the server ended");
            text.extend_from_slice(&byte);
            if let Ok(told) = serde_json::from_slice(&text) {
                break told;
            }
        };
        let url = told.get("listening").and_then(Value::as_str).context("the server does not say where it listens")?;
        Ok(Self { url: url.to_owned(), child })
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A program that has the servers' core alone; this process moves to another.
pub(crate) fn on_core_of_servers(program: &Path) -> Command {
    let [servers, clients] = CORES;
    let own = std::process::id().to_string();
    // Where the system does not let us, both share what there is.
    let moved = Command::new("taskset")
        .args(["-a", "-p", "-c", clients, &own])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if moved.is_ok_and(|status| status.success()) {
        let mut command = Command::new("taskset");
        command.args(["-c", servers]).arg(program);
        return command;
    }
    eprintln!("the cores can't be told apart here: servers and clients share them");
    Command::new(program)
}
