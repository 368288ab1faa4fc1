//! What guests say through `host.log`: counted against limits, made harmless for terminals, handed to a sink.

use super::error::{Limit, PluginId};
use super::limits::{LimitHit, Limits};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Longest text of a guest that is shown in one piece, in bytes.
const MAX_SHOWN_BYTES: usize = 4 << 10;

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

/// Counts the lines of a call and passes them on.
pub(super) struct Logger {
    plugin: Arc<PluginId>,
    sink: LogSink,
    allowed_lines: u64,
    allowed_bytes: u64,
    call: &'static str,
    lines: u64,
    bytes: u64,
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
            last_error: None,
        }
    }

    /// Starts to count afresh.
    pub(super) fn begin(&mut self, call: &'static str) {
        (self.call, self.lines, self.bytes, self.last_error) = (call, 0, 0, None);
    }

    /// Lines and bytes of this call.
    pub(super) fn used(&self) -> (u64, u64) {
        (self.lines, self.bytes)
    }

    /// The last line of level error of this call: the SDK's panic hook logs one before the trap.
    pub(super) fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
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
        let message = printable(message);
        (self.sink)(&LogLine { plugin: &self.plugin, call: self.call, level, message: &message });
        if level == LogLevel::Error {
            self.last_error = Some(message);
        }
        Ok(())
    }
}

/// A guest's text as it may be shown: control characters, line breaks among them, and the invisible ones that turn or
/// hide text are escaped, and what is longer than 4 KiB is cut.
pub(super) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len().min(MAX_SHOWN_BYTES));
    for c in text.chars() {
        if shown.len() >= MAX_SHOWN_BYTES {
            shown.push('…');
            break;
        }
        let hides =
            matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
        if c.is_control() || hides { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "tests")]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn terminals_are_safe() {
        assert_eq!(printable("a\u{1b}[31mred\nb\u{202e}c ü"), "a\\u{1b}[31mred\\nb\\u{202e}c ü");
        assert!(printable(&"x".repeat(1 << 20)).len() < MAX_SHOWN_BYTES + 8);
    }

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
        logger.begin("save");
        assert_eq!(logger.line(LogLevel::Info, "12345678901").map_err(|hit| hit.limit), Err(Limit::LogBytes));
        assert_eq!(*seen.lock().expect("no panic"), 4);
    }
}
