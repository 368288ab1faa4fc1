//! Rows on their way to the columns, some at a time and column by column: each pass has few variables, which a compiler
//! of WebAssembly keeps in registers, where one loop over all columns of a row would not let it.

use telemill_sdk::Effects;
use telemill_sdk::column::{NULL_KEY, NULL_NUMBER};
use telemill_sdk::time::{MILLISECOND, SECOND};

use super::draw::{Draw, Drawn};
use super::{Tables, Transactions};
use crate::catalogue::Catalogue;
use crate::marks::Marks;
use crate::operations::{OperationState, is_trial};
use crate::templates::Cause;

/// Small enough for the first-level cache.
const CHUNK: usize = 128;

const CLOSED: u32 = 0;
const OPEN: u32 = 1;
const HALF_OPEN: u32 = 2;

const FIRST_USER_ID: i64 = 10_000;
const SESSION_SECONDS: i64 = 1_800;
const USER_BITS: u32 = 20;
/// A caller's own deadline, after which nobody waits any more.
const LONGEST_MS: f32 = 35_000.0;
const TIMEOUT_MS: i32 = 30_000;
const POOL_TIMEOUT_MS: i32 = 5_000;

/// A call that failed.
#[derive(Clone, Copy, Debug)]
struct Failure {
    row: usize,
    fate: u32,
    state: OperationState,
}

/// Rows of one or more seconds.
#[derive(Debug)]
pub(super) struct Chunk {
    rows: usize,
    drawn: [Drawn; CHUNK],
    failures: Vec<Failure>,
    timestamp: [i64; CHUNK],
    transaction_id: [i64; CHUNK],
    trace_id: [u64; CHUNK],
    session_id: [i64; CHUNK],
    user_id: [i64; CHUNK],
    operation: [u32; CHUNK],
    service: [u32; CHUNK],
    http_method: [u32; CHUNK],
    http_path: [u32; CHUNK],
    http_status: [i32; CHUNK],
    status: [u32; CHUNK],
    response_time_ms: [i32; CHUNK],
    amount: [i64; CHUNK],
    currency: [u32; CHUNK],
    payment_provider: [u32; CHUNK],
    error: [u32; CHUNK],
    retries: [i32; CHUNK],
    circuit_breaker_state: [u32; CHUNK],
    channel: [u32; CHUNK],
    region: [u32; CHUNK],
    host: [u32; CHUNK],
    phase: [u32; CHUNK],
    incident: [u32; CHUNK],
}

impl Default for Chunk {
    fn default() -> Self {
        Self {
            rows: 0,
            drawn: std::array::from_fn(|_| Drawn::nothing()),
            failures: Vec::new(),
            timestamp: [0; CHUNK],
            transaction_id: [0; CHUNK],
            trace_id: [0; CHUNK],
            session_id: [0; CHUNK],
            user_id: [0; CHUNK],
            operation: [0; CHUNK],
            service: [0; CHUNK],
            http_method: [0; CHUNK],
            http_path: [0; CHUNK],
            http_status: [0; CHUNK],
            status: [0; CHUNK],
            response_time_ms: [0; CHUNK],
            amount: [0; CHUNK],
            currency: [0; CHUNK],
            payment_provider: [0; CHUNK],
            error: [0; CHUNK],
            retries: [0; CHUNK],
            circuit_breaker_state: [0; CHUNK],
            channel: [0; CHUNK],
            region: [0; CHUNK],
            host: [0; CHUNK],
            phase: [0; CHUNK],
            incident: [0; CHUNK],
        }
    }
}

impl Chunk {
    /// Whether it must be flushed before more can be drawn.
    pub(super) fn is_full(&self) -> bool {
        self.rows == CHUNK
    }

    /// Draws calls of a second: from index `first`, each `step`-th, at most `most` and as many as there is room for. Returns how
    /// many.
    pub(super) fn draw(&mut self, draw: &Draw, (first, step, most): (u32, u32, u32), catalogue: &Catalogue) -> u32 {
        let from = self.rows.min(CHUNK);
        let room = &mut self.drawn[from..];
        let taken = room.len().min(most as usize);
        let session = draw.second.div_euclid(SESSION_SECONDS) << USER_BITS;
        let mut index = first;
        for (drawn, session_id) in room[..taken].iter_mut().zip(&mut self.session_id[from..]) {
            *drawn = draw.call(index);
            *session_id = session;
            index += step;
        }
        for (operation, drawn) in self.operation[from..].iter_mut().zip(&self.drawn[from..from + taken]) {
            *operation = catalogue.mix.pick(drawn.place) as u32;
        }
        self.rows = from + taken;
        taken as u32
    }

