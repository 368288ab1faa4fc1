//! What incidents can act on: each user's machine, and six quantities of it.
//!
//! Names are shared with incident models; [`Signals`] counts them as the [`Simulation`](telemill_sdk::Simulation) does. The target
//! of a user has the user's index.

use telemill_sdk::{Attribute, Signal, Target};

use crate::config::Config;
use crate::machines::user_id;

/// The target that is the parent of every user's.
pub const USERS: &str = "users";

/// Numbers of the signals.
#[repr(usize)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signals {
    /// Busy share of the processors.
    Cpu,
    /// Used share of the memory.
    Memory,
    /// Data read from disk.
    DiskRead,
    /// Data written to disk.
    DiskWrite,
    /// Data sent over the network.
    NetworkSent,
    /// Data received over the network.
    NetworkReceived,
}

/// The declarations in the order of their numbers. Disk and network are shares of what the machine can do, so that an incident
/// model can saturate a disk that it does not know.
pub fn signals() -> Vec<Signal> {
    [
        ("cpu", "%", "cpu_percent", "Busy share of the processors"),
        ("memory", "%", "memory_percent", "Used share of the memory"),
        ("disk_read", "1", "disk_read_mb", "Reads as a share of what the disk can do"),
        ("disk_write", "1", "disk_write_mb", "Writes as a share of what the disk can do"),
        ("network_sent", "1", "network_sent_mb", "Data sent as a share of what the network can do"),
        ("network_recv", "1", "network_recv_mb", "Data received as a share of what the network can do"),
    ]
    .map(|(name, unit, column, summary)| Signal {
        name: name.to_owned(),
        unit: Some(unit.to_owned()),
        summary: summary.to_owned(),
        table: "user_metrics".to_owned(),
        column: column.to_owned(),
        inverse: false,
    })
    .to_vec()
}

/// One target a user, and last the parent of them all.
pub fn targets(config: &Config) -> Vec<Target> {
    let names: Vec<String> = signals().into_iter().map(|signal| signal.name).collect();
    let target = |name: String, parents: Vec<String>, role: &str| Target {
        name,
        parents,
        signals: names.clone(),
        attributes: vec![Attribute::new("role", role)],
    };
    (0..config.users)
        .map(|index| target(user_id(index), vec![USERS.to_owned()], "machine"))
        .chain([target(USERS.to_owned(), Vec::new(), "users")])
        .collect()
}
