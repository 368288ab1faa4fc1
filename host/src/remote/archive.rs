//! Files as a tar archive that is made while it is read, one open file at a time.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::PathBuf;

/// Tar's unit.
const BLOCK_BYTES: u64 = 512;

/// An archive of plain files by their names.
pub struct Archive {
    left: VecDeque<PathBuf>,
    entry: Box<dyn Read>,
    ended: bool,
}

impl Archive {
    /// An archive of these files, in this order.
    pub fn of(files: impl IntoIterator<Item = PathBuf>) -> Self {
        Self { left: files.into_iter().collect(), entry: Box::new(io::empty()), ended: false }
    }

    /// The next file with its header, or the end; false where all was read.
    fn advance(&mut self) -> io::Result<bool> {
        self.entry = match self.left.pop_front() {
            Some(path) => entry(&path)?,
            None if self.ended => return Ok(false),
            None => {
                self.ended = true;
                Box::new(io::repeat(0).take(2 * BLOCK_BYTES))
            }
        };
        Ok(true)
    }
}

/// Header, content, and zeros up to a whole block.
fn entry(path: &std::path::Path) -> io::Result<Box<dyn Read>> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("can't read {}: {error}", path.display()));
    let file = File::open(path).map_err(named)?;
    let bytes = file.metadata().map_err(named)?.len();
    let mut header = tar::Header::new_gnu();
    header.set_path(path.file_name().unwrap_or_default()).map_err(named)?;
    header.set_size(bytes);
    header.set_mode(0o644);
    header.set_cksum();
    let padding = io::repeat(0).take(bytes.next_multiple_of(BLOCK_BYTES) - bytes);
    Ok(Box::new(Cursor::new(header.as_bytes().to_vec()).chain(file.take(bytes)).chain(padding)))
}

impl Read for Archive {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let bytes = self.entry.read(buffer)?;
            if bytes > 0 || buffer.is_empty() || !self.advance()? {
                return Ok(bytes);
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_an_archive_of_the_files() {
        let folder = tempfile::tempdir().unwrap();
        let files = [("a.csv", vec![b'a'; 511]), ("b.csv", Vec::new()), ("c.csv", vec![b'c'; 1_024])];
        files.iter().for_each(|(name, content)| std::fs::write(folder.path().join(name), content).unwrap());
        let archive = Archive::of(files.iter().map(|(name, _)| folder.path().join(name)));
        let mut read = tar::Archive::new(archive);
        let mut found = Vec::new();
        for entry in read.entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            found.push((entry.path().unwrap().display().to_string(), content));
        }
        assert_eq!(found, files.map(|(name, content)| (name.to_owned(), content)));
    }
}
