//! Which steps of a setup are done: a stamp beside the build says with what, and where. What the steps made has to be there, too.

use super::error::{ProjectError, io};
use super::manifest::{Manifest, Step};
use crate::core::digest::Digest;
use std::fs;
use std::path::{Path, PathBuf};

/// Where a folder keeps what `telemill plugin build` leaves.
pub(super) const BUILD_FOLDER: &str = "build";

/// Does the steps of a setup that are not done, with `run`; all that follow on one that is done again are, too, since they
/// stand on it. Without a program that the project brings itself, nothing counts as done.
///
/// # Errors
/// An input can't be read, a stamp can't be written, a step fails.
pub(super) fn set_up(
    folder: &Path,
    manifest: &Manifest,
    run: &dyn Fn(&Step) -> Result<(), ProjectError>,
) -> Result<(), ProjectError> {
    let mut programs = manifest.setup.iter().chain(&manifest.build).filter_map(Step::own_program);
    let mut again = programs.any(|program| !folder.join(program).is_file());
    for (index, step) in manifest.setup.iter().enumerate() {
        let stamp = Stamp::of(folder, index, step)?;
        let made = step.makes.iter().all(|path| folder.join(path).exists());
        if again || !made || !stamp.is_there() {
            run(step)?;
            stamp.leave()?;
            again = true;
        }
    }
    Ok(())
}

/// The stamp of a step.
struct Stamp {
    path: PathBuf,
    digest: Digest,
}

impl Stamp {
    /// The stamp that the step of this index would leave now: its commands, the folder's place, because tools remember where
    /// they were installed, and the files that it depends on.
    fn of(folder: &Path, index: usize, step: &Step) -> Result<Self, ProjectError> {
        let place = fs::canonicalize(folder).map_err(io("find", folder))?;
        let mut parts = vec![format!("{:?} {:?} {}", step.run, step.env, place.display()).into_bytes()];
        for input in &step.inputs {
            let path = folder.join(input);
            parts.push(fs::read(&path).map_err(io("read", &path))?);
        }
        let digest = Digest::of_parts(parts.iter().map(Vec::as_slice));
        Ok(Self { path: folder.join(BUILD_FOLDER).join(format!("setup-{index}.done")), digest })
    }

    /// Whether the step was done so.
    fn is_there(&self) -> bool {
        fs::read_to_string(&self.path).is_ok_and(|text| text == self.digest.to_string())
    }

    /// The step is done.
    fn leave(&self) -> Result<(), ProjectError> {
        fs::write(&self.path, self.digest.to_string()).map_err(io("write", &self.path))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use std::cell::RefCell;

    const MANIFEST: &str = "name = \"a\"\nkind = \"validator\"\nlanguage = \"c\"\ncomponent = \"a.wasm\"\nwatch = []\n\
                            [[setup]]\nrun = [\"venv\"]\n\
                            [[setup]]\nrun = [\"install\"]\ninputs = [\"wanted\"]\nmakes = [\"modules/tool\"]\n\
                            [[setup]]\nrun = [\"bind\"]\n\
                            [[build]]\nrun = [\".venv/bin/cc\"]\n";

    /// The steps that are done where `folder` is as it is; each leaves the files that it is there for.
    fn done(folder: &Path) -> Vec<String> {
        let manifest = Manifest::parse(MANIFEST).unwrap();
        let steps = RefCell::new(Vec::new());
        set_up(folder, &manifest, &|step| {
            for file in match step.run[0].as_str() {
                "venv" => vec![".venv/bin/cc"],
                "install" => vec!["modules/tool"],
                _ => vec![],
            } {
                fs::create_dir_all(folder.join(file).parent().unwrap()).unwrap();
                fs::write(folder.join(file), "").unwrap();
            }
            steps.borrow_mut().push(step.run[0].clone());
            Ok(())
        })
        .unwrap();
        steps.into_inner()
    }

    #[test]
    fn a_setup_is_done_once_and_again_where_something_is_missing() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("here");
        fs::create_dir_all(folder.join(BUILD_FOLDER)).unwrap();
        fs::write(folder.join("wanted"), "1").unwrap();
        assert_eq!(done(&folder), ["venv", "install", "bind"]);
        assert!(done(&folder).is_empty());
        fs::write(folder.join("wanted"), "2").unwrap();
        assert_eq!(done(&folder), ["install", "bind"], "an input has changed");
        fs::remove_dir_all(folder.join("modules")).unwrap();
        assert_eq!(done(&folder), ["install", "bind"], "what a step makes is gone");
        fs::remove_dir_all(folder.join(".venv")).unwrap();
        assert_eq!(done(&folder), ["venv", "install", "bind"], "a program is gone");
        let moved = outer.path().join("there");
        fs::rename(&folder, &moved).unwrap();
        assert_eq!(done(&moved), ["venv", "install", "bind"], "the project was moved");
        assert!(done(&moved).is_empty());
    }
}
