//! What incidents can act on: the signals, the targets, and their numbers.
//!
//! Names are shared with incident models; [`Signals`] and [`Targets`] count them as the [`Simulation`] does.

use telemill_sdk::{Attribute, Signal, Target};

use crate::catalogue::Catalogue;

/// The whole shop, the parent of every service.
pub const SHOP: &str = "shop";

/// Declares the signals once: a constant for each one's number, and the list.
macro_rules! signals {
    ($($constant:ident $name:literal $unit:literal $table:literal $column:literal $inverse:literal $summary:literal;)+) => {
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
                inverse: $inverse,
            }),+]
        }
    };
}

signals! {
    Demand "demand" "1" "infrastructure_metrics" "request_rate_rps" false "Requests that arrive, in relation to the profile.";
    Capacity "capacity" "1" "infrastructure_metrics" "cpu_pct" true "Work that a service can do, in relation to its normal size.";
    Latency "latency" "ms" "transactions" "response_time_ms" false "Median response time of an operation.";
    ErrorRate "error_rate" "1" "infrastructure_metrics" "error_rate_pct" false "Share of calls that fail for no other named cause.";
    TimeoutRate "timeout_rate" "1" "infrastructure_metrics" "timeout_rate_pct" false "Share of calls that get no answer in time.";
    RejectionRate "rejection_rate" "1" "infrastructure_metrics" "rejection_rate_pct" false "Share of calls that an open circuit breaker refuses.";
    RetryRate "retry_rate" "1" "infrastructure_metrics" "retry_rate_pct" false "Share of calls that are tried again; retries are load.";
    Cpu "cpu" "%" "infrastructure_metrics" "cpu_pct" false "Busy share of a host's processors.";
    Memory "memory" "%" "infrastructure_metrics" "memory_used_pct" false "Used share of a host's memory.";
    GcPause "gc_pause" "ms" "infrastructure_metrics" "gc_pause_ms" false "Time that garbage collections stop a host.";
    Threads "threads" "1" "infrastructure_metrics" "threads_active" false "Worker threads in use.";
    DbConnections "db_connections" "1" "infrastructure_metrics" "db_connections_used" false "Database connections in use.";
}

/// Numbers of the targets: the shop, then services, dependencies, operations, hosts.
#[derive(Clone, Copy, Debug)]
pub struct Targets {
    services: usize,
    operations: usize,
    hosts: usize,
}

impl Targets {
    /// The numbers for a catalogue.
    pub fn of(catalogue: &Catalogue) -> Self {
        let services = 1;
        let operations = services + catalogue.services.len() + catalogue.dependencies.len();
        Self { services, operations, hosts: operations + catalogue.operations.len() }
    }

    /// The whole shop.
    pub fn shop(&self) -> usize {
        0
    }

    /// A service.
    pub fn service(&self, index: usize) -> usize {
        self.services + index
    }

    /// An operation.
    pub fn operation(&self, index: usize) -> usize {
        self.operations + index
    }

    /// A host.
    pub fn host(&self, index: usize) -> usize {
        self.hosts + index
    }
}

const OPERATION: [&str; 5] = ["latency", "error_rate", "timeout_rate", "rejection_rate", "retry_rate"];
const HOST: [&str; 5] = ["cpu", "memory", "gc_pause", "threads", "db_connections"];

/// The targets in the order of their numbers. An effect on a service or on what an operation uses acts on those that
/// name it as a parent.
pub fn targets(catalogue: &Catalogue) -> Vec<Target> {
    let target = |name: String, parents: Vec<String>, signals: &[&str], role: &str| Target {
        name,
        parents,
        signals: signals.iter().map(|&signal| signal.to_owned()).collect(),
        attributes: vec![Attribute::new("role", role)],
    };
    let mut all = vec![target(SHOP.to_owned(), Vec::new(), &["demand"], "system")];
    let service_signals: Vec<&str> = ["capacity"].into_iter().chain(OPERATION).chain(HOST).collect();
    for service in &catalogue.services {
        let mut service_target = target(service.name.clone(), vec![SHOP.to_owned()], &service_signals, "service");
        if !service.calls.is_empty() {
            service_target.attributes.push(Attribute::new("calls", service.calls.join(", ")));
        }
        all.push(service_target);
    }
    let with_connections: Vec<&str> = OPERATION.into_iter().chain(["db_connections"]).collect();
    for dependency in &catalogue.dependencies {
        let signals: &[&str] = if dependency.role == "database" { &with_connections } else { &OPERATION };
        all.push(target(dependency.name.clone(), Vec::new(), signals, &dependency.role));
    }
    for operation in &catalogue.operations {
        let service = &catalogue.services[operation.service].name;
        let uses = operation.uses.iter().map(|&at| catalogue.dependencies[at].name.clone());
        let parents = [service.clone()].into_iter().chain(uses).collect();
        all.push(target(format!("{service}/{}", operation.name), parents, &OPERATION, "operation"));
    }
    for host in &catalogue.hosts {
        let service = &catalogue.services[host.service];
        let mut parents = vec![service.name.clone()];
        for operation in &catalogue.operations[service.operations.clone()] {
            for &at in &operation.uses {
                let dependency = &catalogue.dependencies[at];
                if dependency.role == "database" && !parents.contains(&dependency.name) {
                    parents.push(dependency.name.clone());
                }
            }
        }
        all.push(target(host.name.clone(), parents, &HOST, "host"));
    }
    all
}
