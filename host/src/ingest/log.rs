//! The durable log: rows are on the disk, synced, before anybody is answered, and move into the lake later
//! (`docs/adr/018-acknowledged-means-durable.md`).
//!
//! Owns the segment files, the rows that wait in memory, and the two threads that write and move. Knows batches, and
//! nothing of the formats that they came in.

mod frame;
mod image;
mod mover;
mod room;
mod segments;
mod settings;
mod tables;
#[cfg(test)]
pub(in crate::ingest) mod tests;
mod writer;

pub use settings::LogSettings;
pub use tables::Declared;

use crate::core::digest::Digest;
use crate::core::schema::Table;
use crate::core::time::Timestamp;
use crate::lake::{Lake, LakeError, WriterSettings};
use crate::query::Unmoved;
use crate::store::{KeyUse, StoreError};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use frame::TableRef;
use image::Image;
use room::Room;
use segments::Segments;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use tables::Tables;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// What rows take as columns for each byte that they had as text, but for odd ones.
const COLUMNS_OF_TEXT: usize = 2;
/// The folder below the data folder that holds the log.
pub const LOG_FOLDER: &str = "ingest-log";

/// Requests that wait for the writer, over those that it has in hand: more than connections of a busy server.
const QUEUE: usize = 4_096;

/// Messages that wait for the mover: each makes it look at all that there is.
const MOVER_QUEUE: usize = 16;

/// After how long a client that was told to wait may come again.
pub const RETRY_AFTER_S: u64 = 1;

/// Why rows were not taken. Nothing of them was, except where [`LogError::Stopped`] says that it is not known.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The rows in memory have reached their bound.
    #[error(
        "{most_bytes} bytes of rows wait to be moved into the lake, which is all that may: try again in {RETRY_AFTER_S} s"
    )]
    Full {
        /// The bound.
        most_bytes: usize,
    },
    /// Too many requests wait for the disk.
    #[error("{QUEUE} requests wait for the log, which is all that may: try again in {RETRY_AFTER_S} s")]
    Busy,
    /// The disk has too little left.
    #[error("the disk of {} is full, or would have less than {keep_bytes} bytes left (ingest.keep_free_bytes)", folder.display())]
    DiskFull {
        /// The log's folder.
        folder: PathBuf,
        /// What must be left.
        keep_bytes: u64,
    },
    /// The key came before, with something else.
    #[error("the idempotency key was used for other rows: choose another for these")]
    KeyReused,
    /// A segment is damaged where rows were acknowledged.
    #[error("the log's segment {} is damaged at byte {at}: move the file away to start without the rows behind it", path.display())]
    Damaged {
        /// The segment.
        path: PathBuf,
        /// Where.
        at: u64,
    },
    /// A file or folder of the log can't be used.
    #[error("the log's file {} can't be used", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// What is in a frame can't be read or written.
    #[error("a frame of the log can't be read or written: {0}")]
    Frame(String),
    /// The log failed and could not be put in order again.
    #[error("the log failed before and takes nothing until telemill is started again")]
    Broken,
    /// The log was stopped meanwhile.
    #[error("the log was stopped: whether the rows were taken is known after the next start")]
    Stopped,
    /// The lake can't be read or written.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Rows can't be turned into bytes or back.
    #[error("rows can't be put into the log or read from it")]
    Rows(#[from] ArrowError),
}

/// What the log needs of the layers below.
#[derive(Debug, Clone)]
pub struct LogHost {
    /// Where rows move to.
    pub lake: Lake,
    /// Drives what is async.
    pub runtime: Handle,
    /// How the lake's files are written.
    pub writer: WriterSettings,
    /// The wall clock.
    pub clock: fn() -> Timestamp,
}

/// An idempotency key and what came with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    digest: Digest,
    body: u64,
}

impl Key {
    /// The key `text` of a client for one `target`, such as a path, with the bytes that came with it.
    pub fn new(target: &str, text: &str, body: &[u8]) -> Self {
        let digest = Digest::of_parts([target.as_bytes(), text.as_bytes()]);
        Self { digest, body: xxhash_rust::xxh3::xxh3_64(body) }
    }

    /// What stands for the key, its client and its target.
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

/// Rows that are durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// How many rows.
    pub rows: u64,
    /// Whether they had been taken before, under the same key, so that nothing was added now.
    pub repeated: bool,
    /// When their request came: of repeated ones the first, so that what is derived from it stays what it was.
    pub at: Timestamp,
}

/// A receipt that is to come.
#[derive(Debug)]
pub struct Pending(oneshot::Receiver<Result<Receipt, LogError>>);

