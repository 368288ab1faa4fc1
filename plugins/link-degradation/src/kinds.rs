//! What each kind of trouble does, and where it strikes. Knows nothing of days.

use telemill_sdk::{Kind, Operation, Severity, Stream, Target};

/// What can go wrong, and the decoy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Packets take a detour: round trips are several times as long.
    LatencyRise,
    /// Packets get lost.
    PacketLoss,
    /// Part of the lines is gone; what is left is crowded.
    BandwidthLoss,
    /// Something takes the processors of nodes from their transfers.
    CpuStarvation,
    /// A backup takes part of the bandwidth, as it should: a decoy.
    Backup,
}

/// One signal, bent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Action {
    /// The signal's name.
    pub signal: &'static str,
    /// How it is bent.
    pub operation: Operation,
    /// By which number.
    pub value: f64,
}

impl Trouble {
    /// All kinds, the decoy last.
    pub const ALL: [Self; 5] =
        [Self::LatencyRise, Self::PacketLoss, Self::BandwidthLoss, Self::CpuStarvation, Self::Backup];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::LatencyRise => "latency-rise",
            Self::PacketLoss => "packet-loss",
            Self::BandwidthLoss => "bandwidth-loss",
            Self::CpuStarvation => "cpu-starvation",
            Self::Backup => "backup",
        }
    }

    /// As the contract tells it.
    pub fn kind(self) -> Kind {
        let summary = match self {
            Self::LatencyRise => "Packets take a detour: round trips of links are three to eight times as long",
            Self::PacketLoss => "Links lose one to four of a hundred packets: single streams crawl, many get along",
            Self::BandwidthLoss => "Lines are down: a tenth to a third of the bandwidth is left, and it is crowded",
            Self::CpuStarvation => "Something takes the processors of nodes: compression crawls",
            Self::Backup => "A backup takes a quarter to two fifths of the bandwidth: a decoy, nothing is wrong",
        };
        Kind { name: self.name().to_owned(), summary: summary.to_owned() }
    }

    /// What people read of it.
    pub fn title(self, target: &str) -> String {
        match self {
            Self::LatencyRise => format!("Packets of {target} take a detour"),
            Self::PacketLoss => format!("Links of {target} lose packets"),
            Self::BandwidthLoss => format!("Lines of {target} are down"),
            Self::CpuStarvation => format!("Processors of {target} are taken by something else"),
            Self::Backup => format!("A backup runs over the links of {target}"),
        }
    }

    /// How bad it is.
    pub fn severity(self) -> Severity {
        match self {
            Self::LatencyRise => Severity::Medium,
            Self::PacketLoss | Self::BandwidthLoss => Severity::High,
            Self::CpuStarvation => Severity::Medium,
            Self::Backup => Severity::Info,
        }
    }

    /// The signal without which it is nothing.
    fn signal(self) -> &'static str {
        match self {
            Self::LatencyRise => "latency",
            Self::PacketLoss => "packet_loss",
            Self::BandwidthLoss | Self::Backup => "bandwidth",
            Self::CpuStarvation => "cpu",
        }
    }

    /// The roles of the targets that it strikes.
    fn roles(self) -> &'static [&'static str] {
        match self {
            Self::LatencyRise | Self::PacketLoss | Self::BandwidthLoss => &["region", "zone", "link-type"],
            Self::CpuStarvation => &["nodes", "zone"],
            Self::Backup => &["zone"],
        }
    }

    /// Whether it can be brought about on a target at all.
    pub fn fits(self, target: &Target) -> bool {
        target.signals.iter().any(|signal| signal == self.signal())
    }

    /// The targets that it strikes by itself: those of its roles, or where a system tells no roles, all that it fits.
    pub fn candidates(self, targets: &[Target]) -> Vec<usize> {
        let able: Vec<usize> =
            targets.iter().enumerate().filter(|(_, target)| self.fits(target)).map(|(at, _)| at).collect();
        let has_role = |at: &usize| {
            targets.get(*at).is_some_and(|target| {
                target.attributes.iter().any(|a| a.name == "role" && self.roles().contains(&a.value.as_str()))
            })
        };
        let fit: Vec<usize> = able.iter().copied().filter(has_role).collect();
        if fit.is_empty() { able } else { fit }
    }

    /// What it does to the signals of its target.
    pub fn actions(self, stream: &mut Stream) -> Vec<Action> {
        let scale = |signal, value| Action { signal, operation: Operation::Scale, value };
        let offset = |signal, value| Action { signal, operation: Operation::Offset, value };
        match self {
            Self::LatencyRise => vec![scale("latency", stream.between(3.0, 8.0))],
            Self::PacketLoss => vec![offset("packet_loss", stream.between(0.01, 0.04))],
            Self::BandwidthLoss => vec![
                scale("bandwidth", stream.between(0.1, 0.33)),
                scale("latency", stream.between(1.3, 2.0)),
                scale("packet_loss", stream.between(2.0, 5.0)),
            ],
            Self::CpuStarvation => {
                vec![Action { signal: "cpu", operation: Operation::Set, value: stream.between(0.9, 0.98) }]
            }
            Self::Backup => vec![scale("bandwidth", stream.between(0.6, 0.75))],
        }
    }
}
