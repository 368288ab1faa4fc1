//! A file that is there whole or not at all: it is written under another name beside its place, synced, and renamed.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Bytes that wait for a write.
const BUFFER_BYTES: usize = 1 << 20;

/// Writes the file `path` with what `write` puts out, and gives what that returns. `failed` says what a refusal of the disk is called.
///
/// # Errors
/// What `write` fails with, or the disk; nothing new is there then.
pub fn write_whole<T, E>(
    path: &Path,
    failed: impl Fn(io::Error) -> E,
    write: impl FnOnce(&mut dyn Write) -> Result<T, E>,
) -> Result<T, E> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let partial = path.with_file_name(format!(".{name}.partial"));
    let whole = || {
        let mut out = BufWriter::with_capacity(BUFFER_BYTES, File::create(&partial).map_err(&failed)?);
        let made = write(&mut out)?;
        let file = out.into_inner().map_err(|error| failed(error.into_error()))?;
        file.sync_all().and_then(|()| fs::rename(&partial, path)).map_err(&failed)?;
        Ok(made)
    };
    // Whoever can't remove it could not have written it either.
    whole().inspect_err(|_| drop(fs::remove_file(&partial)))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_there_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.csv");
        let names = || fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
        let write = |out: &mut dyn Write, rows: &[u8]| out.write_all(rows);
        write_whole(&path, |error| error, |out| write(out, b"first")).unwrap();
        let broken = write_whole(
            &path,
            |error| error,
            |out| {
                write(out, b"half")?;
                assert_eq!(names().len(), 2);
                Err::<(), _>(io::Error::other("no more"))
            },
        );
        assert_eq!(broken.unwrap_err().to_string(), "no more");
        assert_eq!((fs::read(&path).unwrap().as_slice(), names().len()), (b"first".as_slice(), 1), "as it was");
        let nowhere = write_whole(&folder.path().join("none/rows.csv"), |error| error, |_| Ok(()));
        assert_eq!(nowhere.unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
