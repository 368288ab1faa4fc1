//! Sending documents: bounded chunks, every item's status read, what may succeed later sent again.

use super::answer::{Failure, Item, items};
use super::chunk::Chunk;
use super::{LoadError, MAX_REASON_CHARS, OpenSearch, Settings, cause, check_index, is_temporary};
use crate::batch::TableLayout;
use crate::sink::bulk::BulkEncoder;
use arrow::record_batch::RecordBatch;
use serde_json::{Map, Value};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use ureq::http::Method;

/// The longest line of a file that is read: OpenSearch takes no request above 100 MB by default.
const MAX_LINE_BYTES: u64 = 100 * 1024 * 1024;

/// The content type that the bulk API asks for.
const NDJSON: &str = "application/x-ndjson";

/// What became of the documents.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Documents that were sent, each counted once.
    pub sent: u64,
    /// Documents that the server stored.
    pub accepted: u64,
    /// Documents that it did not store.
    pub refused: u64,
    /// Documents that were sent again, counted each time.
    pub retried: u64,
    /// Requests that were made.
    pub requests: u64,
    /// Bytes of the documents that were sent, with their action lines.
    pub bytes: u64,
    /// Of the refused documents, those that the server was too busy for until the last attempt: another time it may take them.
    pub busy: u64,
    /// The first refusals.
    pub refusals: Vec<Refusal>,
    /// Action and source lines of refused documents, as far as [`Settings::max_refused_bytes`](super::Settings) goes.
    pub documents: Vec<u8>,
    /// Refused documents that did not fit in there.
    pub unkept: u64,
}

/// A document that the server did not store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Its action line.
    pub action: String,
    /// The item's status.
    pub status: u16,
    /// The server's reason.
    pub reason: String,
}

impl OpenSearch {
    /// Sends the rows of a table to `index`; `progress` is called after every request.
    ///
    /// # Errors
    /// [`LoadError`] where the server can't go on. Documents that it refuses are no error but counted in the outcome.
    pub fn load_batches<E>(
        &self,
        index: &str,
        layout: &TableLayout,
        batches: impl IntoIterator<Item = Result<RecordBatch, E>>,
        progress: &mut dyn FnMut(&Outcome),
    ) -> Result<Outcome, LoadError>
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let mut loader = Loader::new(self, index, progress)?;
        let mut encoder = BulkEncoder::for_table(layout, None)?;
        let (mut lines, mut ends) = (Vec::new(), Vec::new());
        for batch in batches {
            lines.clear();
            ends.clear();
            encoder.encode_rows(&batch.map_err(|error| LoadError::Rows(error.into()))?, &mut lines, &mut ends)?;
            let starts = std::iter::once(0).chain(ends.iter().copied());
            for document in starts.zip(&ends).filter_map(|(start, &end)| lines.get(start..end)) {
                loader.push(document)?;
            }
        }
        loader.finish()
    }

    /// Sends bulk lines to `index`: of each document its action line, without an index, and its source.
    ///
    /// # Errors
    /// As [`Self::load_batches`].
    pub fn load_lines(&self, index: &str, lines: &[u8]) -> Result<Outcome, LoadError> {
        let mut progress = |_: &Outcome| {};
        let mut loader = Loader::new(self, index, &mut progress)?;
        let ends = lines.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
        let ends: Vec<usize> = ends.skip(1).step_by(2).collect();
        let starts = std::iter::once(0).chain(ends.iter().copied());
        for document in starts.zip(&ends).filter_map(|(start, &end)| lines.get(start..end)) {
            loader.push(document)?;
        }
        loader.finish()
    }

    /// Sends a file of bulk lines to `index`, whatever index its action lines name; `stopped` is asked before every
    /// document.
    ///
    /// # Errors
    /// [`LoadError::BadFile`] where the file holds something else, [`LoadError::Stopped`], and as [`Self::load_batches`].
    pub fn load_file(
        &self,
        index: &str,
        path: &Path,
        stopped: &dyn Fn() -> bool,
        progress: &mut dyn FnMut(&Outcome),
    ) -> Result<Outcome, LoadError> {
        let bad = |line: u64, reason: String| LoadError::BadFile { path: path.display().to_string(), line, reason };
        let mut loader = Loader::new(self, index, progress)?;
        let file = File::open(path).map_err(|error| bad(0, error.to_string()))?;
        let mut lines = Lines { reader: BufReader::with_capacity(1 << 20, file), number: 0 };
        let (mut document, mut source) = (Vec::new(), Vec::new());
        while lines.next_into(&mut source).map_err(|error| bad(lines.number, error.to_string()))? {
            if stopped() {
                return Err(LoadError::Stopped);
            }
            document.clear();
            document.extend_from_slice(&action_line(&source).map_err(|reason| bad(lines.number, reason))?);
            let found = lines.next_into(&mut source).map_err(|error| bad(lines.number, error.to_string()))?;
            if !found {
                return Err(bad(lines.number, "the file ends after an action line, without its document".into()));
            }
            document.extend_from_slice(&source);
            document.push(b'\n');
            loader.push(&document)?;
        }
        loader.finish()
    }
}

