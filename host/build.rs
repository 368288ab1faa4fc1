//! Embeds the plugins that ship: every component in `target/plugins`, which `cargo xtask build` fills,
//! and the scenario beside its sources. Writes `shipped.rs`, which `plugin/shipped.rs` includes.

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

    let plugins = components_in(&components)?;
    if plugins.is_empty() {
        println!("cargo::warning=no plugins to embed in {}: run `cargo xtask build`", components.display());
    }
    for (name, component) in &plugins {
        fs::copy(component, out.join(name).with_extension("wasm"))?;
    }
    fs::write(out.join("shipped.rs"), source(&plugins, &repository.join("plugins"))?)
}

/// Name and path of each component, by name, so that the same plugins make the same source.
fn components_in(folder: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let mut plugins = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "wasm")
            && let Some(name) = path.file_stem().and_then(|stem| stem.to_str())
        {
            plugins.push((name.to_owned(), path));
        }
    }
    plugins.sort();
    Ok(plugins)
}

/// The scenarios stand in the source as text, the components beside it, so that it names no path.
fn source(plugins: &[(String, PathBuf)], sources: &Path) -> io::Result<String> {
    let mut shipped = String::new();
    let mut scenarios = String::new();
    for (name, _) in plugins {
        _ = writeln!(shipped, "    ({name:?}, include_bytes!(\"{name}.wasm\")),");
        let scenario = sources.join(name).join("scenario.toml");
        if scenario.is_file() {
            println!("cargo::rerun-if-changed=../plugins/{name}/scenario.toml");
            _ = writeln!(scenarios, "    ({name:?}, {:?}),", fs::read_to_string(scenario)?);
        }
    }
    Ok(format!(
        "/// Name and component of each plugin that ships, by name.\n\
         pub(crate) static SHIPPED: &[(&str, &[u8])] = &[\n{shipped}];\n\
         /// Name and `scenario.toml` of each plugin that ships and has one, by name.\n\
         pub(crate) static SCENARIOS: &[(&str, &str)] = &[\n{scenarios}];\n"
    ))
}
