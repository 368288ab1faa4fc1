//! Sites and terminals: made up from the configuration, or fed from a real inventory.
//!
//! A made-up inventory follows from the configuration alone, as its terminals are what incidents act on.

use std::collections::BTreeMap;

use telemill_sdk::{Batch, DataType, Error, Field, Input, Process, hash};

use crate::config::{Config, Inventory};
use crate::signals::Targets;

const SITE: Process = Process::named("pos site");
const TERMINAL: Process = Process::named("pos terminal");

const CITIES: [&str; 12] = [
    "Amsterdam",
    "Berlin",
    "Cork",
    "Dublin",
    "Edinburgh",
    "Ghent",
    "Leeds",
    "Lyon",
    "Malmo",
    "Porto",
    "Turin",
    "Utrecht",
];
/// Models with the share of terminals, their memory and their operating system.
const MODELS: [(&str, f64, i32, &str); 4] = [
    ("T100", 0.35, 4_096, "Linux 5.15"),
    ("T200", 0.40, 8_192, "Linux 6.1"),
    ("T210", 0.15, 8_192, "Linux 6.6"),
    ("K50", 0.10, 4_096, "Android 13"),
];
/// Sites open up to so many quarters of an hour earlier or later than the configuration says.
const SHIFT_QUARTERS: u64 = 3;

/// A shop.
#[derive(Clone, Debug)]
pub struct Site {
    /// Its id.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Where it is.
    pub city: String,
    /// Its terminals.
    pub terminals: Vec<usize>,
    /// The target that stands for it.
    pub target: usize,
    /// By how many minutes it opens and closes later than the configuration says.
    pub shift_minutes: i64,
}

/// A terminal.
#[derive(Clone, Debug)]
pub struct Terminal {
    /// Its id.
    pub id: String,
    /// Its site.
    pub site: usize,
    /// Its roll-out group.
    pub group: usize,
    /// The targets whose effects reach it.
    pub chain: Vec<usize>,
    /// Its model.
    pub model: String,
    /// Its operating system.
    pub os_version: String,
    /// Its address in the site's private network.
    pub ip_address: String,
    /// Its memory in MiB.
    pub memory_mib: i32,
}

/// All sites and terminals.
#[derive(Clone, Debug, Default)]
pub struct Estate {
    /// The sites.
    pub sites: Vec<Site>,
    /// The terminals; each knows its site.
    pub terminals: Vec<Terminal>,
}

/// The id and target of a made-up site.
pub fn site_name(index: u32) -> String {
    format!("site-{:03}", index + 1)
}

/// The id and target of a made-up terminal.
pub fn terminal_name(index: u32) -> String {
    format!("pos-{:05}", index + 1)
}

/// The site of a made-up terminal: one each first, then by chance, so that sites differ in size.
pub fn made_site(config: &Config, index: u32) -> u32 {
    if index < config.sites {
        index
    } else {
        pick(hash(0, TERMINAL, u64::from(index), 0), u64::from(config.sites)) as u32
    }
}

/// The roll-out group of a made-up terminal.
pub fn made_group(config: &Config, index: u32) -> u32 {
    index % config.rollout_groups.max(1)
}

fn pick(bits: u64, of: u64) -> u64 {
    ((bits >> 32) * of) >> 32
}

/// The inputs that a fed inventory consists of.
pub fn inputs(config: &Config) -> Vec<Input> {
    if config.inventory == Inventory::Made {
        return Vec::new();
    }
    let text = |name: &str, nullable: bool| Field { nullable, ..Field::new(name, DataType::Utf8) };
    vec![
        Input {
            table: "sites".to_owned(),
            fields: vec![text("site_id", false), text("name", true), text("city", true)],
            required: true,
        },
        Input {
            table: "devices".to_owned(),
            fields: vec![
                text("device_id", false),
                text("site_id", false),
                text("model", true),
                text("os_version", true),
                text("ip_address", true),
            ],
            required: true,
        },
    ]
}

impl Estate {
    /// The inventory that a configuration makes up; empty where it is to be fed.
    pub fn of(config: &Config) -> Self {
        let mut estate = Self::default();
        if config.inventory == Inventory::Fed {
            return estate;
        }
        let targets = Targets::of(config);
        let site = |index: u32| Site::new(targets.site(index as usize), index as usize, site_name(index), None, None);
        estate.sites.extend((0..config.sites).map(site));
        for index in 0..config.terminals {
            let site = made_site(config, index) as usize;
            let group = made_group(config, index) as usize;
            let chain = vec![targets.terminal(index as usize)];
            estate.add(Terminal::new(index as usize, terminal_name(index), site, group, chain));
        }
        estate
    }

