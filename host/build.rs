//! Embeds the plugins that ship: every component in `target/plugins`, which `cargo xtask build` fills,
//! and scenario, export profiles, recipes and routes beside its sources. Writes `shipped.rs`, which `plugin/shipped.rs` includes.
//! And embeds what new plugins are made from, the templates with the contract and the SDK: `templates.rs`, which
//! `project/template.rs` includes.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let missing = |name: &str| io::Error::other(format!("cargo sets no {name}"));
    let host = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or_else(|| missing("CARGO_MANIFEST_DIR"))?);
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or_else(|| missing("OUT_DIR"))?);
    let repository = host.parent().unwrap_or(&host);
    let components = repository.join("target/plugins");
    // Relative to the package: a target folder may be shared by checkouts in other places, and an absolute path
    // would make Cargo watch the checkout that ran this script first.

    // Cargo runs this script every time where a path that it should watch is missing.
    fs::create_dir_all(&components)?;
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../target/plugins");

    let plugins = files_in(&components, "wasm")?;
    if plugins.is_empty() {
        println!("cargo::warning=no plugins to embed in {}: run `cargo xtask build`", components.display());
    }
    for (name, component) in &plugins {
        fs::copy(component, out.join(name).with_extension("wasm"))?;
    }
    fs::write(out.join("shipped.rs"), source(&plugins, &repository.join("plugins"))?)?;
    fs::write(out.join("templates.rs"), templates(repository)?)
}

/// The files that projects of plugins are made from, by their path: `templates/...`, `wit/...`, `sdk/...`, and the workspace's
/// own `Cargo.toml` and `Cargo.lock`, which say what the SDK is tested with.
fn templates(repository: &Path) -> io::Result<String> {
    let folders = [("templates", "host/templates"), ("wit", "wit"), ("sdk", "plugins/sdk")];
    let mut files = Vec::new();
    for (name, folder) in folders {
        println!("cargo::rerun-if-changed=../{folder}");
        files_below(&repository.join(folder), name, &mut files)?;
    }
    for name in ["Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed=../{name}");
        files.push((name.to_owned(), repository.join(name)));
    }
    let mut list = String::new();
    for (name, path) in files {
        _ = writeln!(list, "    ({name:?}, {:?}),", fs::read_to_string(path)?);
    }
    Ok(format!(
        "/// Path and text of each file that projects of plugins are made from.\n\
         static FILES: &[(&str, &str)] = &[\n{list}];\n"
    ))
}

/// Every file below `folder`, as `name/...` and its path, in the order of the names.
fn files_below(folder: &Path, name: &str, files: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = format!("{name}/{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            files_below(&entry.path(), &name, files)?;
        } else {
            files.push((name, entry.path()));
        }
    }
    Ok(())
}

/// Stem and path of each file with this extension, by name, so that the same files make the same source.
fn files_in(folder: &Path, extension: &str) -> io::Result<Vec<(String, PathBuf)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|found| found == extension)
            && let Some(name) = path.file_stem().and_then(|stem| stem.to_str())
        {
            files.push((name.to_owned(), path));
        }
    }
    files.sort();
    Ok(files)
}

/// What stands beside a component goes into the source as text, the components beside it, so that it names no path.
fn source(plugins: &[(String, PathBuf)], sources: &Path) -> io::Result<String> {
    let (mut shipped, mut scenarios) = (String::new(), String::new());
    let (mut profiles, mut recipes, mut routes) = (String::new(), String::new(), String::new());
    for (name, _) in plugins {
        _ = writeln!(shipped, "    ({name:?}, include_bytes!(\"{name}.wasm\")),");
        let scenario = sources.join(name).join("scenario.toml");
        if scenario.is_file() {
            println!("cargo::rerun-if-changed=../plugins/{name}/scenario.toml");
            _ = writeln!(scenarios, "    ({name:?}, {:?}),", fs::read_to_string(scenario)?);
        }
        for (folder, list) in [("profiles", &mut profiles), ("recipes", &mut recipes), ("routes", &mut routes)] {
            if sources.join(name).join(folder).is_dir() {
                println!("cargo::rerun-if-changed=../plugins/{name}/{folder}");
                for (file, path) in files_in(&sources.join(name).join(folder), "toml")? {
                    _ = writeln!(list, "    (\"{name}/{file}\", {:?}),", fs::read_to_string(path)?);
                }
            }
        }
    }
    Ok(format!(
        "/// Name and component of each plugin that ships, by name.\n\
         pub(crate) static SHIPPED: &[(&str, &[u8])] = &[\n{shipped}];\n\
         /// Name and `scenario.toml` of each plugin that ships and has one, by name.\n\
         pub(crate) static SCENARIOS: &[(&str, &str)] = &[\n{scenarios}];\n\
         /// `PLUGIN/NAME` and text of each export profile beside a plugin that ships, by name.\n\
         pub(crate) static PROFILES: &[(&str, &str)] = &[\n{profiles}];\n\
         /// `PLUGIN/NAME` and text of each recipe beside a plugin that ships, by name.\n\
         pub(crate) static RECIPES: &[(&str, &str)] = &[\n{recipes}];\n\
         /// `PLUGIN/NAME` and text of each route beside a plugin that ships, by name.\n\
         pub(crate) static ROUTES: &[(&str, &str)] = &[\n{routes}];\n"
    ))
}
