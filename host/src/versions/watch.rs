//! A folder that is watched: a component that appears in it is installed, as if it were uploaded. It is not enabled.

use super::error::VersionsError;
use super::install::install;
use super::source::{Source, components};
use crate::run::{self, Host};
use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind, RenameMode};
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::SystemTime;

/// Watches until it is dropped; an installation that is under way then goes on to its end.
pub struct Watch {
    _watcher: RecommendedWatcher,
}

/// What tells a file from its next version.
type Seen = BTreeMap<PathBuf, (u64, SystemTime)>;

/// Installs the components that are in `folder`, and from now on those that come into it. What is refused stays where it is, and is
/// told in the log.
///
/// # Errors
/// The folder can't be watched.
pub fn watch(host: Arc<Host>, folder: &Path) -> Result<Watch, VersionsError> {
    let failed = |error: notify::Error| VersionsError::Source {
        origin: folder.display().to_string(),
        message: format!("it can't be watched: {error}"),
    };
    // One signal waits at most: whoever gets it looks at the whole folder.
    let (signal, signals) = sync_channel(1);
    let first = signal.clone();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if event.map_or(true, |event| is_whole(event.kind)) {
            // A signal that waits already stands for this one as well.
            let _ = signal.try_send(());
        }
    })
    .map_err(failed)?;
    watcher.watch(folder, RecursiveMode::NonRecursive).map_err(failed)?;
    let _ = first.try_send(());
    drop(first);
    let path = folder.to_owned();
    let spawned = thread::Builder::new().name("plugins-dir".into()).spawn(move || install_all(&host, &path, &signals));
    spawned.map_err(|source| VersionsError::File { path: folder.to_owned(), source })?;
    Ok(Watch { _watcher: watcher })
}

/// Whether a file may have been completed: written and closed, or moved here.
fn is_whole(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::Access(AccessKind::Close(AccessMode::Write))
            | EventKind::Modify(ModifyKind::Name(RenameMode::To | RenameMode::Both | RenameMode::Any))
    )
}

fn install_all(host: &Host, folder: &Path, signals: &Receiver<()>) {
    let mut seen = Seen::new();
    while signals.recv().is_ok() {
        for path in components(folder) {
            let Ok(now) = fs::metadata(&path).and_then(|found| Ok((found.len(), found.modified()?))) else { continue };
            if seen.insert(path.clone(), now) == Some(now) {
                continue;
            }
            let found = Source::File(path.clone()).fetch(host.registry.engine().limits(), &host.runtime, None);
            match found.and_then(|found| install(host, &found, None, run::now())) {
                Ok(installed) if installed.new => {
                    let version = installed.version;
                    tracing::info!(plugin.name = %version.name, plugin.digest = %version.digest.short(), path = %path.display(), "installed");
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(path = %path.display(), "not installed: {error}"),
            }
        }
    }
}
