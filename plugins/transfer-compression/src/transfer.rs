//! One transfer: its figures drawn, what each algorithm makes of it, which one is selected, what comes of it.
//!
//! Each figure keeps its distribution under both ways of selecting. Under a policy, what belongs together moves together: the score
//! that a figure is read at is mixed of the scores of what it follows. Knows nothing of tables, time or incidents' names.

use telemill_sdk::Stream;

use crate::config::{Config, Selection};
use crate::curve::{POINT, Score, score};
use crate::laws::{BANDWIDTHS, Laws, between};
use crate::metrics::Row;
use crate::network::Route;
use crate::outcome::{AMST, BASELINE, Compressed, HDE, Link, cpu_overhead_ms, throughput_mbps};
use crate::rounding::{rounded, whole};

/// A third of 2^32, by which the bits of the data's kind are turned for each algorithm.
const THIRD: u32 = 1_431_655_766;
/// Shares of the algorithms that the script selects: 50, 30 and 20 percent, of 2^32.
const HDE_BELOW: u32 = 1 << 31;
const AMST_BELOW: u32 = (0.8 * 4_294_967_296.0) as u32;
/// How far the policy's estimates are off, either way.
const ESTIMATE_OFF: f64 = 0.3;
/// Starved processors make compression take so many times longer at most, and leave this share of themselves.
const SLOWEST: f64 = 8.0;
const LEAST_IDLE: f64 = 0.05;
/// Bounds that no incident breaks: round trips in milliseconds, bandwidth in Mbit/s.
const LONGEST_RTT_MS: f64 = 999.9;
const LEAST_MBPS: f64 = 0.1;

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

/// Nothing is wrong.
impl Bend for () {
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
    cpu_weight: f64,
}

impl Transfers {
    /// Transfers as configured.
    pub fn new(config: &Config) -> Self {
        Self {
            laws: Laws::default(),
            ties: Ties::new(config.selection),
            selection: config.selection,
            exploration_below: (config.exploration_share * f64::from(u32::MAX)) as u32,
            cpu_weight: config.cpu_weight,
        }
    }

    /// The laws that figures follow.
    pub fn laws(&self) -> &Laws {
        &self.laws
    }

