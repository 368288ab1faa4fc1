//! One transfer, as it is drawn: the link that it finds, its data, what algorithms make of such data. What follows from that by
//! arithmetic is worked out by the chunk.
//!
//! Each figure keeps its distribution under both ways of selecting. Under a policy, what belongs together moves together: the score
//! that a figure is read at is mixed of the scores of what it follows. Knows nothing of tables, time or incidents' names.

use telemill_sdk::Stream;
use telemill_sdk::whole::{POINT, Score, number, score, whole};

use crate::chunk::{BY_POLICY, Draft, FACTOR};
use crate::config::{Config, Selection};
use crate::laws::{BANDWIDTHS, BELOW, Laws, SIZE_BELOW, between};
use crate::network::Route;

/// A third of 2^32, by which the bits of the data's kind are turned for each algorithm.
const THIRD: u32 = 1_431_655_766;
/// Shares of the algorithms that the script selects: 50, 30 and 20 percent, of 2^32.
const HDE_BELOW: u32 = 1 << 31;
const AMST_BELOW: u32 = (0.8 * 4_294_967_296.0) as u32;
/// Starved processors make compression take so many times longer at most, and leave this share of themselves.
const SLOWEST: f64 = 8.0;
const LEAST_IDLE: f64 = 0.05;
/// Bounds that no incident breaks: round trips in milliseconds, bandwidth in Mbit/s.
const LONGEST_RTT_MS: f64 = 999.9;
const LEAST_MBPS: f64 = 0.1;
const MOST_MBPS: f64 = 1e6;

/// What some scores have in another, and what is left for chance.
#[derive(Clone, Copy, Debug)]
struct Mix {
    first: Score,
    second: Score,
    chance: Score,
}

impl Mix {
    fn new(first: f64, second: f64) -> Self {
        let chance = (1.0 - first * first - second * second).sqrt();
        Self { first: score(first), second: score(second), chance: score(chance) }
    }

    #[inline]
    fn of(&self, first: Score, second: Score, chance: Score) -> Score {
        (self.first * first + self.second * second + self.chance * chance) >> POINT
    }
}

/// Who follows what: nothing follows anything where algorithms are selected at random.
#[derive(Clone, Copy, Debug)]
struct Ties {
    /// Round trip: load, distance.
    rtt: Mix,
    /// Bandwidth: load, distance.
    bandwidth: Mix,
    /// Loss: load.
    loss: Mix,
    /// Processors: load, node.
    cpu: Mix,
    /// Transfers under way: load.
    active: Mix,
    /// Free memory: load, node.
    memory: Mix,
    /// An algorithm's ratio: whether the kind of data suits it.
    ratio: Mix,
    /// HDE's hit rate: its ratio.
    hits: Mix,
    /// Time of compression: processors.
    time: Mix,
}

impl Ties {
    fn new(selection: Selection) -> Self {
        let tie = |first: f64, second: f64| match selection {
            Selection::Policy => Mix::new(first, second),
            Selection::Random => Mix::new(0.0, 0.0),
        };
        Self {
            rtt: tie(0.45, 0.5),
            bandwidth: tie(-0.65, -0.3),
            loss: tie(0.6, 0.0),
            cpu: tie(0.55, 0.35),
            active: tie(0.7, 0.0),
            memory: tie(-0.4, -0.3),
            ratio: tie(0.85, 0.0),
            hits: tie(0.7, 0.0),
            time: tie(0.75, 0.0),
        }
    }
}

/// What a transfer finds: where it goes, and the scores of what it shares with others.
#[derive(Clone, Copy, Debug)]
pub struct Scene {
    /// From where to where.
    pub route: Route,
    /// How busy the link is.
    pub load: Score,
    /// How long the link is among those of its type.
    pub distance: Score,
    /// How busy the node always is.
    pub node: Score,
}

/// What incidents leave of a transfer's circumstances.
pub trait Bend {
    /// Whether nothing is ever bent.
    const CALM: bool = false;

    /// Round trip, loss, bandwidth and busy processors, bent.
    fn bend(&mut self, route: &Route, circumstances: Circumstances) -> Circumstances;
}

