//! The shapes of the user's own `normal_transaction.json`, `error_templates.json` and
//! `infrastructure_metrics.json`, and the ones that ship. Knows nothing of how they are used.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `normal_transaction.json`: what the shop consists of and what its users do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NormalTransaction {
    /// Where hosts stand; hosts without a region of their own are dealt out over them.
    #[serde(default)]
    pub regions: Vec<String>,
    /// Currencies of amounts.
    #[serde(default)]
    pub currencies: Vec<Share>,
    /// Who settles payments.
    #[serde(default)]
    pub payment_providers: Vec<Share>,
    /// Where requests come from.
    #[serde(default)]
    pub channels: Vec<Share>,
    /// What operations use: payment gateways, databases, others' services.
    #[serde(default)]
    pub dependencies: Vec<Dependency>,
    /// The services of the shop.
    pub services: Vec<Service>,
}

/// One of several alternatives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Share {
    /// What the rows say.
    pub name: String,
    /// Its weight in relation to the others'.
    #[serde(default = "one")]
    pub weight: f64,
}

/// Something outside the services that operations use; incidents can act on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dependency {
    /// Its name, unique among services, dependencies and hosts.
    pub name: String,
    /// "payment", "database", or any other word that incident models know.
    pub role: String,
}

/// A service and its operations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Its name, unique among services, dependencies and hosts.
    pub name: String,
    /// What it does for its callers.
    pub operations: Vec<Operation>,
    /// Names of the services that it calls; their trouble can become its own.
    #[serde(default)]
    pub calls: Vec<String>,
}

/// A kind of request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// Its name, unique in its service.
    pub name: String,
    /// HTTP method.
    #[serde(default = "get")]
    pub method: String,
    /// HTTP path; `{id}` stands for the number of a variant.
    pub path: String,
    /// How many variants of the path there are (at most 10,000); which one is asked for follows Zipf's law.
    #[serde(default = "one_variant")]
    pub path_variants: u32,
    /// Its weight among all operations of all services.
    #[serde(default = "one")]
    pub weight: f64,
    /// Median response time at the mean load of a day, in milliseconds.
    #[serde(default = "median_ms")]
    pub median_ms: f64,
    /// How much more often than the average operation it fails.
    #[serde(default = "one")]
    pub error_weight: f64,
    /// Median amount in minor units; none where no money is involved.
    #[serde(default)]
    pub amount_median: Option<f64>,
    /// Names of the dependencies that it needs.
    #[serde(default)]
    pub uses: Vec<String>,
}

/// `error_templates.json`: what an error row says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ErrorTemplates {
    /// The templates. A cause without any takes those that ship.
    pub errors: Vec<ErrorTemplate>,
}

/// One kind of error row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ErrorTemplate {
    /// The error's code.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it comes from.
    #[serde(default)]
    pub cause: Cause,
    /// The message that the row carries.
    pub message: String,
    /// HTTP status.
    #[serde(default = "internal_error")]
    pub http_status: i32,
    /// Its weight among the templates of the same cause that fit the service.
    #[serde(default = "one")]
    pub weight: f64,
    /// The services that it fits; empty for all. A template that names the service goes before one that fits all,
    /// but for the cause `normal`, where they share.
    #[serde(default)]
    pub services: Vec<String>,
}

/// What makes a call fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// What goes wrong on any day.
    #[default]
    Normal,
    /// No answer from a dependency in time.
    Timeout,
    /// Refused by an open circuit breaker.
    Rejection,
    /// No connection left in the pool.
    Pool,
    /// The heap is full.
    Memory,
    /// A service behind it is degraded.
    Upstream,
}

impl Cause {
    /// How many causes there are.
    pub const COUNT: usize = 6;
}

/// `infrastructure_metrics.json`: the machines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InfrastructureMetrics {
    /// The hosts. A service without one gets two that are named after it.
    pub hosts: Vec<HostGroup>,
}

/// One host, or several alike.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HostGroup {
    /// Its name; `{n}` stands for the number from 01 on.
    pub name: String,
    /// The service that runs on it.
    pub service: String,
    /// How many there are (at most 500).
    #[serde(default = "one_variant")]
    pub count: u32,
    /// Where it stands; without one, the regions take turns.
    #[serde(default)]
    pub region: Option<String>,
    /// Largest heap in MiB.
    #[serde(default = "heap_max_mib")]
    pub heap_max_mib: f64,
    /// Most worker threads.
    #[serde(default = "threads_max")]
    pub threads_max: u32,
    /// Most database connections.
    #[serde(default = "db_connections_max")]
    pub db_connections_max: u32,
}

impl HostGroup {
    /// Two hosts for a service that none was given for.
    pub fn of_service(service: &str) -> Self {
        Self {
            name: format!("{service}-{{n}}"),
            service: service.to_owned(),
            count: 2,
            region: None,
            heap_max_mib: heap_max_mib(),
            threads_max: threads_max(),
            db_connections_max: db_connections_max(),
        }
    }
}

fn one() -> f64 {
    1.0
}

fn one_variant() -> u32 {
    1
}

fn get() -> String {
    "GET".to_owned()
}

fn median_ms() -> f64 {
    400.0
}

fn internal_error() -> i32 {
    500
}

fn heap_max_mib() -> f64 {
    2048.0
}

fn threads_max() -> u32 {
    200
}

fn db_connections_max() -> u32 {
    40
}

/// The files that ship, which also show the shapes.
pub const NORMAL_TRANSACTION: &str = include_str!("../templates/normal_transaction.json");
/// See [`NORMAL_TRANSACTION`].
pub const ERROR_TEMPLATES: &str = include_str!("../templates/error_templates.json");
/// See [`NORMAL_TRANSACTION`].
pub const INFRASTRUCTURE_METRICS: &str = include_str!("../templates/infrastructure_metrics.json");
