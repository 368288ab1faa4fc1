//! What guests say through `host.log`: counted against limits, made harmless for terminals, handed to a sink.

use super::error::{Limit, PluginId};
use super::limits::{LimitHit, Limits};
use crate::core::printable::printable;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::Arc;

/// An instance may log what this many calls may: a plugin that is just below a call's bound in every call fills no disk.
pub(super) const CALLS_OF_AN_INSTANCE: u64 = 10;
/// Lines of a call that are kept for the error of a crash, from its beginning and from its end: a stack's first lines say what
/// happened, and what was printed last says where.
const FIRST_LINES: usize = 8;
const LAST_LINES: usize = 24;
/// The most that is kept of one of them, in bytes.
const KEPT_LINE_BYTES: usize = 240;

/// How important a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// For the plugin's author.
    Debug,
    /// Worth knowing.
    Info,
    /// Worth a look.
    Warn,
    /// Something failed.
    Error,
}

/// A line that a plugin logged.
#[derive(Debug)]
pub struct LogLine<'a> {
    /// Who.
    pub plugin: &'a PluginId,
    /// In which function of the contract.
    pub call: &'static str,
    /// How important.
    pub level: LogLevel,
    /// The text, with control characters escaped, at most 4 KiB.
    pub message: &'a str,
}

/// Takes the lines of an instance, on the thread that calls it.
pub type LogSink = Arc<dyn Fn(&LogLine<'_>) + Send + Sync>;

/// A sink that writes lines as events of `tracing`.
pub fn log_to_tracing() -> LogSink {
    Arc::new(|line| {
        let (plugin, call, message) = (line.plugin, line.call, line.message);
        match line.level {
            LogLevel::Debug => tracing::debug!(plugin.name = plugin.name, plugin.call = call, "{message}"),
            LogLevel::Info => tracing::info!(plugin.name = plugin.name, plugin.call = call, "{message}"),
            LogLevel::Warn => tracing::warn!(plugin.name = plugin.name, plugin.call = call, "{message}"),
            LogLevel::Error => tracing::error!(plugin.name = plugin.name, plugin.call = call, "{message}"),
        }
    })
}

/// A sink that drops every line, for checks and measurements.
pub fn log_nowhere() -> LogSink {
    Arc::new(|_| {})
}

/// What a call has said, for the error where it crashes.
#[derive(Default)]
struct Said {
    first: Vec<String>,
    last: VecDeque<String>,
    left_out: u64,
}

impl Said {
    fn keep(&mut self, shown: &str) {
        let line = cut(shown, KEPT_LINE_BYTES);
        if self.first.len() < FIRST_LINES {
            self.first.push(line);
            return;
        }
        self.last.push_back(line);
        if self.last.len() > LAST_LINES {
            self.last.pop_front();
            self.left_out += 1;
        }
    }

    /// The lines, with their breaks escaped as those within a line are; none where nothing was said.
    fn words(&self) -> Option<String> {
        let left_out = (self.left_out > 0).then(|| format!("… {} lines …", self.left_out));
        let lines: Vec<&str> = self.first.iter().chain(&left_out).chain(&self.last).map(String::as_str).collect();
        (!lines.is_empty()).then(|| lines.join("\\n"))
    }
}

/// Counts the lines of a call and of an instance, and passes them on.
pub(super) struct Logger {
    plugin: Arc<PluginId>,
    sink: LogSink,
    allowed_lines: u64,
    allowed_bytes: u64,
    call: &'static str,
    lines: u64,
    bytes: u64,
    /// Lines and bytes that the sink was handed, of all calls.
    passed_on: (u64, u64),
    /// Lines that it was not.
    left_out: u64,
    said: Said,
    /// The whole last line, where it was one of level error.
    last_error: Option<String>,
}

impl Logger {
    pub(super) fn new(plugin: Arc<PluginId>, sink: LogSink, limits: &Limits) -> Self {
        Self {
            plugin,
            sink,
            allowed_lines: limits.log_lines,
            allowed_bytes: limits.log_bytes,
            call: "instantiate",
            lines: 0,
            bytes: 0,
            passed_on: (0, 0),
            left_out: 0,
            said: Said::default(),
            last_error: None,
        }
    }

    /// Starts to count afresh.
    pub(super) fn begin(&mut self, call: &'static str) {
        (self.call, self.lines, self.bytes) = (call, 0, 0);
        (self.said, self.last_error) = (Said::default(), None);
    }

    /// Lines and bytes of this call.
    pub(super) fn used(&self) -> (u64, u64) {
        (self.lines, self.bytes)
    }

    /// The last line of this call where it is of level error: the SDK's panic hook logs one before the trap.
    pub(super) fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }

    /// What this call has said, its first and last lines; none where it has said nothing.
    pub(super) fn words(&self) -> Option<String> {
        self.said.words()
    }

    pub(super) fn line(&mut self, level: LogLevel, message: &str) -> Result<(), LimitHit> {
        self.lines += 1;
        self.bytes = self.bytes.saturating_add(message.len() as u64);
        let hit = |limit, allowed, used| Err(LimitHit { limit, allowed, used });
        if self.lines > self.allowed_lines {
            return hit(Limit::LogLines, self.allowed_lines, self.lines);
        }
        if self.bytes > self.allowed_bytes {
            return hit(Limit::LogBytes, self.allowed_bytes, self.bytes);
        }
        let shown = printable(message);
        self.said.keep(&shown);
        self.pass_on(level, &shown, message.len() as u64);
        self.last_error = (level == LogLevel::Error).then_some(shown);
        Ok(())
    }

    /// Hands a line to the sink, where the instance has not logged too much already.
    fn pass_on(&mut self, level: LogLevel, shown: &str, bytes: u64) {
        let (lines, all) = (self.passed_on.0 + 1, self.passed_on.1.saturating_add(bytes));
        let most = |of_a_call: u64| of_a_call.saturating_mul(CALLS_OF_AN_INSTANCE);
        if self.left_out == 0 && lines <= most(self.allowed_lines) && all <= most(self.allowed_bytes) {
            self.passed_on = (lines, all);
            self.tell(level, shown);
            return;
        }
        self.left_out += 1;
        if self.left_out == 1 {
            let limits = "limits.log_lines, limits.log_bytes";
            let much = format!("this instance has logged as much as {CALLS_OF_AN_INSTANCE} calls may ({limits})");
            self.tell(LogLevel::Warn, &format!("{much}: further lines are left out"));
        }
    }

    fn tell(&self, level: LogLevel, message: &str) {
        (self.sink)(&LogLine { plugin: &self.plugin, call: self.call, level, message });
    }
}

