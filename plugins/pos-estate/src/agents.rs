//! The agents on the terminals: their calls of the API, the errors that incidents add, and how the platform misses them.

use telemill_sdk::demand::Poisson;
use telemill_sdk::time::{MILLISECOND, SECOND};
use telemill_sdk::{Effects, Process, Timestamp, Window, hash};

use crate::api::{API_ERRORS, Request, Source};
use crate::config::Config;
use crate::endpoints::{GET_CONFIG, SEND_METRICS};
use crate::errors::{Entry, Message};
use crate::ids::{self, Lane};
use crate::inventory::{Estate, Terminal};
use crate::metrics::{NORMAL_LOSS, is_lost};
use crate::signals::{Signals, bend};

const AGENT: Process = Process::named("agent");
const EXTRA: Process = Process::named("errors that an incident adds");
const EXTRA_MESSAGE: Process = Process::named("message of an incident");

/// An agent asks for its configuration once in so many calls.
pub const ASKS_EVERY: i64 = 10;
/// The platform logs a terminal that it misses at every so many of the agent's calls.
const MISSED_EVERY: i64 = 10;
/// An incident keeps to one message on a terminal for so long.
const SAME_MESSAGE: i64 = 600 * SECOND;

/// What comes of an agent.
#[derive(Clone, Copy, Debug)]
pub enum Sent {
    /// A call of the API.
    Call(Request),
    /// An error on its terminal, or that it is missed.
    Error(Entry),
}

/// The agents of an estate.
#[derive(Clone, Copy, Debug)]
pub struct Agents {
    seed: u64,
    period: i64,
    /// Errors that a terminal logs in normal times, per minute.
    errors_per_minute: f64,
}

impl Agents {
    /// The agents of an estate.
    pub fn new(config: &Config, estate: &Estate, seed: u64) -> Self {
        let terminals = estate.terminals.len().max(1) as f64;
        let errors_per_minute = config.errors_per_minute * (1.0 - API_ERRORS) / terminals;
        Self { seed, period: i64::from(config.agent_call_seconds) * SECOND, errors_per_minute }
    }

    /// Hands out what comes of one terminal's agent in a window.
    pub fn run(
        &self,
        index: usize,
        terminal: &Terminal,
        window: Window,
        effects: Option<&Effects>,
        mut send: impl FnMut(Sent),
    ) {
        let effects = effects.filter(|effects| terminal.chain.iter().any(|target| effects.any_on(*target, window)));
        let bits = hash(self.seed, AGENT, index as u64, 0);
        let offset = (((bits >> 32) * (self.period / MILLISECOND) as u64) >> 32) as i64 * MILLISECOND;
        let stagger = (bits & 0xff) as i64;
        let first = (window.start - offset + self.period - 1).div_euclid(self.period);
        let slots = (first..).map(|slot| (slot, slot * self.period + offset));
        for (slot, t) in slots.take_while(|(_, t)| *t < window.end) {
            let mut blame = None;
            let loss = match effects {
                Some(effects) => bend(effects, &terminal.chain, Signals::PacketLoss, t, NORMAL_LOSS, &mut blame),
                None => NORMAL_LOSS,
            };
            let turn = slot + stagger;
            if !is_lost(self.seed, index, t, loss) {
                let call = |lane: Lane, endpoint: usize| Request {
                    id: ids::of(t, lane, index as u64),
                    t,
                    endpoint,
                    source: Source::Agent,
                    site: terminal.site,
                    terminal: Some(index),
                };
                send(Sent::Call(call(Lane::AgentMetrics, SEND_METRICS)));
                if turn.rem_euclid(ASKS_EVERY) == 0 {
                    send(Sent::Call(call(Lane::AgentConfig, GET_CONFIG)));
                }
            } else if turn.rem_euclid(MISSED_EVERY) == 0 {
                send(Sent::Error(Entry {
                    id: ids::of(t, Lane::Missed, index as u64),
                    t,
                    message: Message::Missed,
                    bits,
                    terminal: Some(index),
                    site: Some(terminal.site),
                    request: None,
                    occurrences: 1,
                    incident: blame.map(|blame| blame.incident),
                }));
            }
            if let Some(entry) = effects.and_then(|effects| self.added(index, terminal, t, effects)) {
                send(Sent::Error(entry));
            }
        }
    }

    /// What an incident adds to a terminal's normal errors in the time of one call; its agent keeps them where the line is cut.
    fn added(&self, index: usize, terminal: &Terminal, t: Timestamp, effects: &Effects) -> Option<Entry> {
        let mut blame = None;
        let normal = self.errors_per_minute;
        let bent = bend(effects, &terminal.chain, Signals::DeviceErrors, t, normal, &mut blame);
        let added = (bent - normal) * self.period as f64 / (60 * SECOND) as f64;
        let count = Poisson::new(added).draw(hash(self.seed, EXTRA, index as u64, t));
        (count > 0).then(|| Entry {
            id: ids::of(t, Lane::Incident, index as u64),
            t,
            message: Message::Terminal,
            bits: hash(self.seed, EXTRA_MESSAGE, index as u64, t.div_euclid(SAME_MESSAGE)),
            terminal: Some(index),
            site: Some(terminal.site),
            request: None,
            occurrences: count as i32,
            incident: blame.map(|blame| blame.incident),
        })
    }
}
