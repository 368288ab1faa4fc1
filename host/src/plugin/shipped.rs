//! What ships inside the binary: the plugins' components, and scenarios, export profiles, recipes and routes beside them, put
//! there by `build.rs`; and files that people name by path, or by the name of one that ships.

use std::path::{Path, PathBuf};

/// Largest file of text that is read.
const MAX_TEXT_BYTES: u64 = 16 << 20;

include!(concat!(env!("OUT_DIR"), "/shipped.rs"));

/// The component of the plugin `name`.
pub(super) fn find(name: &str) -> Option<&'static [u8]> {
    SHIPPED.iter().find(|(shipped, _)| *shipped == name).map(|(_, bytes)| *bytes)
}

/// Whether a plugin of this name ships.
pub fn is_shipped(name: &str) -> bool {
    find(name).is_some()
}

/// Names and TOML texts of the scenarios that ship.
pub fn scenarios() -> impl Iterator<Item = (&'static str, &'static str)> {
    SCENARIOS.iter().copied()
}

/// The TOML text of the scenario `name`.
pub fn scenario(name: &str) -> Option<&'static str> {
    scenarios().find(|(shipped, _)| *shipped == name).map(|(_, text)| text)
}

/// Names (`PLUGIN/NAME`) and TOML texts of the export profiles that ship.
pub fn profiles() -> &'static [(&'static str, &'static str)] {
    PROFILES
}

/// Names (`PLUGIN/NAME`) and TOML texts of the recipes that ship.
pub fn recipes() -> &'static [(&'static str, &'static str)] {
    RECIPES
}

/// Names (`PLUGIN/NAME`) and TOML texts of the routes that ship.
pub fn routes() -> &'static [(&'static str, &'static str)] {
    ROUTES
}

/// Why a text that was named can't be had.
#[derive(Debug, thiserror::Error)]
pub enum TextError {
    /// Name another.
    #[error("{name} is neither a file nor a shipped {kind} ({})", shipped.join(", "))]
    Unknown {
        /// What was asked for.
        name: String,
        /// What it would be.
        kind: &'static str,
        /// The names of those that ship.
        shipped: Vec<String>,
    },
    /// The file is too large to be one.
    #[error("{name} is larger than {MAX_TEXT_BYTES} bytes")]
    TooLarge {
        /// The file.
        name: String,
    },
    /// The file can't be read.
    #[error("can't read {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// The text behind `name`: of the file, where there is one, else of the `kind` of that name that is among `shipped`.
///
/// # Errors
/// There is neither, or the file can't be read.
pub fn named_text(kind: &'static str, name: &str, shipped: &[(&str, &str)]) -> Result<String, TextError> {
    let path = Path::new(name);
    if path.is_file() {
        let unreadable = |source| TextError::Read { path: path.to_owned(), source };
        if std::fs::metadata(path).map_err(unreadable)?.len() > MAX_TEXT_BYTES {
            return Err(TextError::TooLarge { name: name.to_owned() });
        }
        return std::fs::read_to_string(path).map_err(unreadable);
    }
    shipped_text(kind, name, shipped)
}

/// The same of those that ship alone: the name is another's, and no file of this machine is read for it.
///
/// # Errors
/// There is none of that name.
pub fn shipped_text(kind: &'static str, name: &str, shipped: &[(&str, &str)]) -> Result<String, TextError> {
    match shipped.iter().find(|(shipped, _)| *shipped == name) {
        Some((_, text)) => Ok((*text).to_owned()),
        None => {
            let shipped = shipped.iter().map(|(name, _)| (*name).to_owned()).collect();
            Err(TextError::Unknown { name: name.to_owned(), kind, shipped })
        }
    }
}
