//! Where tests and benchmarks find what they load: the repository, the built program, components.
//! Knows nothing of what they do with it.

pub mod influxd;

use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context, Result, ensure};

/// The text in `hostile.wasm` that [`lying_guest`] patches; `tests/guests/hostile/src/fault.rs` has it too.
const DESCRIBE_FAULT: &str = "hostile-describe-fault:none................";

/// The folder of the workspace's `Cargo.toml`.
pub fn repository() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own)
}

/// The built `telemill`: `TELEMILL_BIN`, which `cargo xtask test` sets, or the one beside the running
/// test's own target folder.
///
/// # Errors
/// Says what to run where it is not built.
pub fn telemill() -> Result<PathBuf> {
    let program = match env::var_os("TELEMILL_BIN") {
        Some(program) => PathBuf::from(program),
        // A test's program is target/release/deps/NAME-HASH, a benchmark's target/release/NAME.
        None => {
            let own = env::current_exe().context("the test does not know its own path")?;
            let name = format!("telemill{}", env::consts::EXE_SUFFIX);
            let folders = own.ancestors().skip(1).take(2);
            let found = folders.map(|folder| folder.join(&name)).find(|path| path.is_file());
            found.with_context(|| format!("{name} is not built: run `cargo xtask build`"))?
        }
    };
    ensure!(program.is_file(), "there is no {}: run `cargo xtask build`", program.display());
    Ok(program)
}

/// The component of a plugin that ships, by its name.
///
/// # Errors
/// Says what to run where it is not built.
pub fn plugin(name: &str) -> Result<Vec<u8>> {
    component("target/plugins", name)
}

/// The component of a guest under `tests/guests`, by its name.
///
/// # Errors
/// Says what to run where it is not built.
pub fn guest(name: &str) -> Result<Vec<u8>> {
    component("target/guests", name)
}

/// The hostile guest with a lie that no configuration can ask for. In `describe`: `bad-name`, `bad-version`,
/// `bad-schema`, `bad-example`, `forgery`, `loop` or `panic`. In `plan`: `other-column` (another name for `flag`),
/// `added-column` (one more, `added`) or `bad-table`.
///
/// # Errors
/// Says so where the guest has no place for the lie.
pub fn lying_guest(lie: &str) -> Result<Vec<u8>> {
    let mut bytes = guest("hostile")?;
    let (start, honest) = DESCRIBE_FAULT.split_once(':').unwrap_or_default();
    ensure!(lie.len() <= honest.len(), "the lie {lie} is longer than its place");
    let told = format!("{start}:{lie:.<width$}", width = honest.len());
    let mut places = bytes.windows(told.len()).enumerate().filter(|(_, text)| *text == DESCRIBE_FAULT.as_bytes());
    let (place, _) = places.next().context("the hostile guest has no text to patch")?;
    bytes[place..place + told.len()].copy_from_slice(told.as_bytes());
    Ok(bytes)
}

/// The plugin `name` as of another version, which says so of itself: states of the version that ships are none of its own.
///
/// # Errors
/// Says so where the plugin has no place for it.
pub fn of_next_version(name: &str) -> Result<Vec<u8>> {
    let mut bytes = plugin(name)?;
    // Name and version stand side by side in the component's data.
    let (now, next) = (format!("{name}0.1.0"), format!("{name}0.1.1"));
    let mut places = bytes.windows(now.len()).enumerate().filter(|(_, text)| *text == now.as_bytes());
    let (place, _) = places.next().with_context(|| format!("{name} has no version to patch"))?;
    bytes[place..place + next.len()].copy_from_slice(next.as_bytes());
    Ok(bytes)
}

fn component(folder: &str, name: &str) -> Result<Vec<u8>> {
    let path = repository().join(folder).join(name).with_extension("wasm");
    fs::read(&path).with_context(|| format!("cannot read {}: run `cargo xtask build --plugins`", path.display()))
}

/// The same component with a short note in it that nothing reads: another version, by its digest.
pub fn noted(mut component: Vec<u8>, note: &str) -> Vec<u8> {
    let name = b"note";
    let mut section = vec![name.len() as u8];
    section.extend(name);
    section.extend(note.as_bytes());
    // The section's length is one byte; a longer one would make this no component.
    component.extend([0, section.len() as u8]);
    component.extend(section);
    component
}
