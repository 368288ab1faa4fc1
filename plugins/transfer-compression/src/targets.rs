//! What incidents can act on: signals, targets, and their numbers. Names are shared with incident models.

use telemill_sdk::{Attribute, Signal, Target};

use crate::network::{GROUPS, LETTERS, LINK_TYPES, RACKS, REGIONS, ZONES};

/// Numbers of the signals, in the order of [`signals`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signals {
    /// Round trip of a link.
    Latency,
    /// Share of its packets that get lost.
    PacketLoss,
    /// What it has to give.
    Bandwidth,
    /// Busy share of a node's processors.
    Cpu,
}

const OF_LINKS: [&str; 3] = ["latency", "packet_loss", "bandwidth"];
const OF_NODES: [&str; 1] = ["cpu"];

/// The declarations in the order of their numbers.
pub fn signals() -> Vec<Signal> {
    let signal = |name: &str, unit: &str, summary: &str, column: &str| Signal {
        name: name.to_owned(),
        unit: Some(unit.to_owned()),
        summary: summary.to_owned(),
        table: "compression_metrics".to_owned(),
        column: column.to_owned(),
        inverse: false,
    };
    vec![
        signal("latency", "ms", "Round trip of a link", "rtt_ms"),
        signal("packet_loss", "1", "Share of a link's packets that get lost", "packet_loss_rate"),
        signal("bandwidth", "Mbit/s", "What a link has to give", "available_bandwidth_mbps"),
        signal("cpu", "1", "Busy share of a node's processors", "cpu_usage"),
    ]
}

/// The number of the target of a group of links.
pub fn links(group: usize) -> usize {
    REGIONS.len() + ZONES + LINK_TYPES.len() + group
}

/// The number of the target of a rack of nodes.
pub fn rack(index: usize) -> usize {
    links(GROUPS) + index
}

/// The name of a zone, such as `us-east-1a`.
pub fn zone_name(zone: usize) -> String {
    format!("{}{}", REGIONS[zone / LETTERS.len()], LETTERS[zone % LETTERS.len()])
}

/// Regions, zones, link types, then links by zone and type, then racks by zone. An effect on a region, a zone or a link type acts
/// on the links and racks that name it as a parent.
pub fn targets() -> Vec<Target> {
    let target = |name: String, parents: Vec<String>, signals: &[&[&str]], role: &str| Target {
        name,
        parents,
        signals: signals.concat().into_iter().map(str::to_owned).collect(),
        attributes: vec![Attribute::new("role", role)],
    };
    let both: [&[&str]; 2] = [&OF_LINKS, &OF_NODES];
    let mut all: Vec<Target> =
        REGIONS.iter().map(|region| target((*region).to_owned(), Vec::new(), &both, "region")).collect();
    for zone in 0..ZONES {
        all.push(target(zone_name(zone), vec![REGIONS[zone / LETTERS.len()].to_owned()], &both, "zone"));
    }
    for link_type in LINK_TYPES {
        all.push(target(link_type.to_owned(), Vec::new(), &[&OF_LINKS], "link-type"));
    }
    for group in 0..GROUPS {
        let (zone, link_type) = (zone_name(group / LINK_TYPES.len()), LINK_TYPES[group % LINK_TYPES.len()]);
        let name = format!("{zone}/{link_type}");
        all.push(target(name, vec![zone, link_type.to_owned()], &[&OF_LINKS], "link"));
    }
    for index in 0..ZONES * RACKS {
        let zone = zone_name(index / RACKS);
        all.push(target(format!("{zone}/rack-{}", index % RACKS + 1), vec![zone], &[&OF_NODES], "nodes"));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_list() {
        let all = targets();
        assert_eq!(all[links(0)].name, "us-east-1a/dc");
        assert_eq!(all[links(GROUPS - 1)].name, "eu-west-1c/wan");
        assert_eq!(all[rack(0)].name, "us-east-1a/rack-1");
        assert_eq!(all[rack(ZONES * RACKS - 1)].name, "eu-west-1c/rack-4");
        assert_eq!(all.len(), rack(ZONES * RACKS));
    }
}
