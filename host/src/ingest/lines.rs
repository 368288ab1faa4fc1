//! Lines of a file, numbered, each in bounded memory.

use std::io::{BufRead, Read};

/// Longest line, and longest record of several lines: far beyond any row, far below the machine's memory.
pub(super) const MAX_LINE_BYTES: usize = 16 << 20;

/// Reads one line after the other into the same buffer.
pub(super) struct Lines {
    reader: Box<dyn BufRead>,
    buffer: Vec<u8>,
    number: u64,
}

impl Lines {
    pub(super) fn new(reader: Box<dyn BufRead>) -> Self {
        Self { reader, buffer: Vec::new(), number: 0 }
    }

    /// The number of the last line read, counted from 1.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The next line, without its end; none at the end of the file.
    pub(super) fn next_line(&mut self) -> std::io::Result<Option<&[u8]>> {
        self.buffer.clear();
        Ok(if self.append_line()? { Some(trimmed(&self.buffer, self.number)) } else { None })
    }

    /// What was read last, with the next line added to it, both with their line ends; none at the end of the file.
    pub(super) fn longer(&mut self) -> std::io::Result<Option<&[u8]>> {
        Ok(if self.append_line()? { Some(&self.buffer) } else { None })
    }

    /// What was read last, with its line end.
    pub(super) fn raw(&self) -> &[u8] {
        &self.buffer
    }

    fn append_line(&mut self) -> std::io::Result<bool> {
        let room = (MAX_LINE_BYTES + 1).saturating_sub(self.buffer.len());
        let read = self.reader.by_ref().take(room as u64).read_until(b'\n', &mut self.buffer)?;
        if read == 0 && room > 0 {
            return Ok(false);
        }
        self.number += 1;
        if self.buffer.len() > MAX_LINE_BYTES {
            let message =
                format!("line {} is longer than {MAX_LINE_BYTES} bytes, or a quote before it never ends", self.number);
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, message));
        }
        Ok(true)
    }
}

/// A line without its end, and without the mark that some programs put before the first.
pub(super) fn trimmed(line: &[u8], number: u64) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if number == 1 { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line) } else { line }
}