    fn add(&mut self, terminal: Terminal) {
        if let Some(site) = self.sites.get_mut(terminal.site) {
            site.terminals.push(self.terminals.len());
        }
        self.terminals.push(terminal);
    }

    /// Takes rows of an inventory that is fed.
    ///
    /// # Errors
    /// Where an id is there twice, a terminal's site is unknown, or there are more than the configuration allows.
    pub fn feed(&mut self, config: &Config, input: &Input, rows: &Batch) -> Result<(), Error> {
        let targets = Targets::of(config);
        let text = |name: &str, row: usize| rows.text(name, row).map(str::to_owned);
        if input.table == "sites" {
            for row in 0..rows.rows() {
                let id = text("site_id", row).unwrap_or_default();
                let index = self.sites.len();
                self.sites.push(Site::new(targets.site(index), index, id, text("name", row), text("city", row)));
            }
            return within(self.sites.len(), config.sites, "sites")
                .and_then(|()| distinct(self.sites.iter().map(|site| site.id.as_str()), "site_id"));
        }
        let by_id: BTreeMap<String, usize> =
            self.sites.iter().enumerate().map(|(at, site)| (site.id.clone(), at)).collect();
        for row in 0..rows.rows() {
            let (id, site) = (text("device_id", row).unwrap_or_default(), text("site_id", row).unwrap_or_default());
            let Some(&site) = by_id.get(&site) else {
                return Err(Error::failed(format!(
                    "device {id:?} stands at site {site:?}, which is none of the sites"
                )));
            };
            let index = self.terminals.len();
            let group = index % config.rollout_groups.max(1) as usize;
            let chain = vec![targets.site(site), targets.terminal(index)];
            let mut terminal = Terminal::new(index, id, site, group, chain);
            for (name, to) in [
                ("model", &mut terminal.model),
                ("os_version", &mut terminal.os_version),
                ("ip_address", &mut terminal.ip_address),
            ] {
                if let Some(known) = text(name, row) {
                    *to = known;
                }
            }
            self.add(terminal);
        }
        within(self.terminals.len(), config.terminals, "terminals")
            .and_then(|()| distinct(self.terminals.iter().map(|terminal| terminal.id.as_str()), "device_id"))
    }
}

impl Site {
    fn new(target: usize, index: usize, id: String, name: Option<String>, city: Option<String>) -> Self {
        let bits = hash(0, SITE, index as u64, 0);
        let city = city.or_else(|| CITIES.get(index % CITIES.len()).map(|&city| city.to_owned())).unwrap_or_default();
        let shift_minutes = (pick(bits << 32, 2 * SHIFT_QUARTERS + 1) as i64 - SHIFT_QUARTERS as i64) * 15;
        let name = name.unwrap_or_else(|| format!("{city} {}", index / CITIES.len() + 1));
        Self { id, name, city, terminals: Vec::new(), target, shift_minutes }
    }
}

impl Terminal {
    fn new(index: usize, id: String, site: usize, group: usize, chain: Vec<usize>) -> Self {
        let mut place = (hash(0, TERMINAL, index as u64, 1) >> 11) as f64 / (1u64 << 53) as f64;
        let (mut model, mut memory_mib, mut os) = ("", 0, "");
        for (name, share, mib, system) in MODELS {
            if place < 0.0 {
                break;
            }
            (model, memory_mib, os) = (name, mib, system);
            place -= share;
        }
        let ip_address = format!("10.20.{}.{}", index / 250, index % 250 + 1);
        Self { id, site, group, chain, model: model.to_owned(), os_version: os.to_owned(), ip_address, memory_mib }
    }
}

fn within(count: usize, most: u32, key: &str) -> Result<(), Error> {
    if count <= most as usize {
        return Ok(());
    }
    Err(Error::failed(format!("the inventory has {count} {key}, and the configuration allows {most}: raise `{key}`")))
}

fn distinct<'a>(ids: impl Iterator<Item = &'a str>, what: &str) -> Result<(), Error> {
    let mut seen = std::collections::BTreeSet::new();
    for id in ids {
        if !seen.insert(id) {
            return Err(Error::failed(format!("the inventory has the {what} {id:?} twice")));
        }
    }
    Ok(())
}
