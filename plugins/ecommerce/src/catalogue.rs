//! The shop as the simulation uses it: services, operations, hosts and error messages under numbers, with tables
//! to draw from. Built once from the configuration; knows nothing of time.

use serde::de::DeserializeOwned;
use telemill_sdk::{Problem, Weighted};

use crate::config::Config;
use crate::templates::{
    self, Cause, Dependency, ErrorTemplate, ErrorTemplates, HostGroup, InfrastructureMetrics, NormalTransaction, Share,
};

const MAX_OPERATIONS: usize = 1_000;
const MAX_PATH_VARIANTS: u32 = 10_000;
const MAX_HOSTS_PER_GROUP: u32 = 500;
const MAX_HOSTS: usize = 5_000;
/// Popularity of products, categories and searches.
const PATH_ZIPF: f64 = 0.9;

/// All of the shop.
#[derive(Clone, Debug)]
pub struct Catalogue {
    /// In the order of the configuration.
    pub services: Vec<Service>,
    /// Of all services, one service after the other.
    pub operations: Vec<Operation>,
    /// What operations use.
    pub dependencies: Vec<Dependency>,
    /// Of all services, one service after the other.
    pub hosts: Vec<Host>,
    /// Names that rows point to.
    pub regions: Vec<String>,
    /// HTTP methods.
    pub methods: Vec<String>,
    /// HTTP paths, variants spelled out.
    pub paths: Vec<String>,
    /// What error rows say.
    pub errors: Vec<ErrorTemplate>,
    /// Which operation comes next.
    pub mix: Weighted,
    /// Alternatives that belong to no service.
    pub currencies: Choice,
    /// Who settles payments.
    pub providers: Choice,
    /// Where requests come from.
    pub channels: Choice,
}

/// Names and their weights.
#[derive(Clone, Debug)]
pub struct Choice {
    /// The names.
    pub names: Vec<String>,
    /// Which of them.
    pub draw: Weighted,
}

/// A service.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Its share of all transactions.
    pub share: f64,
    /// Positions of its operations.
    pub operations: std::ops::Range<usize>,
    /// Positions of its hosts.
    pub hosts: std::ops::Range<usize>,
    /// Names of the services that it calls.
    pub calls: Vec<String>,
}

/// A kind of request.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Its name within the service.
    pub name: String,
    /// Position of its service.
    pub service: usize,
    /// Position in [`Catalogue::methods`].
    pub method: u32,
    /// Position of its first path.
    pub path: u32,
    /// Which variant of the path; none where there is one.
    pub path_variant: Option<Weighted>,
    /// Its share of all transactions.
    pub share: f64,
    /// Median response time at the mean load of a day.
    pub median_ms: f64,
    /// How much more often than the average operation it fails.
    pub error_weight: f64,
    /// Median amount in minor units.
    pub amount_median: Option<f64>,
    /// Positions of what it uses.
    pub uses: Vec<usize>,
    /// Whether a payment provider is involved.
    pub pays: bool,
    /// Whether it needs a database.
    pub stores: bool,
    /// For each [`Cause`], the templates that fit and their weights.
    pub errors: [(Vec<u32>, Weighted); Cause::COUNT],
}

/// A machine.
#[derive(Clone, Debug)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// Position of its service.
    pub service: usize,
    /// Position of its region.
    pub region: u32,
    /// Largest heap in MiB.
    pub heap_max_mib: f64,
    /// Most worker threads.
    pub threads_max: u32,
    /// Most database connections.
    pub db_connections_max: u32,
}

impl Catalogue {
    /// The shop of a configuration.
    ///
    /// # Errors
    /// What is wrong with the user's own templates, and where.
    pub fn new(config: &Config) -> Result<Self, Vec<Problem>> {
        let transaction: NormalTransaction =
            config.normal_transaction.clone().map_or_else(|| shipped(templates::NORMAL_TRANSACTION), Ok)?;
        let shipped_errors: ErrorTemplates = shipped(templates::ERROR_TEMPLATES)?;
        let infrastructure: InfrastructureMetrics =
            config.infrastructure_metrics.clone().map_or_else(|| shipped(templates::INFRASTRUCTURE_METRICS), Ok)?;
        let mut problems = problems_of(&transaction);
        if config.infrastructure_metrics.is_some() {
            problems.extend(problems_of_hosts(&infrastructure, &transaction));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let errors = merge_errors(config.error_templates.as_ref(), &shipped_errors);
        let mut catalogue = Self {
            services: Vec::new(),
            operations: Vec::new(),
            dependencies: transaction.dependencies.clone(),
            hosts: Vec::new(),
            regions: or_default(&transaction.regions, "local"),
            methods: Vec::new(),
            paths: Vec::new(),
            errors,
            mix: Weighted::new(&[]),
            currencies: Choice::of(&transaction.currencies, "USD"),
            providers: Choice::of(&transaction.payment_providers, "card"),
            channels: Choice::of(&transaction.channels, "web"),
        };
        for service in &transaction.services {
            catalogue.add_service(service);
        }
        catalogue.add_hosts(&infrastructure);
        catalogue.normalise();
        let names: Vec<&String> = catalogue
            .services
            .iter()
            .map(|service| &service.name)
            .chain(catalogue.dependencies.iter().map(|dependency| &dependency.name))
            .chain(catalogue.hosts.iter().map(|host| &host.name))
            .collect();
        let mut sorted = names.clone();
        sorted.sort();
        match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(vec![Problem::new(
                "/normal_transaction",
                format!("two of the services, dependencies and hosts are called {:?}", pair[0]),
            )]),
            None => Ok(catalogue),
        }
    }