/// Lines that are not blank, with their numbers.
struct Lines<R> {
    reader: R,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    /// Reads the next line without its end into `line`; false at the end of the file.
    fn next_into(&mut self, line: &mut Vec<u8>) -> io::Result<bool> {
        loop {
            line.clear();
            self.number += 1;
            if self.reader.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', line)? == 0 {
                return Ok(false);
            }
            if line.last() != Some(&b'\n') && line.len() as u64 == MAX_LINE_BYTES {
                return Err(io::Error::other(format!("the line is longer than {MAX_LINE_BYTES} bytes")));
            }
            line.truncate(line.trim_ascii_end().len());
            if !line.is_empty() {
                return Ok(true);
            }
        }
    }
}

/// The action line without its index, which the request's path names.
fn action_line(line: &[u8]) -> Result<Vec<u8>, String> {
    let wanted = "expected an action line such as {\"index\":{\"_id\":\"1\"}}; files with them come from \
                  `telemill generate` and `telemill export --format opensearch`";
    let mut action: Map<String, Value> = serde_json::from_slice(line).map_err(|_| wanted.to_owned())?;
    let meta = match action.iter_mut().next() {
        Some((name, Value::Object(meta))) if name == "index" || name == "create" => meta,
        _ => return Err(wanted.to_owned()),
    };
    meta.remove("_index");
    if action.len() != 1 {
        return Err(wanted.to_owned());
    }
    let mut text = Value::Object(action).to_string().into_bytes();
    text.push(b'\n');
    Ok(text)
}

struct Loader<'a> {
    server: &'a OpenSearch,
    path: String,
    chunk: Chunk,
    chunk_bytes: usize,
    outcome: Outcome,
    progress: &'a mut dyn FnMut(&Outcome),
}

impl<'a> Loader<'a> {
    fn new(server: &'a OpenSearch, index: &str, progress: &'a mut dyn FnMut(&Outcome)) -> Result<Self, LoadError> {
        check_index(index)?;
        let chunk_bytes = server.settings.chunk_bytes.max(1);
        Ok(Self {
            server,
            path: format!("/{index}/_bulk"),
            chunk: Chunk::default(),
            chunk_bytes,
            outcome: Outcome::default(),
            progress,
        })
    }

    fn push(&mut self, lines: &[u8]) -> Result<(), LoadError> {
        let full = self.chunk.body().len() + lines.len() > self.chunk_bytes
            || self.chunk.documents() >= self.server.settings.chunk_documents.max(1);
        if full && !self.chunk.is_empty() {
            self.send()?;
        }
        self.chunk.push(lines);
        Ok(())
    }

    fn finish(mut self) -> Result<Outcome, LoadError> {
        if !self.chunk.is_empty() {
            self.send()?;
        }
        Ok(self.outcome)
    }

    /// Sends the chunk that was gathered, in smaller pieces where the server finds it too large.
    fn send(&mut self) -> Result<(), LoadError> {
        let chunk = std::mem::take(&mut self.chunk);
        self.outcome.sent += chunk.documents() as u64;
        self.outcome.bytes += chunk.body().len() as u64;
        let mut waiting = vec![chunk];
        while let Some(chunk) = waiting.pop() {
            if let Some(too_large) = self.deliver(chunk)? {
                self.chunk_bytes = self.chunk_bytes.min(too_large.body().len() / 2).max(1);
                let (first, second) = too_large.halves();
                waiting.push(second);
                waiting.push(first);
            }
            (self.progress)(&self.outcome);
        }
        Ok(())
    }

