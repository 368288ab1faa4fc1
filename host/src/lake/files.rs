//! Where the lake's files are: staged out of sight first, then moved to their final names when complete and synced.

use super::LakeError;
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The folder for files that are not complete. No dataset can have its name, which starts with an underscore.
pub(super) const STAGING: &str = "_staging";

/// The lake's folder. Clones share it.
#[derive(Debug, Clone)]
pub struct LakeFiles {
    root: Arc<Path>,
    objects: Arc<LocalFileSystem>,
}

impl LakeFiles {
    /// The folder `root`, which is made where it is missing.
    pub(super) fn create(root: &Path) -> Result<Self, LakeError> {
        let staging = root.join(STAGING);
        std::fs::create_dir_all(&staging).map_err(|source| LakeError::File { path: staging, source })?;
        Self::open(root)
    }

    /// The folder `root`, which is there: for a process that writes files and knows nothing of the catalog.
    ///
    /// # Errors
    /// It is not there, or can't be used.
    pub fn open(root: &Path) -> Result<Self, LakeError> {
        let unusable = |source| LakeError::File { path: root.to_owned(), source };
        let root: Arc<Path> = std::fs::canonicalize(root).map_err(unusable)?.into();
        let failed = |source| LakeError::Objects { path: root.display().to_string(), source };
        let objects = Arc::new(LocalFileSystem::new_with_prefix(&root).map_err(failed)?);
        Ok(Self { root, objects })
    }

    /// The lake's folder, absolute.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The files as objects below the lake's folder, for readers.
    pub fn objects(&self) -> Arc<dyn ObjectStore> {
        self.objects.clone()
    }

    /// Where the file `path` of the lake is.
    pub fn local_path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// Where the file that will be `path` is written first. The name says all of the path, so that no two collide.
    pub(super) fn staging_path(path: &str) -> String {
        format!("{STAGING}/{}", path.replace('/', "."))
    }

    /// Waits until a complete staged file is on the disk. object_store 0.13 renames without syncing anything.
    pub(super) fn sync(&self, path: &str) -> Result<(), LakeError> {
        sync(&self.local_path(path))
    }

    /// Gives staged files their final names, and waits until the names are on the disk.
    pub(super) fn publish<'a>(&self, moves: impl Iterator<Item = (&'a str, &'a str)>) -> Result<(), LakeError> {
        let mut folders: Vec<PathBuf> = Vec::new();
        for (staged, path) in moves {
            let (from, to) = (self.local_path(staged), self.local_path(path));
            if let Some(folder) = to.parent().filter(|folder| !folders.iter().any(|known| known == folder)) {
                std::fs::create_dir_all(folder)
                    .map_err(|source| LakeError::File { path: folder.to_owned(), source })?;
                folders.push(folder.to_owned());
            }
            std::fs::rename(&from, &to).map_err(|source| LakeError::File { path: to, source })?;
        }
        // A new folder's own name is in its parent, which may be new as well.
        for folder in &folders {
            for folder in folder.ancestors().take_while(|folder| folder.starts_with(&self.root)) {
                sync(folder)?;
            }
        }
        Ok(())
    }

    /// Removes a staged file that nobody is going to publish; one that can't be removed is left for a sweep.
    pub(super) fn discard(&self, staged: &str) {
        if let Err(error) = std::fs::remove_file(self.local_path(staged)) {
            tracing::debug!(file.path = staged, %error, "a staged file is left for the next sweep");
        }
    }

    /// The object's path; ours hold nothing that would be escaped.
    pub(super) fn object_path(path: &str) -> ObjectPath {
        ObjectPath::from(path)
    }
}

fn sync(path: &Path) -> Result<(), LakeError> {
    let synced = File::open(path).and_then(|file| file.sync_all());
    synced.map_err(|source| LakeError::File { path: path.to_owned(), source })
}
