//! Where things lie in the repository and in its target folder, and which packages it has.
//! Asks `cargo metadata`, so that `CARGO_TARGET_DIR` and the configuration count.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::cargo;

/// The workspace that xtask was started in.
#[derive(Debug)]
pub(crate) struct Repository {
    /// The folder of the workspace's `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// Where Cargo writes; may lie outside the repository and be shared with others.
    pub(crate) cargo_target: PathBuf,
    /// Of every package in the workspace.
    pub(crate) version: String,
    packages: Vec<Value>,
}

/// A package that becomes a component.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Guest {
    /// The package's name, which is the plugin's.
    pub(crate) name: String,
    /// The library's name, which is that of the file that Cargo writes.
    pub(crate) library: String,
}

impl Repository {
    /// Reads the workspace around xtask's own sources.
    pub(crate) fn find() -> Result<Self> {
        // `cargo run` sets it: the built program may be shared by several checkouts.
        let own = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let root = Path::new(&own).parent().context("xtask lies in no repository")?;
        let metadata = cargo::metadata(root, &["--no-deps"])?;
        let text = |key: &str| metadata[key].as_str().with_context(|| format!("cargo metadata gives no {key}"));
        let packages = metadata["packages"].as_array().cloned().unwrap_or_default();
        let host = packages.iter().find(|package| package["name"] == "telemill");
        Ok(Self {
            root: PathBuf::from(text("workspace_root")?),
            cargo_target: PathBuf::from(text("target_directory")?),
            version: host.and_then(|host| host["version"].as_str()).unwrap_or("0.0.0").to_owned(),
            packages,
        })
    }

    /// The components that ship, which the host embeds: libraries under `plugins/` that are a `cdylib`.
    pub(crate) fn plugins(&self) -> Vec<Guest> {
        self.guests_under("plugins")
    }

    /// The components that only tests load.
    pub(crate) fn test_guests(&self) -> Vec<Guest> {
        self.guests_under("tests/guests")
    }

    /// The plugins that a scenario stands beside, by name.
    pub(crate) fn scenarios(&self) -> Result<Vec<String>> {
        let folder = self.root.join("plugins");
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if self.scenario(&name).is_file() {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    /// Where the scenario of a plugin stands.
    pub(crate) fn scenario(&self, plugin: &str) -> PathBuf {
        self.root.join("plugins").join(plugin).join("scenario.toml")
    }

    /// The folder that `host/build.rs` embeds. It is the repository's own even where Cargo's is shared.
    pub(crate) fn plugins_folder(&self) -> PathBuf {
        self.root.join("target/plugins")
    }

    /// The folder that tests load their guests from.
    pub(crate) fn guests_folder(&self) -> PathBuf {
        self.root.join("target/guests")
    }

    /// A program that `cargo build --release` writes.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.cargo_target.join("release").join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
    }

    fn guests_under(&self, folder: &str) -> Vec<Guest> {
        let folder = self.root.join(folder);
        let mut guests: Vec<Guest> = self
            .targets()
            .filter(|(_, target)| has(&target["crate_types"], "cdylib"))
            .filter(|(package, _)| Path::new(text(&package["manifest_path"])).starts_with(&folder))
            .map(|(package, target)| Guest {
                name: text(&package["name"]).to_owned(),
                library: text(&target["name"]).to_owned(),
            })
            .collect();
        guests.sort();
        guests
    }

    fn targets(&self) -> impl Iterator<Item = (&Value, &Value)> {
        self.packages.iter().flat_map(|package| {
            let targets = package["targets"].as_array().into_iter().flatten();
            targets.map(move |target| (package, target))
        })
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn has(list: &Value, item: &str) -> bool {
    list.as_array().is_some_and(|list| list.iter().any(|value| value == item))
}