    /// What the state of their operations does to the last `count` calls.
    pub(super) fn meet_state(
        &mut self,
        count: u32,
        tables: &Tables,
        states: &[OperationState],
        blip: u32,
        marks: &mut Marks,
        effects: &Effects,
    ) {
        let to = self.rows.min(CHUNK);
        for row in to.saturating_sub(count as usize)..to {
            let drawn = &self.drawn[row];
            let state = &states[self.operation[row] as usize];
            let table = if state.slow { &tables.slow_latency } else { &tables.latency };
            let relative = table.draw((drawn.fate >> 32) as u32);
            // What lies above the median, without a branch: half of all calls do.
            let above = 0.5 * ((relative - 1.0) + (relative - 1.0).abs());
            let latency_ms = state.latency_ms * (relative + state.stretch * above);
            // Not `min`, which is a call on WebAssembly.
            let latency_ms = if latency_ms < LONGEST_MS { latency_ms } else { LONGEST_MS };
            self.response_time_ms[row] = (latency_ms as i32).max(1);
            self.retries[row] = i32::from(((drawn.more >> 16) as u32) < state.retried_below);
            self.circuit_breaker_state[row] = if is_trial(state, drawn.more >> 48) { HALF_OPEN } else { CLOSED };
            (self.phase[row], self.incident[row]) = match &state.mark {
                None => (0, NULL_KEY),
                Some(mark) => (Marks::phase(mark), marks.key(mark.incident, effects)),
            };
            let fate = drawn.fate as u32;
            if fate < state.failed_below.saturating_add(blip) {
                self.failures.push(Failure { row, fate, state: *state });
            }
        }
    }

    /// Looks up what is left and moves the rows to the columns.
    pub(super) fn flush(&mut self, tables: &Tables, catalogue: &Catalogue, to: &mut Transactions) {
        let n = self.rows.min(CHUNK);
        self.look_up_operations(n, tables);
        self.look_up_users(n, tables, catalogue);
        self.draw_details(n, tables, catalogue);
        self.http_status[..n].fill(200);
        self.status[..n].fill(0);
        self.error[..n].fill(NULL_KEY);
        for failure in std::mem::take(&mut self.failures) {
            self.fail(&failure, catalogue);
        }
        self.push(n, to);
        self.rows = 0;
    }

    fn look_up_operations(&mut self, n: usize, tables: &Tables) {
        for (row, drawn) in self.drawn[..n].iter().enumerate() {
            let line = &tables.lines[self.operation[row] as usize];
            self.service[row] = line.service;
            self.http_method[row] = line.method;
            self.http_path[row] = line.path;
            self.host[row] = line.first_host + (((drawn.more & 0xffff) * u64::from(line.hosts)) >> 16) as u32;
        }
        for (region, host) in self.region[..n].iter_mut().zip(&self.host) {
            *region = tables.host_regions[*host as usize];
        }
    }

    fn look_up_users(&mut self, n: usize, tables: &Tables, catalogue: &Catalogue) {
        for (row, drawn) in self.drawn[..n].iter().enumerate() {
            let user = tables.users.pick(drawn.shared) as i64;
            self.user_id[row] = FIRST_USER_ID + user;
            self.session_id[row] |= user;
        }
        for (row, drawn) in self.drawn[..n].iter().enumerate() {
            let spread = drawn.shared.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let millisecond = (((spread >> 48) * 1_000) >> 16) + u64::from(drawn.delay_ms);
            self.timestamp[row] = drawn.second() * SECOND + millisecond.min(999) as i64 * MILLISECOND;
            self.transaction_id[row] = drawn.id;
            self.trace_id[row] = ((drawn.second() as u64) << 32) | ((spread >> 16) & 0xffff_ffff);
            self.channel[row] = catalogue.channels.draw.pick(spread.rotate_left(32)) as u32;
        }
    }

