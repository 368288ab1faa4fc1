//! A byte sink over an object store's multipart upload: what a synchronous encoder writes goes out in chunks.

use super::{LakeError, LakeFiles};
use object_store::{MultipartUpload, ObjectStoreExt as _, PutPayload};
use std::io::{self, Write};
use tokio::runtime::Handle;

/// Bytes that are gathered before they go out: large enough that a hand-over costs nothing a byte, small beside a row
/// group, and above the 5 MiB that S3 asks of every part but the last.
const CHUNK_BYTES: usize = 8 << 20;

/// The end of a Parquet file: the length of its footer, and the magic number.
const TRAILER_BYTES: usize = 8;

/// A file that is being written; dropping it before [`Upload::complete`] removes what was written.
pub(super) struct Upload {
    path: String,
    runtime: Handle,
    parts: Box<dyn MultipartUpload>,
    chunk: Vec<u8>,
    bytes: u64,
    trailer: [u8; TRAILER_BYTES],
}

impl Upload {
    /// Begins the file `path` (below the lake's folder). Must not be called on a thread that runs async tasks.
    pub(super) fn begin(files: &LakeFiles, runtime: &Handle, path: String) -> Result<Self, LakeError> {
        let objects = files.objects();
        let parts = runtime.block_on(objects.put_multipart(&LakeFiles::object_path(&path)));
        match parts {
            Ok(parts) => {
                let chunk = Vec::with_capacity(CHUNK_BYTES);
                Ok(Self { path, runtime: runtime.clone(), parts, chunk, bytes: 0, trailer: [0; TRAILER_BYTES] })
            }
            Err(source) => Err(LakeError::Objects { path, source }),
        }
    }

    /// Bytes so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Length of the Parquet footer, which the last eight bytes of the file tell.
    pub(super) fn footer_bytes(&self) -> u64 {
        let [a, b, c, d, ..] = self.trailer;
        u64::from(u32::from_le_bytes([a, b, c, d]))
    }

    /// Sends the rest; then the file is there under its name.
    pub(super) fn complete(&mut self) -> Result<(), LakeError> {
        let failed = |source| LakeError::Objects { path: self.path.clone(), source };
        let rest = std::mem::take(&mut self.chunk);
        let sent = if rest.is_empty() { Ok(()) } else { self.runtime.block_on(self.parts.put_part(rest.into())) };
        sent.and_then(|()| self.runtime.block_on(self.parts.complete()).map(drop)).map_err(failed)
    }

    fn send(&mut self) -> io::Result<()> {
        let full = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK_BYTES));
        self.runtime.block_on(self.parts.put_part(PutPayload::from(full))).map_err(io::Error::other)
    }

    fn remember_trailer(&mut self, data: &[u8]) {
        let new = &data[data.len().saturating_sub(TRAILER_BYTES)..];
        self.trailer.rotate_left(new.len());
        let kept = TRAILER_BYTES - new.len();
        self.trailer[kept..].copy_from_slice(new);
    }
}

impl Write for Upload {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let taken = data.len().min(CHUNK_BYTES - self.chunk.len());
        let data = &data[..taken];
        self.chunk.extend_from_slice(data);
        self.bytes += taken as u64;
        self.remember_trailer(data);
        if self.chunk.len() == CHUNK_BYTES {
            self.send()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
