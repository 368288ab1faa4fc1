//! `telemill completions` and `telemill man`: for the release archive.

use super::Verdict;
use clap::{Args, Command};
use clap_complete::Shell;
use std::io::Write as _;
use std::path::PathBuf;

/// Print a completion script
///
/// Example: telemill completions bash > /etc/bash_completion.d/telemill
#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self, command: &mut Command) -> anyhow::Result<Verdict> {
        // The generator panics where it can't write, and memory always takes what it writes.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, command, "telemill", &mut script);
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(&script)?;
        stdout.flush()?;
        Ok(Verdict::Good)
    }
}

/// Write a manual page for every command into a folder
///
/// Example: telemill man ./man
#[derive(Debug, Args)]
pub(super) struct Man {
    /// The folder; it is made where it does not exist
    dir: PathBuf,
}

impl Man {
    pub(super) fn run(self, command: &Command) -> anyhow::Result<Verdict> {
        std::fs::create_dir_all(&self.dir)?;
        clap_mangen::generate_to(command.clone(), &self.dir)?;
        Ok(Verdict::Good)
    }
}
