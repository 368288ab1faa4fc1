//! A run of a server, watched from here to its end.

use super::on_ctrl_c;
use super::shown::Shown;
use crate::app::App;
use crate::cli::output::Output;
use crate::cli::{Verdict, summary};
use crate::core::id::RunId;
use crate::remote::{RemoteError, Server};
use crate::run::{Cancel, Observer as _, Progress, RunError};
use crate::store::{RunRecord, RunState};
use anyhow::{Context as _, bail};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How soon a Ctrl-C is seen.
const GLANCE: Duration = Duration::from_millis(50);
/// How often a watch that broke off is taken up again while the run goes on.
const TRIES: u32 = 10;
/// Time between two of these.
const PAUSE: Duration = Duration::from_millis(500);

/// Shows the progress of a run, and tells it when it has ended. Ctrl-C stops the run, as it does one that is made here.
pub(super) fn to_the_end(app: &App, out: &Output, server: &Server, record: RunRecord) -> anyhow::Result<Verdict> {
    let (cancel, ended) = (on_ctrl_c(app), AtomicBool::new(false));
    let shown = Shown::new(out);
    shown.begin(&record);
    let last = std::thread::scope(|scope| {
        scope.spawn(|| cancel_there(server, &record.id, &cancel, &ended));
        let last = follow(server, &record.id, &shown);
        ended.store(true, Ordering::Release);
        last
    });
    shown.end();
    let id = &record.id;
    let url = server.url();
    let last = last.with_context(|| {
        format!("nobody tells how run {id} goes; `telemill --server {url} run show {id}` does, and `run resume` goes on with it")
    })?;
    match last {
        Some(last) if last.state == RunState::Finished => summary::finished_there(out, server, server.run(id)?),
        Some(last) if last.state == RunState::Cancelled => Err(RunError::Cancelled.into()),
        Some(Progress { error: Some(error), .. }) => bail!("{error}"),
        _ => bail!("run {id} has not ended, and nobody makes it now; `telemill run resume {id}` goes on"),
    }
}

/// Asks the server to stop the run once somebody asks here.
fn cancel_there(server: &Server, id: &RunId, cancel: &Cancel, ended: &AtomicBool) {
    while !ended.load(Ordering::Acquire) {
        if cancel.is_cancelled() {
            // A run that has just ended can't be stopped any more, which is as well.
            if let Err(error) = server.cancel_run(id) {
                tracing::warn!("{error}");
            }
            return;
        }
        std::thread::sleep(GLANCE);
    }
}

/// The last that is told of a run; none where nothing was.
fn follow(server: &Server, id: &RunId, shown: &Shown<'_>) -> Result<Option<Progress>, RemoteError> {
    let (mut last, mut tries, mut done_us) = (None, 0, 0);
    loop {
        let mut broken = None;
        for event in server.watch_run(id)? {
            match event {
                Ok(progress) => {
                    shown.progress(progress.done_us, progress.rows);
                    last = Some(progress);
                }
                Err(error) => broken = Some(error),
            }
        }
        match &last {
            Some(progress) if has_ended(progress.state) => return Ok(last),
            Some(progress) if progress.done_us > done_us => (tries, done_us) = (0, progress.done_us),
            _ if tries == TRIES => return broken.map_or(Ok(last), Err),
            // A proxy that cuts long answers, or a server that is about to stop: it is asked again.
            _ => tries += 1,
        }
        std::thread::sleep(PAUSE);
    }
}

fn has_ended(state: RunState) -> bool {
    matches!(state, RunState::Finished | RunState::Failed | RunState::Cancelled)
}
