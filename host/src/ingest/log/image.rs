//! The rows that are in the log and not in the lake, in memory, as queries and the mover read them.

use super::frame::{Frame, TableRef};
use crate::core::digest::Digest;
use crate::query::{Unmoved, UnmovedRows};
use crate::store::KeyUse;
use arrow::compute::concat_batches;
use arrow::record_batch::RecordBatch;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Small batches of a table are put together up to this many rows: single rows would make queries slow.
const JOINED_ROWS: usize = 16_384;

/// The image. Every method takes the lock for a moment only.
#[derive(Debug)]
pub(super) struct Image {
    state: Mutex<State>,
    /// Most bytes that rows may take.
    most_bytes: usize,
}

#[derive(Debug, Default)]
struct State {
    tables: BTreeMap<TableRef, Vec<Chunk>>,
    keys: HashMap<Digest, (u64, KeyUse)>,
    /// Bytes of rows that are here, and of those that are about to be.
    bytes: usize,
    /// The last position here.
    last: u64,
    /// Chunks up to this position are being moved, and stay as they are.
    frozen: u64,
    /// How often rows have left.
    moves: u64,
    /// Since when there is something to move.
    since: Option<Instant>,
}

#[derive(Debug, Clone)]
struct Chunk {
    first: u64,
    last: u64,
    /// What it counts for.
    bytes: usize,
    rows: RecordBatch,
}

/// What is to be moved.
#[derive(Debug, Default)]
pub(super) struct Cut {
    pub(super) position: u64,
    pub(super) tables: BTreeMap<TableRef, Vec<RecordBatch>>,
    pub(super) keys: Vec<KeyUse>,
}

/// What a frame counts for in memory.
pub(super) fn size(frame_bytes: usize, tables: &[(TableRef, RecordBatch)]) -> usize {
    let memory = tables.iter().map(|(_, rows)| rows.get_array_memory_size()).sum();
    frame_bytes.max(memory)
}

impl Image {
    pub(super) fn new(most_bytes: usize) -> Self {
        Self { state: Mutex::default(), most_bytes }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here is left half done by a panic that could be seen.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets room aside for rows that count for `bytes`; false where there is none. Whatever is larger than all of the room is
    /// taken when nothing else is there.
    pub(super) fn reserve(&self, bytes: usize) -> bool {
        let mut state = self.state();
        let fits = state.bytes == 0 || state.bytes.saturating_add(bytes) <= self.most_bytes;
        if fits {
            state.bytes = state.bytes.saturating_add(bytes);
        }
        fits
    }

    /// Sets room aside whatever the bound.
    pub(super) fn admit(&self, bytes: usize) {
        let mut state = self.state();
        state.bytes = state.bytes.saturating_add(bytes);
    }

    /// Gives room back that was set aside for nothing.
    pub(super) fn release(&self, bytes: usize) {
        let mut state = self.state();
        state.bytes = state.bytes.saturating_sub(bytes);
    }

    /// Adds frames for which room was set aside, with what each counts for.
    pub(super) fn add(&self, frames: impl IntoIterator<Item = (Frame, usize)>) {
        let mut state = self.state();
        for (frame, bytes) in frames {
            state.add(frame, bytes);
        }
    }

    /// Bytes of rows, those that are on their way included.
    pub(super) fn bytes(&self) -> usize {
        self.state().bytes
    }

    /// Since when there is something to move.
    pub(super) fn since(&self) -> Option<Instant> {
        self.state().since
    }

    /// How often rows have left: what was looked up in the database before the last time may be there by now.
    pub(super) fn moves(&self) -> u64 {
        self.state().moves
    }

    /// What was taken under `key`, and is here.
    pub(super) fn key(&self, key: &Digest) -> Option<(u64, KeyUse)> {
        self.state().keys.get(key).copied()
    }

    /// Everything that is here now, which stays as it is until [`Image::forget`].
    pub(super) fn freeze(&self) -> Cut {
        let mut state = self.state();
        state.frozen = state.last;
        let rows = |chunks: &Vec<Chunk>| chunks.iter().map(|chunk| chunk.rows.clone()).collect();
        let mut keys: Vec<_> = state.keys.values().copied().collect();
        keys.sort_by_key(|(position, _)| *position);
        Cut {
            position: state.last,
            tables: state.tables.iter().map(|(table, chunks)| (table.clone(), rows(chunks))).collect(),
            keys: keys.into_iter().map(|(_, used)| used).collect(),
        }
    }

    /// Lets go of what is in the lake now.
    pub(super) fn forget(&self, moved: u64) {
        let mut state = self.state();
        let mut gone = 0;
        for chunks in state.tables.values_mut() {
            chunks.retain(|chunk| {
                let stays = chunk.last > moved;
                gone += if stays { 0 } else { chunk.bytes };
                stays
            });
        }
        state.tables.retain(|_, chunks| !chunks.is_empty());
        state.keys.retain(|_, (position, _)| *position > moved);
        state.bytes = state.bytes.saturating_sub(gone);
        state.moves += 1;
        state.since = (!state.tables.is_empty()).then(Instant::now);
    }
}

impl State {
    fn add(&mut self, frame: Frame, bytes: usize) {
        let Frame { position, key, tables } = frame;
        self.last = position;
        self.since.get_or_insert_with(Instant::now);
        if let Some(used) = key {
            self.keys.insert(used.key, (position, used));
        }
        // Each part counts the same: only the sum matters, and that they add up to it.
        let parts = tables.len().max(1);
        for (index, (table, rows)) in tables.into_iter().enumerate() {
            let share = bytes / parts + if index == 0 { bytes % parts } else { 0 };
            let chunks = self.tables.entry(table).or_default();
            chunks.push(Chunk { first: position, last: position, bytes: share, rows });
            join(chunks, self.frozen);
        }
    }
}

/// Puts the last chunks together while each is about as small as what follows it, so that a row is copied a few times and
/// no more, however small the requests are.
fn join(chunks: &mut Vec<Chunk>, frozen: u64) {
    while let [.., before, after] = chunks.as_slice() {
        let rows = before.rows.num_rows() + after.rows.num_rows();
        let alike = before.rows.num_rows() <= 2 * after.rows.num_rows();
        if !alike || rows > JOINED_ROWS || before.first <= frozen || before.rows.schema_ref() != after.rows.schema_ref()
        {
            return;
        }
        let Ok(joined) = concat_batches(before.rows.schema_ref(), [&before.rows, &after.rows]) else { return };
        let chunk = Chunk { first: before.first, last: after.last, bytes: before.bytes + after.bytes, rows: joined };
        chunks.truncate(chunks.len() - 2);
        chunks.push(chunk);
    }
}

impl Unmoved for Image {
    fn rows(&self) -> Vec<UnmovedRows> {
        let state = self.state();
        let rows = state.tables.iter().flat_map(|(table, chunks)| {
            chunks.iter().map(|chunk| UnmovedRows {
                dataset: table.dataset.clone(),
                table_id: table.id,
                position: chunk.last,
                rows: chunk.rows.clone(),
            })
        });
        rows.collect()
    }
}
