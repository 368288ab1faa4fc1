//! What the clock does to the sites: opening hours, weekdays, busy spells, deliveries, roll-outs.
//!
//! Everything follows from seed, configuration and minute, so that all partitions see the same day. Knows nothing of rows.

use telemill_sdk::demand::{BurstScale, Bursts};
use telemill_sdk::noise::OrnsteinUhlenbeck;
use telemill_sdk::time::{Local, MINUTE};
use telemill_sdk::{Clock, Error, Process, Zone, hash};

use crate::config::Config;
use crate::inventory::{Estate, Site};

const SPELL: Process = Process::named("busy spell of a site");
const USERS: Process = Process::named("busy spell of users");
const DELIVERY: Process = Process::named("delivery");
const ROLLOUT: Process = Process::named("roll-out");

const DAY_MINUTES: i64 = 1_440;
/// Load of a closed site, in relation to its peak: cleaning, stock, and those who forget to log out.
const NIGHT: f64 = 0.03;
/// Staff come and go so many minutes before opening and after closing.
const STAFF_MINUTES: f64 = 30.0;
const SPELL_SPREAD: f64 = 0.22;
const SPELL_TAU_MINUTES: f64 = 12.0;
/// Deliveries come between these local hours, and take so long.
const DELIVERY_HOURS: (f64, f64) = (6.5, 10.0);
const DELIVERY_MINUTES: i64 = 40;
/// What a delivery adds to the load of its site, in relation to the peak.
const DELIVERY_LOAD: f64 = 0.3;
/// Minutes over which a roll-out is spread, and how long a terminal is busy with it.
const ROLLOUT_MINUTES: u64 = 30;
const UPDATE_MINUTES: i64 = 8;
/// Variance of the logarithm of what users do, and its memory in minutes.
const USER_BURSTS: [BurstScale; 2] =
    [BurstScale { variance: 0.03, tau_steps: 4.0 }, BurstScale { variance: 0.03, tau_steps: 25.0 }];

/// The estate's day.
#[derive(Debug)]
pub struct Rhythm {
    seed: u64,
    clock: Clock,
    /// Load at each minute of an open day, in relation to its peak, for a site that opens on time.
    curve: Vec<f64>,
    mean: f64,
    weekdays: Vec<f64>,
    /// Opening shifts in minutes, with the share of the terminals at such sites.
    shifts: Vec<(i64, f64)>,
    spells: Vec<OrnsteinUhlenbeck>,
    users: Bursts,
    delivery_share: f64,
    rollout_minute: i64,
    groups: i64,
}

impl Rhythm {
    /// The rhythm of an estate.
    ///
    /// # Errors
    /// Where the time zone is unknown.
    pub fn new(config: &Config, estate: &Estate, seed: u64) -> Result<Self, Error> {
        let curve: Vec<f64> =
            (0..DAY_MINUTES).map(|minute| open_load(minute as f64, config.opens_hour, config.closes_hour)).collect();
        let all = estate.terminals.len().max(1) as f64;
        let mut shifts: Vec<(i64, f64)> = Vec::new();
        for site in &estate.sites {
            let share = site.terminals.len() as f64 / all;
            match shifts.iter_mut().find(|(shift, _)| *shift == site.shift_minutes) {
                Some((_, sum)) => *sum += share,
                None => shifts.push((site.shift_minutes, share)),
            }
        }
        let spell = |site: usize| OrnsteinUhlenbeck::new(hash(seed, SPELL, site as u64, 0), SPELL_TAU_MINUTES);
        Ok(Self {
            seed,
            clock: Zone::named(&config.time_zone)?.clock(),
            mean: curve.iter().sum::<f64>() / curve.len() as f64,
            curve,
            weekdays: config.weekday_multipliers.clone(),
            shifts,
            spells: (0..estate.sites.len()).map(spell).collect(),
            users: Bursts::new(hash(seed, USERS, 0, 0), &USER_BURSTS),
            delivery_share: config.delivery_share,
            rollout_minute: (config.rollout_hour * 60.0) as i64,
            groups: i64::from(config.rollout_groups.max(1)),
        })
    }

    /// Local time at a minute since 1970.
    pub fn local(&mut self, minute: i64) -> Local {
        self.clock.at(minute.saturating_mul(MINUTE))
    }

