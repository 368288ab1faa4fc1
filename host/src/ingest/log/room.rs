//! Room for bodies while they are unfolded: a small body may become a large one, so its own size says nothing of the memory
//! that it takes.

use crate::ingest::source::Compression;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bodies of the largest size that are unfolded at once.
const AT_ONCE: usize = 2;
/// What gzip makes of a byte at most.
const GZIP_EXPANSION: usize = 1_032;

/// The room of one log.
#[derive(Debug)]
pub(super) struct Room {
    kib: Arc<Semaphore>,
    most_bytes: usize,
}

impl Room {
    /// Room for bodies of at most `most_bytes` unfolded.
    pub(super) fn new(most_bytes: u64) -> Self {
        let most_bytes = usize::try_from(most_bytes).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self { kib: Arc::new(Semaphore::new(kib(most_bytes) as usize * AT_ONCE)), most_bytes }
    }

    /// Waits until there is room for what `body` may become; what is not compressed needs none.
    pub(super) fn wait_for(&self, body: &[u8]) -> Option<OwnedSemaphorePermit> {
        let bytes = match Compression::of(body) {
            Compression::None => return None,
            Compression::Gzip => body.len().saturating_mul(GZIP_EXPANSION).min(self.most_bytes),
            // A few bytes of Zstandard may be any number of the same one.
            Compression::Zstd => self.most_bytes,
        };
        futures::executor::block_on(Arc::clone(&self.kib).acquire_many_owned(kib(bytes))).ok()
    }
}

fn kib(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(1 << 10)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::sync::mpsc;
    use std::time::Duration;

    #[test]
    fn two_large_bodies_are_unfolded_at_once_and_small_ones_beside_one() {
        let room = Arc::new(Room::new(1 << 20));
        let (zstd, gzip) = ([0x28, 0xb5, 0x2f, 0xfd, 0], [0x1f, 0x8b, 0]);
        assert!(room.wait_for(b"cpu u=1").is_none());
        let first = room.wait_for(&zstd);
        let small: Vec<_> = (0..100).map(|_| room.wait_for(&gzip).unwrap()).collect();
        drop(small);
        let second = room.wait_for(&zstd);
        let (sender, receiver) = mpsc::channel();
        let waits = {
            let room = Arc::clone(&room);
            std::thread::spawn(move || sender.send(room.wait_for(&gzip).is_some()))
        };
        assert!(receiver.recv_timeout(Duration::from_millis(100)).is_err(), "it found room where none is");
        drop(first);
        assert!(receiver.recv().unwrap());
        waits.join().unwrap().unwrap();
        drop(second);
    }
}
