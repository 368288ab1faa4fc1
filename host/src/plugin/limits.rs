//! How much a plugin may use: the settings with their defaults, and the part of them that wasmtime asks about while
//! code runs.

use super::error::Limit;
use super::log::CALLS_OF_AN_INSTANCE;
use crate::core::problem::Problem;
use serde::{Deserialize, Serialize};
use wasmtime::ResourceLimiter;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// Core instances of one component. A Rust guest is one to three, a Python guest about twenty.
const MAX_INSTANCES: usize = 256;
/// Tables of one instance; linkers make one a core module.
const MAX_TABLES: usize = 256;
/// Memories of one instance.
const MAX_MEMORIES: usize = 256;
/// Elements of all tables of one instance, eight bytes each on the host: a large guest has some 20,000.
const MAX_TABLE_ELEMENTS: u64 = 1_000_000;

/// Heap and stacks of a worker process besides what its guest takes.
const PROCESS_BYTES: u64 = 512 * MIB;
/// What a worker process holds of its component: the bytes, and machine code twice, as read and as mapped.
const COMPONENT_COPIES: u64 = 16;
/// Copies of what a worker process is given for its guest: as sent, as read, and as handed over.
const GIVEN_COPIES: u64 = 8;

/// Limits of every plugin's instance, settings under `[limits]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Memories of an instance, summed, in bytes. Default 256 MiB.
    pub memory_bytes: u64,
    /// Wall time of one call in milliseconds, checked every ten. Default 60,000: a backstop for `call_fuel`, generous
    /// because a call shares its core with others.
    pub call_ms: u64,
    /// Instructions of one call, counted by wasmtime (about one each). Default 20 billion, some ten seconds of a core:
    /// 60,000 rows from a Rust guest take 0.1 billion, from an interpreted guest a few billion.
    pub call_fuel: u64,
    /// Bytes that a call's result, or one line of its log, may make the host allocate, records included. Default 64 MiB: four
    /// times `output_bytes`, because short strings have 24 bytes of record each.
    pub host_bytes: u64,
    /// Native stack of one call, in bytes. Default 512 KiB; at most 1 MiB, because calls run on threads of 2 MiB.
    pub stack_bytes: u64,
    /// Lines that one call may log; an instance may log ten times as many, and what is more is left out. Default 1,000.
    pub log_lines: u64,
    /// Bytes that one call may log, and ten times as many an instance. Default 256 KiB.
    pub log_bytes: u64,
    /// Bytes that one `advance` may return (or one `save`). Default 16 MiB, as the contract says.
    pub output_bytes: u64,
    /// Bytes of a component. Default 64 MiB; a Python guest has 18.
    pub component_bytes: u64,
    /// Wall time of compiling a component in a process of its own, in milliseconds. Default 180,000: a Python guest takes
    /// half a minute on two idle cores.
    pub compile_ms: u64,
    /// Memory of compiling a component in a process of its own, in bytes. Default 3 GiB.
    pub compile_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 256 * MIB,
            call_ms: 60_000,
            call_fuel: 20_000_000_000,
            host_bytes: 64 * MIB,
            stack_bytes: 512 * KIB,
            log_lines: 1_000,
            log_bytes: 256 * KIB,
            output_bytes: 16 * MIB,
            component_bytes: 64 * MIB,
            compile_ms: 180_000,
            compile_bytes: 3072 * MIB,
        }
    }
}

/// What costs running code time, for the sake of limits and of equal results. All of it is always on, but where its
/// price is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guards {
    /// Instructions are counted: `call_fuel` holds.
    pub fuel: bool,
    /// Code looks at the clock: `call_ms` holds.
    pub epochs: bool,
    /// NaNs have one pattern of bits on every machine.
    pub canonical_nans: bool,
}

impl Guards {
    /// All of them.
    pub const ALL: Self = Self { fuel: true, epochs: true, canonical_nans: true };
    /// None of them.
    pub const NONE: Self = Self { fuel: false, epochs: false, canonical_nans: false };
}

impl Limits {
    /// Writable memory, in bytes, that a worker process needs to run one instance: of a component of `component_bytes` that
    /// is handed `given_bytes`.
    pub fn process_bytes(&self, component_bytes: usize, given_bytes: usize) -> u64 {
        PROCESS_BYTES
            + self.memory_bytes
            + self.host_bytes * 2
            + component_bytes as u64 * COMPONENT_COPIES
            + given_bytes as u64 * GIVEN_COPIES
    }

    /// Lines that an instance may log in all its calls, with those that say that more were left out.
    pub fn instance_log_lines(&self) -> u64 {
        self.log_lines.saturating_mul(CALLS_OF_AN_INSTANCE).saturating_add(2)
    }