/// What incidents can change.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Circumstances {
    /// Round trip in milliseconds.
    pub rtt_ms: f64,
    /// Share of packets that get lost.
    pub loss: f64,
    /// Mbit/s that are free.
    pub bandwidth_mbps: f64,
    /// Busy share of the node's processors.
    pub cpu: f64,
}

impl Circumstances {
    fn of(found: &Found) -> Self {
        Self {
            rtt_ms: number(found.rtt, BELOW) / 10.0,
            loss: number(found.loss, BELOW) / 1_000.0,
            bandwidth_mbps: number(found.bandwidth, BELOW) / 10.0,
            cpu: number(found.cpu, BELOW) / 100.0,
        }
    }
}

/// Circumstances in whole numbers: 2^-16 of the last decimal that is shown.
#[derive(Clone, Copy, Debug)]
struct Found {
    rtt: i64,
    loss: i64,
    bandwidth: i64,
    cpu: i64,
}

impl Found {
    fn of(found: &Circumstances) -> Self {
        Self {
            rtt: whole(found.rtt_ms.clamp(0.0, LONGEST_RTT_MS) * 10.0, BELOW),
            loss: whole(found.loss.clamp(0.0, 1.0) * 1_000.0, BELOW),
            bandwidth: whole(found.bandwidth_mbps.clamp(LEAST_MBPS, MOST_MBPS) * 10.0, BELOW),
            cpu: whole(found.cpu.clamp(0.0, 1.0) * 100.0, BELOW),
        }
    }
}

/// To the last decimal that is shown.
#[inline]
fn shown(value: i64, bits: u32) -> i32 {
    ((value + (1 << (bits - 1))) >> bits) as i32
}

/// The hundredth part of a number below 2^37, in units of 2^-`FACTOR`, to the nearest whole.
#[inline]
fn hundredth(value: i64) -> i32 {
    const A_HUNDREDTH: i64 = whole(0.01, 25);
    shown(value * A_HUNDREDTH, FACTOR + 25)
}

/// Nothing is wrong.
impl Bend for () {
    const CALM: bool = true;

    #[inline]
    fn bend(&mut self, _: &Route, circumstances: Circumstances) -> Circumstances {
        circumstances
    }
}

/// Draws transfers.
#[derive(Clone, Debug)]
pub struct Transfers {
    laws: Laws,
    ties: Ties,
    selection: Selection,
    exploration_below: u32,
}

impl Transfers {
    /// Transfers as configured.
    pub fn new(config: &Config) -> Self {
        Self {
            laws: Laws::default(),
            ties: Ties::new(config.selection),
            selection: config.selection,
            exploration_below: (config.exploration_share * f64::from(u32::MAX)) as u32,
        }
    }

    /// The laws that figures follow.
    pub fn laws(&self) -> &Laws {
        &self.laws
    }