    fn add_service(&mut self, service: &templates::Service) {
        let first = self.operations.len();
        for operation in &service.operations {
            let method = position_or_push(&mut self.methods, &operation.method);
            let path = self.paths.len() as u32;
            let variants = operation.path_variants.max(1);
            if variants > 1 {
                self.paths.extend((1..=variants).map(|n| operation.path.replace("{id}", &n.to_string())));
            } else {
                self.paths.push(operation.path.clone());
            }
            let uses: Vec<usize> = operation
                .uses
                .iter()
                .filter_map(|name| self.dependencies.iter().position(|dependency| dependency.name == *name))
                .collect();
            let has = |role: &str| uses.iter().any(|&at| self.dependencies[at].role == role);
            let errors = [Cause::Normal, Cause::Timeout, Cause::Rejection, Cause::Pool, Cause::Memory, Cause::Upstream]
                .map(|cause| fitting(&self.errors, cause, &service.name));
            self.operations.push(Operation {
                name: operation.name.clone(),
                service: self.services.len(),
                method,
                path,
                path_variant: (variants > 1).then(|| Weighted::zipf(variants as usize, PATH_ZIPF)),
                share: operation.weight,
                median_ms: operation.median_ms,
                error_weight: operation.error_weight,
                amount_median: operation.amount_median,
                pays: has("payment"),
                stores: has("database"),
                uses,
                errors,
            });
        }
        self.services.push(Service {
            name: service.name.clone(),
            share: 0.0,
            operations: first..self.operations.len(),
            hosts: 0..0,
            calls: service.calls.clone(),
        });
    }

    fn add_hosts(&mut self, infrastructure: &InfrastructureMetrics) {
        for (at, service) in self.services.iter_mut().enumerate() {
            let first = self.hosts.len();
            let own = HostGroup::of_service(&service.name);
            let mut groups: Vec<&HostGroup> =
                infrastructure.hosts.iter().filter(|group| group.service == service.name).collect();
            if groups.is_empty() {
                groups.push(&own);
            }
            for group in groups {
                for n in 1..=group.count {
                    let region = match &group.region {
                        Some(region) => position_or_push(&mut self.regions, region),
                        None => (self.hosts.len() % self.regions.len()) as u32,
                    };
                    self.hosts.push(Host {
                        name: group.name.replace("{n}", &format!("{n:02}")),
                        service: at,
                        region,
                        heap_max_mib: group.heap_max_mib,
                        threads_max: group.threads_max,
                        db_connections_max: group.db_connections_max,
                    });
                }
            }
            service.hosts = first..self.hosts.len();
        }
    }

    /// Makes shares of weights, and error weights such that their mean over all transactions is 1.
    fn normalise(&mut self) {
        let weights: Vec<f64> = self.operations.iter().map(|operation| operation.share).collect();
        self.mix = Weighted::new(&weights);
        let total: f64 = weights.iter().sum();
        let failing: f64 = self.operations.iter().map(|operation| operation.share * operation.error_weight).sum();
        for operation in &mut self.operations {
            operation.share /= total;
            operation.error_weight *= if failing > 0.0 { total / failing } else { 0.0 };
        }
        for service in &mut self.services {
            service.share = self.operations[service.operations.clone()].iter().map(|operation| operation.share).sum();
        }
    }
}

impl Choice {
    fn of(shares: &[Share], default: &str) -> Self {
        if shares.is_empty() {
            return Self { names: vec![default.to_owned()], draw: Weighted::new(&[1.0]) };
        }
        Self {
            names: shares.iter().map(|share| share.name.clone()).collect(),
            draw: Weighted::new(&shares.iter().map(|share| share.weight).collect::<Vec<_>>()),
        }
    }
}

fn shipped<T: DeserializeOwned>(json: &str) -> Result<T, Vec<Problem>> {
    serde_json::from_str(json).map_err(|error| vec![Problem::new("", format!("a template that ships: {error}"))])
}

fn or_default(names: &[String], default: &str) -> Vec<String> {
    if names.is_empty() { vec![default.to_owned()] } else { names.to_vec() }
}

fn position_or_push(names: &mut Vec<String>, name: &str) -> u32 {
    let at = names.iter().position(|known| known == name).unwrap_or_else(|| {
        names.push(name.to_owned());
        names.len() - 1
    });
    at as u32
}

