//! Sees to it that the compiler can make components: adds the target where it is missing.

use std::env::consts::EXE_EXTENSION;
use std::ffi::{OsStr, OsString};
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
    Toolchain::in_use().ensure(root)
}

/// The target triple of this machine, as the compiler names it.
pub(crate) fn host(root: &Path) -> Result<String> {
    Toolchain::in_use().host(root)
}

/// The programs that are asked.
struct Toolchain {
    /// The compiler, by name or path.
    rustc: OsString,
    /// Folders that rustup and the linker are looked for in, as `PATH` lists them.
    path: OsString,
}

impl Toolchain {
    fn in_use() -> Self {
        let variable = |name: &str| std::env::var_os(name);
        Self { rustc: variable("RUSTC").unwrap_or_else(|| "rustc".into()), path: variable("PATH").unwrap_or_default() }
    }

    fn ensure(&self, root: &Path) -> Result<()> {
        let sysroot = PathBuf::from(self.rustc(root, &["--print", "sysroot"])?.trim());
        let rustlib = sysroot.join("lib/rustlib");
        if !rustlib.join(TARGET).join("lib").is_dir() {
            self.add(root)?;
        }
        let bundled = rustlib.join(self.host(root)?).join("bin").join(LINKER).with_extension(EXE_EXTENSION);
        if !bundled.is_file() && find(LINKER, &self.path).is_none() {
            bail!(
                "this Rust has no linker for components ({LINKER}), which the official toolchain ships with: \
                 install Rust from https://rustup.rs and run the command again"
            );
        }
        Ok(())
    }

    fn host(&self, root: &Path) -> Result<String> {
        let version = self.rustc(root, &["-vV"])?;
        let line = version.lines().find_map(|line| line.strip_prefix("host: "));
        Ok(line.context("rustc -vV names no host")?.to_owned())
    }

    fn add(&self, root: &Path) -> Result<()> {
        let Some(rustup) = find("rustup", &self.path) else {
            bail!(
                "the target {TARGET} that plugins are compiled for is missing, and there is no rustup to install it with: \
                 install Rust from https://rustup.rs and run the command again"
            );
        };
        eprintln!("==> installing the target {TARGET} with rustup (once, about 20 MB)");
        let mut command = Command::new(rustup);
        command.current_dir(root).args(["target", "add", TARGET]);
        if !command.status().context("cannot start rustup")?.success() {
            bail!(
                "rustup could not install the target {TARGET} that plugins are compiled for: see its message above, \
                 check that this machine reaches the network, and run `rustup target add {TARGET}`"
            );
        }
        Ok(())
    }

    fn rustc(&self, root: &Path, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(&self.rustc);
        command.current_dir(root).args(arguments);
        cargo::output(command)
    }
}

/// A program in one of the folders of `path`.
fn find(program: &str, path: &OsStr) -> Option<PathBuf> {
    let programs = std::env::split_paths(path).map(|folder| folder.join(program).with_extension(EXE_EXTENSION));
    programs.into_iter().find(|program| program.is_file())
}

#[cfg(all(test, unix))]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    use super::{LINKER, TARGET, Toolchain};

    fn script(path: &Path, body: &str) {
        fs::write(path, format!("#!/bin/sh\n{body}\n")).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// One machine that gets better step by step. One test: a script that another thread still writes can't be started.
    #[test]
    fn what_a_toolchain_lacks_is_installed_or_told() {
        let folder = tempfile::tempdir().unwrap();
        let (root, bin) = (folder.path(), folder.path().join("bin"));
        let rustlib = root.join("sysroot/lib/rustlib");
        fs::create_dir_all(&bin).unwrap();
        let sysroot = root.join("sysroot").display().to_string();
        let rustc = bin.join("rustc");
        script(&rustc, &format!("[ \"$1\" = -vV ] && echo 'host: machine' || echo '{sysroot}'"));
        let toolchain = Toolchain { rustc: rustc.into(), path: bin.clone().into() };
        assert_eq!(toolchain.host(root).unwrap(), "machine");
        let refused = |parts: &[&str]| {
            let told = toolchain.ensure(root).unwrap_err().to_string();
            for part in parts {
                assert!(told.contains(part), "{part:?} is missing in: {told}");
            }
        };

        refused(&[TARGET, "there is no rustup", "https://rustup.rs"]);
        let asked = root.join("asked");
        script(&bin.join("rustup"), &format!("echo \"$@\" > '{}'; exit 1", asked.display()));
        refused(&["could not install", "network", &format!("rustup target add {TARGET}")]);
        assert_eq!(fs::read_to_string(&asked).unwrap(), format!("target add {TARGET}\n"));

        let lib = rustlib.join(TARGET).join("lib");
        script(&bin.join("rustup"), &format!("mkdir -p '{}'", lib.display()));
        refused(&[LINKER, "https://rustup.rs"]);
        assert!(lib.is_dir(), "rustup was asked");
        script(&bin.join(LINKER), "");
        toolchain.ensure(root).unwrap();
        // What is there is not asked for again.
        fs::remove_file(bin.join("rustup")).unwrap();
        toolchain.ensure(root).unwrap();
    }
}
