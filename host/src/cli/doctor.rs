//! `telemill doctor`: what the machine and the data folder offer, and how to mend what they lack.

use super::Verdict;
use super::output::{Output, bytes};
use crate::app::App;
use crate::core::problem::chain;
use crate::plugin::PluginError;
use crate::remote::Server;
use crate::store::{DATABASE_FILE, DataDirLock, StoreError};
use clap::Args;
use rustix::fs::Access;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Less free space than this is worth a warning: the demo's week takes about half of it.
const LITTLE_SPACE_BYTES: u64 = 4 << 30;

/// Check what the machine and the data folder offer, and say how to mend it
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  telemill doctor --data-dir ./telemill-data")]
pub(super) struct Doctor {}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    what: &'static str,
    good: bool,
    message: String,
}

impl Doctor {
    pub(super) fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        let findings = match app.server() {
            Some(server) => there(server),
            None => here(app),
        };
        out.print(&findings, |out| {
            findings.iter().try_for_each(|finding| {
                let mark = if finding.good { "good" } else { "BAD " };
                writeln!(out, "{mark}  {:<14} {}", finding.what, finding.message)
            })
        })?;
        Ok(if findings.iter().all(|finding| finding.good) { Verdict::Good } else { Verdict::Negative })
    }
}

fn here(app: &App) -> Vec<Finding> {
    vec![settings(app), plugins(app), space(app.data_dir()), lock(app.data_dir()), catalog(app), target()]
}

/// What a server says of itself; where it does not answer, nothing else is asked.
fn there(server: &Server) -> Vec<Finding> {
    let health = match server.health() {
        Ok(health) => health,
        Err(error) => return vec![finding("server", Err(chain(&error)))],
    };
    let own = env!("CARGO_PKG_VERSION");
    let version = if health.version == own {
        Ok(format!("{own}, as this program"))
    } else {
        Err(format!("the server is {}, this program {own}: answers may not be understood", health.version))
    };
    let readiness = server.readiness().map(|_| "the catalog can be read".to_owned());
    let asked = server.datasets().map(|datasets| format!("{} datasets can be seen", datasets.len()));
    vec![
        finding("server", Ok(format!("{} answers", server.url()))),
        finding("version", version),
        finding("readiness", readiness.map_err(|error| chain(&error))),
        finding("access", asked.map_err(|error| chain(&error))),
    ]
}

fn finding(what: &'static str, result: Result<String, String>) -> Finding {
    let good = result.is_ok();
    Finding { what, good, message: result.unwrap_or_else(|message| message) }
}

fn settings(app: &App) -> Finding {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    finding("settings", Ok(format!("data folder {}, {threads} cores", app.data_dir().display())))
}

fn plugins(app: &App) -> Finding {
    let listed = app.registry_to_look_at().and_then(|registry| Ok(registry.list()?));
    finding(
        "plugins",
        match listed {
            Ok(list) if list.is_empty() => {
                Err("none ship in this binary; build it with `cargo xtask build`, not with cargo alone".to_owned())
            }
            Ok(list) => Ok(format!("{} can be used", list.len())),
            Err(error) => Err(match error.downcast_ref().and_then(PluginError::limit) {
                Some(limit) => {
                    let told = chain(error.as_ref());
                    format!("{told}; raise limits.{limit} in telemill.toml, or with --setting limits.{limit}=N")
                }
                None => chain(error.as_ref()),
            }),
        },
    )
}

/// The folder itself, or the nearest one above it that exists.
fn existing(folder: &Path) -> PathBuf {
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    absolute.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(Path::new("/")).to_owned()
}

fn space(folder: &Path) -> Finding {
    let result = match crate::sink::estimate::free_bytes(&existing(folder)) {
        Ok(free) if free < LITTLE_SPACE_BYTES => {
            Err(format!("only {} are free; name a folder on another disk with --data-dir", bytes(free)))
        }
        Ok(free) => Ok(format!("{} are free", bytes(free))),
        Err(error) => Err(error.to_string()),
    };
    finding("space", result)
}

fn lock(folder: &Path) -> Finding {
    if !folder.exists() {
        return finding("lock", Ok("there is no data folder yet; `telemill run start ecommerce` makes one".to_owned()));
    }
    // Taking the lock makes its file, which is not for who only looks.
    if !DataDirLock::was_taken(folder) {
        return finding("lock", writable(folder));
    }
    finding(
        "lock",
        match DataDirLock::acquire(folder) {
            Ok(_) => Ok("no other process writes the data folder".to_owned()),
            Err(error @ StoreError::Locked(_)) => Err(error.to_string()),
            Err(error) => Err(format!("{error}; check the folder's owner and permissions")),
        },
    )
}

fn writable(folder: &Path) -> Result<String, String> {
    match rustix::fs::access(folder, Access::WRITE_OK | Access::EXEC_OK) {
        Ok(()) => Ok("nothing has written the data folder yet".to_owned()),
        Err(error) => {
            let folder = folder.display();
            Err(format!("the data folder {folder} can't be written ({error}); check its owner and permissions"))
        }
    }
}

fn catalog(app: &App) -> Finding {
    if !app.data_dir().join(DATABASE_FILE).exists() {
        return finding("catalog", Ok("there is none yet".to_owned()));
    }
    let path = app.data_dir().join(DATABASE_FILE);
    let datasets = app.reader().and_then(|host| {
        host.runtime.block_on(host.store.check(&path))?;
        Ok(host.runtime.block_on(host.lake.datasets(None))?)
    });
    finding(
        "catalog",
        match datasets {
            Ok(datasets) => Ok(format!("{} datasets", datasets.len())),
            Err(error) => Err(chain(error.as_ref())),
        },
    )
}

/// Only authors of Rust plugins need the target, so that its absence is worth a word and no blame.
fn target() -> Finding {
    let listed = Command::new("rustup").args(["target", "list", "--installed"]).output();
    let message = match listed {
        Ok(output) if String::from_utf8_lossy(&output.stdout).contains("wasm32-unknown-unknown") => {
            "wasm32-unknown-unknown is installed: plugins in Rust can be built"
        }
        Ok(_) => "to build plugins in Rust, run `rustup target add wasm32-unknown-unknown`",
        Err(_) => "there is no rustup here; only building plugins in Rust needs it",
    };
    finding("rust target", Ok(message.to_owned()))
}
