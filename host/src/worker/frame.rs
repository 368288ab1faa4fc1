//! What goes over the pipes: a head as JSON, and blobs of bytes behind it, each with its length before it.

use crate::core::printable::printable;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{self, Read, Write};

/// Most blobs of a frame: the columns' buffers of a run's inputs are the most there are.
const MAX_BLOBS: u32 = 1 << 20;

/// A message between a worker and the process that started it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Frame {
    head: Vec<u8>,
    /// Bytes that would be costly as JSON.
    pub blobs: Vec<Vec<u8>>,
}

impl Frame {
    /// A frame of `head` as JSON and `blobs`.
    ///
    /// # Errors
    /// A head that has no form as JSON.
    pub fn new(head: &impl Serialize, blobs: Vec<Vec<u8>>) -> io::Result<Self> {
        Ok(Self { head: serde_json::to_vec(head)?, blobs })
    }

    /// The head.
    ///
    /// # Errors
    /// It is something else.
    pub fn head<T: DeserializeOwned>(&self) -> io::Result<T> {
        // The error may quote what a worker said.
        serde_json::from_slice(&self.head)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, printable(&error.to_string())))
    }

    pub(super) fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let blobs = u32::try_from(self.blobs.len()).ok().filter(|count| *count <= MAX_BLOBS);
        let blobs = blobs.ok_or_else(|| invalid("too many blobs for a frame"))?;
        to.write_all(&blobs.to_le_bytes())?;
        for part in std::iter::once(&self.head).chain(&self.blobs) {
            to.write_all(&(part.len() as u64).to_le_bytes())?;
            to.write_all(part)?;
        }
        to.flush()
    }

    /// The next frame, of at most `most_bytes`; none at the end. Memory is taken for what comes, never for what a length
    /// claims.
    pub(super) fn read(from: &mut impl Read, most_bytes: u64) -> io::Result<Option<Self>> {
        let mut count = Vec::new();
        from.by_ref().take(4).read_to_end(&mut count)?;
        let count = match <[u8; 4]>::try_from(count.as_slice()) {
            Ok(count) => u32::from_le_bytes(count),
            Err(_) if count.is_empty() => return Ok(None),
            Err(_) => return Err(io::ErrorKind::UnexpectedEof.into()),
        };
        if count > MAX_BLOBS {
            return Err(invalid("a frame of too many blobs"));
        }
        let mut left = most_bytes;
        let mut part = || {
            let mut length = [0; 8];
            from.read_exact(&mut length)?;
            let length = u64::from_le_bytes(length);
            left = left.checked_sub(length).ok_or_else(|| invalid("a frame that is too large"))?;
            let mut bytes = Vec::new();
            from.by_ref().take(length).read_to_end(&mut bytes)?;
            if bytes.len() as u64 == length { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
        };
        let head = part()?;
        let blobs = (0..count).map(|_| part()).collect::<io::Result<_>>()?;
        Ok(Some(Self { head, blobs }))
    }
}

fn invalid(message: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn frames_follow_each_other() {
        let frames = [Frame::new(&"one", vec![vec![], vec![7; 1_000]]).unwrap(), Frame::new(&2, Vec::new()).unwrap()];
        let mut pipe = Vec::new();
        frames.iter().for_each(|frame| frame.write(&mut pipe).unwrap());
        let mut pipe = pipe.as_slice();
        for frame in frames {
            assert_eq!(Frame::read(&mut pipe, 2_000).unwrap(), Some(frame));
        }
        assert_eq!(Frame::read(&mut pipe, 2_000).unwrap(), None);
    }

    #[test]
    fn what_is_cut_or_too_large_is_an_error_and_takes_no_memory() {
        let mut pipe = Vec::new();
        Frame::new(&"head", vec![vec![7; 1_000]]).unwrap().write(&mut pipe).unwrap();
        for end in 1..pipe.len() {
            assert!(Frame::read(&mut &pipe[..end], 2_000).is_err(), "{end}");
        }
        assert!(Frame::read(&mut pipe.as_slice(), 900).is_err());
        // One blob of an exabyte, of which nothing comes.
        let claim = [1_u32.to_le_bytes().as_slice(), &(1_u64 << 60).to_le_bytes()].concat();
        assert!(Frame::read(&mut claim.as_slice(), u64::MAX).is_err());
        assert!(Frame::read(&mut [255_u8; 64].as_slice(), u64::MAX).is_err());
    }
}
