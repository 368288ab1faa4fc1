//! Why a version was not installed, switched or removed. Each leaves everything as it was.

use crate::core::digest::Digest;
use crate::core::problem::{self, Problem};
use crate::plugin::PluginError;
use crate::plugin::check::{CheckReport, Outcome};
use crate::run::SpecError;
use crate::store::StoreError;
use crate::stream::StreamError;
use std::path::PathBuf;

/// Failed checks that a message lists.
const MAX_LISTED: usize = 5;

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum VersionsError {
    /// The component can't be used.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Streams could not be asked.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// A file or folder can't be read.
    #[error("can't read {}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Name another source.
    #[error("{origin} can't be installed: {message}")]
    Source {
        /// The file, folder, URL or image.
        origin: String,
        /// What is wrong with it.
        message: String,
    },
    /// Write an image's name, to install from it or to push to it.
    #[error("{name} names no image of a registry: {message}")]
    NoImage {
        /// What was written.
        name: String,
        /// What is wrong with it.
        message: String,
    },
    /// What came is not what was asked for.
    #[error("{origin} has the digest sha256:{found}, and sha256:{wanted} is wanted; nothing was installed")]
    Pin {
        /// Where it came from.
        origin: String,
        /// The digest that was asked for.
        wanted: Digest,
        /// The digest of what came.
        found: Digest,
    },
    /// Report to the plugin's author.
    #[error("{origin} breaks the contract and was not installed: {}", failed(.report))]
    Refused {
        /// Where it came from.
        origin: String,
        /// What the check saw.
        report: Box<CheckReport>,
    },
    /// The spec beside a component is none.
    #[error("the scenario beside {origin} can't be used")]
    Scenario {
        /// Where it came from.
        origin: String,
        /// What is wrong with it.
        source: SpecError,
    },
    /// Rename the plugin.
    #[error("{origin} calls itself {name}, which is the name of a plugin of kind {kind}; rename it")]
    NameTaken {
        /// Where it came from.
        origin: String,
        /// The name.
        name: String,
        /// The kind of the plugin that has it.
        kind: String,
    },
    /// Name a version that is there.
    #[error("no installed plugin is {reference:?}: {message}")]
    NotInstalled {
        /// What was named.
        reference: String,
        /// What there is.
        message: String,
    },
    /// Enable it, or name a version exactly.
    #[error(
        "{name} {version} is installed and not enabled; `telemill plugin enable {name}` lets the name mean it, and {name}@{version} names it as it is"
    )]
    NotEnabled {
        /// The plugin's name.
        name: String,
        /// Its newest version.
        version: String,
    },
    /// Its rows would not fit those of the version before.
    #[error("{to} can't take the place of {from}, because its tables do more than add columns: {}", problem::join(.problems))]
    Tables {
        /// The version that is active.
        from: String,
        /// The version that was to be.
        to: String,
        /// What differs.
        problems: Vec<Problem>,
    },
    /// Finish or stop what uses it.
    #[error("{version} can't be removed: it is used by {}", .users.join(", "))]
    InUse {
        /// The version.
        version: String,
        /// What uses it.
        users: Vec<String>,
    },
    /// There is nothing to go back to.
    #[error("{0} has never been enabled, so there is nothing to go back to; `telemill plugin list` shows versions")]
    NothingBefore(String),
    /// A registry of images refused, or could not be reached.
    #[error("{image} can't be {action}: {message}")]
    Registry {
        /// The image.
        image: String,
        /// `pulled` or `pushed`.
        action: &'static str,
        /// What the registry, or the network, says.
        message: String,
    },
}

/// The checks that failed, in one line.
fn failed(report: &CheckReport) -> String {
    let failed: Vec<_> = report.checks.iter().filter(|check| check.outcome == Outcome::Failed).collect();
    let shown = failed.iter().take(MAX_LISTED).map(|check| format!("{}: {}", check.name, check.message));
    let shown = shown.collect::<Vec<_>>().join("; ");
    let more = failed.len().saturating_sub(MAX_LISTED);
    if more > 0 { format!("{shown}; and {more} more") } else { shown }
}
