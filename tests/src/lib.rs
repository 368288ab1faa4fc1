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
    let bytes = guest("hostile")?;
    let (start, honest) = DESCRIBE_FAULT.split_once(':').unwrap_or_default();
    ensure!(lie.len() <= honest.len(), "the lie {lie} is longer than its place");
    patched(bytes, DESCRIBE_FAULT, &format!("{start}:{lie:.<width$}", width = honest.len()))
}

/// The plugin `name` as of another version, which says so of itself: states of the version that ships are none of its own.
///
/// # Errors
/// Says so where the plugin has no place for it.
pub fn of_next_version(name: &str) -> Result<Vec<u8>> {
    // Name and version stand side by side in the component's data.
    patched(plugin(name)?, &format!("{name}0.1.0"), &format!("{name}0.1.1"))
}

/// A guest whose one example asks for a fault; it says `{"fault": "none"}` there, with room for a longer name.
///
/// # Errors
/// Says so where there is no such example.
pub fn with_example(guest: Vec<u8>, fault: &str) -> Result<Vec<u8>> {
    let asking = |fault: &str| format!("{:30}}}", format!("{{\"fault\": \"{fault}\""));
    patched(guest, &asking("none"), &asking(fault))
}

/// A component with another text in the first place of `from`, which is as long.
///
/// # Errors
/// Says so where there is no such place.
fn patched(mut component: Vec<u8>, from: &str, to: &str) -> Result<Vec<u8>> {
    ensure!(from.len() == to.len(), "{to:?} has another length than {from:?}");
    let place = component.windows(from.len()).position(|text| text == from.as_bytes());
    let place = place.with_context(|| format!("the component has no {from:?} to patch"))?;
    component[place..place + to.len()].copy_from_slice(to.as_bytes());
    Ok(component)
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
