//! What new projects are made from: the files of a language and a kind, put into the binary by `build.rs`.
//!
//! A language's folder under `host/templates` has `all` (files of every kind), one folder a kind, and `support`: helpers and
//! bindings that belong to Telemill; `wasi` is the support of all languages whose tools want WASI. Support and the contract's
//! WIT are written again where they are missing.

use super::error::{ProjectError, io};
use super::manifest::Manifest;
use crate::core::id::check_plugin_name;
use crate::plugin::{CONTRACT_VERSION, PluginKind};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;

include!(concat!(env!("OUT_DIR"), "/templates.rs"));

/// A language that plugins can be written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Language {
    /// With the SDK; Cargo.
    Rust,
    /// QuickJS; npm.
    Javascript,
    /// The same, with types.
    Typescript,
    /// CPython; pip.
    Python,
    /// With clang as zig brings it, from PyPI.
    C,
    /// With Go's own compiler, from PyPI.
    Go,
}

impl Language {
    /// Its folder under `host/templates`.
    fn folder(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Javascript => "javascript",
            Self::Typescript => "typescript",
            Self::Python => "python",
            Self::C => "c",
            Self::Go => "go",
        }
    }
}

/// Writes a new project into `folder`, which is made where it is missing, and returns the files written, in their order.
///
/// # Errors
/// A name that can't be used, a folder that has something in it already, or can't be written.
pub fn create(folder: &Path, name: &str, kind: PluginKind, language: Language) -> Result<Vec<String>, ProjectError> {
    check_plugin_name(name)?;
    if fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(ProjectError::NotEmpty(folder.to_owned()));
    }
    fs::create_dir_all(folder).map_err(io("make", folder))?;
    let (language_folder, kind_folder) = (language.folder(), kind.interface());
    let mut files = Vec::new();
    for part in ["all", kind_folder] {
        files.extend(below(&format!("templates/{language_folder}/{part}/")));
    }
    let mut written = Vec::new();
    for (path, text) in files {
        let path = named(path);
        write(&folder.join(&path), &filled(text, name, kind))?;
        written.push(path);
    }
    if language == Language::Rust {
        let lock = "Cargo.lock".to_owned();
        write(&folder.join(&lock), file(&lock))?;
        written.push(lock);
    }
    written.extend(restore_support(folder, name, kind, language)?);
    written.sort();
    Ok(written)
}

/// Writes what belongs to Telemill and is not there: the contract and the language's helpers. Returns the files written.
pub(super) fn restore(folder: &Path, manifest: &Manifest) -> Result<Vec<String>, ProjectError> {
    restore_support(folder, &manifest.name, manifest.kind, manifest.language)
}

fn restore_support(
    folder: &Path,
    name: &str,
    kind: PluginKind,
    language: Language,
) -> Result<Vec<String>, ProjectError> {
    let mut written = Vec::new();
    for (path, text) in support(kind, language) {
        let target = folder.join(&path);
        if !target.exists() {
            write(&target, &filled(&text, name, kind))?;
            written.push(path);
        }
    }
    Ok(written)
}

/// Paths and texts of the files that belong to Telemill.
fn support(kind: PluginKind, language: Language) -> Vec<(String, String)> {
    let own = |(path, text): (&str, &str)| (path.to_owned(), text.to_owned());
    let mut files: Vec<_> = below(&format!("templates/{}/support/", language.folder())).map(own).collect();
    let of_kind = format!("templates/{}/support-{}/", language.folder(), kind.interface());
    files.extend(below(&of_kind).map(own));
    // TypeScript runs on what JavaScript has.
    if language == Language::Typescript {
        files.extend(below("templates/javascript/support/").map(own));
    }
    if matches!(language, Language::C | Language::Go) {
        files.extend(below("templates/wasi/").map(own));
    }
    if language == Language::Rust {
        // The SDK finds the contract at ../../wit, and its dependencies in the workspace around it.
        files.extend(below("wit/").map(|(path, text)| (format!("telemill/wit/{path}"), text.to_owned())));
        files.extend(below("sdk/").map(|(path, text)| (format!("telemill/plugins/sdk/{path}"), text.to_owned())));
    } else {
        files.extend(below("wit/").map(|(path, text)| (format!("wit/{path}"), text.to_owned())));
    }
    files
}

/// The embedded files of a folder, with their paths below it.
fn below(folder: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    FILES.iter().filter_map(move |(path, text)| Some((path.strip_prefix(folder)?, *text)))
}

/// The text of one embedded file.
fn file(path: &str) -> &'static str {
    FILES.iter().find(|(name, _)| *name == path).map_or("", |(_, text)| *text)
}

