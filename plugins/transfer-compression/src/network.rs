//! Nodes, peers and the links between them: where they are, and how busy their links are at a time.
//!
//! Everything follows from seed and time, so every partition knows it. Knows nothing of rows.

use std::f64::consts::TAU;

use telemill_sdk::demand::{BurstScale, Bursts, Poisson};
use telemill_sdk::quantile::normal_quantile;
use telemill_sdk::time::{DAY, HOUR, MINUTE, SECOND};
use telemill_sdk::whole::{POINT, Score, Wander, score};
use telemill_sdk::{Process, Window, hash};

/// The example system's regions.
pub const REGIONS: [&str; 3] = ["us-east-1", "us-west-2", "eu-west-1"];
/// Hours that their clocks are ahead of UTC, without daylight saving.
const CLOCKS_AHEAD: [i64; 3] = [-5, -8, 1];
/// Zones of a region, by the letter that follows its name.
pub const LETTERS: [char; 3] = ['a', 'b', 'c'];
/// Zones of all regions.
pub const ZONES: usize = REGIONS.len() * LETTERS.len();
/// Racks of a zone.
pub const RACKS: usize = 4;
/// Within a zone, between zones of a region, between regions.
pub const LINK_TYPES: [&str; 3] = ["dc", "metro", "wan"];
/// Links with a load of their own: those of each type that leave a zone.
pub const GROUPS: usize = ZONES * LINK_TYPES.len();
/// Shares of the link types, of 2^32: 40, 30 and 30 percent.
const DC_BELOW: u32 = (0.4 * 4_294_967_296.0) as u32;
const METRO_BELOW: u32 = (0.7 * 4_294_967_296.0) as u32;

/// How long load and demand stay as they are.
pub const TICK: i64 = 5 * MINUTE;
const TICKS_A_DAY: usize = (DAY / TICK) as usize;
/// The grid of simulated time.
pub const STEP: i64 = 10 * SECOND;
/// The local hour at which most is transferred.
const BUSIEST_HOUR: f64 = 15.0;
/// What the time of day and the wander of two hours have in a link's load; the rest of its variance is none.
const OF_DAY: f64 = 0.75;
const OF_WANDER: f64 = 0.661_437_827_766_147_7;
const OF_WANDER_WHOLE: Score = score(OF_WANDER);
const WANDER_TICKS: f64 = (2 * HOUR / TICK) as f64;
/// Variance of the logarithm of the demand, for ten minutes and two hours.
const BURST_SCALES: [BurstScale; 2] =
    [BurstScale { variance: 0.02, tau_steps: 2.0 }, BurstScale { variance: 0.02, tau_steps: 24.0 }];

const WANDER: Process = Process::named("link load wander");
const DEMAND: Process = Process::named("transfer demand");

/// Who sends to whom over what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The node that sends.
    pub node: u32,
    /// The peer that receives.
    pub peer: u32,
    /// The node's zone.
    pub zone: usize,
    /// 0 = dc, 1 = metro, 2 = wan.
    pub link_type: usize,
}

impl Route {
    /// The links of its type that leave its zone.
    pub fn group(&self) -> usize {
        self.zone * LINK_TYPES.len() + self.link_type
    }

    /// The node's rack, counted over all zones.
    pub fn rack(&self) -> usize {
        self.zone * RACKS + (self.node as usize / ZONES) % RACKS
    }
}

/// So many nodes and peers, dealt to the zones in turn.
#[derive(Clone, Copy, Debug)]
pub struct Network {
    /// Nodes.
    pub nodes: u32,
    /// Peers, at least one a zone.
    pub peers: u32,
}

impl Network {
    /// The route that 128 uniform bits choose: any node, a link type by its share, and any peer that it leads to.
    #[inline]
    pub fn route(&self, first: u64, second: u64) -> Route {
        let below = |bits: u64, n: u64| (((bits & 0xffff_ffff) * n) >> 32) as u32;
        let node = below(first >> 32, u64::from(self.nodes));
        let zone = node as usize % ZONES;
        let (region, letter) = (zone / LETTERS.len(), zone % LETTERS.len());
        let chance = first as u32;
        let pick = below(second >> 32, 6) as usize;
        let (link_type, to) = if chance < DC_BELOW {
            (0, zone)
        } else if chance < METRO_BELOW {
            (1, region * LETTERS.len() + (letter + 1 + pick / 3) % LETTERS.len())
        } else {
            (2, (region + 1 + pick / 3) % REGIONS.len() * LETTERS.len() + pick % LETTERS.len())
        };
        let of_zone = (self.peers as usize).saturating_sub(to).div_ceil(ZONES);
        let peer = to as u32 + ZONES as u32 * below(second, of_zone as u64);
        Route { node, peer, zone, link_type }
    }
}

/// Demand and load at a time.
#[derive(Clone, Debug)]
pub struct Loads {
    transfers_per_step: f64,
    /// The demand of each tick of a UTC day in relation to its mean.
    profile: Vec<f64>,
    /// For each region and tick of a day, what it has in the score of its load: standard normal over the transfers of a day, times its share.
    daily: Vec<Vec<Score>>,
    bursts: Bursts,
    wander: Vec<Wander>,
    /// The instants of the tick that it stands at.
    lasts: Window,
    arrivals: Poisson,
    groups: [Score; GROUPS],
}

