//! Looks at a component's imports and exports before any of it is compiled: which of the contract's worlds it is, and
//! what it asks for that no plugin may have. Knows nothing of the types behind the names; linking checks those.

use super::error::Rejection;
use crate::core::printable::printable;
use serde::{Deserialize, Serialize};
use std::fmt;
use wasmparser::{Parser, Payload};

/// The version of `telemill:plugin` that this host speaks.
pub const CONTRACT_VERSION: &str = "0.1.0";
/// The contract's package, with the slash before an interface.
const PACKAGE: &str = "telemill:plugin/";
/// The first four bytes of every binary.
const MAGIC: &[u8; 4] = b"\0asm";
/// Most names of imports that a message lists.
const MAX_LISTED: usize = 5;

/// What a plugin does: the world that it implements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PluginKind {
    /// Simulates a system and emits its rows.
    Generator,
    /// Decides what goes wrong.
    IncidentModel,
    /// Judges rows.
    Validator,
}

impl PluginKind {
    const ALL: [Self; 3] = [Self::Generator, Self::IncidentModel, Self::Validator];

    /// The interface that a plugin of this kind exports.
    pub fn interface(self) -> &'static str {
        match self {
            Self::Generator => "generator",
            Self::IncidentModel => "incident-model",
            Self::Validator => "validator",
        }
    }
}

impl fmt::Display for PluginKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Generator => "generator",
            Self::IncidentModel => "incident model",
            Self::Validator => "validator",
        })
    }
}

/// The imports and exports of a component, by name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct World {
    pub(super) imports: Vec<String>,
    pub(super) exports: Vec<String>,
}

/// Reads the names.
///
/// # Errors
/// No WebAssembly, a core module, or damaged.
pub(super) fn read(bytes: &[u8]) -> Result<World, Rejection> {
    if bytes.len() < 8 || !bytes.starts_with(MAGIC) {
        return Err(Rejection::NotWasm);
    }
    if Parser::is_core_wasm(bytes) {
        return Err(Rejection::CoreModule);
    }
    let malformed = |error: wasmparser::BinaryReaderError| Rejection::Malformed {
        offset: error.offset() as u64,
        message: printable(error.message()),
    };
    let mut world = World::default();
    // Nested modules and components have imports and exports of their own, which the outermost one has to satisfy.
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(malformed)? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    world.imports.push(import.map_err(malformed)?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    world.exports.push(export.map_err(malformed)?.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok(world)
}

impl World {
    /// Refuses imports that are not the contract's.
    pub(super) fn check_imports(&self) -> Result<(), Rejection> {
        let (ours, foreign): (Vec<_>, Vec<_>) = self.imports.iter().partition(|name| name.starts_with(PACKAGE));
        if !foreign.is_empty() {
            return Err(Rejection::ForeignImports { names: listed(&foreign) });
        }
        let offered = ["host", "types"].map(full_name);
        let others: Vec<_> = ours.into_iter().filter(|name| !offered.contains(name)).collect();
        if others.is_empty() {
            Ok(())
        } else {
            Err(Rejection::OtherContract { names: listed(&others), ours: CONTRACT_VERSION })
        }
    }

    /// Which kind of plugin it is.
    pub(super) fn kind(&self) -> Result<PluginKind, Rejection> {
        let has = |name: &str| self.exports.iter().any(|export| *export == full_name(name));
        let kinds: Vec<_> = PluginKind::ALL.into_iter().filter(|kind| has(kind.interface())).collect();
        let no_world = |message: String| Err(Rejection::NoWorld { message });
        match (kinds.as_slice(), has("about")) {
            ([kind], true) => Ok(*kind),
            ([kind], false) => {
                no_world(format!("it exports {} and not {}", full_name(kind.interface()), full_name("about")))
            }
            ([], _) => {
                let others: Vec<_> = self
                    .exports
                    .iter()
                    .filter(|name| name.starts_with(PACKAGE) && **name != full_name("about"))
                    .collect();
                if others.is_empty() {
                    no_world(format!(
                        "it exports neither {} nor {} nor {}",
                        full_name("generator"),
                        full_name("incident-model"),
                        full_name("validator")
                    ))
                } else {
                    Err(Rejection::OtherContract { names: listed(&others), ours: CONTRACT_VERSION })
                }
            }
            (several, _) => {
                let names: Vec<_> = several.iter().map(|kind| full_name(kind.interface())).collect();
                no_world(format!("it exports {} at once; a plugin is one of them", names.join(" and ")))
            }
        }
    }
}

fn full_name(interface: &str) -> String {
    format!("{PACKAGE}{interface}@{CONTRACT_VERSION}")
}

fn listed(names: &[&String]) -> Vec<String> {
    let mut shown: Vec<_> = names.iter().take(MAX_LISTED).map(|name| printable(name)).collect();
    if names.len() > MAX_LISTED {
        shown.push(format!("and {} more", names.len() - MAX_LISTED));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world(imports: &[&str], exports: &[&str]) -> World {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        World { imports: owned(imports), exports: owned(exports) }
    }

    #[test]
    fn bytes_that_are_no_component_are_told_apart() {
        assert_eq!(read(b"random bytes"), Err(Rejection::NotWasm));
        assert_eq!(read(b"\0asm"), Err(Rejection::NotWasm));
        assert_eq!(read(b"\0asm\x01\0\0\0"), Err(Rejection::CoreModule));
        assert_eq!(read(b"\0asm\x0d\0\x01\0"), Ok(World::default()));
        assert!(matches!(read(b"\0asm\x0d\0\x01\0\x0a\xff\x01"), Err(Rejection::Malformed { .. })));
    }

    #[test]
    fn foreign_imports_are_named() {
        let found = world(&["telemill:plugin/host@0.1.0", "wasi:clocks/wall-clock@0.2.6"], &[]).check_imports();
        assert_eq!(found, Err(Rejection::ForeignImports { names: vec!["wasi:clocks/wall-clock@0.2.6".into()] }));
        assert_eq!(world(&["telemill:plugin/host@0.1.0", "telemill:plugin/types@0.1.0"], &[]).check_imports(), Ok(()));
        let newer = world(&["telemill:plugin/host@0.9.0"], &[]).check_imports();
        assert!(matches!(newer, Err(Rejection::OtherContract { .. })));
    }

    #[test]
    fn the_world_follows_from_the_exports() {
        let (about, generator) = ("telemill:plugin/about@0.1.0", "telemill:plugin/generator@0.1.0");
        assert_eq!(world(&[], &[about, generator]).kind(), Ok(PluginKind::Generator));
        assert!(matches!(world(&[], &[generator]).kind(), Err(Rejection::NoWorld { .. })));
        assert!(matches!(world(&[], &[about]).kind(), Err(Rejection::NoWorld { .. })));
        assert!(matches!(
            world(&[], &[about, generator, "telemill:plugin/validator@0.1.0"]).kind(),
            Err(Rejection::NoWorld { .. })
        ));
        assert!(matches!(
            world(&[], &["telemill:plugin/generator@0.2.0"]).kind(),
            Err(Rejection::OtherContract { .. })
        ));
    }
}
