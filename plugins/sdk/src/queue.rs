//! An open queue: what utilisation does to waiting, deadlines, retries and refusals.
//!
//! Owns the formulas of M/M/c in steady state. Knows nothing of time: a caller asks anew for each
//! step, which is right where a step is longer than the queue needs to settle.

/// Work is refused above this utilisation; a queue without a bound would never settle.
const FULL: f64 = 0.985;
/// Binary digits of the exponent's fraction.
const ROOTS: u32 = 6;
/// exp(-40) is below half a unit in the last place of 1.
const NEVER: f64 = 40.0;
/// Rounds of retries on retries: each round adds less than half of the one before.
const RETRY_ROUNDS: u32 = 4;

/// A station of `servers` alike, with a deadline after which callers give up and may try again.
#[derive(Debug, Clone, Copy)]
pub struct Queue {
    servers: f64,
    exponent: u32,
    deadline: f64,
    retries: f64,
}

/// How a station stands under one load.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct QueueState {
    /// Busy share of the servers, retries included: 0 to 0.985.
    pub utilisation: f64,
    /// Mean time in the queue, in service times.
    pub wait: f64,
    /// Mean number that wait.
    pub depth: f64,
    /// Share of calls that meet the deadline while they wait, or find the queue full.
    pub failed: f64,
    /// Retries per call.
    pub retries: f64,
}

impl Queue {
    /// `deadline` in service times; `retries` is the share of failed calls that try again at once.
    pub fn new(servers: u32, deadline: f64, retries: f64) -> Self {
        let servers = f64::from(servers.max(1));
        Self {
            servers,
            exponent: (((2.0 * (servers + 1.0)).sqrt() - 1.0) * f64::from(1 << ROOTS)).round() as u32,
            deadline: deadline.max(0.0),
            retries: retries.clamp(0.0, 0.95),
        }
    }

    /// `load`: work offered per unit of capacity, first tries only; 1 is as much as can be done.
    ///
    /// Waiting by Sakasegawa (1977): rho^(sqrt(2(c+1))-1) / (c (1-rho)) service times, the exponent in 64ths. A wait passes the
    /// deadline d with the probability P(wait) exp(-c (1-rho) d), exact for M/M/c. Failed calls come back
    /// as load, to a fixed point.
    pub fn at(&self, load: f64) -> QueueState {
        let load = load.max(0.0);
        let mut state = self.without_retries(load);
        // Far from the edge a failure is too rare for its retry to be felt.
        if self.retries > 0.0 && state.failed > 1e-6 {
            for _ in 0..RETRY_ROUNDS {
                state = self.without_retries(load * (1.0 + self.retries * state.failed));
            }
        }
        state.retries = self.retries * state.failed;
        state
    }

    fn without_retries(&self, offered: f64) -> QueueState {
        let utilisation = offered.min(FULL);
        let idle = 1.0 - utilisation;
        let waits = power(utilisation, self.exponent);
        let wait = waits / (self.servers * idle);
        let patience = self.servers * idle * self.deadline;
        let late = if patience < NEVER { waits * (-patience).exp() } else { 0.0 };
        let refused = if offered > FULL { 1.0 - FULL / offered } else { 0.0 };
        QueueState {
            utilisation,
            wait,
            depth: wait * utilisation * self.servers,
            failed: 1.0 - (1.0 - late) * (1.0 - refused),
            retries: 0.0,
        }
    }
}

/// A base between 0 and 1 to a power in 64ths, by roots and products: these are single instructions on every machine, where a
/// power of any exponent is a long way through a library.
fn power(base: f64, sixty_fourths: u32) -> f64 {
    let mut result = 1.0;
    for _ in 0..sixty_fourths >> ROOTS {
        result *= base;
    }
    let mut root = base;
    for digit in (0..ROOTS).rev() {
        root = root.sqrt();
        if sixty_fourths >> digit & 1 == 1 {
            result *= root;
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_grows_with_load() {
        let queue = Queue::new(8, 20.0, 0.5);
        let states: Vec<QueueState> = (0..150).map(|i| queue.at(f64::from(i) / 100.0)).collect();
        for pair in states.windows(2) {
            assert!(pair[1].utilisation >= pair[0].utilisation);
            assert!(pair[1].wait >= pair[0].wait, "{pair:?}");
            assert!(pair[1].failed >= pair[0].failed);
            assert!(pair[1].retries >= pair[0].retries);
        }
        assert_eq!(states[0], QueueState::default());
    }

    #[test]
    fn a_single_server_waits_as_the_exact_formula_says() {
        // Sakasegawa is exact for one server: rho / (1 - rho).
        let queue = Queue::new(1, 1e9, 0.0);
        assert!((queue.at(0.8).wait - 4.0).abs() < 1e-9);
    }

    #[test]
    fn powers_are_those_of_the_library() {
        for exponent in [0, 1, 33, 64, 112, 175, 640] {
            for base in [0.0, 0.01, 0.3, 0.77, 1.0] {
                let exact = f64::powf(base, f64::from(exponent) / 64.0);
                assert!((power(base, exponent) - exact).abs() < 1e-14, "{base} to {exponent}");
            }
        }
    }

    #[test]
    fn retries_make_trouble_worse() {
        let (calm, eager) = (Queue::new(4, 5.0, 0.0), Queue::new(4, 5.0, 0.9));
        assert!(eager.at(0.93).utilisation > calm.at(0.93).utilisation);
        assert!(eager.at(1.2).failed > calm.at(1.2).failed);
    }
}