    /// Values that no plugin could run with, or that would harm the host.
    pub fn problems(&self) -> Vec<Problem> {
        let ranges = [
            ("memory_bytes", self.memory_bytes, 64 * KIB, 4096 * MIB),
            ("call_ms", self.call_ms, 10, 24 * 3_600_000),
            ("call_fuel", self.call_fuel, 100_000, u64::MAX / 2),
            ("host_bytes", self.host_bytes, 64 * KIB, 1024 * MIB),
            ("stack_bytes", self.stack_bytes, 64 * KIB, MIB),
            ("log_lines", self.log_lines, 0, 1_000_000),
            ("log_bytes", self.log_bytes, 0, 64 * MIB),
            ("output_bytes", self.output_bytes, 64 * KIB, 256 * MIB),
            ("component_bytes", self.component_bytes, 1, 1024 * MIB),
            ("compile_ms", self.compile_ms, 10, 24 * 3_600_000),
            ("compile_bytes", self.compile_bytes, 64 * MIB, 1 << 40),
        ];
        let outside = ranges.into_iter().filter(|(_, value, least, most)| !(least..=most).contains(&value));
        outside
            .map(|(key, value, least, most)| Problem::new(key, format!("is {value}; {least} to {most} is possible")))
            .collect()
    }
}

/// Most handles to resources that an instance may hold: the contract has no resources, a tool chain's own parts may.
pub(super) const MAX_HANDLES: usize = 10_000;

/// What wasmtime says of limits that it has no types for.
const SAID: [(&str, Limit, usize); 4] = [
    ("instance count too high", Limit::Instances, MAX_INSTANCES),
    ("memory count too high", Limit::Memories, MAX_MEMORIES),
    ("table count too high", Limit::Tables, MAX_TABLES),
    ("store handle limit exceeded", Limit::Handles, MAX_HANDLES),
];

/// The fixed limit that a message of wasmtime's is about, and its value.
pub(super) fn said(message: &str) -> Option<(Limit, u64)> {
    let found = SAID.into_iter().find(|(said, ..)| message.contains(said));
    found.map(|(_, limit, allowed)| (limit, allowed as u64))
}

/// What a guest ran into while its code ran; wasmtime carries it out of the call as the cause of the trap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("over the limit {limit} = {allowed}")]
pub(super) struct LimitHit {
    pub(super) limit: Limit,
    pub(super) allowed: u64,
    pub(super) used: u64,
}

/// Sums what the memories and tables of one store take; wasmtime's own limiter counts each alone.
///
/// A refusal ends the call: told "no", most guests could only abort, and the reason would be lost.
#[derive(Debug)]
pub(super) struct Usage {
    allowed_memory_bytes: u64,
    memory_bytes: u64,
    table_elements: u64,
    /// What the last permitted growth added, to be taken back where the system refused it.
    last_growth_bytes: u64,
}

impl Usage {
    pub(super) fn new(limits: &Limits) -> Self {
        Self { allowed_memory_bytes: limits.memory_bytes, memory_bytes: 0, table_elements: 0, last_growth_bytes: 0 }
    }
}

impl Usage {
    /// Bytes of all memories.
    pub(super) fn memory_bytes(&self) -> u64 {
        self.memory_bytes
    }
}

impl ResourceLimiter for Usage {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let growth = desired.saturating_sub(current) as u64;
        let used = self.memory_bytes.saturating_add(growth);
        if used > self.allowed_memory_bytes {
            return Err(LimitHit { limit: Limit::MemoryBytes, allowed: self.allowed_memory_bytes, used }.into());
        }
        self.memory_bytes = used;
        self.last_growth_bytes = growth;
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.memory_bytes = self.memory_bytes.saturating_sub(self.last_growth_bytes);
        self.last_growth_bytes = 0;
        Ok(())
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let used = self.table_elements.saturating_add(desired.saturating_sub(current) as u64);
        if used > MAX_TABLE_ELEMENTS {
            return Err(LimitHit { limit: Limit::TableElements, allowed: MAX_TABLE_ELEMENTS, used }.into());
        }
        self.table_elements = used;
        Ok(true)
    }

    fn instances(&self) -> usize {
        MAX_INSTANCES
    }

    fn tables(&self) -> usize {
        MAX_TABLES
    }

    fn memories(&self) -> usize {
        MAX_MEMORIES
    }
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn memories_are_summed() {
        let mut usage = Usage::new(&Limits { memory_bytes: 1_000_000, ..Limits::default() });
        assert!(usage.memory_growing(0, 400_000, None).is_ok_and(|granted| granted));
        assert!(usage.memory_growing(0, 400_000, None).is_ok_and(|granted| granted));
        let refused = usage.memory_growing(400_000, 700_000, None).expect_err("over the sum");
        let hit = refused.downcast_ref::<LimitHit>().expect("a limit");
        assert_eq!((hit.limit, hit.allowed, hit.used), (Limit::MemoryBytes, 1_000_000, 1_100_000));
    }

    #[test]
    fn a_growth_that_the_system_refused_is_taken_back() {
        let mut usage = Usage::new(&Limits { memory_bytes: 1_000_000, ..Limits::default() });
        assert!(usage.memory_growing(0, 900_000, None).is_ok_and(|granted| granted));
        usage.memory_grow_failed(wasmtime::Error::msg("no memory")).expect("no failure");
        assert!(usage.memory_growing(0, 900_000, None).is_ok_and(|granted| granted));
    }

    #[test]
    fn defaults_are_possible_and_nonsense_is_named() {
        assert_eq!(Limits::default().problems(), []);
        let limits = Limits { stack_bytes: 1 << 40, ..Limits::default() };
        assert_eq!(limits.problems().first().map(|problem| problem.path.clone()), Some("stack_bytes".to_owned()));
        assert!(serde_json::from_str::<Limits>(r#"{"memory": 1}"#).is_err());
    }
}
