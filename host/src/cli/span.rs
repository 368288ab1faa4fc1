//! The span of time that commands over a dataset take, as flags.

use crate::core::time::{Length, Timestamp};
use clap::Args;

/// Which rows, by their time.
#[derive(Debug, Clone, Args)]
pub(super) struct Span {
    /// Only rows from here on
    #[arg(long, value_name = "TIME")]
    pub(super) from: Option<Timestamp>,
    /// Only rows before this
    #[arg(long, value_name = "TIME")]
    pub(super) to: Option<Timestamp>,
    /// Only the span of this length that ends with the newest row, such as 30d
    #[arg(long, value_name = "LENGTH", conflicts_with_all = ["from", "to"])]
    pub(super) last: Option<Length>,
}
