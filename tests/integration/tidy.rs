//! Rules over the repository's own files that no compiler and no linter holds.

use std::fs;
use std::path::{Path, PathBuf};

use telemill_tests::repository;

/// A file above this is split.
const MAX_LINES: usize = 600;

/// Every Rust source under a folder of the repository.
pub(crate) fn sources_in(folder: &str) -> Vec<PathBuf> {
    files_in(&repository().join(folder), "rs")
}

/// Every file under `folder` with this extension, in a fixed order.
pub(crate) fn files_in(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|e| panic!("cannot list {}: {e}", folder.display())) {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if path.is_dir() && name != "target" && name != "node_modules" && !name.starts_with('.') {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// The project's Rust sources with their text.
fn sources() -> Vec<(String, String)> {
    ["host", "plugins", "tests", "xtask"].into_iter().flat_map(sources_in).map(|path| named(&path)).collect()
}

/// A file's path within the repository and its text.
fn named(path: &Path) -> (String, String) {
    let name = path.strip_prefix(repository()).unwrap().display().to_string();
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("cannot read {name}: {e}"));
    (name, text)
}

/// Fails with every file that breaks the rule.
fn hold(rule: &str, broken: Vec<String>) {
    assert!(broken.is_empty(), "{rule}:\n{}", broken.join("\n"));
}

#[test]
fn files_are_short() {
    let long = sources().into_iter().filter(|(_, text)| text.lines().count() > MAX_LINES);
    hold("split what has over 600 lines", long.map(|(name, _)| name).collect());
}

#[test]
fn modules_are_not_called_mod() {
    let wrong = sources().into_iter().filter(|(name, _)| name.ends_with("/mod.rs"));
    hold("write foo.rs beside foo/", wrong.map(|(name, _)| name).collect());
}

#[test]
fn every_file_says_what_it_owns() {
    let silent = sources().into_iter().filter(|(_, text)| !text.starts_with("//!"));
    hold("begin with `//!`", silent.map(|(name, _)| name).collect());
}

#[test]
fn nothing_is_left_to_do() {
    // In halves, so that this file does not find itself.
    let words = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X:"),
        concat!("db", "g!("),
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
    ];
    let mut found = Vec::new();
    for (name, text) in sources() {
        for (number, line) in text.lines().enumerate() {
            if let Some(word) = words.iter().find(|word| line.contains(**word)) {
                found.push(format!("{name}:{}: {word}", number + 1));
            }
        }
    }
    hold("finish it or make an issue of it", found);
}

#[test]
fn no_path_of_one_machine_is_left() {
    let homes = [concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/Use", "rs/")];
    let extensions = ["rs", "md", "toml", "wit", "sql", "snap", "yaml", "yml"];
    let mut found = Vec::new();
    for path in extensions.into_iter().flat_map(|extension| files_in(repository(), extension)) {
        let (name, text) = named(&path);
        if homes.iter().any(|home| text.contains(home)) {
            found.push(name);
        }
    }
    hold("take the path of somebody's home out", found);
}

#[test]
fn every_plugin_has_a_readme() {
    let manifests = files_in(&repository().join("plugins"), "toml").into_iter();
    let folders =
        manifests.filter(|path| path.ends_with("Cargo.toml")).filter_map(|path| path.parent().map(Path::to_owned));
    let silent: Vec<String> = folders
        .filter(|folder| !folder.join("README.md").is_file())
        .map(|folder| folder.display().to_string())
        .collect();
    hold("write a README.md", silent);
}

#[test]
fn every_item_of_the_contract_is_documented() {
    let words = ["interface", "world", "record", "variant", "enum", "flags", "resource", "type"];
    let mut silent = Vec::new();
    for path in files_in(&repository().join("wit"), "wit") {
        let (name, text) = named(&path);
        let mut before = "";
        for line in text.lines().map(str::trim) {
            // A function, or a field or case on a line of its own.
            let part = line.contains(": func(") || line.ends_with(',');
            let item = part || words.iter().any(|word| line.split(' ').next() == Some(word));
            if item && !before.starts_with("///") {
                silent.push(format!("{name}: {line}"));
            }
            before = line;
        }
    }
    hold("say above it what it is for", silent);
}

/// A fixture that no test runs proves nothing: every fault of the hostile guest is named by a test.
#[test]
fn every_fault_is_tested() {
    let (_, faults) = named(&repository().join("tests/guests/hostile/src/fault.rs"));
    let names: Vec<&str> = faults
        .lines()
        .filter_map(|line| line.trim().strip_prefix("(\"")?.split_once("\", Fault::"))
        .map(|(name, _)| name)
        .collect();
    assert!(names.len() > 40, "the table of faults was not found");
    let tests: String =
        ["tests/integration", "host/src"].into_iter().flat_map(sources_in).map(|path| named(&path).1).collect();
    let idle = names.into_iter().filter(|name| !tests.contains(&format!("\"{name}\"")));
    hold("no test runs these faults", idle.map(str::to_owned).collect());
}
