//! Tells the reader of a terminal or of a CI log which step runs and how long it took.

use std::time::Instant;

use anyhow::{Result, anyhow};

/// Runs one step under a heading; the message of a failure says on a line of its own how to go on: `mend`.
pub(crate) fn step<T>(name: &str, mend: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    eprintln!("==> {name}");
    let start = Instant::now();
    let result = work().map_err(|error| anyhow!("{name} failed: {error:#}\n       {mend}"))?;
    eprintln!("    {name}: {:.1} s", start.elapsed().as_secs_f64());
    Ok(result)
}
