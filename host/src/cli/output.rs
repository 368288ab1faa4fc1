//! What goes to the terminal: results on standard output, logs and errors on standard error.

pub(super) use crate::core::count::grouped;
use crate::core::printable::printable;
use crate::run;
use crate::sink::estimate::Bytes;
use clap::ValueEnum;
use serde::Serialize;
use serde_json::json;
use std::io::{self, IsTerminal as _, Write as _};
use tracing_subscriber::EnvFilter;

/// How results are printed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output {
    /// As JSON rather than for people.
    pub(super) json: bool,
    /// Without progress.
    pub(super) quiet: bool,
    /// How the log is written.
    pub(super) log_format: LogFormat,
}

impl Output {
    /// Prints `value` as JSON, or what `people` writes.
    pub(super) fn print<T: Serialize>(
        &self,
        value: &T,
        people: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
    ) -> anyhow::Result<()> {
        let mut out = io::BufWriter::new(io::stdout().lock());
        if self.json {
            // An error of JSON does not show what the system said, by which a reader that went away is known.
            serde_json::to_writer_pretty(&mut out, value).map_err(io::Error::from)?;
            writeln!(out)?;
        } else {
            people(&mut out)?;
        }
        out.flush()?;
        Ok(())
    }
}

/// How the log is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
}

/// Whether standard error may be coloured: a terminal, and nobody asked for none.
pub(super) fn colours() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Sends logs to standard error; `TELEMILL_LOG` says which, as a filter of tracing.
pub(super) fn init_log(quiet: bool, format: LogFormat) {
    let default = if quiet { "warn" } else { "telemill=info,warn" };
    let filter = EnvFilter::try_from_env("TELEMILL_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    // A second call keeps the first subscriber, which began with the same words.
    let _ = match format {
        LogFormat::Text => subscriber.with_ansi(colours()).without_time().with_target(false).compact().try_init(),
        LogFormat::Json => subscriber.json().flatten_event(true).with_current_span(false).try_init(),
    };
}

/// Prints an error with its causes, one a line where they say something new; in a log of JSON it is an object as the others.
pub(super) fn print_error(error: &anyhow::Error, format: LogFormat) {
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text.push_str(&format!("\n  because {cause}"));
        }
    }
    let line = match format {
        LogFormat::Text => {
            let text = text.lines().map(unfolded).collect::<Vec<_>>().join("\n");
            let (red, reset) = if colours() { ("\u{1b}[31m", "\u{1b}[0m") } else { ("", "") };
            format!("{red}error:{reset} {text}")
        }
        LogFormat::Json => {
            json!({ "timestamp": run::now(), "level": "ERROR", "message": text, "target": module_path!() }).to_string()
        }
    };
    // Standard error is the last resort: when it is gone there is nobody to tell.
    let _ = writeln!(io::stderr(), "{line}");
}

/// The words of a plugin that failed come as one line, with its breaks and tabs escaped: a stack is printed as the lines that
/// it was. What follows on a break is indented, so that no plugin can forge a line of ours.
fn unfolded(line: &str) -> String {
    if ![" crashed: ", " failed: "].iter().any(|said| line.contains(said)) {
        return line.to_owned();
    }
    let mut shown = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        shown.push_str(before);
        let (word, length) = match escape.as_bytes().get(1) {
            Some(b'n') => ("\n      ", 2),
            Some(b't') => ("    ", 2),
            // A backslash that stands for itself.
            Some(b'\\') => ("\\\\", 2),
            _ => ("\\", 1),
        };
        shown.push_str(word);
        rest = &escape[length..];
    }
    shown + rest
}

/// Whether the reader of our output went away, as `head` does: no reason to complain.
pub(super) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|io| io.kind() == io::ErrorKind::BrokenPipe))
}

/// Rows as a table of aligned columns; numbers to the right. What a cell holds is shown as it may be, whoever said it.
pub(super) fn table(out: &mut dyn io::Write, header: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| printable(cell)).collect()).collect();
    let width = |index: usize| {
        let cells = rows.iter().filter_map(|row| row.get(index)).map(|cell| cell.chars().count());
        cells.chain(header.get(index).map(|name| name.chars().count())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let cells = cells.zip(&widths).map(|(cell, &width)| {
            let number = cell.starts_with(|c: char| c.is_ascii_digit())
                && cell.chars().all(|c| c.is_ascii_digit() || ",._ %".contains(c));
            if number { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    writeln!(out, "{}", line(&mut header.iter().copied()))?;
    rows.iter().try_for_each(|row| writeln!(out, "{}", line(&mut row.iter().map(String::as_str))))
}

/// Bytes in the unit that reads best, as errors about space have them.
pub(super) fn bytes(number: u64) -> String {
    Bytes(number).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_the_units_of_errors() {
        assert_eq!(bytes(3_782_000_000_000), "3.8 TB");
        assert_eq!(bytes(512), "512 B");
    }

    #[test]
    fn the_stack_of_a_plugin_is_printed_as_lines() {
        let failed =
            r"  because plugin a 1.0.0: advance failed: KeyError: 'C:\\n'\n  File a.py\n\tat b\u{1b}[0m\nerror: forged";
        let expected = r"  because plugin a 1.0.0: advance failed: KeyError: 'C:\\n'
        File a.py
          at b\u{1b}[0m
      error: forged";
        assert_eq!(unfolded(failed), expected);
        assert_eq!(unfolded(r"pattern \n does not match"), r"pattern \n does not match");
    }

    #[test]
    fn tables_align() {
        let mut out = Vec::new();
        let rows = [vec!["a".to_owned(), "1".to_owned()], vec!["longer".to_owned(), "1,000".to_owned()]];
        table(&mut out, &["name", "rows"], &rows).unwrap_or_default();
        assert_eq!(String::from_utf8_lossy(&out), "name    rows\na           1\nlonger  1,000\n");
    }
}
