//! Streams: runs without an end, in real time or faster. A stream fills in the time before now at full speed, then goes on
//! with its simulated clock; the rows over any span of whole segments are those of a plain run over it.
//!
//! Owns clocks, threads and control of streams. Does not know HTTP or the command line.

mod care;
mod clock;
mod error;
mod incidents;
mod judge;
mod letters;
mod live;
mod maker;
mod pool;
mod session;
mod settings;
mod shown;
mod sinks;
mod spec;
mod start;
mod stats;
mod streams;
mod swap;
mod tail;
mod verify;

pub use error::StreamError;
pub use incidents::Trigger;
pub use letters::{DeadLetter, DroppedLetters, SentAgain, dead_letter_body, dead_letters, drop_dead_letters};
pub use settings::Settings;
pub use shown::StreamView;
pub use sinks::{
    BatchKey, FileFormat, FileSink, HttpSink, InfluxSink, OpensearchSink, PostgresSink, RequestSink, SinkSpec,
};
pub use spec::{StreamSettings, StreamSpec};
pub use stats::{LoggedLine, StreamStats, stats_at_rest};
pub use streams::Streams;
pub use swap::{Swapped, Takeover};
pub use tail::{MAX_TAIL_ROWS, Tail, tail};
pub use verify::{StreamVerification, verify};