    /// One transfer, without time and incident.
    #[inline]
    pub fn draw(&self, scene: &Scene, stream: &mut Stream, bend: &mut impl Bend) -> Draft {
        let (laws, ties) = (&self.laws, &self.ties);
        let mut pair = || {
            let bits = stream.next();
            ((bits >> 32) as u32, bits as u32)
        };
        let chance = |bits: u32| laws.scores.draw(bits);
        let Scene { route, load, distance, node } = *scene;

        // The link and the node.
        let ((rtt, bandwidth), (loss, cpu), (active, memory)) = (pair(), pair(), pair());
        let (least, most) = BANDWIDTHS[route.link_type];
        let cpu_score = ties.cpu.of(load, node, chance(cpu));
        let bandwidth_score = ties.bandwidth.of(load, distance, chance(bandwidth));
        let normal = Found {
            rtt: laws.rtt[route.link_type].at(ties.rtt.of(load, distance, chance(rtt))),
            loss: laws.loss.at(ties.loss.of(load, 0, chance(loss))),
            bandwidth: laws.uniform(bandwidth_score, 10 * least, 10 * most, BELOW),
            cpu: laws.cpu.at(cpu_score),
        };
        let (found, slowdown) = bent(&route, normal, bend);
        let bandwidth = shown(found.bandwidth, BELOW);
        let memory = laws.uniform(ties.memory.of(load, node, chance(memory)), 2_048, 16_384, 0);

        // The data.
        let ((size, kind), (entropy, jitter)) = (pair(), pair());
        let entropy = shown(laws.entropy.at(chance(entropy)), BELOW);
        let compressibility = i64::from(100 - entropy);

        // What the algorithms make of it. HDE likes memory, AMST disks, the baseline databases.
        let suits = |turns: u32| chance(kind.wrapping_add(turns.wrapping_mul(THIRD)));
        let speed = |bits: u32, low: i64, high: i64| {
            laws.uniform(ties.time.of(cpu_score, 0, chance(bits)), low, high, FACTOR) as i32
        };
        let ((ratio, hits), (hde_time, amst_time), (amst_ratio, baseline_ratio), (baseline_time, rate)) =
            (pair(), pair(), pair(), pair());
        let hde_score = ties.ratio.of(suits(2), 0, chance(ratio));
        let hits = laws.uniform(ties.hits.of(hde_score, 0, chance(hits)), 600, 950, FACTOR);
        let amst_score = ties.ratio.of(suits(1), 0, chance(amst_ratio));
        let baseline_score = ties.ratio.of(suits(0), 0, chance(baseline_ratio));
        let (streams, choice) = pair();
        let amst_rate = i64::from(bandwidth) * between(rate, const { whole(0.7, 24) }, const { whole(0.95, 24) });
        let (forced, shown_as, off) = match self.selection {
            Selection::Random => (shared(choice), shared(pair().0), 0),
            Selection::Policy => {
                let off = stream.next();
                let any = (((off >> 32) * 3) >> 32) as u32;
                if choice < self.exploration_below { (any, any, off) } else { (BY_POLICY, BY_POLICY, off) }
            }
        };

        Draft {
            timestamp: 0,
            incident_id: 0,
            lost: 0,
            region: (route.zone / 3) as u32,
            az: route.zone as u32,
            link_type: route.link_type as u32,
            node_id: route.node,
            peer_id: route.peer,
            data_type: ((u64::from(kind) * 3) >> 32) as u32,
            bytes: laws.size.at(chance(size)) >> SIZE_BELOW,
            memory,
            active: laws.active_transfers(ties.active.of(load, 0, chance(active))),
            entropy,
            rtt: shown(found.rtt, BELOW),
            jitter: shown(found.rtt * between(jitter, const { whole(0.1, 24) }, const { whole(0.3, 24) }), BELOW + 24),
            bandwidth,
            loss: shown(found.loss, BELOW),
            cpu: shown(found.cpu, BELOW),
            slowdown,
            hde_ratio: 10 + hundredth(compressibility * laws.uniform(hde_score, 50, 400, FACTOR)),
            hde_hits: hundredth(compressibility * hits),
            hde_speed: speed(hde_time, 10, 30),
            amst_speed: speed(amst_time, 5, 15),
            baseline_speed: speed(baseline_time, 3, 10),
            // A tenth of 15 to 50.
            amst_ratio: (laws.uniform(amst_score, 15, 50, FACTOR) / 10) as i32,
            baseline_ratio: shown(laws.uniform(baseline_score, 20, 80, FACTOR), FACTOR),
            amst_streams: 2 << ((u64::from(streams) * 3) >> 32),
            amst_rate: shown(amst_rate, 24).max(1),
            forced,
            shown: shown_as,
            off,
        }
    }
}

/// What incidents leave of the circumstances, and how much longer starved processors take for it.
#[inline]
fn bent<B: Bend>(route: &Route, normal: Found, bend: &mut B) -> (Found, f64) {
    if B::CALM {
        return (normal, 1.0);
    }
    let before = Circumstances::of(&normal);
    let after = bend.bend(route, before);
    let idle = |cpu: f64| (1.0 - cpu).max(LEAST_IDLE);
    (Found::of(&after), (idle(before.cpu) / idle(after.cpu)).clamp(1.0, SLOWEST))
}

/// An algorithm by the script's shares.
#[inline]
fn shared(bits: u32) -> u32 {
    u32::from(bits >= HDE_BELOW) + u32::from(bits >= AMST_BELOW)
}