/// The user's templates, and for causes that have none, those that ship.
fn merge_errors(own: Option<&ErrorTemplates>, shipped: &ErrorTemplates) -> Vec<ErrorTemplate> {
    let mut errors = own.map_or_else(Vec::new, |own| own.errors.clone());
    let missing: Vec<ErrorTemplate> = shipped
        .errors
        .iter()
        .filter(|template| !errors.iter().any(|own| own.cause == template.cause && own.services.is_empty()))
        .filter(|template| template.services.is_empty() || !errors.iter().any(|own| own.cause == template.cause))
        .cloned()
        .collect();
    errors.extend(missing);
    errors
}

fn fitting(errors: &[ErrorTemplate], cause: Cause, service: &str) -> (Vec<u32>, Weighted) {
    let named = |template: &ErrorTemplate| template.services.iter().any(|name| name == service);
    let of_cause = || errors.iter().enumerate().filter(|(_, template)| template.cause == cause);
    let only_named = cause != Cause::Normal && of_cause().any(|(_, template)| named(template));
    let fit: Vec<(usize, &ErrorTemplate)> =
        of_cause().filter(|(_, template)| named(template) || (template.services.is_empty() && !only_named)).collect();
    let weights: Vec<f64> = fit.iter().map(|(_, template)| template.weight).collect();
    (fit.iter().map(|(at, _)| *at as u32).collect(), Weighted::new(&weights))
}

fn problems_of(transaction: &NormalTransaction) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut complain = |path: String, message: String| {
        problems.push(Problem::new(format!("/normal_transaction{path}"), message));
    };
    if transaction.services.is_empty() {
        complain("/services".into(), "there must be a service".into());
    }
    let operations: usize = transaction.services.iter().map(|service| service.operations.len()).sum();
    if operations > MAX_OPERATIONS {
        complain("/services".into(), format!("{operations} operations are more than {MAX_OPERATIONS}"));
    }
    let mut total = 0.0;
    for (s, service) in transaction.services.iter().enumerate() {
        if service.operations.is_empty() {
            complain(format!("/services/{s}/operations"), "there must be an operation".into());
        }
        for (c, name) in service.calls.iter().enumerate() {
            if !transaction.services.iter().any(|other| other.name == *name && other.name != service.name) {
                complain(format!("/services/{s}/calls/{c}"), format!("{name:?} is none of the other services"));
            }
        }
        for (o, operation) in service.operations.iter().enumerate() {
            let at = |key: &str| format!("/services/{s}/operations/{o}/{key}");
            for (value, key, low, high) in [
                (operation.weight, "weight", 0.0, 1e9),
                (operation.median_ms, "median_ms", 1.0, 30_000.0),
                (operation.error_weight, "error_weight", 0.0, 50.0),
                (operation.amount_median.unwrap_or(1.0), "amount_median", 0.0, 1e12),
            ] {
                if !(low..=high).contains(&value) {
                    complain(at(key), format!("must be between {low} and {high}"));
                }
            }
            if operation.path_variants > MAX_PATH_VARIANTS {
                complain(at("path_variants"), format!("must be at most {MAX_PATH_VARIANTS}"));
            }
            for name in &operation.uses {
                if !transaction.dependencies.iter().any(|dependency| dependency.name == *name) {
                    complain(at("uses"), format!("{name:?} is none of the dependencies"));
                }
            }
            total += operation.weight;
        }
    }
    if operations > 0 && total <= 0.0 {
        complain("/services".into(), "no operation has a weight above 0".into());
    }
    problems
}

fn problems_of_hosts(infrastructure: &InfrastructureMetrics, transaction: &NormalTransaction) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut hosts = 0usize;
    for (h, group) in infrastructure.hosts.iter().enumerate() {
        let at = |key: &str| format!("/infrastructure_metrics/hosts/{h}/{key}");
        if !transaction.services.iter().any(|service| service.name == group.service) {
            problems.push(Problem::new(at("service"), format!("{:?} is none of the services", group.service)));
        }
        if !(1..=MAX_HOSTS_PER_GROUP).contains(&group.count) {
            problems.push(Problem::new(at("count"), format!("must be between 1 and {MAX_HOSTS_PER_GROUP}")));
        } else if group.count > 1 && !group.name.contains("{n}") {
            problems.push(Problem::new(at("name"), "must contain {n} where count is above 1"));
        }
        if !(1.0..=1e7).contains(&group.heap_max_mib) {
            problems.push(Problem::new(at("heap_max_mib"), "must be between 1 and 10,000,000"));
        }
        for (value, key) in [(group.threads_max, "threads_max"), (group.db_connections_max, "db_connections_max")] {
            if !(1..=1_000_000).contains(&value) {
                problems.push(Problem::new(at(key), "must be between 1 and 1,000,000"));
            }
        }
        hosts += group.count.min(MAX_HOSTS_PER_GROUP) as usize;
    }
    if hosts > MAX_HOSTS {
        problems
            .push(Problem::new("/infrastructure_metrics/hosts", format!("{hosts} hosts are more than {MAX_HOSTS}")));
    }
    problems
}
