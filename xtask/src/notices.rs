//! The licences of everything that the release contains: which crates, under which terms, and the
//! texts that come with their sources.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::cargo;
use crate::wasm_target::TARGET;

/// How the names of files with licences begin, in upper case.
const LICENCE_FILES: [&str; 5] = ["LICENSE", "LICENCE", "COPYING", "NOTICE", "UNLICENSE"];

/// The list of crates in the program and in the plugins that it embeds, followed by their licences.
pub(crate) fn third_party(root: &Path, triple: &str) -> Result<String> {
    let mut crates = BTreeMap::new();
    for (target, folder) in [(triple, "host"), (TARGET, "plugins")] {
        let metadata = cargo::metadata(root, &["--filter-platform", target])?;
        let packages: BTreeMap<&str, &Value> =
            list(&metadata["packages"]).map(|package| (text(&package["id"]), package)).collect();
        let folder = root.join(folder);
        let own =
            packages.iter().filter(|(_, package)| Path::new(text(&package["manifest_path"])).starts_with(&folder));
        for id in linked(&metadata, own.map(|(id, _)| *id).collect()) {
            let package = packages.get(id).with_context(|| format!("cargo metadata has no package {id}"))?;
            // Packages of the workspace have no source; their licence is the project's.
            if !package["source"].is_null() {
                let key = (text(&package["name"]).to_owned(), text(&package["version"]).to_owned());
                crates.insert(key, (*package).clone());
            }
        }
    }
    render(&crates)
}

/// The packages that `roots` link, themselves included: no build scripts' and no tests' dependencies.
fn linked<'a>(metadata: &'a Value, roots: Vec<&'a str>) -> BTreeSet<&'a str> {
    let nodes: BTreeMap<&str, &Value> =
        list(&metadata["resolve"]["nodes"]).map(|node| (text(&node["id"]), node)).collect();
    let mut seen = BTreeSet::new();
    let mut waiting = roots;
    while let Some(id) = waiting.pop() {
        if !seen.insert(id) {
            continue;
        }
        let Some(node) = nodes.get(id) else { continue };
        let normal = list(&node["deps"]).filter(|dep| list(&dep["dep_kinds"]).any(|kind| kind["kind"].is_null()));
        waiting.extend(normal.map(|dep| text(&dep["pkg"])));
    }
    seen
}

fn render(crates: &BTreeMap<(String, String), Value>) -> Result<String> {
    let mut out = String::from("Telemill contains the following crates, each under its own terms.\n\n");
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for ((name, version), package) in crates {
        let terms = package["license"].as_str().unwrap_or("see its licence file below");
        _ = writeln!(out, "{name} {version}: {terms} {}", text(&package["repository"]));
        for licence in licences(package)? {
            texts.entry(licence).or_default().push(format!("{name} {version}"));
        }
    }
    for (licence, users) in texts {
        _ = write!(out, "\n{}\n{}\n\n{}\n", "=".repeat(80), users.join(", "), licence.trim_end());
    }
    Ok(out)
}

/// The texts of the licence files in the folder of a package's manifest.
fn licences(package: &Value) -> Result<Vec<String>> {
    let manifest = Path::new(text(&package["manifest_path"]));
    let folder = manifest.parent().context("a manifest lies in no folder")?;
    let mut licences = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
        if LICENCE_FILES.iter().any(|start| name.starts_with(start)) && path.is_file() {
            let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            licences.push(String::from_utf8_lossy(&bytes).replace("\r\n", "\n"));
        }
    }
    licences.sort();
    Ok(licences)
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::linked;

    #[test]
    fn what_only_builds_and_tests_use_is_not_in_the_release() {
        let dep = |name: &str, kinds: &[Option<&str>]| {
            let kinds: Vec<_> = kinds.iter().map(|kind| json!({ "kind": kind })).collect();
            json!({ "pkg": name, "dep_kinds": kinds })
        };
        let metadata = json!({ "resolve": { "nodes": [
            { "id": "app", "deps": [dep("lib", &[None]), dep("cc", &[Some("build")]), dep("proptest", &[Some("dev")])] },
            { "id": "lib", "deps": [dep("both", &[Some("dev"), None])] },
            { "id": "both", "deps": [] },
            { "id": "cc", "deps": [] },
            { "id": "proptest", "deps": [] },
        ] } });
        assert_eq!(linked(&metadata, vec!["app"]).into_iter().collect::<Vec<_>>(), ["app", "both", "lib"]);
    }
}
