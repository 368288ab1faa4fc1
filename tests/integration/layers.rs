//! Holds the layers of the host: a module names only modules of lower layers, and each large dependency
//! stays inside the module that owns it. Reads the sources; the compiler knows nothing of layers.

use std::fs;
use std::path::Path;

use telemill_tests::repository;

use crate::tidy::sources_in;

/// Modules of the host by layer, from the lowest.
const LAYERS: [&[&str]; 11] = [
    &["core"],
    &["batch", "worker"],
    &["plugin", "lake", "store"],
    &["sink", "query", "project"],
    &["run", "ingest", "clean"],
    &["user_data", "fit", "collect", "task", "alert"],
    &["stream", "schedule"],
    &["versions"],
    &["api"],
    &["http", "remote"],
    &["app", "cli", "main"],
];

/// Arrows within a layer: who names whom.
const WITHIN_A_LAYER: [(&str, &str); 1] = [("lake", "store")];

/// The highest layer composes everything, so its modules may name each other.
const COMPOSITION: usize = LAYERS.len() - 1;

/// Dependencies whose types stay inside the modules named.
const OWNERS: [(&str, &[&str]); 8] = [
    ("wasmtime", &["plugin"]),
    ("sqlx", &["store", "lake"]),
    ("datafusion", &["query"]),
    ("axum", &["http"]),
    ("hyper", &["http"]),
    ("hyper_util", &["http"]),
    ("tower_http", &["http"]),
    ("utoipa_axum", &["http"]),
];

/// Files that may name a dependency outside of its owners, and why.
const EXCEPTIONS: [(&str, &str, &str); 1] = [(
    "sqlx",
    "host/src/stream/sinks/postgres.rs",
    "it is the client of somebody else's server, as ureq is for the other sinks; none of our records are in its SQL, and \
     `store`, which holds these, would have to know of streams' batches to own it",
)];

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// Whether code in `from` may name `to`.
fn allowed(from: &str, to: &str) -> Result<bool, String> {
    let known = |module: &str| layer(module).ok_or_else(|| format!("module {module} has no layer"));
    let (low, high) = (known(to)?, known(from)?);
    Ok(from == to || low < high || low == high && (high == COMPOSITION || WITHIN_A_LAYER.contains(&(from, to))))
}

/// The module of the host that a file belongs to; none for the crate's root.
fn module_of(path: &Path) -> Option<String> {
    let relative = path.strip_prefix(repository().join("host/src")).ok()?;
    let first = Path::new(relative.iter().next()?);
    let module = first.file_stem()?.to_string_lossy().into_owned();
    (module != "lib").then_some(module)
}

/// The code of a file without line comments, so that prose may name what it likes.
fn code(source: &str) -> String {
    source.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// The modules that code names behind `crate::`, groups in braces included.
fn named(code: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (_, rest) in code.match_indices("crate::").map(|(at, found)| (at, &code[at + found.len()..])) {
        let rest = rest.trim_start();
        match rest.strip_prefix('{') {
            Some(group) => names.extend(heads(group)),
            None => names.extend(identifier(rest)),
        }
    }
    names.retain(|name| name.chars().next().is_some_and(char::is_lowercase));
    names
}

/// The first identifier of each item of a group, up to the brace that closes it.
fn heads(group: &str) -> Vec<String> {
    let (mut depth, mut start, mut items) = (0, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                items.push(&group[start..at]);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                items.push(&group[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    items.into_iter().filter_map(|item| identifier(item.trim_start())).collect()
}

fn identifier(text: &str) -> Option<String> {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    (end > 0).then(|| text[..end].to_owned())
}

/// Whether code has a path that begins with this crate's name.
fn uses_crate(code: &str, name: &str) -> bool {
    code.match_indices(&format!("{name}::")).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
    })
}

#[test]
fn a_module_names_lower_layers_only() {
    let mut faults = Vec::new();
    for path in sources_in("host/src") {
        let Some(module) = module_of(&path) else {
            continue;
        };
        let code = code(&fs::read_to_string(&path).unwrap());
        let here = path.strip_prefix(repository()).unwrap().display().to_string();
        if code.contains("super::super::") {
            faults.push(format!("{here}: write `crate::` instead of `super::super::`, which hides the layer"));
        }
        for name in named(&code) {
            // What is not a module is an item of the crate's root, such as a macro.
            let is_module =
                |name: &str| layer(name).is_some() || repository().join(format!("host/src/{name}.rs")).exists();
            if !is_module(&name) {
                continue;
            }
            match allowed(&module, &name) {
                Ok(true) => {}
                Ok(false) => faults.push(format!("{here}: `{module}` must not name `{name}`")),
                Err(message) => faults.push(format!("{here}: {message}: give it one in tests/integration/layers.rs")),
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn a_large_dependency_stays_with_its_owner() {
    let mut faults = Vec::new();
    for path in sources_in("host/src") {
        let module = module_of(&path).unwrap_or_default();
        let code = code(&fs::read_to_string(&path).unwrap());
        let excepted = |dependency: &str| {
            EXCEPTIONS.iter().any(|(name, file, _)| *name == dependency && path == repository().join(file))
        };
        for (dependency, owners) in OWNERS {
            if uses_crate(&code, dependency) && !owners.contains(&module.as_str()) && !excepted(dependency) {
                faults.push(format!(
                    "{}: {dependency}'s types stay inside {}",
                    path.strip_prefix(repository()).unwrap().display(),
                    owners.join(" and ")
                ));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn paths_are_found_in_every_form() {
    let code = code(
        "use crate::{\n core::{Seed, time}, // crate::http\n lake::Lake,\n};\nlet x = crate::run::start(); crate::Error",
    );
    assert_eq!(named(&code), ["core", "lake", "run"]);
    assert!(uses_crate("use sqlx::Row;", "sqlx"));
    assert!(!uses_crate("use crate::sqlx::Row; my_sqlx::x()", "sqlx"));
}

#[test]
fn arrows_point_down() {
    assert_eq!(allowed("run", "core"), Ok(true));
    assert_eq!(allowed("lake", "store"), Ok(true));
    assert_eq!(allowed("store", "lake"), Ok(false));
    assert_eq!(allowed("batch", "plugin"), Ok(false));
    assert_eq!(allowed("cli", "app"), Ok(true));
    assert!(allowed("helpers", "core").is_err());
}
