//! What can be wrong with a project, and what to do about it.

use super::manifest::MANIFEST;
use crate::core::id::BadName;
use crate::plugin::{PluginError, PluginKind};
use std::path::PathBuf;

/// Anything that goes wrong with a plugin's project.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// Choose another name.
    #[error(transparent)]
    Name(#[from] BadName),
    /// Choose another folder.
    #[error("{} is not empty: a new plugin wants a folder of its own; --dir names another", .0.display())]
    NotEmpty(PathBuf),
    /// Not a plugin's folder.
    #[error("there is no {MANIFEST} in {}: `telemill plugin new` makes a project that has one", .0.display())]
    NoManifest(PathBuf),
    /// Mend the manifest.
    #[error("{} can't be used: {message}", .path.display())]
    BadManifest {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        message: String,
    },
    /// Install a program.
    #[error("there is no {program} on the path: {install}, then run `telemill plugin build` again")]
    MissingProgram {
        /// What was looked for.
        program: String,
        /// How to get it.
        install: String,
    },
    /// Mend what the tool complains of.
    #[error(
        "`{command}` failed ({status}); the end of what it said, all of which is in {}:\n{tail}\n\
         Where a tool is missing or damaged, delete {}: the next build installs the tools again", .log.display(), .build.display()
    )]
    StepFailed {
        /// The command line.
        command: String,
        /// How it ended.
        status: String,
        /// Where all of its output is.
        log: PathBuf,
        /// The last lines of its output.
        tail: String,
        /// The folder with the stamps of the setup.
        build: PathBuf,
    },
    /// Have the tools installed again.
    #[error("can't start {program}: {source}; delete {}, and the next build installs the tools again", .build.display())]
    NotStarted {
        /// The step's program.
        program: String,
        /// The folder with the stamps of the setup.
        build: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The build ended well and left nothing.
    #[error("the build ended without the component {}, which {MANIFEST} names", .0.display())]
    NoComponent(PathBuf),
    /// What was built is another kind of plugin, or none.
    #[error("{} is no {}: {source}", .path.display(), .kind)]
    NoPlugin {
        /// The component.
        path: PathBuf,
        /// What the manifest says that it is.
        kind: PluginKind,
        /// What is wrong with it.
        source: Box<PluginError>,
    },
    /// What was built is another kind of plugin.
    #[error("{} is a {is}, and {MANIFEST} says that it is a {wanted}", .path.display())]
    OtherKind {
        /// The component.
        path: PathBuf,
        /// What it is.
        is: PluginKind,
        /// What the manifest says.
        wanted: PluginKind,
    },
    /// A file or folder that can't be read or written.
    #[error("can't {action} {}", .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The system does not tell of changes.
    #[error("can't watch {}", .path.display())]
    Watch {
        /// Where.
        path: PathBuf,
        /// Why not.
        source: notify::Error,
    },
}

/// Names what was tried, and where, in an error of the system.
pub(super) fn io(action: &'static str, path: &std::path::Path) -> impl FnOnce(std::io::Error) -> ProjectError {
    let path = path.to_owned();
    move |source| ProjectError::Io { action, path, source }
}
