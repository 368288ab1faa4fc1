//! The transfers of a shard, step by step.

use telemill_sdk::column::NULL_KEY;
use telemill_sdk::time::SECOND;
use telemill_sdk::whole::Score;
use telemill_sdk::{Blame, Effects, Error, Output, Process, Rows, Shard, Simulation, Stream, Timestamp, Window, hash};

use crate::chunk::{Chunk, Fate};
use crate::config::{Config, Executed, Selection};
use crate::metrics::CompressionMetrics;
use crate::network::{LINK_TYPES, Loads, Network, REGIONS, Route, STEP, ZONES};
use crate::outcome::ALGORITHMS;
use crate::targets::{self, Signals};
use crate::transfer::{Bend, Circumstances, Scene, Transfers};

const COUNT: Process = Process::named("transfer count");
const TRANSFER: Process = Process::named("transfer");
/// What a missing value is drawn by.
pub(crate) const LOST: Process = Process::named("missing value");
const NODE: Process = Process::named("node");
const DISTANCE: Process = Process::named("link distance");

/// Values of the column `data_type`.
pub const DATA_TYPES: [&str; 3] = ["vm_memory", "vm_disk", "database"];

/// One shard. It carries no state over a step: all that it keeps are tables and caches.
#[derive(Debug)]
pub struct TransferCompression {
    shard: Shard,
    network: Network,
    loads: Loads,
    transfers: Transfers,
    /// How busy each node always is.
    nodes: Vec<Score>,
    policy: bool,
    missing: bool,
    copied_below: u32,
    chunk: Box<Chunk>,
    rows: CompressionMetrics,
}

/// What a configuration simulates.
pub fn plan() -> Simulation {
    Simulation {
        tables: vec![CompressionMetrics::table()],
        signals: targets::signals(),
        targets: targets::targets(),
        inputs: Vec::new(),
        step_micros: STEP as u64,
        attributes: Vec::new(),
    }
}

/// A share as a bound on 32 uniform bits.
fn bound(share: f64) -> u32 {
    (share.clamp(0.0, 1.0) * f64::from(u32::MAX)) as u32
}

impl TransferCompression {
    /// Opens a shard.
    pub fn new(config: &Config, shard: Shard) -> Self {
        let transfers = Transfers::new(config);
        let node = |index: u32| transfers.laws().scores.draw(hash(shard.seed, NODE, u64::from(index), 0) as u32);
        let fate = Fate {
            cpu_weight: config.cpu_weight,
            selected_alone: config.executed == Executed::Selected,
            missing_below: bound(config.missing_share),
        };
        let mut rows = CompressionMetrics::default();
        rows.region.set_values(REGIONS);
        rows.az.set_values((0..ZONES).map(targets::zone_name));
        rows.link_type.set_values(LINK_TYPES);
        rows.node_id.set_values((0..config.nodes).map(|index| format!("node-{index}")));
        rows.peer_id.set_values((0..config.peers).map(|index| format!("peer-{index}")));
        rows.data_type.set_values(DATA_TYPES);
        rows.current_compression.set_values(ALGORITHMS);
        Self {
            network: Network { nodes: config.nodes, peers: config.peers },
            loads: Loads::new(shard.seed, config.transfers_per_hour, config.daily_swing),
            nodes: (0..config.nodes).map(node).collect(),
            transfers,
            policy: config.selection == Selection::Policy,
            missing: fate.missing_below > 0,
            copied_below: bound(config.duplicate_share),
            chunk: Box::new(Chunk::new(fate)),
            rows,
            shard,
        }
    }

