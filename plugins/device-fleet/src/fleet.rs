//! The inventory: what each machine is, when it was acquired, and when it is switched on. No reports.

use telemill_sdk::time::{DAY, HOUR, Local, MINUTE};
use telemill_sdk::{Process, Stream, Timestamp, Weighted, hash};

use crate::branches::{Branch, branches};
use crate::catalogue::{MODELS, RELEASES, Release, TYPES, WINDOWS};
use crate::config::Config;

const DEVICE: Process = Process::named("device");
const OPENED: Process = Process::named("branch opened");
const EDGE: Process = Process::named("switched on and off");

/// Machines of a subnet, whose addresses end in 1 to 250.
const SUBNET: u32 = 250;
/// Odd, so that it scatters the 65,536 subnets of 10.0.0.0/8 without taking one twice.
const SUBNET_STRIDE: u32 = 40_503;
/// Share of machines that are set up with the newest release, and of the rest with the next one that is still sold.
const NEWEST_RELEASE: f64 = 0.65;
/// More is bought in later years: days go with this power of the share of the machines.
const GROWTH: f64 = 0.75;
/// A lobby is open from six to ten.
const LOBBY: (i64, i64) = (6 * 60, 22 * 60);
/// Nobody switches a machine on or off at the same minute every day.
const EDGE_MINUTES: i64 = 15;

/// When a machine is switched on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hours {
    /// Always.
    Always,
    /// Every day between two minutes after local midnight.
    Daily(i64, i64),
    /// Monday to Friday between two minutes after local midnight.
    Weekdays(i64, i64),
}

/// A machine.
#[derive(Clone, Copy, Debug)]
pub struct Device {
    /// Position of its branch.
    pub branch: u32,
    /// Position of its model, which tells type and supplier.
    pub model: u8,
    /// Position of its release, which tells the operating system.
    pub release: u8,
    /// IPv4 address.
    pub address: u32,
    /// Day of its acquisition, counted from 1970.
    pub acquired: i64,
    /// When it is switched on.
    pub hours: Hours,
    /// What its clocks are off UTC, in microseconds.
    pub utc_offset: i64,
}

impl Device {
    /// When it is set up and reports for the first time: in the morning of the day of its acquisition.
    pub fn installed(&self) -> Timestamp {
        self.acquired * DAY + 10 * HOUR - self.utc_offset
    }

    /// Whether it is switched on.
    pub fn is_on(&self, seed: u64, index: u64, t: Timestamp) -> bool {
        let (from, until, weekdays) = match self.hours {
            Hours::Always => return true,
            Hours::Daily(from, until) => (from, until, false),
            Hours::Weekdays(from, until) => (from, until, true),
        };
        let local = t + self.utc_offset;
        let day = local.div_euclid(DAY);
        // 1970-01-01 was a Thursday.
        if weekdays && (day + 3).rem_euclid(7) >= 5 {
            return false;
        }
        let minute = (local - day * DAY) / MINUTE;
        let mut shift = 0;
        if (minute - from).abs() <= EDGE_MINUTES || (minute - until).abs() <= EDGE_MINUTES {
            shift = (hash(seed, EDGE, index, day) % (2 * EDGE_MINUTES as u64 + 1)) as i64 - EDGE_MINUTES;
        }
        (from + shift..until + shift).contains(&minute)
    }
}

/// All machines and branches.
#[derive(Clone, Debug)]
pub struct Fleet {
    /// The seed that they come from.
    pub seed: u64,
    /// The branches, each with one machine at least.
    pub branches: Vec<Branch>,
    /// The machines in the order of their acquisition.
    pub devices: Vec<Device>,
}