impl Pending {
    /// Waits on a thread that runs no async tasks.
    ///
    /// # Errors
    /// Nothing was taken, or the log was stopped.
    pub fn wait(self) -> Result<Receipt, LogError> {
        self.0.blocking_recv().map_err(|_| LogError::Stopped)?
    }

    /// Waits in an async task.
    ///
    /// # Errors
    /// As [`Pending::wait`].
    pub async fn done(self) -> Result<Receipt, LogError> {
        self.0.await.map_err(|_| LogError::Stopped)?
    }
}

/// What is known of a request before its rows are looked at.
#[derive(Debug)]
pub enum Begun {
    /// It was taken before.
    Repeated(Receipt),
    /// It is new: its rows may be appended with this.
    New(Ticket),
}

/// Leave to append, see [`Log::begin`].
#[derive(Debug, Clone, Copy)]
pub struct Ticket {
    key: Option<Key>,
    /// How often rows had moved when the key was looked up.
    moves: u64,
    /// When the request came.
    pub at: Timestamp,
}

/// The log. Shared behind an `Arc`; dropping it ends its threads and leaves what was not moved to the next start.
#[derive(Debug)]
pub struct Log {
    folder: PathBuf,
    image: Arc<Image>,
    tables: Tables,
    host: LogHost,
    settings: LogSettings,
    room: Room,
    writer: SyncSender<writer::Message>,
    mover: SyncSender<mover::Message>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Log {
    /// Opens the log in `data_dir`: what a former process acknowledged and did not move is there again. The caller holds the
    /// folder's lock. To be called, like all methods, on a thread that runs no async tasks.
    ///
    /// # Errors
    /// The log can't be read, or is damaged.
    pub fn open(data_dir: &Path, host: LogHost, settings: LogSettings) -> Result<Self, LogError> {
        let folder = data_dir.join(LOG_FOLDER);
        let moved = host.runtime.block_on(host.lake.store().moved_position())?;
        let image = Arc::new(Image::new(settings.memory_bytes));
        let mut last = moved;
        let segments = Segments::recover(&folder, &mut |found| {
            last = last.max(found.position);
            if found.position <= moved {
                return Ok(());
            }
            let (bytes, frame) = (found.bytes, found.decode()?);
            let bytes = image::size(bytes, &frame.tables);
            // Whatever the bound is now: these rows were acknowledged.
            image.admit(bytes);
            image.add([(frame, bytes)]);
            Ok(())
        })?;
        let (mover, moves) = mpsc::sync_channel(MOVER_QUEUE);
        let (writer, messages) = mpsc::sync_channel(QUEUE);
        let writing = writer::Writer::new(segments, &folder, &host, &image, &settings, mover.clone(), last);
        let moving = mover::Mover::new(&host, &image, &settings, writer.clone());
        let spawn =
            |name: &str, body: Box<dyn FnOnce() + Send>| std::thread::Builder::new().name(name.to_owned()).spawn(body);
        let threads = [
            spawn("ingest-writer", Box::new(move || writing.run(&messages))),
            spawn("ingest-mover", Box::new(move || moving.run(&moves))),
        ];
        let threads = threads.into_iter().collect::<Result<Vec<_>, _>>();
        let threads = threads.map_err(|source| LogError::Io { path: folder.clone(), source })?;
        let tables = Tables::new(host.lake.clone(), host.runtime.clone());
        let room = Room::new(settings.unfolded_bytes);
        Ok(Self { folder, image, tables, host, settings, room, writer, mover, threads: Mutex::new(threads) })
    }

    /// The rows that are not in the lake yet, for queries.
    pub fn unmoved(&self) -> Arc<dyn Unmoved> {
        Arc::clone(&self.image) as Arc<dyn Unmoved>
    }

    /// The settings in force.
    pub fn settings(&self) -> &LogSettings {
        &self.settings
    }

    /// Waits until there is room for what a compressed body may become; it is free again when what this gives is dropped.
    pub fn room_for(&self, body: &[u8]) -> Option<OwnedSemaphorePermit> {
        self.room.wait_for(body)
    }

    /// The wall clock.
    pub fn now(&self) -> Timestamp {
        (self.host.clock)()
    }

    /// The table, where it is there.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn table(&self, dataset: &str, table: &str) -> Result<Option<Declared>, LogError> {
        Ok(self.tables.find(dataset, table)?)
    }

    /// Declares tables of one dataset: makes them, or adds the columns that are new at their ends.
    ///
    /// # Errors
    /// What is there does not fit, or the catalog can't be written.
    pub fn declare(&self, dataset: &str, tables: Vec<Table>) -> Result<(), LogError> {
        Ok(self.tables.declare(dataset, tables, self.now())?)
    }

