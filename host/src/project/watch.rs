//! Tells when somebody has saved a file of a project.

use super::error::ProjectError;
use super::manifest::Manifest;
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

/// An editor writes a file in several steps, and a formatter once more: only quiet for this long ends a change.
const QUIET: Duration = Duration::from_millis(300);
/// How often a waiting watch asks whether it shall stop.
const ASK: Duration = Duration::from_millis(100);
/// Changes that wait to be seen; one is enough to build again, so that more may be lost.
const WAITING: usize = 64;

/// A watched project.
pub struct Watch {
    changes: Receiver<PathBuf>,
    // Ends the watch when it is dropped.
    _watcher: RecommendedWatcher,
}

impl Watch {
    /// Watches what the manifest of `folder` names.
    ///
    /// # Errors
    /// The system can't watch one of the paths.
    pub fn on(folder: &Path, manifest: &Manifest) -> Result<Self, ProjectError> {
        let folder = std::fs::canonicalize(folder).map_err(super::error::io("find", folder))?;
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| ProjectError::Watch { path, source }
        };
        let watched: Vec<PathBuf> = manifest.watch.iter().map(|path| folder.join(path)).collect();
        let ours = watched.clone();
        let (sender, changes) = sync_channel(WAITING);
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // An event that is lost by the system means that something has changed.
            let paths = match event {
                Ok(event) if matches!(event.kind, EventKind::Access(_)) => return,
                Ok(event) => event.paths,
                Err(_) => ours.clone(),
            };
            for path in paths.into_iter().filter(|path| ours.iter().any(|ours| path.starts_with(ours))) {
                // Full, or nobody listens any more: either way nothing is missed.
                drop(sender.try_send(path));
            }
        })
        .map_err(failed(&folder))?;
        for path in &watched {
            // Editors put a new file in the place of the old one, so a file is watched through its folder.
            let (place, mode) = if path.is_dir() {
                (path.as_path(), RecursiveMode::Recursive)
            } else {
                (path.parent().unwrap_or(&folder), RecursiveMode::NonRecursive)
            };
            watcher.watch(place, mode).map_err(failed(place))?;
        }
        Ok(Self { changes, _watcher: watcher })
    }

    /// Waits for the next change and until it is quiet again. Returns a file that has changed; none where `stop` says so.
    pub fn next(&self, stop: &dyn Fn() -> bool) -> Option<PathBuf> {
        let first = loop {
            match self.changes.recv_timeout(ASK) {
                Ok(path) => break path,
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) if stop() => return None,
                Err(RecvTimeoutError::Timeout) => {}
            }
        };
        while self.changes.recv_timeout(QUIET).is_ok() {
            if stop() {
                return None;
            }
        }
        Some(first)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::plugin::PluginKind;
    use crate::project::{Language, create};
    use std::fs;
    use std::time::Instant;

    #[test]
    fn a_save_is_told_once_and_a_build_is_no_save() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        create(folder.path(), "a", PluginKind::Validator, Language::Javascript).unwrap();
        let watch = Watch::on(folder.path(), &Manifest::read(folder.path()).unwrap()).unwrap();
        fs::create_dir(at("build")).unwrap();
        fs::write(at("build/a.wasm"), "made").unwrap();
        fs::write(at("src/plugin.js"), "one").unwrap();
        fs::write(at("src/new.js"), "two").unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        let changed = watch.next(&|| Instant::now() > deadline).unwrap();
        assert!(changed.ends_with("src/plugin.js"), "{}", changed.display());
        // An editor's way: a new file takes the old one's place.
        fs::write(at("package.json.new"), "{}").unwrap();
        fs::rename(at("package.json.new"), at("package.json")).unwrap();
        assert!(watch.next(&|| Instant::now() > deadline).unwrap().ends_with("package.json"));
        assert_eq!(watch.next(&|| true), None);
    }
}