impl Fleet {
    /// The fleet of a configuration.
    pub fn new(config: &Config, seed: u64) -> Self {
        let branches = branches(seed, config.branches());
        let sizes = Weighted::new(&branches.iter().map(|branch| branch.size).collect::<Vec<_>>());
        let types = Weighted::new(&TYPES.map(|t| t.share));
        let (first, last) = config.acquisition_days();
        let count = f64::from(config.devices.max(1));
        // The order in which branches were opened.
        let mut opened: Vec<usize> = (0..branches.len()).collect();
        opened.sort_by_key(|&branch| hash(seed, OPENED, branch as u64, 0));
        let mut devices: Vec<Device> = (0..u64::from(config.devices))
            .map(|index| {
                let mut draw = Stream::of(seed, DEVICE, index, 0);
                // Every branch gets its first machine before any gets a second.
                let chosen = sizes.draw(&mut draw);
                let at = opened.get(index as usize).copied().unwrap_or(chosen);
                let share = ((index as f64 + draw.unit()) / count).powf(GROWTH);
                let acquired = workday(first + ((last - first + 1) as f64 * share) as i64).max(first);
                let machine_type = types.draw(&mut draw) as u8;
                let branch = branches.get(at);
                Device {
                    branch: at as u32,
                    model: model(machine_type, acquired, &mut draw),
                    release: release(machine_type, acquired, &mut draw),
                    address: 0,
                    acquired,
                    hours: branch.map_or(Hours::Always, |branch| hours(machine_type, branch, &mut draw)),
                    utc_offset: branch.map_or(0, |branch| branch.utc_offset),
                }
            })
            .collect();
        give_addresses(&mut devices, branches.len());
        Self { seed, branches, devices }
    }
}

/// The day itself, or the Friday before a weekend: nobody delivers then.
fn workday(day: i64) -> i64 {
    day - ((day + 3).rem_euclid(7) - 4).max(0)
}

/// The year of a day.
fn year_of(day: i64) -> i16 {
    Local { day, weekday: 0, micros: 0 }.date().0
}

/// One of the models of a type that are sold on a day.
fn model(machine_type: u8, day: i64, draw: &mut Stream) -> u8 {
    let year = year_of(day);
    let sold = || {
        MODELS.iter().enumerate().filter(|(_, model)| {
            model.machine_type == machine_type && (model.from_year..=model.until_year).contains(&year)
        })
    };
    sold().nth(draw.below(sold().count() as u64) as usize).map_or(0, |(at, _)| at as u8)
}

/// A release that was sold on a day, most often the newest.
fn release(machine_type: u8, day: i64, draw: &mut Stream) -> u8 {
    let windows = TYPES.get(usize::from(machine_type)).map_or(0.0, |t| t.windows);
    let system = if draw.chance(windows) { WINDOWS } else { 1 - WINDOWS };
    let year = year_of(day);
    let mut chosen = 0;
    let sold = |release: &Release| release.system == system && release.is_sold(day, year);
    for (at, _) in RELEASES.iter().enumerate().rev().filter(|(_, release)| sold(release)) {
        chosen = at as u8;
        if draw.chance(NEWEST_RELEASE) {
            break;
        }
    }
    chosen
}

/// Staff come before the doors open and stay after they close, some long; a lobby has its own hours.
fn hours(machine_type: u8, branch: &Branch, draw: &mut Stream) -> Hours {
    let Some(machine_type) = TYPES.get(usize::from(machine_type)) else { return Hours::Always };
    let always = draw.chance(machine_type.always_on);
    let (early, late) = (draw.unit(), draw.unit());
    if always {
        Hours::Always
    } else if machine_type.lobby {
        Hours::Daily(LOBBY.0 - (early * 60.0) as i64, LOBBY.1 + (late * 90.0) as i64)
    } else {
        Hours::Weekdays(branch.opens - 30 - (early * 120.0) as i64, branch.closes + 30 + (late * 270.0) as i64)
    }
}

/// Branches have subnets of their own, as many as they need; machines get addresses in the order in which they came.
fn give_addresses(devices: &mut [Device], branches: usize) {
    let mut machines = vec![0u32; branches];
    for device in devices.iter() {
        if let Some(count) = machines.get_mut(device.branch as usize) {
            *count += 1;
        }
    }
    // From here on: the branch's next place among all subnets end to end.
    let mut subnet = 0;
    for place in &mut machines {
        let subnets = place.div_ceil(SUBNET);
        *place = subnet * SUBNET;
        subnet += subnets;
    }
    for device in devices {
        if let Some(place) = machines.get_mut(device.branch as usize) {
            let net = (*place / SUBNET).wrapping_mul(SUBNET_STRIDE) & 0xffff;
            device.address = (10 << 24) | (net << 8) | (*place % SUBNET + 1);
            *place += 1;
        }
    }
}
