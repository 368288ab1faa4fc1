//! What calls cost while a component is checked: times, instructions, memory, bytes, log; and how far from its limits that is.
//! The stack alone is not among them: wasmtime does not tell how deep a call went.

use crate::plugin::instance::{Instance, Used};
use crate::plugin::limits::Limits;
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The calls of one function of the contract.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CallCost {
    /// The function.
    pub call: String,
    /// How often it was called.
    pub calls: u64,
    /// Mean time of a call, in milliseconds.
    pub mean_ms: f64,
    /// The longest, in milliseconds.
    pub longest_ms: f64,
    /// The most instructions of one call.
    pub most_fuel: u64,
}

/// How near a component came to a limit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Margin {
    /// The limit's key in the settings.
    pub limit: String,
    /// The most that was used.
    pub used: u64,
    /// What is allowed.
    pub allowed: u64,
}

/// What a component costs, as far as the check saw it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = PluginProfile)]
pub struct Profile {
    /// Rows that were made or looked at, over all passes.
    pub rows: u64,
    /// Of the calls that made or took them: rows a second.
    pub rows_per_second: f64,
    /// Of the same calls: instructions a row.
    pub fuel_per_row: f64,
    /// The most memory of an instance, in bytes.
    pub memory_bytes: u64,
    /// The calls, by name.
    pub calls: Vec<CallCost>,
    /// The limits that can be measured, in the order of the settings.
    pub margins: Vec<Margin>,
}

/// Collects what calls cost.
#[derive(Debug, Default)]
pub(super) struct Meter(RefCell<Seen>);

#[derive(Debug, Default)]
struct Seen {
    calls: BTreeMap<&'static str, Calls>,
    rows: u64,
    /// Time and instructions of the calls that rows go through.
    row_time: Duration,
    row_fuel: u64,
    /// The most of anything that one call took; instructions are kept by call.
    most: Used,
}

#[derive(Debug, Default)]
struct Calls {
    calls: u64,
    time: Duration,
    longest: Duration,
    most_fuel: u64,
}

impl Calls {
    fn add(&mut self, time: Duration, fuel: u64) {
        self.calls += 1;
        self.time += time;
        self.longest = self.longest.max(time);
        self.most_fuel = self.most_fuel.max(fuel);
    }
}

/// An instance whose costs can be asked.
pub(in crate::plugin) trait Metered {
    /// The instance below.
    fn instance(&self) -> &Instance;
}

impl Meter {
    /// Makes a call, and keeps what it cost.
    pub(super) fn call<I: Metered, T>(
        &self,
        name: &'static str,
        instance: &mut I,
        call: impl FnOnce(&mut I) -> T,
    ) -> T {
        self.timed(name, instance, call).0
    }

    /// Makes a call that rows go through; `rows` says how many.
    pub(super) fn row_call<I: Metered, T>(
        &self,
        name: &'static str,
        instance: &mut I,
        call: impl FnOnce(&mut I) -> T,
        rows: impl FnOnce(&T) -> u64,
    ) -> T {
        let (value, time, fuel) = self.timed(name, instance, call);
        let rows = rows(&value);
        let mut seen = self.0.borrow_mut();
        seen.rows += rows;
        seen.row_time += time;
        seen.row_fuel += fuel;
        value
    }

    /// Keeps what a call cost.
    pub(super) fn add(&self, name: &'static str, time: Duration, used: &Used) {
        let mut seen = self.0.borrow_mut();
        seen.calls.entry(name).or_default().add(time, used.fuel.unwrap_or_default());
        let most = &mut seen.most;
        most.memory_bytes = most.memory_bytes.max(used.memory_bytes);
        most.host_bytes = most.host_bytes.max(used.host_bytes);
        most.log_lines = most.log_lines.max(used.log_lines);
        most.log_bytes = most.log_bytes.max(used.log_bytes);
        most.output_bytes = most.output_bytes.max(used.output_bytes);
    }

    fn timed<I: Metered, T>(
        &self,
        name: &'static str,
        instance: &mut I,
        call: impl FnOnce(&mut I) -> T,
    ) -> (T, Duration, u64) {
        let started = Instant::now();
        let value = call(instance);
        let time = started.elapsed();
        let used = instance.instance().used().unwrap_or_default();
        self.add(name, time, &used);
        (value, time, used.fuel.unwrap_or_default())
    }

    /// What was seen of a component of so many bytes.
    pub(super) fn profile(&self, limits: &Limits, component_bytes: usize) -> Profile {
        let seen = self.0.borrow();
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        let calls = seen.calls.iter().map(|(call, calls)| CallCost {
            call: (*call).to_owned(),
            calls: calls.calls,
            mean_ms: ms(calls.time) / calls.calls.max(1) as f64,
            longest_ms: ms(calls.longest),
            most_fuel: calls.most_fuel,
        });
        let longest = seen.calls.values().map(|calls| calls.longest.as_millis()).max().unwrap_or_default();
        let Used { memory_bytes, host_bytes, log_lines, log_bytes, output_bytes, .. } = seen.most;
        let margins = [
            ("memory_bytes", memory_bytes, limits.memory_bytes),
            ("call_ms", u64::try_from(longest).unwrap_or(u64::MAX), limits.call_ms),
            ("call_fuel", seen.calls.values().map(|calls| calls.most_fuel).max().unwrap_or_default(), limits.call_fuel),
            ("host_bytes", host_bytes, limits.host_bytes),
            ("log_lines", log_lines, limits.log_lines),
            ("log_bytes", log_bytes, limits.log_bytes),
            ("output_bytes", output_bytes, limits.output_bytes),
            ("component_bytes", component_bytes as u64, limits.component_bytes),
        ];
        let margin = |(limit, used, allowed): (&str, u64, u64)| Margin { limit: limit.to_owned(), used, allowed };
        Profile {
            rows: seen.rows,
            rows_per_second: seen.rows as f64 / seen.row_time.as_secs_f64().max(f64::MIN_POSITIVE),
            fuel_per_row: seen.row_fuel as f64 / seen.rows.max(1) as f64,
            memory_bytes,
            calls: calls.collect(),
            margins: margins.map(margin).into(),
        }
    }
}
