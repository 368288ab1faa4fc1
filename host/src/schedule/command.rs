//! A program as a step: started without a shell, with its lines in the step's log, and ended with all that it started.

use super::error::StepError;
use super::log::StepLog;
use crate::run::Cancel;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

/// Lines that wait for the log: the program waits behind them.
const WAITING_LINES: usize = 64;
/// Longest line that is read at once, in bytes.
const MAX_LINE_BYTES: u64 = 64 * 1024;
/// How often the program is looked after.
const LOOK: Duration = Duration::from_millis(50);
/// How long a program that was asked to end may take to.
const GRACE: Duration = Duration::from_secs(5);
/// How long what it wrote is waited for after it has ended: something that it started may hold its output open.
const DRAIN: Duration = Duration::from_secs(1);

/// Which program.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunCommand {
    /// The program and its words.
    command: Vec<String>,
    /// Variables beside those of the scheduler.
    #[serde(default)]
    env: BTreeMap<String, String>,
    /// Its working folder; the scheduler's where it is left out.
    #[serde(default)]
    working_dir: Option<PathBuf>,
}

impl RunCommand {
    /// Looks for a program.
    pub(super) fn checked(self) -> Result<Self, String> {
        match self.command.first() {
            Some(program) if !program.is_empty() => Ok(self),
            _ => Err("command: name a program and its words, such as [\"python3\", \"train.py\"]".to_owned()),
        }
    }

    /// Runs it; exit code 0 is good.
    pub(super) fn run(&self, cancel: &Cancel, log: &StepLog) -> Result<Value, StepError> {
        let mut words = self.command.iter();
        let mut command = Command::new(words.next().map_or("", String::as_str));
        command.args(words).envs(&self.env).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(folder) = &self.working_dir {
            command.current_dir(folder);
        }
        // A group of its own, so that what it starts ends with it.
        command.process_group(0);
        let program = self.command.first().map_or("", String::as_str);
        let mut child =
            command.spawn().map_err(|error| StepError::Failed(format!("{program} can't be started: {error}")))?;
        let (sender, lines) = sync_channel(WAITING_LINES);
        let outputs: [Option<Box<dyn Read + Send>>; 2] =
            [child.stdout.take().map(|out| Box::new(out) as _), child.stderr.take().map(|out| Box::new(out) as _)];
        for output in outputs.into_iter().flatten() {
            let sender = sender.clone();
            std::thread::spawn(move || read_lines(output, &sender));
        }
        drop(sender);
        let status = look_after(&mut child, &lines, cancel, log);
        let status = status.map_err(|error| StepError::Failed(format!("{program} is lost: {error}")))?;
        match status.code() {
            Some(0) => Ok(json!({ "exit_code": 0 })),
            _ if cancel.is_cancelled() => Err(StepError::Stopped),
            Some(code) => Err(StepError::Failed(format!("{program} ended with exit code {code}"))),
            None => Err(StepError::Failed(format!("{program} was ended by a signal ({status})"))),
        }
    }
}

/// Hands on lines until the output ends, or nobody takes them.
fn read_lines(output: impl Read, lines: &SyncSender<String>) {
    let mut reader = BufReader::new(output);
    loop {
        let mut line = Vec::new();
        match reader.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {
                let text = String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned();
                if lines.send(text).is_err() {
                    return;
                }
            }
        }
    }
}

fn look_after(
    child: &mut Child,
    lines: &Receiver<String>,
    cancel: &Cancel,
    log: &StepLog,
) -> std::io::Result<ExitStatus> {
    let mut asked: Option<Instant> = None;
    let mut ended: Option<(ExitStatus, Instant)> = None;
    loop {
        match lines.recv_timeout(LOOK) {
            Ok(line) => log.line(line),
            Err(RecvTimeoutError::Timeout) => {}
            // Its output is closed; it may go on without.
            Err(RecvTimeoutError::Disconnected) if ended.is_none() => std::thread::sleep(LOOK),
            Err(RecvTimeoutError::Disconnected) => {}
        }
        if let Some((status, at)) = ended {
            if at.elapsed() > DRAIN || matches!(lines.try_recv().map(|line| log.line(line)), Err(e) if is_closed(e)) {
                signal_group(child, "KILL");
                return Ok(status);
            }
            continue;
        }
        if let Some(status) = child.try_wait()? {
            ended = Some((status, Instant::now()));
        } else if cancel.is_cancelled() {
            match asked {
                None => {
                    signal_group(child, "TERM");
                    asked = Some(Instant::now());
                }
                Some(at) if at.elapsed() > GRACE => {
                    signal_group(child, "KILL");
                    child.kill()?;
                }
                Some(_) => {}
            }
        }
    }
}

fn is_closed(error: std::sync::mpsc::TryRecvError) -> bool {
    error == std::sync::mpsc::TryRecvError::Disconnected
}

/// Sends a signal to the program and all that it started. The shell has a `kill` of its own wherever there is one.
fn signal_group(child: &Child, signal: &str) {
    let script = format!("kill -s {signal} -- -{} 2>/dev/null", child.id());
    // Nobody may be left in the group, which is as well.
    let _ = Command::new("sh").args(["-c", &script]).stdin(Stdio::null()).status();
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn shell(script: &str) -> RunCommand {
        RunCommand {
            command: ["sh", "-c", script].map(str::to_owned).to_vec(),
            env: [("COLOUR".to_owned(), "blue".to_owned())].into(),
            working_dir: None,
        }
    }

    #[test]
    fn lines_go_to_the_log_and_the_exit_code_decides() {
        let log = StepLog::default();
        let cancel = Cancel::default();
        shell("echo out $COLOUR; echo err >&2; printf last").run(&cancel, &log).unwrap();
        let mut lines = log.lines();
        lines.sort();
        assert_eq!(lines, ["err", "last", "out blue"]);
        let error = shell("exit 3").run(&cancel, &log).unwrap_err();
        assert!(error.may_pass() && error.to_string().contains("exit code 3"), "{error}");
        let none = RunCommand { command: vec!["/no/such/program".to_owned()], ..shell("") };
        assert!(none.run(&cancel, &log).unwrap_err().to_string().contains("/no/such/program"));
    }

    #[test]
    fn what_is_stopped_ends_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let (cancel, log) = (Arc::new(Cancel::default()), StepLog::default());
        let pid = folder.path().join("pid");
        let script = format!("sleep 600 & echo $! > {0}.new; mv {0}.new {0}; wait", pid.display());
        let stop = Arc::clone(&cancel);
        let seen = pid.clone();
        let stopper = std::thread::spawn(move || {
            while !seen.exists() {
                std::thread::sleep(LOOK);
            }
            stop.cancel();
        });
        let error = shell(&script).run(&cancel, &log).unwrap_err();
        stopper.join().unwrap();
        assert!(matches!(error, StepError::Stopped), "{error}");
        let sleeper = std::fs::read_to_string(pid).unwrap();
        let state = std::fs::read_to_string(format!("/proc/{}/stat", sleeper.trim())).unwrap_or_default();
        assert!(state.is_empty() || state.contains(") Z"), "the sleeper lives: {state}");
    }

    #[test]
    fn what_it_left_behind_does_not_hold_the_step() {
        let log = StepLog::default();
        let begun = Instant::now();
        shell("sleep 600 & echo gone").run(&Cancel::default(), &log).unwrap();
        assert!(begun.elapsed() < Duration::from_secs(60));
        assert_eq!(log.lines(), ["gone"]);
    }
}
