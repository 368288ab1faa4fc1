//! The clock of calls: a thread that advances wasmtime's epoch, which running code looks at.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How often running code is looked at: the resolution of deadlines. A hundred wake-ups a second cost nothing that can
/// be measured.
pub(super) const TICK: Duration = Duration::from_millis(10);

/// The thread; it ends with the value.
#[derive(Debug)]
pub(super) struct Ticker {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    pub(super) fn start(engine: &wasmtime::Engine) -> std::io::Result<Self> {
        let engine = engine.weak();
        let (stop, stopped) = mpsc::channel();
        let thread = thread::Builder::new().name("plugin-clock".into()).spawn(move || {
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(TICK) {
                match engine.upgrade() {
                    Some(engine) => engine.increment_epoch(),
                    None => break,
                }
            }
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the clock of the plugins' calls panicked");
        }
    }
}

/// Ticks that cover `call_ms`; one more, because the running tick is partly over.
pub(super) fn ticks(call_ms: u64) -> u64 {
    call_ms.div_ceil(u64::try_from(TICK.as_millis()).unwrap_or(1)) + 1
}
