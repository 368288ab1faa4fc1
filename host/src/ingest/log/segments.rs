//! The log's files: frames appended one after the other, synced, and removed when the lake has them all.

use super::LogError;
use super::frame;
use rustix::fs::statvfs;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Begins every segment.
const MAGIC: [u8; 8] = *b"TMLOG\0\0\x01";
/// How segments are called: the first position that they may hold, and this.
const EXTENSION: &str = "log";

/// The folder of segments, and the one that is written.
#[derive(Debug)]
pub(super) struct Segments {
    folder: PathBuf,
    open: Option<Open>,
    /// Complete ones with the last position in each, oldest first.
    complete: Vec<(PathBuf, u64)>,
    /// Set where bytes that nobody acknowledged could not be cut off.
    broken: bool,
}

#[derive(Debug)]
struct Open {
    path: PathBuf,
    file: File,
    bytes: u64,
    last: u64,
}

/// What an append failed with.
#[derive(Debug)]
pub(super) enum Failed {
    /// The disk is full; nothing was taken.
    Full,
    /// Something else; nothing was taken.
    Io(PathBuf, std::io::Error),
    /// The log can't be used any more.
    Broken,
}

impl Segments {
    /// Opens the folder, which is made where it is missing, and hands every sound frame to `each` in order. A torn end of
    /// the last segment is cut off.
    ///
    /// # Errors
    /// The folder can't be used, a segment is damaged elsewhere, or `each` fails.
    pub(super) fn recover(
        folder: &Path,
        each: &mut dyn FnMut(frame::Found<'_>) -> Result<(), LogError>,
    ) -> Result<Self, LogError> {
        let io = |source| LogError::Io { path: folder.to_owned(), source };
        fs::create_dir_all(folder).map_err(io)?;
        if let Some(parent) = folder.parent() {
            sync(parent).map_err(io)?;
        }
        let mut paths = segments_in(folder)?;
        paths.sort();
        let mut complete = Vec::new();
        let count = paths.len();
        for (index, path) in paths.into_iter().enumerate() {
            match read(&path, index + 1 == count, each)? {
                // Another may have to be made under its name.
                0 => fs::remove_file(&path).map_err(io)?,
                last => complete.push((path, last)),
            }
        }
        Ok(Self { folder: folder.to_owned(), open: None, complete, broken: false })
    }

    /// Appends frames, of which `first` and `last` are the positions, and waits until they are on the disk.
    pub(super) fn append(&mut self, bytes: &[u8], first: u64, last: u64) -> Result<(), Failed> {
        if self.broken {
            return Err(Failed::Broken);
        }
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.begin(first)?,
        };
        match open.file.write_all(bytes).and_then(|()| open.file.sync_data()) {
            Ok(()) => {
                open.bytes += bytes.len() as u64;
                open.last = last;
                self.open = Some(open);
                Ok(())
            }
            Err(error) => Err(self.undo(open, error)),
        }
    }

    /// A segment of its own for what comes next, once the open one has `most` bytes.
    pub(super) fn rotate(&mut self, most: u64) {
        if let Some(open) = self.open.take_if(|open| open.bytes >= most) {
            self.complete.push((open.path, open.last));
        }
    }

    /// Removes the segments that hold nothing beyond `moved`. One that can't be removed is left: what it holds is skipped.
    pub(super) fn forget(&mut self, moved: u64) {
        if let Some(open) = self.open.take_if(|open| open.last <= moved) {
            self.complete.push((open.path, open.last));
        }
        self.complete.retain(|(path, last)| {
            let gone = *last <= moved && fs::remove_file(path).is_ok();
            !gone
        });
    }

    /// Whether the disk would have `keep` bytes left after `bytes` more.
    pub(super) fn has_room(&self, bytes: u64, keep: u64) -> bool {
        has_room(&self.folder, bytes, keep)
    }

    fn begin(&self, first: u64) -> Result<Open, Failed> {
        let path = self.folder.join(format!("{first:020}.{EXTENSION}"));
        let made = File::create_new(&path).and_then(|mut file| {
            file.write_all(&MAGIC)?;
            file.sync_data()?;
            sync(&self.folder)?;
            Ok(file)
        });
        match made {
            Ok(file) => Ok(Open { path, file, bytes: MAGIC.len() as u64, last: first.saturating_sub(1) }),
            Err(error) => {
                // Nothing is in it; where it stays, recovery finds an empty segment.
                fs::remove_file(&path).ok();
                Err(failed(path, error))
            }
        }
    }

    /// Cuts off what was not acknowledged. The file is not written to any more: after a sync that failed nobody knows which
    /// of its pages are on the disk, but for those that were synced before.
    fn undo(&mut self, open: Open, error: std::io::Error) -> Failed {
        tracing::error!(segment.path = %open.path.display(), %error, "the log can't be written");
        let undone = if open.bytes == MAGIC.len() as u64 {
            fs::remove_file(&open.path).and_then(|()| sync(&self.folder))
        } else {
            self.complete.push((open.path.clone(), open.last));
            open.file.set_len(open.bytes).and_then(|()| open.file.sync_all())
        };
        match undone {
            Ok(()) => failed(open.path, error),
            Err(_) => {
                self.broken = true;
                Failed::Broken
            }
        }
    }
}

/// Whether the disk of `folder` would have `keep` bytes left after `bytes` more.
pub(super) fn has_room(folder: &Path, bytes: u64, keep: u64) -> bool {
    // Where the system does not say, the write itself will.
    statvfs(folder).map_or(true, |disk| disk.f_bavail.saturating_mul(disk.f_frsize) >= bytes.saturating_add(keep))
}

fn failed(path: PathBuf, error: std::io::Error) -> Failed {
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Failed::Full,
        _ => Failed::Io(path, error),
    }
}

fn segments_in(folder: &Path) -> Result<Vec<PathBuf>, LogError> {
    let io = |source| LogError::Io { path: folder.to_owned(), source };
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.extension().is_some_and(|extension| extension == EXTENSION) {
            paths.push(path);
        }
    }
    Ok(paths)
}

/// Whether there is a segment in `folder`.
pub(super) fn any_in(folder: &Path) -> bool {
    segments_in(folder).is_ok_and(|paths| !paths.is_empty())
}

/// Reads a segment; returns the last position in it, 0 where there is none.
fn read(
    path: &Path,
    is_last: bool,
    each: &mut dyn FnMut(frame::Found<'_>) -> Result<(), LogError>,
) -> Result<u64, LogError> {
    let io = |source| LogError::Io { path: path.to_owned(), source };
    let bytes = fs::read(path).map_err(io)?;
    let (mut at, mut last) = (0, 0);
    if bytes.starts_with(&MAGIC) {
        at = MAGIC.len();
        while let Some(found) = bytes.get(at..).and_then(frame::find) {
            at += found.bytes;
            last = found.position;
            each(found)?;
        }
    }
    if at == bytes.len() {
        return Ok(last);
    }
    if !is_last {
        return Err(LogError::Damaged { path: path.to_owned(), at: at as u64 });
    }
    tracing::warn!(segment.path = %path.display(), bytes = bytes.len() - at, "the log ends in a frame that nobody was answered for; it is cut off");
    let file = File::options().write(true).open(path).map_err(io)?;
    file.set_len(at as u64).and_then(|()| file.sync_all()).map_err(io)?;
    Ok(last)
}

fn sync(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}