/// What the SDK's manifest takes from the workspace around it: the package's keys, its dependencies, the lints.
fn workspace_of_sdk() -> [String; 3] {
    let workspace = file("Cargo.toml");
    let section = |title: &str| -> Vec<&str> {
        let behind = workspace.lines().skip_while(|line| *line != title).skip(1);
        behind
            .take_while(|line| !line.starts_with('['))
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .collect()
    };
    let wanted: Vec<&str> =
        file("sdk/Cargo.toml").lines().filter_map(|line| line.strip_suffix(".workspace = true")).collect();
    let mut dependencies = section("[workspace.dependencies]");
    dependencies.retain(|line| line.split_once(" = ").is_some_and(|(name, _)| wanted.contains(&name)));
    let lines = |lines: Vec<&str>| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    let lints = ["rust", "clippy"].map(|tool| format!("workspace.lints.{tool}"));
    let lints = lints.map(|title| format!("[{title}]\n{}\n", lines(section(&format!("[{title}]")))));
    [lines(section("[workspace.package]")), lines(dependencies), lints.concat()]
}

/// A template's `gitignore` has no dot, so that it ignores nothing here; its `cargo` folder has none either.
fn named(path: &str) -> String {
    match path {
        "gitignore" => ".gitignore".to_owned(),
        path => path.strip_prefix("cargo/").map_or_else(|| path.to_owned(), |rest| format!(".cargo/{rest}")),
    }
}

/// A template's text with its places filled in.
fn filled(text: &str, name: &str, kind: PluginKind) -> String {
    let fill = [
        ("@name@", name.to_owned()),
        ("@snake@", name.replace('-', "_")),
        ("@kind@", kind.interface().to_owned()),
        ("@kind-in-words@", kind.to_string()),
        ("@world@", format!("{}-plugin", kind.interface())),
        ("@contract@", CONTRACT_VERSION.to_owned()),
    ];
    let text = fill.into_iter().fold(text.to_owned(), |text, (place, value)| text.replace(place, &value));
    if !text.contains("@sdk-package@") {
        return text;
    }
    let places = ["@sdk-package@", "@sdk-dependencies@", "@sdk-lints@"];
    places.into_iter().zip(workspace_of_sdk()).fold(text, |text, (place, value)| text.replace(place, &value))
}

fn write(path: &Path, text: &str) -> Result<(), ProjectError> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(io("make", parent))?;
    }
    fs::write(path, text).map_err(io("write", path))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use clap::ValueEnum as _;

    const KINDS: [PluginKind; 3] = [PluginKind::Generator, PluginKind::IncidentModel, PluginKind::Validator];

    #[test]
    fn every_language_has_every_kind() {
        for language in Language::value_variants() {
            for kind in KINDS {
                let folder = tempfile::tempdir().unwrap();
                let files = create(folder.path(), "park-house", kind, *language).unwrap();
                let manifest = Manifest::read(folder.path()).unwrap();
                assert_eq!((manifest.name.as_str(), manifest.kind, manifest.language), ("park-house", kind, *language));
                for file in [".gitignore", "README.md"] {
                    assert!(files.iter().any(|name| name == file), "{language:?} {kind}: no {file}");
                }
                for file in &files {
                    let text = fs::read_to_string(folder.path().join(file)).unwrap();
                    let places =
                        ["@name@", "@snake@", "@kind@", "@kind-in-words@", "@world@", "@contract@", "@sdk-package@"];
                    assert!(places.iter().all(|place| !text.contains(place)), "{language:?} {kind}: {file}");
                }
            }
        }
    }

    #[test]
    fn a_folder_that_is_not_empty_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("thesis.txt"), "years of work").unwrap();
        let refused = create(folder.path(), "a", PluginKind::Generator, Language::Javascript);
        assert!(matches!(refused, Err(ProjectError::NotEmpty(_))));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let refused = create(&folder.path().join("new"), "../a", PluginKind::Generator, Language::Javascript);
        assert!(matches!(refused, Err(ProjectError::Name(_))));
    }

    #[test]
    fn support_comes_back_and_an_authors_files_stay() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        create(folder.path(), "a", PluginKind::Generator, Language::Javascript).unwrap();
        fs::write(at("telemill/index.js"), "mine").unwrap();
        fs::remove_file(at("src/plugin.js")).unwrap();
        fs::remove_dir_all(at("wit")).unwrap();
        let restored = restore(folder.path(), &Manifest::read(folder.path()).unwrap()).unwrap();
        assert!(restored.contains(&"wit/types.wit".to_owned()) && !restored.contains(&"telemill/index.js".to_owned()));
        assert_eq!(fs::read_to_string(at("telemill/index.js")).unwrap(), "mine");
        assert!(!at("src/plugin.js").exists());
    }
}
