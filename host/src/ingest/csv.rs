//! CSV records: RFC 4180 with quotes kept in mind, for an empty field is a null and a quoted one is empty text.

use super::lines::{self, Lines};
use super::record::{Cell, Found, Record};
use crate::core::problem::Problem;
use bytes::Bytes;
use std::io::{BufRead, Cursor};

/// Reads records of a file with a header.
pub(super) struct CsvReader {
    lines: Lines,
    delimiter: u8,
    columns: Vec<String>,
    fields: Vec<Field>,
    unquoted: Vec<u8>,
}

/// Where a field lies in its line, quotes excluded.
#[derive(Debug, Clone, Copy)]
struct Field {
    start: usize,
    end: usize,
    quoted: bool,
    /// Whether it has doubled quotes inside.
    doubled: bool,
}

/// How far a text is a record.
enum Split {
    Whole,
    /// It ends inside of quotes: the field that is open.
    Open(OpenField),
    Bad(&'static str),
}

impl CsvReader {
    /// Reads the header.
    pub(super) fn new(reader: Box<dyn BufRead>, delimiter: u8) -> std::io::Result<Self> {
        let mut this = Self { delimiter, ..Self::headless(reader) };
        let mut header = Record::default();
        match this.next(&mut header)? {
            Found::Record(_) => {
                this.columns = (0..header.len())
                    .map(|column| match header.get(column) {
                        Cell::Null => String::new(),
                        Cell::Bare(name) | Cell::Text(name) => name.to_owned(),
                    })
                    .collect();
                Ok(this)
            }
            Found::Bad(line, message) => {
                Err(std::io::Error::new(std::io::ErrorKind::InvalidData, format!("line {line}: {message}")))
            }
            Found::End => Ok(this),
        }
    }

    /// A reader of records that may have any number of fields, for text without a header.
    fn headless(reader: Box<dyn BufRead>) -> Self {
        let lines = Lines::new(reader);
        Self { lines, delimiter: b',', columns: Vec::new(), fields: Vec::new(), unquoted: Vec::new() }
    }

    /// The header's names.
    pub(super) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Reads the next record.
    pub(super) fn next(&mut self, record: &mut Record) -> std::io::Result<Found> {
        loop {
            let Some(text) = self.lines.next_line()? else { return Ok(Found::End) };
            let blank = text.is_empty();
            let line = self.lines.number();
            // A blank line is the null of a file with one column, and nothing in any other.
            if blank && self.columns.len() != 1 {
                continue;
            }
            self.fields.clear();
            let mut split = split(lines::trimmed(self.lines.raw(), line), self.delimiter, &mut self.fields, None);
            while let Split::Open(open) = split {
                match self.lines.longer()? {
                    Some(text) => {
                        split = self::split(lines::trimmed(text, line), self.delimiter, &mut self.fields, Some(open))
                    }
                    None => break,
                }
            }
            match split {
                Split::Whole => return Ok(self.take(record, line)),
                Split::Open(_) => return Ok(Found::Bad(line, "a quote is opened and never closed".to_owned())),
                Split::Bad(message) => return Ok(Found::Bad(line, message.to_owned())),
            }
        }
    }

    fn take(&mut self, record: &mut Record, line: u64) -> Found {
        let (found, wanted) = (self.fields.len(), self.columns.len());
        if wanted > 0 && found != wanted {
            return Found::Bad(line, format!("has {found} fields where the header has {wanted}"));
        }
        let text = lines::trimmed(self.lines.raw(), line);
        record.reset(found);
        for (column, field) in self.fields.iter().enumerate() {
            let mut bytes = text.get(field.start..field.end).unwrap_or_default();
            if field.doubled {
                undouble(bytes, &mut self.unquoted);
                bytes = &self.unquoted;
            }
            let Ok(value) = std::str::from_utf8(bytes) else {
                return Found::Bad(line, format!("field {} is not UTF-8", column + 1));
            };
            let cell = match (value.is_empty(), field.quoted) {
                (true, false) => Cell::Null,
                (true, true) => Cell::Text(value),
                (false, _) => Cell::Bare(value),
            };
            record.set(column, cell);
        }
        Found::Record(line)
    }
}

/// The fields of a record; none for one without quotes that is empty.
pub type CsvFields<'a> = [Option<&'a str>];

