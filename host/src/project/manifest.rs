//! `telemill-plugin.toml`: what a project makes, what has to be run for it, and what to watch.

use super::error::{ProjectError, io};
use crate::core::id::check_plugin_name;
use crate::plugin::PluginKind;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// The manifest's name in a project's folder.
pub const MANIFEST: &str = "telemill-plugin.toml";
/// Largest manifest that is read.
const MAX_BYTES: u64 = 1 << 20;

/// What stands in a manifest.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The plugin's name.
    pub name: String,
    /// What it does.
    pub kind: PluginKind,
    /// What it is written in, as `telemill plugin new` takes it; restores the template's own files where they are missing.
    pub language: super::Language,
    /// The file that the build ends with, within the folder.
    pub component: PathBuf,
    /// Files and folders whose change makes `telemill plugin dev` build again.
    pub watch: Vec<PathBuf>,
    /// Programs that have to be there, each with what to do where it is missing.
    #[serde(default)]
    pub programs: BTreeMap<String, String>,
    /// What is done once, such as installing the language's tools into the folder.
    #[serde(default)]
    pub setup: Vec<Step>,
    /// What makes the component.
    pub build: Vec<Step>,
}

/// One command of a project.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The program and its arguments; no shell is between. A program with a `/` is one within the folder.
    pub run: Vec<String>,
    /// Variables for it.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Files on which a step of the setup depends: it is done again where one has changed.
    #[serde(default)]
    pub inputs: Vec<PathBuf>,
    /// Files that a step of the setup leaves: it is done again where one is missing.
    #[serde(default)]
    pub makes: Vec<PathBuf>,
}

impl Step {
    /// The program, where it is one within the folder, which a setup has put there.
    pub(super) fn own_program(&self) -> Option<&str> {
        self.run.first().map(String::as_str).filter(|program| program.contains('/'))
    }
}

impl Manifest {
    /// Reads the manifest of a folder.
    ///
    /// # Errors
    /// There is none, or it can't be used.
    pub fn read(folder: &Path) -> Result<Self, ProjectError> {
        let path = folder.join(MANIFEST);
        if !path.is_file() {
            return Err(ProjectError::NoManifest(folder.to_owned()));
        }
        let bad = |message: String| ProjectError::BadManifest { path: path.clone(), message };
        let length = fs::metadata(&path).map_err(io("read", &path))?.len();
        if length > MAX_BYTES {
            return Err(bad(format!("it has {length} bytes, and at most {MAX_BYTES} are read")));
        }
        let text = fs::read_to_string(&path).map_err(io("read", &path))?;
        Self::parse(&text).map_err(bad)
    }

    /// Reads a manifest's text.
    ///
    /// # Errors
    /// Why it can't be used.
    pub fn parse(text: &str) -> Result<Self, String> {
        let manifest: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        manifest.check()?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), String> {
        check_plugin_name(&self.name).map_err(|error| error.to_string())?;
        let steps = || self.setup.iter().chain(&self.build);
        if self.build.is_empty() || steps().any(|step| step.run.is_empty()) {
            return Err("`build` wants a step, and every step a `run` that names a program".to_owned());
        }
        let files = [&self.component]
            .into_iter()
            .chain(&self.watch)
            .chain(steps().flat_map(|step| step.inputs.iter().chain(&step.makes)));
        match files.into_iter().find(|path| !is_within(path)) {
            Some(path) => Err(format!("{} lies outside the project's folder", path.display())),
            None => Ok(()),
        }
    }
}

/// Whether a path stays below the folder that it starts from.
fn is_within(path: &Path) -> bool {
    path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const GOOD: &str = "name = \"a\"\nkind = \"validator\"\nlanguage = \"c\"\ncomponent = \"build/a.wasm\"\nwatch = [\"src\"]\n\
                        [[build]]\nrun = [\"make\"]\n";

    fn read(text: &str) -> Result<Manifest, ProjectError> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(MANIFEST), text).unwrap();
        Manifest::read(folder.path())
    }

    #[test]
    fn a_manifest_is_read() {
        let manifest = read(GOOD).unwrap();
        assert_eq!((manifest.kind, manifest.build.len()), (PluginKind::Validator, 1));
    }

    #[test]
    fn what_can_not_be_used_says_why() {
        let told = |text: &str| read(text).unwrap_err().to_string();
        assert!(told("").contains("missing field `name`"));
        assert!(told(&GOOD.replace("build/a.wasm", "../a.wasm")).contains("outside the project's folder"));
        assert!(told(&GOOD.replace("[\"make\"]", "[]")).contains("every step a `run`"));
        assert!(told(&GOOD.replace("\"a\"", "\"A b\"")).contains("must start with a lower-case letter"));
        assert!(told(&GOOD.replace("watch", "wacth")).contains("unknown field `wacth`"));
        let empty = tempfile::tempdir().unwrap();
        assert!(Manifest::read(empty.path()).unwrap_err().to_string().contains("telemill plugin new"));
    }
}
