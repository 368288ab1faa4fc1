//! A release archive: one program with its plugins in it, and what a packager wants beside it.
//! Knows the archive's layout; what the licences say is `notices`' business.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::repository::Repository;
use crate::steps::step;
use crate::{build, cargo, notices, wasm_target};

pub(crate) const HELP: &str = "\
Write a release archive

Usage: cargo xtask dist

Options:
  -h, --help  Print help

Writes target/dist/telemill-VERSION-TARGET.tar.gz and its SHA256SUMS: the program with the plugins
embedded, licences of everything in it, shell completions, man pages, the contract (wit/) and the SDK.
Needs `tar` and `sha256sum` (or `shasum`) on the path. The archive runs on machines without Rust.

Example:
  cargo xtask dist
";

/// Shells that completions are written for, and the file name that each looks for.
const COMPLETIONS: [(&str, &str); 3] = [("bash", "telemill"), ("zsh", "_telemill"), ("fish", "telemill.fish")];

pub(crate) fn run(repository: &Repository, arguments: &[String]) -> Result<ExitCode> {
    if let Some(other) = arguments.first() {
        bail!("dist takes no `{other}`: see `cargo xtask dist --help`");
    }
    build::plugins(repository)?;
    build::program(repository, "telemill")?;
    let triple = wasm_target::host(&repository.root)?;
    let name = format!("telemill-{}-{triple}", repository.version);
    let dist = repository.root.join("target/dist");
    let folder = dist.join(&name);
    step("contents", "see the message", || fill(repository, &folder, &triple))?;
    step("archive", "see the message", || {
        let archive = pack(&dist, &name)?;
        println!("{}", archive.display());
        Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Makes the folder that becomes the archive, afresh.
fn fill(repository: &Repository, folder: &Path, triple: &str) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    let root = &repository.root;
    let built = repository.program("telemill");
    let program = folder.join("bin").join(format!("telemill{}", std::env::consts::EXE_SUFFIX));
    copy(&built, &program)?;
    strip(repository, triple, &program)?;
    for file in ["README.md", "LICENSE-APACHE", "LICENSE-MIT"] {
        copy(&root.join(file), &folder.join(file))?;
    }
    write(&folder.join("THIRD-PARTY.txt"), &notices::third_party(root, triple)?)?;

    for (shell, file) in COMPLETIONS {
        let mut command = Command::new(&built);
        command.args(["completions", shell]);
        write(&folder.join("share/completions").join(shell).join(file), &cargo::output(command)?)?;
    }
    let man = folder.join("share/man/man1");
    fs::create_dir_all(&man)?;
    let mut command = Command::new(&built);
    command.arg("man").arg(&man);
    cargo::run(command)?;

    // The SDK reads the contract at ../../wit, so both keep their places relative to each other.
    let share = folder.join("share/telemill");
    copy_folder(&root.join("wit"), &share.join("wit"))?;
    sdk(repository, &share.join("plugins"))
}

/// The SDK as Cargo packages it: with a manifest that needs no workspace around it.
fn sdk(repository: &Repository, plugins: &Path) -> Result<()> {
    let mut command = cargo::cargo(&repository.root);
    command.args(["package", "--quiet", "--package", "telemill-sdk", "--no-verify", "--allow-dirty"]);
    cargo::run(command)?;
    let package = format!("telemill-sdk-{}", repository.version);
    fs::create_dir_all(plugins)?;
    let mut command = Command::new("tar");
    let archive = repository.cargo_target.join("package").join(format!("{package}.crate"));
    command.arg("-xzf").arg(archive).arg("-C").arg(plugins);
    cargo::run(command)?;
    let sdk = plugins.join("sdk");
    fs::rename(plugins.join(package), &sdk).context("cannot name the SDK's folder")?;
    for leftover in [".cargo_vcs_info.json", "Cargo.toml.orig", "Cargo.lock"] {
        if sdk.join(leftover).exists() {
            fs::remove_file(sdk.join(leftover))?;
        }
    }
    Ok(())
}

/// Takes line tables and symbols out, with the tool that ships with the toolchain; without it the
/// program is only larger.
fn strip(repository: &Repository, triple: &str, program: &Path) -> Result<()> {
    let mut sysroot = Command::new("rustc");
    sysroot.current_dir(&repository.root).args(["--print", "sysroot"]);
    let tools = PathBuf::from(cargo::output(sysroot)?.trim()).join("lib/rustlib").join(triple).join("bin");
    let objcopy = tools.join("rust-objcopy");
    if !objcopy.is_file() {
        return Ok(());
    }
    let mut command = Command::new(objcopy);
    command.arg("--strip-all").arg(program);
    cargo::run(command)
}

/// Packs `dist/name` and writes SHA256SUMS beside the archive.
fn pack(dist: &Path, name: &str) -> Result<PathBuf> {
    let archive = format!("{name}.tar.gz");
    let mut command = Command::new("tar");
    command.current_dir(dist).args(["-czf", &archive, name]);
    cargo::run(command)?;

    let sums = [("sha256sum", &[][..]), ("shasum", &["-a", "256"][..])].into_iter().find_map(|(tool, options)| {
        let mut command = Command::new(tool);
        command.current_dir(dist).args(options).arg(&archive);
        cargo::output(command).ok()
    });
    write(&dist.join("SHA256SUMS"), &sums.context("neither sha256sum nor shasum is on the path")?)?;
    Ok(dist.join(archive))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::copy(from, to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    Ok(())
}

/// Copies the files of a folder that has no folders in it.
fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from).with_context(|| format!("cannot list {}", from.display()))? {
        let entry = entry?;
        copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests;
