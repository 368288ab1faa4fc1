//! Tells the reader of a terminal or of a CI log which step runs and how long it took.

use std::time::Instant;

use anyhow::{Context, Result};

/// Runs one step under a heading; a failure ends with the sentence `mend`.
pub(crate) fn step<T>(name: &str, mend: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    eprintln!("==> {name}");
    let start = Instant::now();
    let result = work().with_context(|| format!("{name} failed: {mend}"))?;
    eprintln!("    {name}: {:.1} s", start.elapsed().as_secs_f64());
    Ok(result)
}
