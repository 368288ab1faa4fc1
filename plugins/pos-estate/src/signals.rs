//! What incidents can act on: the signals, the targets, and their numbers.
//!
//! Names are shared with incident models; [`Signals`] and [`Targets`] count them as the simulation does.

use telemill_sdk::{Attribute, Blame, Effects, Signal, Target, Timestamp};

use crate::config::{Config, Inventory};
use crate::inventory::{made_group, made_site, site_name, terminal_name};

/// The whole chain: the parent of every site and group.
pub const ESTATE: &str = "estate";
/// The platform's API.
pub const API: &str = "api";

/// Declares the signals once: a constant for each one's number, and the list.
macro_rules! signals {
    ($($constant:ident $name:literal $unit:literal $table:literal $column:literal $summary:literal;)+) => {
        /// Numbers of the signals.
        #[repr(usize)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Signals { $(#[doc = $summary] $constant),+ }

        /// The declarations in the order of their numbers.
        pub fn signals() -> Vec<Signal> {
            vec![$(Signal {
                name: $name.to_owned(),
                unit: Some($unit.to_owned()),
                summary: $summary.to_owned(),
                table: $table.to_owned(),
                column: $column.to_owned(),
                inverse: false,
            }),+]
        }
    };
}

signals! {
    PacketLoss "packet_loss" "1" "device_metrics" "network_latency_ms" "Share of a terminal's packets that are lost; from 0.2 on reports get lost, from 0.8 on all.";
    Cpu "cpu" "%" "device_metrics" "cpu_pct" "Busy share of a terminal's processor.";
    Memory "memory" "%" "device_metrics" "memory_pct" "Used share of a terminal's memory.";
    Disk "disk" "%" "device_metrics" "disk_pct" "Used share of a terminal's disk.";
    DeviceErrors "device_errors" "/min" "error_logs" "occurrences" "Errors that a terminal's software logs a minute.";
    JobFailures "job_failures" "1" "job_outcomes" "attempts" "Share of the attempts at a job that fail on the terminal.";
    ApiLatency "api_latency" "ms" "api_request_logs" "latency_ms" "Time that the API takes to answer.";
    ApiErrors "api_errors" "1" "error_logs" "occurrences" "Share of the API's calls that fail.";
}

const TERMINAL: [&str; 6] = ["packet_loss", "cpu", "memory", "disk", "device_errors", "job_failures"];
const SERVICE: [&str; 2] = ["api_latency", "api_errors"];

/// Numbers of the targets: the estate, the API, then sites, groups, terminals.
#[derive(Clone, Copy, Debug)]
pub struct Targets {
    sites: usize,
    terminals: usize,
}

impl Targets {
    /// The number of the API.
    pub const API: usize = 1;

    /// The numbers for a configuration.
    pub fn of(config: &Config) -> Self {
        let sites = 2;
        Self { sites, terminals: sites + config.sites as usize + config.rollout_groups as usize }
    }

    /// A site.
    pub fn site(&self, index: usize) -> usize {
        self.sites + index
    }

    /// A terminal.
    pub fn terminal(&self, index: usize) -> usize {
        self.terminals + index
    }
}

/// The name of a roll-out group.
pub fn group_name(index: u32) -> String {
    format!("rollout-{}", index + 1)
}

/// The targets in the order of their numbers.
///
/// A plan knows the configuration and no rows, so sites and terminals of an inventory that is fed are counted in the order of its rows and say
/// which row they stand for; the host gives them its names. Its terminals name no site: the generator itself adds up what acts on both.
pub fn targets(config: &Config) -> Vec<Target> {
    let target = |name: String, parents: Vec<String>, signals: &[&str], role: &str| Target {
        name,
        parents,
        signals: signals.iter().map(|&signal| signal.to_owned()).collect(),
        attributes: vec![Attribute::new("role", role)],
    };
    let estate = || vec![ESTATE.to_owned()];
    let mut all = vec![
        target(ESTATE.to_owned(), Vec::new(), &TERMINAL, "system"),
        target(API.to_owned(), Vec::new(), &SERVICE, "service"),
    ];
    let fed = config.inventory == Inventory::Fed;
    all.extend((0..config.sites).map(|index| {
        let mut site = target(site_name(index), estate(), &TERMINAL, "site");
        if fed {
            site.attributes
                .extend([Attribute::new("input", "sites.site_id"), Attribute::new("input_row", index.to_string())]);
        }
        site
    }));
    all.extend((0..config.rollout_groups).map(|index| {
        // Of an inventory that is fed, what acts on the estate must not reach a terminal twice.
        let parents = if fed { Vec::new() } else { estate() };
        let mut group = target(group_name(index), parents, &TERMINAL, "rollout-group");
        // When it gets new software: on local days d since 1970 with d % every == day.
        group.attributes.extend([
            Attribute::new("rollout_every", config.rollout_groups.to_string()),
            Attribute::new("rollout_day", index.to_string()),
            Attribute::new("rollout_hour", config.rollout_hour.to_string()),
            Attribute::new("time_zone", config.time_zone.as_str()),
        ]);
        group
    }));
    all.extend((0..config.terminals).map(|index| {
        let group = group_name(made_group(config, index));
        let parents = if fed { vec![group] } else { vec![site_name(made_site(config, index)), group] };
        let mut terminal = target(terminal_name(index), parents, &TERMINAL, "terminal");
        if fed {
            terminal.attributes.extend([
                Attribute::new("input", "devices.device_id"),
                Attribute::new("input_row", index.to_string()),
                Attribute::new("input_parent", "site_id"),
            ]);
        }
        terminal
    }));
    all
}

/// What becomes of a base value at targets that all act on the same thing; `blame` keeps the incident that changed it most.
pub fn bend<'a>(
    effects: &'a Effects,
    chain: &[usize],
    signal: Signals,
    t: Timestamp,
    base: f64,
    blame: &mut Option<Blame<'a>>,
) -> f64 {
    chain.iter().fold(base, |value, &target| {
        let bent = effects.at(target, signal as usize, t);
        if bent.is_neutral() {
            return value;
        }
        *blame = Blame::most(*blame, bent.blame(value));
        bent.apply(value)
    })
}
