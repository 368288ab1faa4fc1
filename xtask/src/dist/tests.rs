//! What is in the archive, and that it does on a machine what it is there for.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use serde_json::Value;

use super::{fill, pack};
use crate::repository::Repository;
use crate::wasm_target;

/// Where tools of languages keep what they have fetched, by the variables that tell them so: below Cargo's target folder, as for
/// the integration tests.
const CACHES: [(&str, &str); 2] = [("npm_config_cache", "npm"), ("PIP_CACHE_DIR", "pip")];

/// A machine that has the archive and the tools of the languages: an empty folder, and no other `telemill`.
struct Machine<'a> {
    repository: &'a Repository,
    folder: tempfile::TempDir,
    /// What the archive became.
    unpacked: PathBuf,
}

impl<'a> Machine<'a> {
    fn new(repository: &'a Repository, archive: &Path, name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let unpacked = Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(folder.path()).status().unwrap();
        assert!(unpacked.success());
        for empty in ["work", "data"] {
            fs::create_dir(folder.path().join(empty)).unwrap();
        }
        Self { repository, unpacked: folder.path().join(name), folder }
    }

    fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// Standard output of a script in the empty folder, which must succeed.
    fn run(&self, script: &str) -> String {
        let path = env::var_os("PATH").unwrap();
        let others = env::split_paths(&path).filter(|folder| !folder.join("telemill").exists());
        let path = env::join_paths([self.unpacked.join("bin")].into_iter().chain(others)).unwrap();
        let mut command = Command::new("bash");
        // What Cargo tells this test, and what a tester has set, nobody has there.
        let told = |name: &str| name.starts_with("TELEMILL_") || name.starts_with("RUSTFLAGS");
        let cargos = |name: &str| name.starts_with("CARGO") && name != "CARGO_HOME";
        for (name, _) in env::vars_os() {
            let name = name.to_string_lossy();
            if told(&name) || cargos(&name) {
                command.env_remove(name.as_ref());
            }
        }
        for (variable, name) in CACHES {
            command.env(variable, self.repository.cargo_target.join("tmp/languages/caches").join(name));
        }
        let output = command
            .args(["-euo", "pipefail", "-c", script])
            .current_dir(self.work())
            .env("PATH", path)
            .env("TELEMILL_DATA_DIR", self.folder.path().join("data"))
            // No other crates than those that the workspace is built with.
            .env("CARGO_NET_OFFLINE", "true")
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let (out, said) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{script}\n{out}\n{said}");
        out
    }

    fn json(&self, command: &str) -> Value {
        serde_json::from_str(&self.run(command)).unwrap()
    }
}

/// The files below a folder, by their paths in it.
fn files(folder: &Path, below: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(below).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(folder, &path, found);
        } else {
            found.insert(path.strip_prefix(folder).unwrap().display().to_string());
        }
    }
}

/// Gathers from what `cargo xtask test` has built; nothing is compiled for it.
#[test]
fn the_archive_has_all_that_a_machine_without_rust_needs() {
    let repository = Repository::find().unwrap();
    let built = repository.program("telemill");
    assert!(built.is_file(), "{} is not built: run `cargo xtask build`", built.display());
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("archive");
    fill(&repository, &folder, &wasm_target::host(&repository.root).unwrap()).unwrap();
    let mut found = BTreeSet::new();
    files(&folder, &folder, &mut found);
    for file in [
        "bin/telemill",
        "README.md",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "THIRD-PARTY.txt",
        "share/completions/bash/telemill",
        "share/completions/zsh/_telemill",
        "share/completions/fish/telemill.fish",
        "share/man/man1/telemill.1",
        "share/man/man1/telemill-run-start.1",
        "share/telemill/wit/generator.wit",
        "share/telemill/plugins/sdk/Cargo.toml",
        "share/telemill/plugins/sdk/src/lib.rs",
    ] {
        assert!(found.contains(file), "{file} is missing in {found:?}");
        assert!(fs::metadata(folder.join(file)).unwrap().len() > 0, "{file} is empty");
    }
    let notices = fs::read_to_string(folder.join("THIRD-PARTY.txt")).unwrap();
    for part in ["\nwasmtime ", "\ndatafusion ", "Apache License"] {
        assert!(notices.contains(part), "{part:?} is missing in the notices");
    }
    // What Cargo adds to a package is none of the SDK's.
    assert!(!found.iter().any(|file| file.ends_with(".orig") || file.contains(".cargo_vcs_info")), "{found:?}");
}

/// The archive's files are where `telemill plugin new` has put them, too.
fn expect_same(archive: &Path, project: &Path) {
    let mut found = BTreeSet::new();
    files(archive, archive, &mut found);
    assert!(found.len() > 5, "{found:?}");
    for file in found {
        assert_eq!(fs::read(archive.join(&file)).unwrap(), fs::read(project.join(&file)).unwrap(), "{file}");
    }
}

/// From an empty folder to rows with nothing of Telemill's but the archive.
#[test]
fn the_archive_takes_an_author_from_an_empty_folder_to_rows() {
    let repository = Repository::find().unwrap();
    let temporary = tempfile::tempdir().unwrap();
    let name = "telemill-archive";
    fill(&repository, &temporary.path().join(name), &wasm_target::host(&repository.root).unwrap()).unwrap();
    let archive = pack(temporary.path(), name).unwrap();
    let machine = Machine::new(&repository, &archive, name);
    drop(temporary);
    let found = machine.run("command -v telemill");
    assert_eq!(Path::new(found.trim()), machine.unpacked.join("bin/telemill"));
    for language in ["javascript", "rust"] {
        let plugin = format!("first-{language}");
        let made = machine.json(&format!("telemill plugin new {plugin} --kind generator --language {language} --json"));
        let project = machine.work().join(&plugin);
        if language == "rust" {
            let share = machine.unpacked.join("share/telemill");
            expect_same(&share.join("wit"), &project.join("telemill/wit"));
            expect_same(&share.join("plugins/sdk/src"), &project.join("telemill/plugins/sdk/src"));
            // What is compiled of other people's crates outlives this folder, as that of the pages of docs/ does.
            let shared = repository.cargo_target.join("docs");
            fs::create_dir_all(&shared).unwrap();
            std::os::unix::fs::symlink(shared, project.join("target")).unwrap();
        }
        machine.run(&format!("telemill plugin build {plugin}"));
        let component = made["component"].as_str().unwrap();
        let checked = machine.json(&format!("telemill plugin test {component} --json"));
        assert_eq!(checked["name"], plugin.as_str(), "{checked}");
        let dataset = plugin.replace('-', "_");
        let spec = format!(
            "dataset = \"{dataset}\"\nstart = \"2026-11-09\"\nduration = \"10m\"\n[generator]\nplugin = \"{component}\"\n"
        );
        fs::write(machine.work().join("spec.toml"), spec).unwrap();
        machine.run("telemill run start spec.toml");
        machine.run("telemill run verify --lake");
        let listed = machine.json("telemill dataset list --json").to_string();
        assert!(listed.contains(&dataset), "{listed}");
        let run = machine.json("telemill run list --json")[0].take();
        let rows = run["tables"].as_array().unwrap().iter().map(|table| table["rows"].as_u64().unwrap()).sum::<u64>();
        assert!(rows > 0, "{run}");
    }
}