    /// Begins a request of so many bytes: tells one that came before under the same key.
    ///
    /// # Errors
    /// The key came before with other rows, the disk is full, or the database can't be read.
    pub fn begin(&self, key: Option<Key>, sent: usize) -> Result<Begun, LogError> {
        let moves = self.image.moves();
        if let Some(wanted) = key {
            let known = match self.image.key(&wanted.digest) {
                Some((_, used)) => Some(used),
                None => self.host.runtime.block_on(self.host.lake.store().moved_key(&wanted.digest))?,
            };
            if let Some(used) = known {
                return repeated(&used, wanted.body).map(Begun::Repeated);
            }
        }
        // Before a table is declared for what could not be kept; the writer looks again, with the bytes in its hand.
        let (keep_bytes, wanted) = (self.settings.keep_free_bytes, sent.saturating_mul(COLUMNS_OF_TEXT) as u64);
        if !segments::has_room(&self.folder, wanted, keep_bytes) {
            return Err(LogError::DiskFull { folder: self.folder.clone(), keep_bytes });
        }
        Ok(Begun::New(Ticket { key, moves, at: self.now() }))
    }

    /// Appends rows of declared tables, all or nothing. Once the receipt is there they are durable, and SQL sees them.
    ///
    /// # Errors
    /// Nothing was taken; see [`LogError`].
    pub fn append(&self, ticket: Ticket, rows: &[(Declared, RecordBatch)]) -> Result<Pending, LogError> {
        let count = rows.iter().map(|(_, rows)| rows.num_rows() as u64).sum();
        let receipt = Receipt { rows: count, repeated: false, at: ticket.at };
        let (answer, pending) = oneshot::channel();
        if count == 0 {
            // Nothing is kept of nothing, not even its key.
            answer.send(Ok(receipt)).ok();
            return Ok(Pending(pending));
        }
        let key = ticket.key.map(|key| KeyUse { key: key.digest, body: key.body, rows: count, at: ticket.at });
        let tables: Vec<(TableRef, RecordBatch)> =
            rows.iter().map(|(table, rows)| (table.table.clone(), rows.clone())).collect();
        let frame = frame::encode(key.as_ref(), &tables)?;
        let bytes = image::size(frame.len(), &tables);
        if !self.image.reserve(bytes) {
            self.mover.try_send(mover::Message::Enough).ok();
            return Err(LogError::Full { most_bytes: self.settings.memory_bytes });
        }
        let waiting = writer::Waiting { frame, tables, key, receipt, bytes, moves: ticket.moves, answer };
        self.writer.try_send(writer::Message::Append(waiting)).map_err(|error| {
            self.image.release(bytes);
            match error {
                TrySendError::Full(_) => LogError::Busy,
                TrySendError::Disconnected(_) => LogError::Stopped,
            }
        })?;
        Ok(Pending(pending))
    }

    /// Moves everything that is acknowledged now into the lake, and waits for it.
    ///
    /// # Errors
    /// The lake can't be written; the rows stay in the log.
    pub fn move_now(&self) -> Result<(), LogError> {
        let (answer, done) = mpsc::channel();
        self.mover.send(mover::Message::Now(answer)).map_err(|_| LogError::Stopped)?;
        done.recv().map_err(|_| LogError::Stopped)?
    }

    /// Takes nothing more, moves everything into the lake and ends the threads.
    ///
    /// # Errors
    /// The lake can't be written; the rows stay in the log and are there at the next start.
    pub fn close(&self) -> Result<(), LogError> {
        // Behind all that was enqueued before.
        self.writer.send(writer::Message::Refuse).ok();
        let moved = self.move_now();
        self.stop();
        moved
    }

    fn stop(&self) {
        self.mover.send(mover::Message::Stop).ok();
        self.writer.send(writer::Message::Stop).ok();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a thread of the log panicked: this is a fault of telemill, please report it");
            }
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Moves what a former process left in the log of `data_dir` into the lake, where there is something.
///
/// # Errors
/// As [`Log::open`] and [`Log::move_now`].
pub fn settle(data_dir: &Path, host: LogHost, settings: LogSettings) -> Result<(), LogError> {
    if !segments::any_in(&data_dir.join(LOG_FOLDER)) {
        return Ok(());
    }
    Log::open(data_dir, host, settings)?.close()
}

/// The answer to a key that came before.
fn repeated(used: &KeyUse, body: u64) -> Result<Receipt, LogError> {
    let receipt = Receipt { rows: used.rows, repeated: true, at: used.at };
    if used.body == body { Ok(receipt) } else { Err(LogError::KeyReused) }
}
