//! CPU time, which other work on the machine disturbs less than it does the clock on the wall. Linux's own accounts.

use anyhow::{Context, Result};
use std::time::Duration;

/// Linux counts processes' times in hundredths of a second, whatever its own clock does.
const TICK: Duration = Duration::from_millis(10);

/// Of this thread. The kernel brings it up to date every few milliseconds, so what is measured must take much longer.
pub(crate) fn thread() -> Result<Duration> {
    let text =
        std::fs::read_to_string("/proc/thread-self/schedstat").context("the kernel keeps no times of threads")?;
    let ns = text.split(' ').next().and_then(|ns| ns.parse().ok());
    ns.map(Duration::from_nanos).context("can't read the time of this thread")
}

/// Of this process, with threads that have ended, in user and system mode.
pub(crate) fn process() -> Result<Duration> {
    stat(11)
}

/// Of the children that this process has waited for.
pub(crate) fn children() -> Result<Duration> {
    stat(13)
}

/// The sum of two fields of `/proc/self/stat`, counted from the one behind the program's name.
fn stat(first: usize) -> Result<Duration> {
    let text = std::fs::read_to_string("/proc/self/stat").context("the kernel keeps no times of processes")?;
    let (_, fields) = text.rsplit_once(") ").context("can't read the time of this process")?;
    let ticks: u32 = fields.split(' ').skip(first).take(2).filter_map(|ticks| ticks.parse::<u32>().ok()).sum();
    Ok(TICK * ticks)
}

/// How long `work` takes by `clock`.
pub(crate) fn timed<T>(clock: fn() -> Result<Duration>, work: impl FnOnce() -> Result<T>) -> Result<(T, Duration)> {
    let before = clock()?;
    let done = work()?;
    Ok((done, clock()?.saturating_sub(before)))
}
