//! Which steps of a setup are done: a stamp beside the build says with what.

use super::error::{ProjectError, io};
use super::manifest::Step;
use crate::core::digest::Digest;
use std::fs;
use std::path::{Path, PathBuf};

/// Where a folder keeps what `telemill plugin build` leaves.
pub(super) const BUILD_FOLDER: &str = "build";

/// The stamp of a step.
pub(super) struct Stamp {
    path: PathBuf,
    digest: Digest,
}

impl Stamp {
    /// The stamp that the step of this index would leave now: its commands and the files that it depends on.
    ///
    /// # Errors
    /// An input can't be read.
    pub(super) fn of(folder: &Path, index: usize, step: &Step) -> Result<Self, ProjectError> {
        let mut parts = vec![format!("{:?} {:?}", step.run, step.env).into_bytes()];
        for input in &step.inputs {
            let path = folder.join(input);
            parts.push(fs::read(&path).map_err(io("read", &path))?);
        }
        let digest = Digest::of_parts(parts.iter().map(Vec::as_slice));
        Ok(Self { path: folder.join(BUILD_FOLDER).join(format!("setup-{index}.done")), digest })
    }

    /// Whether the step was done so.
    pub(super) fn is_there(&self) -> bool {
        fs::read_to_string(&self.path).is_ok_and(|text| text == self.digest.to_string())
    }

    /// The step is done.
    ///
    /// # Errors
    /// The stamp can't be written.
    pub(super) fn leave(&self) -> Result<(), ProjectError> {
        fs::write(&self.path, self.digest.to_string()).map_err(io("write", &self.path))
    }
}