    /// What only some calls have. Their order is part of what rows follow from.
    fn draw_details(&mut self, n: usize, tables: &Tables, catalogue: &Catalogue) {
        for (row, drawn) in self.drawn[..n].iter_mut().enumerate() {
            let operation = self.operation[row] as usize;
            if let Some(variants) = &catalogue.operations[operation].path_variant {
                self.http_path[row] += variants.pick(drawn.stream.next()) as u32;
            }
            let line = &tables.lines[operation];
            (self.amount[row], self.currency[row]) = match line.amount_median {
                Some(median) => {
                    let money = drawn.stream.next();
                    let amount = (median * tables.amounts.draw((money >> 32) as u32)) as i64;
                    (amount.max(1), catalogue.currencies.draw.pick(money.rotate_left(32)) as u32)
                }
                None => (NULL_NUMBER, NULL_KEY),
            };
            self.payment_provider[row] =
                if line.pays { catalogue.providers.draw.pick(drawn.stream.next()) as u32 } else { NULL_KEY };
        }
    }

    /// The columns in which a call that failed differs from the success that the row says so far.
    fn fail(&mut self, failure: &Failure, catalogue: &Catalogue) {
        let Failure { row, fate, ref state } = *failure;
        let bits = self.drawn[row].stream.next();
        let (latency_ms, again) = (self.response_time_ms[row], self.retries[row]);
        let few = (bits & 0x1f) as i32;
        let (cause, response_ms, retries) = if fate < state.rejected_below {
            self.circuit_breaker_state[row] = OPEN;
            (Cause::Rejection, 3 + few, 0)
        } else if fate < state.timed_out_below {
            if state.trial_below > 0 {
                self.circuit_breaker_state[row] = HALF_OPEN;
            }
            (Cause::Timeout, TIMEOUT_MS + few * 8, 1 + few % 3)
        } else if fate < state.stressed_below && state.stress == Cause::Pool {
            (Cause::Pool, latency_ms.max(POOL_TIMEOUT_MS + few), 1 + few % 2)
        } else if fate < state.stressed_below {
            (state.stress, latency_ms, again + few % 2)
        } else {
            (Cause::Normal, latency_ms, again)
        };
        let (templates, draw) = &catalogue.operations[self.operation[row] as usize].errors[cause as usize];
        let template = templates.get(draw.pick(bits.rotate_left(17))).copied();
        let status = template.and_then(|at| catalogue.errors.get(at as usize)).map_or(500, |error| error.http_status);
        self.http_status[row] = status;
        self.status[row] = 1;
        self.response_time_ms[row] = response_ms;
        self.error[row] = template.unwrap_or(NULL_KEY);
        self.retries[row] = retries;
    }

    fn push(&mut self, n: usize, to: &mut Transactions) {
        to.timestamp.push_slice(&self.timestamp[..n]);
        to.transaction_id.push_slice(&self.transaction_id[..n]);
        to.trace_id.push_hex16_slice(&self.trace_id[..n]);
        to.session_id.push_slice(&self.session_id[..n]);
        to.user_id.push_slice(&self.user_id[..n]);
        to.service.push_keys(&self.service[..n]);
        to.operation.push_keys(&self.operation[..n]);
        to.http_method.push_keys(&self.http_method[..n]);
        to.http_path.push_keys(&self.http_path[..n]);
        to.http_status.push_slice(&self.http_status[..n]);
        to.status.push_keys(&self.status[..n]);
        to.response_time_ms.push_slice(&self.response_time_ms[..n]);
        to.amount.push_numbers(&self.amount[..n]);
        to.currency.push_keys(&self.currency[..n]);
        to.payment_provider.push_keys(&self.payment_provider[..n]);
        to.error_type.push_keys(&self.error[..n]);
        to.error_message.push_keys(&self.error[..n]);
        to.retries.push_slice(&self.retries[..n]);
        to.circuit_breaker_state.push_keys(&self.circuit_breaker_state[..n]);
        to.channel.push_keys(&self.channel[..n]);
        to.region.push_keys(&self.region[..n]);
        to.host.push_keys(&self.host[..n]);
        to.phase.push_keys(&self.phase[..n]);
        to.incident_id.push_keys(&self.incident[..n]);
    }
}