impl Drop for Logger {
    fn drop(&mut self) {
        if self.left_out > 0 {
            self.tell(LogLevel::Warn, &format!("{} lines of this instance's log were left out", self.left_out));
        }
    }
}

/// The beginning of a text, at most so many bytes and a sign that there was more.
fn cut(text: &str, bytes: usize) -> String {
    if text.len() <= bytes { text.to_owned() } else { format!("{}…", &text[..text.floor_char_boundary(bytes)]) }
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "tests")]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn lines_and_bytes_are_counted_by_call() {
        let seen = Arc::new(Mutex::new(0));
        let counter = Arc::clone(&seen);
        let sink: LogSink = Arc::new(move |_| *counter.lock().expect("no panic") += 1);
        let id = Arc::new(PluginId { name: "x".into(), version: "1.0.0".into() });
        let mut logger = Logger::new(id, sink, &Limits { log_lines: 2, log_bytes: 10, ..Limits::default() });
        for call in ["open", "advance"] {
            logger.begin(call);
            assert_eq!(logger.line(LogLevel::Info, "12345"), Ok(()));
            assert_eq!(logger.line(LogLevel::Error, "1234"), Ok(()));
            assert_eq!(logger.last_error(), Some("1234"));
            assert_eq!(logger.used(), (2, 9));
            assert_eq!(logger.line(LogLevel::Info, "").map_err(|hit| hit.limit), Err(Limit::LogLines));
        }
        assert_eq!(logger.words().as_deref(), Some("12345\\n1234"));
        logger.begin("save");
        assert_eq!(logger.words(), None);
        assert_eq!(logger.line(LogLevel::Info, "12345678901").map_err(|hit| hit.limit), Err(Limit::LogBytes));
        assert_eq!(*seen.lock().expect("no panic"), 4);
    }

    fn logger(limits: &Limits) -> (Logger, Arc<Mutex<Vec<String>>>) {
        let told = Arc::new(Mutex::new(Vec::new()));
        let lines = Arc::clone(&told);
        let sink: LogSink = Arc::new(move |line| lines.lock().expect("no panic").push(line.message.to_owned()));
        let id = Arc::new(PluginId { name: "x".into(), version: "1.0.0".into() });
        (Logger::new(id, sink, limits), told)
    }

    #[test]
    fn an_instance_logs_no_more_than_ten_calls_may() {
        let (mut logger, told) = logger(&Limits { log_lines: 10, ..Limits::default() });
        for _ in 0..1_000 {
            logger.begin("advance");
            (0..9).for_each(|_| logger.line(LogLevel::Info, "again").expect("within the bound of a call"));
        }
        drop(logger);
        let told = told.lock().expect("no panic");
        assert_eq!(told.len(), 10 * 10 + 2);
        assert!(told[100].contains("limits.log_lines"), "{}", told[100]);
        assert_eq!(told[101], "8900 lines of this instance's log were left out");
    }

    #[test]
    fn the_beginning_and_the_end_of_what_a_call_said_are_kept() {
        let (mut logger, _) = logger(&Limits::default());
        (0..100).for_each(|i| logger.line(LogLevel::Warn, &format!("{i}\u{1b}{}", "ü".repeat(200))).expect("bounded"));
        let words = logger.words().expect("something");
        assert!(words.starts_with("0\\u{1b}ü") && words.contains("… 68 lines …\\n76"), "{words}");
        assert!(words.len() < 9_000 && !words.contains('\n'), "{}", words.len());
    }
}
