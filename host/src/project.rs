//! A plugin's project folder, outside this repository: made from a template, built by its language's tools, watched
//! for changes.
//!
//! It knows no language's tools: what is run stands in the folder's `telemill-plugin.toml`, which comes with the template.

mod build;
mod error;
mod manifest;
mod setup;
mod snapshot;
mod template;
mod watch;

pub use build::{Built, build};
pub use error::ProjectError;
pub use manifest::{MANIFEST, Manifest, Step};
pub use snapshot::{Change, Snapshot};
pub use template::{Language, create};
pub use watch::Watch;
