//! Files that only this host may write: folders with mode 0700, files that appear whole or not at all.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// A file under its temporary name that is older was left by a process that died.
const STALE: Duration = Duration::from_secs(3_600);
/// How temporary names end.
const TEMPORARY: &str = ".tmp";

/// Makes `dir` where it is missing, and closes it to everybody else.
///
/// # Errors
/// It can't be made, or belongs to another user, who could put code there that this process would run.
pub(super) fn private_dir(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let found = fs::metadata(dir)?;
    if found.permissions().mode() & 0o777 != 0o700 {
        fs::set_permissions(dir, Permissions::from_mode(0o700))?;
    }
    let probe = temporary(dir, "owner");
    let ours = create(&probe).and_then(|file| file.metadata()).map(|metadata| metadata.uid());
    // The probe has done its duty; one that stays is swept later.
    drop(fs::remove_file(&probe));
    if ours? == found.uid() {
        Ok(())
    } else {
        Err(io::Error::new(io::ErrorKind::PermissionDenied, "the folder belongs to another user"))
    }
}

/// Writes a file whole: under a temporary name, then renamed. A reader sees the old file or the new one, and a file that
/// is mapped somewhere is never changed.
///
/// # Errors
/// What the system says.
pub(super) fn write_whole(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let new = temporary(dir, &name);
    let written = create(&new).and_then(|mut file| {
        parts.iter().try_for_each(|part| file.write_all(part))?;
        file.sync_data()
    });
    let renamed = written.and_then(|()| fs::rename(&new, path));
    if renamed.is_err() {
        // The first error is the one to report.
        drop(fs::remove_file(&new));
    }
    renamed
}

/// Removes temporary files that nobody writes any more, and the oldest files with `suffix` until the rest of them has at
/// most `most_bytes`.
///
/// # Errors
/// The folder can't be read; files that vanish meanwhile are none.
pub(super) fn sweep(dir: &Path, suffix: &str, most_bytes: u64) -> io::Result<()> {
    let mut kept = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let Ok(metadata) = fs::metadata(&path) else { continue };
        let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        let name = path.to_string_lossy();
        if name.ends_with(TEMPORARY) && modified.elapsed().is_ok_and(|age| age > STALE) {
            drop(fs::remove_file(&path));
        } else if name.ends_with(suffix) {
            kept.push((modified, metadata.len(), path));
        }
    }
    kept.sort();
    let mut bytes: u64 = kept.iter().map(|(_, bytes, _)| bytes).sum();
    for (_, length, path) in kept {
        if bytes <= most_bytes {
            break;
        }
        drop(fs::remove_file(path));
        bytes -= length;
    }
    Ok(())
}

fn create(path: &Path) -> io::Result<fs::File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// A name that no other thread and no other process uses now.
fn temporary(dir: &Path, name: &str) -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let nanos = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |age| age.subsec_nanos());
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    dir.join(format!(".{name}.{}-{nanos:x}-{next}{TEMPORARY}", std::process::id()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("telemill-files-{name}-{}", std::process::id()));
        drop(fs::remove_dir_all(&dir));
        dir
    }

    #[test]
    fn folders_and_files_are_closed_to_others() {
        let dir = folder("modes");
        fs::create_dir_all(&dir).unwrap();
        fs::set_permissions(&dir, Permissions::from_mode(0o777)).unwrap();
        private_dir(&dir).unwrap();
        write_whole(&dir.join("a"), &[b"one", b"two"]).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&dir), mode(&dir.join("a"))), (0o700, 0o600));
        assert_eq!(fs::read(dir.join("a")).unwrap(), b"onetwo");
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1, "no temporary file is left");
        fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn the_oldest_go_first() {
        let dir = folder("sweep");
        private_dir(&dir).unwrap();
        for name in ["a.code", "b.code", "c.code", "d.other"] {
            write_whole(&dir.join(name), &[&[0; 100]]).unwrap();
            std::thread::sleep(Duration::from_millis(20));
        }
        sweep(&dir, ".code", 250).unwrap();
        let left: Vec<_> =
            ["a.code", "b.code", "c.code", "d.other"].into_iter().filter(|name| dir.join(name).exists()).collect();
        assert_eq!(left, ["b.code", "c.code", "d.other"]);
        fs::remove_dir_all(&dir).unwrap();
    }
}
