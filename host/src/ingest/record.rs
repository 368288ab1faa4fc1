//! One record of a text format: cells of text in one reused buffer.

/// A value as the file has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Cell<'a> {
    /// There is none.
    Null,
    /// A number, a truth value, or text that may be one.
    Bare(&'a str),
    /// Surely text.
    Text(&'a str),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Span {
    Null,
    Bare(usize, usize),
    Text(usize, usize),
}

/// The cells of a record, by the file's columns.
#[derive(Debug, Default)]
pub(super) struct Record {
    text: String,
    spans: Vec<Span>,
}

impl Record {
    /// Empties it, for `columns` cells, all of them null.
    pub(super) fn reset(&mut self, columns: usize) {
        self.text.clear();
        self.spans.clear();
        self.spans.resize(columns, Span::Null);
    }

    /// Sets cell `column`, which is added where it is beyond the last.
    pub(super) fn set(&mut self, column: usize, cell: Cell<'_>) {
        let start = self.text.len();
        let mut push = |text: &str| {
            self.text.push_str(text);
            (start, self.text.len())
        };
        let span = match cell {
            Cell::Null => Span::Null,
            Cell::Bare(text) => {
                let (start, end) = push(text);
                Span::Bare(start, end)
            }
            Cell::Text(text) => {
                let (start, end) = push(text);
                Span::Text(start, end)
            }
        };
        if column >= self.spans.len() {
            self.spans.resize(column + 1, Span::Null);
        }
        if let Some(slot) = self.spans.get_mut(column) {
            *slot = span;
        }
    }

    /// Cell `column`; null where there is none.
    pub(super) fn get(&self, column: usize) -> Cell<'_> {
        let text = |start, end| self.text.get(start..end).unwrap_or_default();
        match self.spans.get(column) {
            None | Some(Span::Null) => Cell::Null,
            Some(Span::Bare(start, end)) => Cell::Bare(text(*start, *end)),
            Some(Span::Text(start, end)) => Cell::Text(text(*start, *end)),
        }
    }

    /// How many cells there are.
    pub(super) fn len(&self) -> usize {
        self.spans.len()
    }
}

/// What a reader found.
#[derive(Debug, PartialEq)]
pub(super) enum Found {
    /// The next record begins in this line.
    Record(u64),
    /// What begins in this line is no record.
    Bad(u64, String),
    /// The end of the file.
    End,
}
