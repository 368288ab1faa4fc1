//! Builds the plugins into `target/plugins`, the tests' guests into `target/guests`, and the host,
//! which embeds the plugins.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::cargo;
use crate::repository::{Guest, Repository};
use crate::steps::step;
use crate::wasm_target::{self, TARGET};

pub(crate) const HELP: &str = "\
Build the plugins, the guests of the tests and the host

Usage: cargo xtask build [--plugins]

Options:
      --plugins  Leave the host out
  -h, --help     Print help

Plugins are written to target/plugins, the guests of the tests to target/guests. The host embeds
the plugins. The target wasm32-unknown-unknown is installed with rustup where it is missing.

Example:
  cargo xtask build --plugins
";

pub(crate) fn run(repository: &Repository, arguments: &[String]) -> Result<ExitCode> {
    let mut with_host = true;
    for argument in arguments {
        match argument.as_str() {
            "--plugins" => with_host = false,
            other => bail!("build takes no `{other}`: see `cargo xtask build --help`"),
        }
    }
    plugins(repository)?;
    test_guests(repository)?;
    if with_host {
        program(repository, "telemill")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Builds the plugins that ship.
pub(crate) fn plugins(repository: &Repository) -> Result<()> {
    wasm_target::ensure(&repository.root)?;
    step("plugins", "mend what the compiler says, or run `cargo xtask build --plugins` for these alone", || {
        components(repository, &repository.plugins(), &repository.plugins_folder())
    })
}

/// Builds the guests that tests load.
pub(crate) fn test_guests(repository: &Repository) -> Result<()> {
    wasm_target::ensure(&repository.root)?;
    step("guests of the tests", "mend what the compiler says under tests/guests", || {
        components(repository, &repository.test_guests(), &repository.guests_folder())
    })
}

/// Builds one program of the workspace.
pub(crate) fn program(repository: &Repository, name: &str) -> Result<()> {
    step(name, "mend what the compiler says, then run the same command again", || {
        let mut command = cargo::cargo(&repository.root);
        // The whole workspace is selected, since the selection decides the features of every dependency:
        // with `--package` the demo and the tests would compile much of the tree twice.
        command.args(["build", "--release", "--workspace", "--bin", name]);
        cargo::run(command)
    })
}

fn components(repository: &Repository, guests: &[Guest], folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    for guest in guests {
        compile(repository, guest)?;
        let built = repository.cargo_target.join(TARGET).join("release").join(&guest.library).with_extension("wasm");
        copy_if_changed(&built, &folder.join(&guest.name).with_extension("wasm"))?;
    }
    remove_strangers(guests, folder)
}

/// Compiles one guest. Cargo does no link-time optimisation for a package that is a `cdylib` and an `rlib`,
/// so the guest is compiled as a `cdylib` alone, with the flags for it; what the whole graph is compiled
/// with stands in `.cargo/config.toml`.
fn compile(repository: &Repository, guest: &Guest) -> Result<()> {
    let mut command = cargo::cargo(&repository.root);
    command
        .args(["rustc", "--release", "--quiet", "--lib", "--crate-type", "cdylib"])
        .args(["--target", TARGET, "--package", &guest.name])
        .args(["--config", &remapped_paths(repository)?])
        // It would take the place of the flags in `.cargo/config.toml`.
        .env_remove("RUSTFLAGS")
        .args(["--", "-C", "lto=fat", "-C", "debuginfo=0", "-C", "strip=debuginfo"]);
    cargo::run(command)
}

/// A component's digest names it in the records of runs, so it must not depend on the machine: the
/// folders of this one, which panics' messages carry, are replaced.
fn remapped_paths(repository: &Repository) -> Result<String> {
    let home =
        std::env::var_os("CARGO_HOME").map(Into::into).or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    let folders = [(home, "cargo"), (Some(repository.root.clone()), "telemill")];
    let flags: Vec<String> = folders
        .into_iter()
        .filter_map(|(from, to)| Some(format!("--remap-path-prefix={}={to}", from?.display())))
        .collect();
    Ok(format!("target.{TARGET}.rustflags={}", serde_json::to_string(&flags)?))
}

/// An unchanged file keeps its time, so that the host is not compiled again.
fn copy_if_changed(from: &Path, to: &Path) -> Result<()> {
    let new = fs::read(from).with_context(|| format!("cannot read the component {}", from.display()))?;
    if fs::read(to).is_ok_and(|old| old == new) {
        return Ok(());
    }
    fs::write(to, &new).with_context(|| format!("cannot write the component {}", to.display()))?;
    eprintln!("    {} ({} kB)", to.display(), new.len().div_ceil(1000));
    Ok(())
}

/// A plugin that was renamed or removed must not stay embedded.
fn remove_strangers(guests: &[Guest], folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        let known = guests.iter().any(|guest| path.file_stem().is_some_and(|stem| stem == guest.name.as_str()));
        if !known && path.extension().is_some_and(|extension| extension == "wasm") {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}