impl Loads {
    /// Loads under a demand that swings so far over a day.
    pub fn new(seed: u64, transfers_per_hour: f64, swing: f64) -> Self {
        let wave = |region: usize, tick: usize| {
            let hour = (tick as f64 + 0.5) * TICK as f64 / HOUR as f64 + CLOCKS_AHEAD[region] as f64;
            ((hour - BUSIEST_HOUR) / 24.0 * TAU).cos()
        };
        let profile: Vec<f64> = (0..TICKS_A_DAY)
            .map(|tick| (0..REGIONS.len()).map(|region| 1.0 + swing * wave(region, tick)).sum::<f64>() / 3.0)
            .collect();
        let daily = |region: usize| {
            ranked(&profile, |tick| wave(region, tick)).into_iter().map(|z| score(OF_DAY * z)).collect()
        };
        let daily = (0..REGIONS.len()).map(daily).collect();
        Self {
            transfers_per_step: transfers_per_hour * STEP as f64 / HOUR as f64,
            profile,
            daily,
            bursts: Bursts::new(hash(seed, DEMAND, 0, 0), &BURST_SCALES),
            wander: (0..GROUPS).map(|group| Wander::new(hash(seed, WANDER, group as u64, 0), WANDER_TICKS)).collect(),
            lasts: Window::new(0, 0),
            arrivals: Poisson::default(),
            groups: [0; GROUPS],
        }
    }

    /// Goes to the tick of an instant, forth or back.
    pub fn go_to(&mut self, t: i64) {
        if self.lasts.contains(t) {
            return;
        }
        let tick = t.div_euclid(TICK);
        self.lasts = Window::new(tick * TICK, (tick + 1) * TICK);
        let of_day = tick.rem_euclid(TICKS_A_DAY as i64) as usize;
        self.arrivals = Poisson::new(self.transfers_per_step * self.profile[of_day] * self.bursts.factor(tick, 1.0));
        for (group, (load, wander)) in self.groups.iter_mut().zip(&mut self.wander).enumerate() {
            let region = group / (GROUPS / REGIONS.len());
            *load = self.daily[region][of_day] + ((OF_WANDER_WHOLE * wander.at(tick)) >> POINT);
        }
    }

    /// The law of one step's transfers.
    pub fn arrivals(&self) -> Poisson {
        self.arrivals
    }

    /// The score of the load of each group of links.
    pub fn groups(&self) -> &[Score; GROUPS] {
        &self.groups
    }
}

/// Turns what a wave says of each tick into scores that are standard normal where ticks weigh as `weights` say.
fn ranked(weights: &[f64], wave: impl Fn(usize) -> f64) -> Vec<f64> {
    let mut order: Vec<(f64, usize)> = (0..weights.len()).map(|tick| (wave(tick), tick)).collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0));
    let total: f64 = weights.iter().sum();
    let mut below = 0.0;
    let mut scores = vec![0.0; weights.len()];
    for (_, tick) in order {
        scores[tick] = normal_quantile((below + weights[tick] / 2.0) / total);
        below += weights[tick];
    }
    scores
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use telemill_sdk::Stream;

    use super::*;

    #[test]
    fn a_pair_has_one_link_type_and_routes_have_their_shares() {
        for (nodes, peers) in [(1_000, 1_000), (7, 9), (1, 100)] {
            let network = Network { nodes, peers };
            let mut types = BTreeMap::new();
            let mut shares = [0.0f64; 3];
            let mut stream = Stream::of(1, WANDER, 0, 0);
            for _ in 0..40_000 {
                let route = network.route(stream.next(), stream.next());
                assert!(route.node < nodes && route.peer < peers);
                let (from, to) = (route.zone, route.peer as usize % ZONES);
                let expected = if from == to { 0 } else { 1 + usize::from(from / 3 != to / 3) };
                assert_eq!(route.link_type, expected);
                assert_eq!(*types.entry((route.node, route.peer)).or_insert(route.link_type), route.link_type);
                shares[route.link_type] += 1.0 / 40_000.0;
            }
            for (share, want) in shares.into_iter().zip([0.4, 0.3, 0.3]) {
                assert!((share - want).abs() < 0.01, "{share} of {want}");
            }
        }
    }

    #[test]
    fn load_is_a_standard_score_that_moves_over_the_day() {
        let mut loads = Loads::new(3, 240.0, 0.5);
        let (mut weight, mut sum, mut squares) = (0.0f64, 0.0f64, 0.0f64);
        let mut hours = [0.0f64; 24];
        for tick in 0..(60 * TICKS_A_DAY) as i64 {
            loads.go_to(tick * TICK);
            let of_day = tick as usize % TICKS_A_DAY;
            for load in loads.groups().map(|load| load as f64 / score(1.0) as f64) {
                weight += loads.profile[of_day];
                sum += loads.profile[of_day] * load;
                squares += loads.profile[of_day] * load * load;
            }
            hours[of_day / 12] += loads.groups()[0] as f64 / score(60.0 * 12.0) as f64;
        }
        let (mean, square) = (sum / weight, squares / weight);
        assert!(mean.abs() < 0.03 && (square - 1.0).abs() < 0.05, "{mean} {square}");
        // us-east-1 is busiest at 20:00 UTC.
        assert!(hours[19] > 1.0 && hours[7] < -1.0, "{hours:?}");
    }

    #[test]
    fn a_tick_is_the_same_whenever_one_comes_to_it() {
        let (mut there, mut back) = (Loads::new(3, 240.0, 0.5), Loads::new(3, 240.0, 0.5));
        there.go_to(400 * TICK);
        [900, 3, 400].into_iter().for_each(|tick| back.go_to(tick * TICK + SECOND));
        assert_eq!(there.groups(), back.groups());
    }
}