    /// The row of one transfer, without time and incident.
    #[inline]
    pub fn draw(&self, scene: &Scene, stream: &mut Stream, bend: &mut impl Bend) -> Row {
        let (laws, ties) = (&self.laws, &self.ties);
        let mut pair = || {
            let bits = stream.next();
            ((bits >> 32) as u32, bits as u32)
        };
        let chance = |bits: u32| laws.scores.at(bits);
        let Scene { route, load, distance, node } = *scene;

        // The link and the node.
        let ((rtt, bandwidth), (loss, cpu), (active, memory)) = (pair(), pair(), pair());
        let (least, most) = BANDWIDTHS[route.link_type];
        let cpu_score = ties.cpu.of(load, node, chance(cpu));
        let normal = Circumstances {
            rtt_ms: laws.rtt_ms[route.link_type].at(ties.rtt.of(load, distance, chance(rtt))),
            loss: laws.loss.at(ties.loss.of(load, 0, chance(loss))),
            bandwidth_mbps: laws.uniform(ties.bandwidth.of(load, distance, chance(bandwidth)), least, most),
            cpu: laws.cpu.at(cpu_score),
        };
        let found = bend.bend(&route, normal);
        let rtt_ms = rounded(found.rtt_ms.clamp(0.0, LONGEST_RTT_MS), 10.0);
        let loss = rounded(found.loss.clamp(0.0, 1.0), 1_000.0);
        let bandwidth_mbps = rounded(found.bandwidth_mbps.max(LEAST_MBPS), 10.0);
        let cpu_usage = rounded(found.cpu.clamp(0.0, 1.0), 100.0);
        let idle = |cpu: f64| (1.0 - cpu).max(LEAST_IDLE);
        let slowdown = (idle(normal.cpu) / idle(found.cpu)).clamp(1.0, SLOWEST);
        let link = Link { rtt_ms, bandwidth_mbps, loss };
        let memory = laws.uniform(ties.memory.of(load, node, chance(memory)), 2_048.0, 16_384.0).floor();

        // The data.
        let ((size, kind), (entropy, jitter)) = (pair(), pair());
        let bytes = laws.size_bytes.at(chance(size)).floor();
        let megabytes = bytes / 1e6;
        let entropy = rounded(laws.entropy.at(chance(entropy)), 100.0);
        let compressibility = rounded(1.0 - entropy, 100.0);

        // What the algorithms make of it. HDE likes memory, AMST disks, the baseline databases.
        let suits = |turns: u32| chance(kind.wrapping_add(turns.wrapping_mul(THIRD)));
        let time = |chance: Score, low: f64, high: f64| {
            rounded(megabytes * slowdown * laws.uniform(ties.time.of(cpu_score, 0, chance), low, high), 10.0)
        };
        let size_at = |ratio: f64| (bytes / ratio).floor();
        let ((ratio, hits), (hde_time, amst_time), (amst_ratio, baseline_ratio), (baseline_time, rate)) =
            (pair(), pair(), pair(), pair());
        let hde_score = ties.ratio.of(suits(2), 0, chance(ratio));
        let hde_ratio = rounded(1.0 + compressibility * laws.uniform(hde_score, 5.0, 40.0), 10.0);
        let hits = laws.uniform(ties.hits.of(hde_score, 0, chance(hits)), 60.0, 95.0);
        let hde = Compressed { time_ms: time(chance(hde_time), 10.0, 30.0), bytes: size_at(hde_ratio) };
        let amst_score = ties.ratio.of(suits(1), 0, chance(amst_ratio));
        let amst = Compressed {
            time_ms: time(chance(amst_time), 5.0, 15.0),
            bytes: size_at(laws.uniform(amst_score, 1.5, 5.0)),
        };
        let baseline_score = ties.ratio.of(suits(0), 0, chance(baseline_ratio));
        let baseline_ratio = rounded(laws.uniform(baseline_score, 2.0, 8.0), 10.0);
        let baseline = Compressed { time_ms: time(chance(baseline_time), 3.0, 10.0), bytes: size_at(baseline_ratio) };
        let (streams, selected) = pair();
        let streams = 2i64 << ((u64::from(streams) * 3) >> 32);
        let amst_rate = rounded((bandwidth_mbps * between(rate, 0.7, 0.95)).max(LEAST_MBPS), 10.0);

        // What would come of each, and what does.
        let single = link.single_stream_mbps();
        let many = link.streams_mbps(amst_rate, streams as f64);
        let made = [hde, amst, baseline];
        let times = [
            link.transfer_ms(HDE, hde, single),
            link.transfer_ms(AMST, amst, many),
            link.transfer_ms(BASELINE, baseline, single),
        ];
        let (selected, executed) = match self.selection {
            Selection::Random => (shared(selected), shared(pair().0)),
            Selection::Policy => {
                let selected = self.select(selected, &times, made.map(|made| made.time_ms * cpu_usage), stream);
                (selected, selected)
            }
        };
        let transfer_ms = rounded(times[executed], 10.0);

        Row {
            timestamp: 0,
            data_size_bytes: whole(bytes),
            incident_id: 0,
            region: (route.zone / 3) as u32,
            az: route.zone as u32,
            link_type: route.link_type as u32,
            node_id: route.node,
            peer_id: route.peer,
            data_type: ((u64::from(kind) * 3) >> 32) as u32,
            current_compression: selected as u32,
            memory_available_mb: whole(memory),
            active_transfers: laws.active_transfers(ties.active.of(load, 0, chance(active))),
            hde_compressed_size_bytes: whole(hde.bytes),
            amst_streams: streams,
            amst_compressed_size_bytes: whole(amst.bytes),
            baseline_compressed_size_bytes: whole(baseline.bytes),
            entropy,
            compressibility_score: compressibility,
            rtt_ms,
            jitter_ms: rounded(found.rtt_ms * between(jitter, 0.1, 0.3), 10.0),
            available_bandwidth_mbps: bandwidth_mbps,
            packet_loss_rate: loss,
            cpu_usage,
            hde_compression_ratio: hde_ratio,
            hde_delta_hit_rate: rounded(compressibility * hits, 10.0),
            hde_compression_time_ms: hde.time_ms,
            hde_throughput_mbps: rounded(single, 10.0),
            amst_transfer_rate_mbps: amst_rate,
            amst_compression_time_ms: amst.time_ms,
            baseline_compression_ratio: baseline_ratio,
            baseline_compression_time_ms: baseline.time_ms,
            actual_transfer_time_ms: transfer_ms,
            actual_throughput_mbps: rounded(throughput_mbps(bytes, transfer_ms), 10.0),
            total_cpu_overhead_ms: rounded(cpu_overhead_ms(executed, made[executed], baseline), 10.0),
        }
    }

    /// The algorithm that seems to cost least in time and processor, or now and then any.
    #[inline]
    fn select(&self, bits: u32, times: &[f64; 3], work: [f64; 3], stream: &mut Stream) -> usize {
        let off = stream.next();
        if bits < self.exploration_below {
            return (((off >> 32) * 3) >> 32) as usize;
        }
        let estimate = |algorithm: usize| {
            let wrong = 1.0 - ESTIMATE_OFF + 2.0 * ESTIMATE_OFF / 65_536.0 * ((off >> (16 * algorithm)) as u16 as f64);
            (times[algorithm] + self.cpu_weight * work[algorithm]) * wrong
        };
        let [hde, amst, baseline] = [estimate(HDE), estimate(AMST), estimate(BASELINE)];
        if hde <= amst && hde <= baseline {
            HDE
        } else if amst <= baseline {
            AMST
        } else {
            BASELINE
        }
    }
}

/// An algorithm by the script's shares.
#[inline]
fn shared(bits: u32) -> usize {
    usize::from(bits >= HDE_BELOW) + usize::from(bits >= AMST_BELOW)
}
