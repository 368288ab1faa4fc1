//! What chance decides of a call before anything is known about it: bits, and no tables.

use telemill_sdk::{Steps, Stream};

/// Bits of a transaction's id that count within its second.
pub(super) const INDEX_BITS: u32 = 20;

/// One second's calls.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draw {
    /// Since 1970.
    pub(super) second: i64,
    /// How many of the calls come in pairs: the first ones.
    pub(super) pairs: u32,
    /// A stream for each call.
    pub(super) rows: Steps,
    /// Bits for each pair, and for each call on its own.
    pub(super) clusters: Steps,
}

/// What chance decided of one call.
#[derive(Clone, Debug)]
pub(super) struct Drawn {
    /// The transaction's id.
    pub(super) id: i64,
    /// Both calls of a pair see the same bits.
    pub(super) shared: u64,
    /// Which operation.
    pub(super) place: u64,
    /// How long it takes (the high half) and whether it fails (the low half).
    pub(super) fate: u64,
    /// Which host (the lowest 16 bits), whether it is tried again (the next 32), whether it is a breaker's trial (the next 10).
    pub(super) more: u64,
    /// Milliseconds from the first call of a pair to the second; 0 for every other call.
    pub(super) delay_ms: u32,
    /// For what only some calls draw.
    pub(super) stream: Stream,
}

impl Drawn {
    /// What stands in a place that no call has yet.
    pub(super) fn nothing() -> Self {
        let stream = Steps::of(0, super::ROW, 0).stream(0);
        Self { id: 0, shared: 0, place: 0, fate: 0, more: 0, delay_ms: 0, stream }
    }

    /// The second since 1970.
    #[inline]
    pub(super) fn second(&self) -> i64 {
        self.id >> INDEX_BITS
    }
}

impl Draw {
    /// The call of an index.
    #[inline]
    pub(super) fn call(&self, index: u32) -> Drawn {
        let paired = index < 2 * self.pairs;
        let cluster = if paired { index / 2 } else { index - self.pairs };
        let shared = self.clusters.hash(i64::from(cluster));
        let mut stream = self.rows.stream(i64::from(index));
        let (place, fate, more) = (stream.next(), stream.next(), stream.next());
        let delay_ms = if paired && index % 2 == 1 { 5 + (more >> 58) as u32 } else { 0 };
        Drawn { id: (self.second << INDEX_BITS) | i64::from(index), shared, place, fate, more, delay_ms, stream }
    }
}