/// Hands on the records of CSV without a header. Blank lines are passed over.
///
/// # Errors
/// The first line that is no record, and what `emit` fails with.
pub fn csv_records(text: Bytes, emit: &mut dyn FnMut(&CsvFields<'_>) -> Result<(), Problem>) -> Result<(), Problem> {
    let (mut reader, mut record) = (CsvReader::headless(Box::new(Cursor::new(text))), Record::default());
    loop {
        match reader.next(&mut record).map_err(|error| Problem::new("", error.to_string()))? {
            Found::Record(_) => {
                let fields = (0..record.len()).map(|column| match record.get(column) {
                    Cell::Null => None,
                    Cell::Bare(text) | Cell::Text(text) => Some(text),
                });
                emit(&fields.collect::<Vec<_>>())?;
            }
            Found::Bad(line, message) => return Err(Problem::new(format!("line {line}"), message)),
            Found::End => return Ok(()),
        }
    }
}

/// A quoted field whose end is in a line that was not read yet.
#[derive(Debug, Clone, Copy)]
struct OpenField {
    start: usize,
    /// Before here, no quote closes it.
    from: usize,
    doubled: bool,
}

/// Finds the fields of a record, from the start or from where it was left open.
fn split(text: &[u8], delimiter: u8, fields: &mut Vec<Field>, mut open: Option<OpenField>) -> Split {
    let mut at = 0;
    loop {
        if open.is_none() && text.get(at) != Some(&b'"') {
            let end = find(text, at, delimiter).unwrap_or(text.len());
            fields.push(Field { start: at, end, quoted: false, doubled: false });
            if end == text.len() {
                return Split::Whole;
            }
            at = end + 1;
            continue;
        }
        let mut field = open.take().unwrap_or(OpenField { start: at + 1, from: at + 1, doubled: false });
        let end = loop {
            match find(text, field.from, b'"') {
                None => return Split::Open(OpenField { from: text.len(), ..field }),
                Some(quote) if text.get(quote + 1) == Some(&b'"') => {
                    field = OpenField { from: quote + 2, doubled: true, ..field };
                }
                Some(quote) => break quote,
            }
        };
        fields.push(Field { start: field.start, end, quoted: true, doubled: field.doubled });
        at = end + 1;
        match text.get(at) {
            None => return Split::Whole,
            Some(byte) if *byte == delimiter => at += 1,
            Some(_) => return Split::Bad("text follows a closing quote"),
        }
    }
}

fn find(text: &[u8], from: usize, byte: u8) -> Option<usize> {
    text.get(from..)?.iter().position(|found| *found == byte).map(|offset| from + offset)
}

fn undouble(text: &[u8], out: &mut Vec<u8>) {
    out.clear();
    let mut quote = false;
    for &byte in text {
        quote = byte == b'"' && !quote;
        if !quote {
            out.push(byte);
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn records(text: &str) -> Vec<Result<Vec<Option<String>>, String>> {
        let mut reader = CsvReader::new(Box::new(std::io::Cursor::new(text.to_owned())), b',').unwrap();
        let mut record = Record::default();
        let mut found = Vec::new();
        loop {
            match reader.next(&mut record).unwrap() {
                Found::End => return found,
                Found::Bad(line, message) => found.push(Err(format!("{line}: {message}"))),
                Found::Record(_) => {
                    let cell = |column| match record.get(column) {
                        Cell::Null => None,
                        Cell::Bare(text) | Cell::Text(text) => Some(text.to_owned()),
                    };
                    found.push(Ok((0..record.len()).map(cell).collect()));
                }
            }
        }
    }

    fn some(cells: &[&str]) -> Result<Vec<Option<String>>, String> {
        Ok(cells.iter().map(|cell| Some((*cell).to_owned())).collect())
    }

    #[test]
    fn quotes_hide_delimiters_line_ends_and_quotes() {
        assert_eq!(
            records("a,b\n\"x,1\",\"say \"\"hi\"\"\"\r\n\"two\nlines\",2\n"),
            [some(&["x,1", "say \"hi\""]), some(&["two\nlines", "2"])]
        );
    }

    #[test]
    fn nothing_is_null_and_quoted_nothing_is_empty() {
        assert_eq!(records("\u{feff}a,b\n,\"\"\n"), [Ok(vec![None, Some(String::new())])]);
        assert_eq!(records("a\n\n\"\"\nx"), [Ok(vec![None]), Ok(vec![Some(String::new())]), some(&["x"])]);
    }

    #[test]
    fn bad_records_are_told_by_line_and_the_rest_is_read() {
        let found = records("a,b\n1,2\n1\n\n\"x\"y,2\n3,4\n\"open,5\n6,7\n");
        let bad = |text: &str| Err(text.to_owned());
        assert_eq!(
            found,
            [
                some(&["1", "2"]),
                bad("3: has 1 fields where the header has 2"),
                bad("5: text follows a closing quote"),
                some(&["3", "4"]),
                bad("7: a quote is opened and never closed"),
            ]
        );
    }
}
