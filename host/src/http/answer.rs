//! Rows as the body of an answer: written on a thread of their own into a short queue. An error before the first bytes
//! becomes a problem document; a client that goes away ends the query.

use super::error::Problem;
use super::work::Turn;
use crate::api::QuerySummary;
use crate::query::{Blocking, Format, QueryError, Rows, render};
use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use bytes::Bytes;
use futures::StreamExt as _;
use std::io::{self, BufWriter, Write};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{Sender, channel};
use tokio::sync::oneshot;

/// Bytes of a piece.
const PIECE_BYTES: usize = 64 << 10;
/// Pieces that wait for the client: the memory of a slow one.
const PIECES: usize = 4;

/// What goes to the client; an error cuts the answer off, so that it can't be taken for a whole one.
type Piece = Result<Bytes, io::Error>;

/// Sends what is written in pieces.
struct PieceWriter(Sender<Piece>);

impl Write for PieceWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let piece = Ok(Bytes::copy_from_slice(bytes));
        self.0.blocking_send(piece).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The media type of a format.
pub(super) fn media_type(format: Format) -> &'static str {
    match format {
        Format::Table => "text/plain; charset=utf-8",
        Format::Csv => "text/csv; charset=utf-8",
        Format::Json => "application/json",
        Format::Ndjson => "application/x-ndjson",
    }
}

/// Answers with the result of a query.
///
/// # Errors
/// The query failed before the first bytes were there.
pub(super) async fn rows(rows: Rows, format: Format, turn: Turn) -> Result<Response, Problem> {
    written(rows, media_type(format), turn, move |rows, out| render(rows, format, out).map(drop)).await
}

/// The same with a [`QuerySummary`] behind the rows.
///
/// # Errors
/// As [`rows`].
pub(super) async fn summed(rows: Rows, format: Format, turn: Turn) -> Result<Response, Problem> {
    let write = move |rows: &mut Blocking, out: &mut dyn Write| -> Result<(), QueryError> {
        let (rows, more) = render(rows, format, out)?;
        let mut line = vec![QuerySummary::SEPARATOR];
        serde_json::to_writer(&mut line, &QuerySummary { rows, more })
            .map_err(|error| QueryError::Output(error.into()))?;
        line.push(b'\n');
        out.write_all(&line).map_err(QueryError::Output)
    };
    written(rows, media_type(format), turn, write).await
}

/// Answers with what `write` makes of rows, which it does on a thread that may block, in its turn.
///
/// # Errors
/// It failed before the first bytes were there.
pub(super) async fn written<E, W>(rows: Rows, media: &'static str, turn: Turn, write: W) -> Result<Response, Problem>
where
    E: Into<Problem> + std::fmt::Display + Send + 'static,
    W: FnOnce(&mut Blocking, &mut dyn Write) -> Result<(), E> + Send + 'static,
{
    let (sender, mut receiver) = channel::<Piece>(PIECES);
    let (failed, failure) = oneshot::channel::<Problem>();
    let gone = sender.clone();
    // Whoever waits for the next row also sees that nobody waits for it any more.
    let rows = rows.until(async move { gone.closed().await });
    let runtime = Handle::current();
    tokio::task::spawn_blocking(move || {
        // Whoever does not take the rows is let go by the connection, and the turn with them.
        let _turn = turn;
        let mut out = BufWriter::with_capacity(PIECE_BYTES, PieceWriter(sender.clone()));
        let made = write(&mut rows.blocking(runtime), &mut out);
        let error = match made {
            // A client that does not take the rest is not told.
            Ok(()) => return out.flush().unwrap_or_default(),
            Err(error) => error,
        };
        // Bytes that wait in the buffer must not make half an answer look begun.
        drop(out.into_parts());
        let message = error.to_string();
        drop(failed.send(error.into()));
        drop(sender.blocking_send(Err(io::Error::other(message))));
    });
    let first = receiver.recv().await;
    if matches!(first, Some(Err(_))) {
        return Err(failure.await.unwrap_or_else(|error| Problem::internal(&error)));
    }
    let rest = futures::stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)));
    let mut response = Response::new(Body::from_stream(futures::stream::iter(first).chain(rest)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media));
    Ok(response)
}
