//! Documents that go into one request.

/// Action lines and documents end to end.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    body: Vec<u8>,
    ends: Vec<usize>,
}

impl Chunk {
    /// Adds the lines of one document, which end with a newline.
    pub(super) fn push(&mut self, lines: &[u8]) {
        self.body.extend_from_slice(lines);
        self.ends.push(self.body.len());
    }

    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }

    pub(super) fn documents(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The lines of each document.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).filter_map(|(start, &end)| self.body.get(start..end))
    }

    /// The documents in two halves of about the same number.
    pub(super) fn halves(&self) -> (Self, Self) {
        let (mut first, mut second) = (Self::default(), Self::default());
        let half = self.documents().div_ceil(2);
        for (position, lines) in self.iter().enumerate() {
            if position < half { first.push(lines) } else { second.push(lines) }
        }
        (first, second)
    }
}