    fn scheduled(&self, local: &Local, shift_minutes: i64) -> f64 {
        let at = (minute_of_day(local) - shift_minutes).rem_euclid(DAY_MINUTES);
        self.curve.get(at as usize).copied().unwrap_or(NIGHT)
            * self.weekdays.get(usize::from(local.weekday)).copied().unwrap_or(1.0)
    }

    /// How busy a site is at a minute, in relation to its peak on an average day.
    pub fn level(&mut self, index: usize, site: &Site, minute: i64) -> f64 {
        let local = self.local(minute);
        let spell = self.spells.get_mut(index).map_or(0.0, |spell| spell.at(minute));
        let delivery = match self.delivery(index, local.day) {
            Some(from) if (from..from + DELIVERY_MINUTES).contains(&minute_of_day(&local)) => DELIVERY_LOAD,
            _ => 0.0,
        };
        self.scheduled(&local, site.shift_minutes) * (SPELL_SPREAD * spell).exp() + delivery
    }

    /// How busy a site is by the schedule alone.
    pub fn quiet_level(&self, site: &Site, local: &Local) -> f64 {
        self.scheduled(local, site.shift_minutes)
    }

    /// How busy the estate is by the schedule alone, in relation to the average of the week.
    pub fn demand(&mut self, minute: i64) -> f64 {
        let local = self.local(minute);
        let level: f64 = self.shifts.iter().map(|(shift, share)| share * self.scheduled(&local, *shift)).sum();
        level / self.mean.max(1e-9)
    }

    /// How much users do in relation to the average of the week, with its bursts.
    pub fn activity(&mut self, minute: i64) -> f64 {
        self.demand(minute) * self.users.factor(minute, 1.0)
    }

    /// The local minute of a day at which a site's delivery arrives, if there is one.
    pub fn delivery(&self, site: usize, day: i64) -> Option<i64> {
        let bits = hash(self.seed, DELIVERY, site as u64, day);
        let comes = ((bits >> 32) as f64) < self.delivery_share * 4_294_967_296.0;
        let (from, to) = DELIVERY_HOURS;
        let place = f64::from(bits as u32) / 4_294_967_296.0;
        comes.then_some(((from + (to - from) * place) * 60.0) as i64)
    }

    /// The group that gets new software on a local day.
    pub fn group_of_day(&self, day: i64) -> usize {
        day.rem_euclid(self.groups) as usize
    }

    /// Whether roll-outs may begin at a local time.
    pub fn rolls_out(&self, local: &Local) -> bool {
        (0..ROLLOUT_MINUTES as i64).contains(&(minute_of_day(local) - self.rollout_minute))
    }

    /// The local minute of a day at which a terminal begins its update, if its group is the day's.
    pub fn update(&self, terminal: usize, group: usize, day: i64) -> Option<i64> {
        (group == self.group_of_day(day)).then(|| {
            let within = hash(self.seed, ROLLOUT, terminal as u64, day) % ROLLOUT_MINUTES;
            self.rollout_minute + within as i64
        })
    }

    /// Whether a terminal is busy with an update at a local time.
    pub fn updates(&self, terminal: usize, group: usize, local: &Local) -> bool {
        self.update(terminal, group, local.day)
            .is_some_and(|from| (from..from + UPDATE_MINUTES).contains(&minute_of_day(local)))
    }
}

/// Minutes since local midnight.
pub fn minute_of_day(local: &Local) -> i64 {
    local.micros / MINUTE
}

/// Load of an open day: staff before opening, a rise, a hump at lunch and a larger one before closing.
fn open_load(minute: f64, opens_hour: f64, closes_hour: f64) -> f64 {
    let (opens, closes) = (opens_hour * 60.0, closes_hour * 60.0);
    if minute < opens - STAFF_MINUTES || minute >= closes + STAFF_MINUTES {
        return NIGHT;
    }
    let staff = 0.12;
    if minute < opens || minute >= closes {
        return staff;
    }
    let x = (minute - opens) / (closes - opens);
    let hump = |middle: f64, width: f64| (-0.5 * ((x - middle) / width).powi(2)).exp();
    let edge = (x.min(1.0 - x) / 0.05).min(1.0);
    staff + edge * (0.28 + 0.4 * hump(0.38, 0.1) + 0.6 * hump(0.78, 0.12)).min(0.88)
}