    /// The rows of a window.
    ///
    /// # Errors
    /// Where the window is no whole number of steps.
    pub fn advance(&mut self, window: Window, effects: &Effects, output: &mut Output) -> Result<(), Error> {
        if window.start.rem_euclid(STEP) != 0 || window.end.rem_euclid(STEP) != 0 {
            return Err(Error::failed(format!(
                "window {} to {} does not lie on steps of ten seconds",
                window.start, window.end
            )));
        }
        let calm = !effects.any(window);
        for t in (window.start..window.end).step_by(STEP as usize) {
            self.loads.go_to(t);
            if calm || !effects.any(Window::new(t, t + STEP)) {
                self.step(t, |_| ());
            } else {
                self.step(t, |t| Bent { effects, t, most: None });
            }
        }
        self.chunk.flush(&mut self.rows);
        let ids = effects.incidents().iter().map(|incident| &incident.id);
        self.rows.incident_id.inner_mut().set_values(ids);
        self.rows.finish(output)
    }

    /// This shard's transfers of one step; `bend_at` says what incidents do at its time.
    #[inline]
    fn step<B: Bend + Named>(&mut self, t: Timestamp, bend_at: impl Fn(Timestamp) -> B) {
        let number = t / STEP;
        let count = self.loads.arrivals().draw(hash(self.shard.seed, COUNT, 0, number));
        for index in (self.shard.partition..count).step_by(self.shard.partitions.max(1) as usize) {
            let mut stream = Stream::of(self.shard.seed, TRANSFER, u64::from(index), number);
            let (first, second, place) = (stream.next(), stream.next(), stream.next());
            let route = self.network.route(first, second);
            let scene = self.scene(route);
            let mut bend = bend_at(t);
            let mut draft = self.transfers.draw(&scene, &mut stream, &mut bend);
            draft.timestamp = t + (((place >> 32) as i64 * (STEP / SECOND)) >> 32) * SECOND;
            draft.incident_id = bend.name();
            if self.missing {
                draft.lost = hash(self.shard.seed, LOST, u64::from(index), number);
            }
            self.chunk.push(&draft, &mut self.rows);
            if (place as u32) < self.copied_below {
                self.chunk.push(&draft, &mut self.rows);
            }
        }
    }

    /// What a transfer on a route finds. Where nothing follows anything, nobody asks.
    #[inline]
    fn scene(&self, route: Route) -> Scene {
        if !self.policy {
            return Scene { route, load: 0, distance: 0, node: 0 };
        }
        let pair = u64::from(route.node) << 32 | u64::from(route.peer);
        Scene {
            route,
            load: self.loads.groups()[route.group()],
            distance: self.transfers.laws().scores.draw(hash(self.shard.seed, DISTANCE, pair, 0) as u32),
            node: self.nodes[route.node as usize],
        }
    }
}

/// Who is to blame for a row, as a key of the column's dictionary.
trait Named {
    fn name(&self) -> u32;
}

impl Named for () {
    fn name(&self) -> u32 {
        NULL_KEY
    }
}

/// What incidents do at an instant, and which of them changed a transfer most.
struct Bent<'a> {
    effects: &'a Effects,
    t: Timestamp,
    most: Option<Blame<'a>>,
}

impl Bent<'_> {
    fn at(&mut self, target: usize, signal: Signals, base: f64) -> f64 {
        let bent = self.effects.at(target, signal as usize, self.t);
        self.most = Blame::most(self.most, bent.blame(base));
        bent.apply(base)
    }
}

impl Bend for Bent<'_> {
    fn bend(&mut self, route: &Route, normal: Circumstances) -> Circumstances {
        let (links, rack) = (targets::links(route.group()), targets::rack(route.rack()));
        Circumstances {
            rtt_ms: self.at(links, Signals::Latency, normal.rtt_ms),
            loss: self.at(links, Signals::PacketLoss, normal.loss),
            bandwidth_mbps: self.at(links, Signals::Bandwidth, normal.bandwidth_mbps),
            cpu: self.at(rack, Signals::Cpu, normal.cpu),
        }
    }
}

impl Named for Bent<'_> {
    fn name(&self) -> u32 {
        self.most.map_or(NULL_KEY, |blame| blame.incident as u32)
    }
}
