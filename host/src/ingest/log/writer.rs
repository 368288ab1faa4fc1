//! The one thread that writes the log: it takes all that waits, syncs once, and answers all.

use super::frame::{self, Frame, TableRef};
use super::image::Image;
use super::segments::{Failed, Segments};
use super::{LogError, LogHost, LogSettings, Receipt, mover, repeated};
use crate::core::digest::Digest;
use crate::store::KeyUse;
use arrow::record_batch::RecordBatch;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender};
use tokio::sync::oneshot;

/// Bytes after which a group is synced whatever else waits: larger ones do not get cheaper, and the first in it waits.
const GROUP_BYTES: usize = 8 << 20;

/// What the thread is told.
#[derive(Debug)]
pub(super) enum Message {
    Append(Waiting),
    /// The lake has everything up to this position.
    Moved(u64),
    /// Take nothing more.
    Refuse,
    Stop,
}

/// A request that waits.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) frame: Vec<u8>,
    pub(super) tables: Vec<(TableRef, RecordBatch)>,
    pub(super) key: Option<KeyUse>,
    /// What is answered once it is durable.
    pub(super) receipt: Receipt,
    /// The room that was set aside in the image.
    pub(super) bytes: usize,
    /// How often rows had moved when the key was looked up in the database.
    pub(super) moves: u64,
    pub(super) answer: oneshot::Sender<Result<Receipt, LogError>>,
}

pub(super) struct Writer {
    segments: Segments,
    folder: PathBuf,
    host: LogHost,
    image: Arc<Image>,
    settings: LogSettings,
    mover: SyncSender<mover::Message>,
    /// The last position given out.
    last: u64,
    refusing: bool,
}

/// What becomes of a group.
#[derive(Default)]
struct Group {
    bytes: Vec<u8>,
    taken: Vec<Taken>,
    /// Keys of this group and their answers.
    keys: HashMap<Digest, KeyUse>,
    /// Requests whose key is in this group already.
    repeats: Vec<(oneshot::Sender<Result<Receipt, LogError>>, Receipt)>,
}

struct Taken {
    frame: Frame,
    bytes: usize,
    receipt: Receipt,
    answer: oneshot::Sender<Result<Receipt, LogError>>,
}

impl Writer {
    pub(super) fn new(
        segments: Segments,
        folder: &Path,
        host: &LogHost,
        image: &Arc<Image>,
        settings: &LogSettings,
        mover: SyncSender<mover::Message>,
        last: u64,
    ) -> Self {
        let (host, image, settings) = (host.clone(), Arc::clone(image), settings.clone());
        Self { segments, folder: folder.to_owned(), host, image, settings, mover, last, refusing: false }
    }

    /// Writes until it is stopped.
    pub(super) fn run(mut self, messages: &Receiver<Message>) {
        while let Ok(message) = messages.recv() {
            let mut next = Some(message);
            let mut group = Group::default();
            while let Some(message) = next.take() {
                match message {
                    Message::Append(waiting) => self.admit(waiting, &mut group),
                    Message::Moved(position) => self.segments.forget(position),
                    Message::Refuse => self.refusing = true,
                    Message::Stop => {
                        self.write(group);
                        return;
                    }
                }
                if group.bytes.len() < GROUP_BYTES {
                    next = messages.try_recv().ok();
                }
            }
            self.write(group);
        }
    }

    /// Adds a request to the group, or answers it at once.
    fn admit(&mut self, waiting: Waiting, group: &mut Group) {
        let refusal = match self.known(&waiting, group) {
            Ok(None) if self.refusing => Err(LogError::Stopped),
            Ok(None) => self.check_room(group.bytes.len() + waiting.frame.len()),
            Ok(Some((receipt, durable))) => {
                self.image.release(waiting.bytes);
                if durable {
                    waiting.answer.send(Ok(receipt)).ok();
                } else {
                    group.repeats.push((waiting.answer, receipt));
                }
                return;
            }
            Err(error) => Err(error),
        };
        let Waiting { mut frame, tables, key, receipt, bytes, answer, .. } = waiting;
        if let Err(error) = refusal {
            self.image.release(bytes);
            answer.send(Err(error)).ok();
            return;
        }
        self.last += 1;
        frame::stamp(&mut frame, self.last);
        group.bytes.extend_from_slice(&frame);
        if let Some(used) = key {
            group.keys.insert(used.key, used);
        }
        group.taken.push(Taken { frame: Frame { position: self.last, key, tables }, bytes, receipt, answer });
    }

    /// The answer to a key that came before, and whether its rows are durable already.
    fn known(&self, waiting: &Waiting, group: &Group) -> Result<Option<(Receipt, bool)>, LogError> {
        let Some(wanted) = waiting.key else { return Ok(None) };
        if let Some(used) = group.keys.get(&wanted.key) {
            return repeated(used, wanted.body).map(|receipt| Some((receipt, false)));
        }
        let used = match self.image.key(&wanted.key) {
            Some((_, used)) => Some(used),
            // What was in the image when the client's thread looked may have moved since.
            None if self.image.moves() != waiting.moves => {
                self.host.runtime.block_on(self.host.lake.store().moved_key(&wanted.key))?
            }
            None => None,
        };
        used.map(|used| repeated(&used, wanted.body).map(|receipt| (receipt, true))).transpose()
    }

    fn check_room(&self, bytes: usize) -> Result<(), LogError> {
        if self.segments.has_room(bytes as u64, self.settings.keep_free_bytes) { Ok(()) } else { Err(self.disk_full()) }
    }

    fn disk_full(&self) -> LogError {
        LogError::DiskFull { folder: self.folder.clone(), keep_bytes: self.settings.keep_free_bytes }
    }

    /// Makes a group durable, shows it to queries, and answers.
    fn write(&mut self, group: Group) {
        let Group { bytes, taken, repeats, .. } = group;
        let (Some(first), Some(last)) = (taken.first(), taken.last()) else { return };
        if let Err(failed) = self.segments.append(&bytes, first.frame.position, last.frame.position) {
            for taken in taken {
                self.image.release(taken.bytes);
                taken.answer.send(Err(self.error(&failed))).ok();
            }
            for (answer, _) in repeats {
                answer.send(Err(self.error(&failed))).ok();
            }
            return;
        }
        self.segments.rotate(self.settings.segment_bytes);
        let mut answers = Vec::with_capacity(taken.len());
        self.image.add(taken.into_iter().map(|taken| {
            answers.push((taken.answer, taken.receipt));
            (taken.frame, taken.bytes)
        }));
        for (answer, receipt) in answers.into_iter().chain(repeats) {
            // A client that went away gets no answer; its rows stay.
            answer.send(Ok(receipt)).ok();
        }
        // Where the mover has something to look at already, it will see these as well.
        self.mover.try_send(mover::Message::Grown).ok();
    }

    fn error(&self, failed: &Failed) -> LogError {
        match failed {
            Failed::Full => self.disk_full(),
            Failed::Io(path, error) => {
                LogError::Io { path: path.clone(), source: std::io::Error::new(error.kind(), error.to_string()) }
            }
            Failed::Broken => LogError::Broken,
        }
    }
}