    /// Sends a chunk until each of its documents is accepted or refused; hands it back where it is too large.
    fn deliver(&mut self, mut chunk: Chunk) -> Result<Option<Chunk>, LoadError> {
        let mut attempt = 1;
        loop {
            self.outcome.requests += 1;
            let answer = self.server.ask_once(&Method::POST, &self.path, Some((NDJSON, chunk.body())));
            let (retry_after, trouble) = match answer {
                Ok(answer) => match answer.status.as_u16() {
                    200..300 => {
                        let items = items(&answer.body, chunk.documents());
                        let again = self.settle(chunk, items.map_err(|reason| self.server.malformed(&answer, reason))?);
                        if again.chunk.is_empty() {
                            return Ok(None);
                        }
                        chunk = again.chunk;
                        (answer.retry_after, Trouble::Items(again.items))
                    }
                    413 if chunk.documents() > 1 => return Ok(Some(chunk)),
                    413 => {
                        let failure = Failure {
                            kind: String::new(),
                            reason: "the document alone is too large for the server".into(),
                        };
                        for lines in chunk.iter() {
                            refuse(&mut self.outcome, &self.server.settings, lines, 413, &failure);
                        }
                        return Ok(None);
                    }
                    status if is_temporary(status) => {
                        (answer.retry_after, Trouble::Request(format!("status {status}, {}", answer.failure())))
                    }
                    _ => return self.server.accepted(&answer).map(|()| None),
                },
                // The server may have stored some of it; the ids make that harmless.
                Err(error) => (None, Trouble::Request(cause(&error))),
            };
            match self.server.settings.backoff.pause(attempt, retry_after) {
                Some(pause) => {
                    self.outcome.retried += chunk.documents() as u64;
                    std::thread::sleep(pause);
                }
                None => return self.give_up(&chunk, attempt, trouble).map(|()| None),
            }
            attempt += 1;
        }
    }

    /// Counts what is final of the answer; returns what may be sent again.
    fn settle(&mut self, chunk: Chunk, items: Vec<Item>) -> Again {
        let mut again = Again { chunk: Chunk::default(), items: Vec::new() };
        for (lines, item) in chunk.iter().zip(items) {
            match item {
                Item { status: 200..300, failure: None } => self.outcome.accepted += 1,
                item if is_temporary(item.status) => {
                    again.chunk.push(lines);
                    again.items.push(item);
                }
                Item { status, failure } => {
                    let failure = failure.unwrap_or_default();
                    refuse(&mut self.outcome, &self.server.settings, lines, status, &failure);
                }
            }
        }
        again
    }

    /// After the last attempt: items that the server never took are refused; a server that never answered is an error.
    fn give_up(&mut self, chunk: &Chunk, attempts: u32, trouble: Trouble) -> Result<(), LoadError> {
        match trouble {
            Trouble::Items(items) => {
                for (lines, item) in chunk.iter().zip(items) {
                    let failure = item.failure.unwrap_or_default();
                    self.outcome.busy += 1;
                    refuse(&mut self.outcome, &self.server.settings, lines, item.status, &failure);
                }
                Ok(())
            }
            Trouble::Request(cause) => Err(LoadError::GaveUp {
                url: format!("{}{}", self.server.base, self.path),
                attempts,
                cause,
                outcome: Box::new(self.outcome.clone()),
            }),
        }
    }
}

/// Documents that the server was too busy for, and what it said of each.
struct Again {
    chunk: Chunk,
    items: Vec<Item>,
}

/// Why something is sent again.
enum Trouble {
    Items(Vec<Item>),
    Request(String),
}

fn refuse(outcome: &mut Outcome, settings: &Settings, lines: &[u8], status: u16, failure: &Failure) {
    outcome.refused += 1;
    if outcome.documents.len() + lines.len() <= settings.max_refused_bytes {
        outcome.documents.extend_from_slice(lines);
    } else {
        outcome.unkept += 1;
    }
    if outcome.refusals.len() < settings.max_refusals {
        let action = lines.split(|&byte| byte == b'\n').next().unwrap_or_default();
        let action = String::from_utf8_lossy(action).chars().take(MAX_REASON_CHARS).collect();
        outcome.refusals.push(Refusal { action, status, reason: failure.to_string() });
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn action_lines_lose_their_index_and_nothing_else() {
        let line = action_line(br#"{"index":{"_index":"other","_id":"7","routing":"a"}}"#).unwrap();
        assert_eq!(line, b"{\"index\":{\"_id\":\"7\",\"routing\":\"a\"}}\n");
        assert_eq!(action_line(br#"{"create":{}}"#).unwrap(), b"{\"create\":{}}\n");
        for line in
            [&b"{}"[..], b"[]", b"x", br#"{"delete":{"_id":"1"}}"#, br#"{"index":{},"b":1}"#, br#"{"status":"error"}"#]
        {
            assert!(action_line(line).is_err(), "{}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn lines_are_read_whatever_their_ends() {
        let mut lines = Lines { reader: &b"a\r\n\n  \nb\nc"[..], number: 0 };
        let (mut line, mut read) = (Vec::new(), Vec::new());
        while lines.next_into(&mut line).unwrap() {
            read.push((lines.number, String::from_utf8(line.clone()).unwrap()));
        }
        assert_eq!(read, [(1, "a".into()), (4, "b".into()), (5, "c".into())]);
    }
}
