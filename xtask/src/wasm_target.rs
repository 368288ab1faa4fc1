//! Sees to it that the compiler can make components: adds the target where it is missing.

use std::env::consts::EXE_EXTENSION;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cargo;

/// What plugins are compiled for. Its linker writes components that import nothing but the contract.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// The linker named in `.cargo/config.toml`.
const LINKER: &str = "wasm-component-ld";

/// Adds [`TARGET`] to the toolchain in use where it is missing.
///
/// # Errors
/// Says what to do where there is no rustup, no network, or a toolchain without the linker.
pub(crate) fn ensure(root: &Path) -> Result<()> {
    let sysroot = PathBuf::from(rustc(root, &["--print", "sysroot"])?.trim());
    let rustlib = sysroot.join("lib/rustlib");
    if !rustlib.join(TARGET).join("lib").is_dir() {
        add(root)?;
    }
    let bundled = rustlib.join(host(root)?).join("bin").join(LINKER).with_extension(EXE_EXTENSION);
    if !bundled.is_file() && !on_path(LINKER) {
        bail!(
            "this Rust has no linker for components ({LINKER}), which the official toolchain ships with: \
             install Rust from https://rustup.rs and run the command again"
        );
    }
    Ok(())
}

/// The target triple of this machine, as the compiler names it.
pub(crate) fn host(root: &Path) -> Result<String> {
    let version = rustc(root, &["-vV"])?;
    let line = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(line.context("rustc -vV names no host")?.to_owned())
}

fn add(root: &Path) -> Result<()> {
    if !on_path("rustup") {
        bail!(
            "the target {TARGET} that plugins are compiled for is missing, and there is no rustup to install it with: \
             install Rust from https://rustup.rs and run the command again"
        );
    }
    eprintln!("==> installing the target {TARGET} with rustup (once, about 20 MB)");
    let mut command = Command::new("rustup");
    command.current_dir(root).args(["target", "add", TARGET]);
    if !command.status().context("cannot start rustup")?.success() {
        bail!(
            "rustup could not install the target {TARGET} that plugins are compiled for: see its message above, \
             check that this machine reaches the network, and run `rustup target add {TARGET}`"
        );
    }
    Ok(())
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).with_extension(EXE_EXTENSION).is_file())
}

fn rustc(root: &Path, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    command.current_dir(root).args(arguments);
    cargo::output(command)
}
