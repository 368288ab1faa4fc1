//! What each kind of anomaly does to a machine. Knows nothing of days.

use telemill_sdk::time::SECOND;
use telemill_sdk::{Attribute, Effect, Incident, Kind, Operation, Role, Severity, Stream, Target, Window};

/// What can happen to a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kinds {
    /// A process runs wild.
    CpuSpike,
    /// A process takes ever more memory, until it is stopped.
    MemoryLeak,
    /// The disk does nothing but seek.
    DiskThrash,
    /// The network is full.
    NetworkSaturation,
    /// Much data is moved, and nothing is wrong: a decoy.
    Backup,
}

impl Kinds {
    /// What is wrong when it happens, in the order of the weights.
    pub const ANOMALIES: [Self; 4] = [Self::CpuSpike, Self::MemoryLeak, Self::DiskThrash, Self::NetworkSaturation];
    /// All kinds, the decoy last.
    pub const ALL: [Self; 5] =
        [Self::CpuSpike, Self::MemoryLeak, Self::DiskThrash, Self::NetworkSaturation, Self::Backup];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::CpuSpike => "cpu-spike",
            Self::MemoryLeak => "memory-leak",
            Self::DiskThrash => "disk-thrash",
            Self::NetworkSaturation => "network-saturation",
            Self::Backup => "backup",
        }
    }

    /// What happens, in a sentence.
    pub fn summary(self) -> &'static str {
        match self {
            Self::CpuSpike => "A process runs wild: all processors are busy, whatever else there is to do",
            Self::MemoryLeak => "A process takes ever more memory; the machine pages, until the process is stopped",
            Self::DiskThrash => "The disk is asked for all it can do, and processors wait for it",
            Self::NetworkSaturation => "The network is full in one direction or both",
            Self::Backup => "A backup reads the disk and sends much: a decoy, nothing is wrong",
        }
    }

    /// As the contract tells it.
    pub fn kind(self) -> Kind {
        Kind { name: self.name().to_owned(), summary: self.summary().to_owned() }
    }

    /// The kind of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The signals without which it can't be seen; one of them is enough.
    fn signals(self) -> &'static [&'static str] {
        match self {
            Self::CpuSpike => &["cpu"],
            Self::MemoryLeak => &["memory"],
            Self::DiskThrash => &["disk_read", "disk_write"],
            Self::NetworkSaturation => &["network_sent", "network_recv"],
            Self::Backup => &["disk_read", "network_sent"],
        }
    }

    /// Whether it can happen to a target.
    pub fn fits(self, target: &Target) -> bool {
        target.signals.iter().any(|signal| self.signals().contains(&signal.as_str()))
    }

    /// The incident on a target over a window; none where the target has none of the signals.
    pub fn strike(self, target: &Target, window: Window, id: &str, stream: &mut Stream) -> Option<Incident> {
        let length = window.micros();
        let quick = (stream.between(2.0, 8.0) * SECOND as f64) as i64;
        // A leak grows until nearly its end; the rest is there at once.
        let ramp = if self == Self::MemoryLeak { length * 9 / 10 } else { quick.min(length / 3) };
        let fades = (stream.between(5.0, 25.0) * SECOND as f64) as i64;
        let mut effects = Vec::new();
        let mut set = |signal: &str, value: f64| {
            if target.signals.iter().any(|known| known == signal) {
                effects.push(Effect {
                    target: target.name.clone(),
                    signal: signal.to_owned(),
                    operation: Operation::Set,
                    value,
                    start: window.start,
                    full: window.start + ramp,
                    release: window.end,
                    end: window.end + fades,
                });
            }
        };
        match self {
            Self::CpuSpike => set("cpu", stream.between(96.0, 100.0)),
            Self::MemoryLeak => set("memory", stream.between(95.0, 98.0)),
            Self::DiskThrash => {
                set("disk_read", stream.between(0.55, 0.65));
                set("disk_write", stream.between(0.35, 0.45));
            }
            Self::NetworkSaturation => {
                let direction = stream.below(3);
                let full = stream.between(0.94, 1.0);
                if direction != 1 {
                    set("network_sent", full);
                }
                if direction != 0 {
                    set("network_recv", full);
                }
            }
            Self::Backup => {
                set("disk_read", stream.between(0.2, 0.3));
                set("network_sent", stream.between(0.4, 0.7));
            }
        }
        let (role, severity) = match self {
            Self::Backup => (Role::Decoy, Severity::Info),
            Self::MemoryLeak | Self::DiskThrash => (Role::Incident, Severity::High),
            Self::CpuSpike | Self::NetworkSaturation => (Role::Incident, Severity::Medium),
        };
        let (window, recovered) = Incident::span_of(&effects)?;
        Some(Incident {
            id: id.to_owned(),
            kind: self.name().to_owned(),
            role,
            title: format!("{} on {}", self.title(), target.name),
            severity,
            cause: None,
            window,
            recovered,
            effects,
            attributes: vec![Attribute::new("target", target.name.as_str())],
        })
    }

    fn title(self) -> &'static str {
        match self {
            Self::CpuSpike => "CPU spike",
            Self::MemoryLeak => "Memory leak",
            Self::DiskThrash => "Disk thrash",
            Self::NetworkSaturation => "Network saturation",
            Self::Backup => "Backup",
        }
    }
}
