//! One instance of a component and the only way to call into it: every call starts with full budgets, and one that does
//! not end well takes the instance with it.

use super::bindings::{host, types};
use super::error::{Limit, PluginError, PluginId};
use super::handed::Handed;
use super::limits::{self, Guards, LimitHit, Limits, Usage};
use super::log::{LogLevel, LogSink, Logger};
use super::ticker;
use crate::core::printable::printable;
use crate::core::problem::Problem;
use std::sync::Arc;
use wasmtime::component::{self, InstancePre};
use wasmtime::{Store, Trap};

/// What wasmtime says when a call hands over more than `host_bytes`; it has no type of its own.
const HOST_BYTES_MESSAGE: &str = "fuel allocated for hostcalls has been exhausted";

/// Addresses above this one are below zero by less than 64 MiB, more than any frame of a stack has.
const LOWEST_WRAPPED_ADDRESS: u64 = (1 << 32) - (64 << 20);

/// What a store carries for the host.
pub(super) struct State {
    usage: Usage,
    logger: Logger,
    /// The most that the result, or one line of the log, of the last call made the host allocate.
    host_bytes: u64,
    /// What the last call returned of rows or state.
    output_bytes: u64,
}

/// What the last call took of its limits.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Used {
    /// Instructions; none where they are not counted.
    pub(super) fuel: Option<u64>,
    /// Bytes of the instance's memories.
    pub(super) memory_bytes: u64,
    /// Bytes that the host allocated.
    pub(super) host_bytes: u64,
    /// Lines of its log.
    pub(super) log_lines: u64,
    /// Bytes of its log.
    pub(super) log_bytes: u64,
    /// Bytes of rows or of state.
    pub(super) output_bytes: u64,
}

impl types::Host for State {}

impl host::Host for State {
    fn log(&mut self, level: host::Level, message: String) -> wasmtime::Result<()> {
        let level = match level {
            host::Level::Debug => LogLevel::Debug,
            host::Level::Info => LogLevel::Info,
            host::Level::Warn => LogLevel::Warn,
            host::Level::Error => LogLevel::Error,
        };
        self.host_bytes = self.host_bytes.max(message.len() as u64);
        self.logger.line(level, &message).map_err(wasmtime::Error::from)
    }
}

/// A store with one instance in it.
pub(super) struct Instance {
    plugin: Arc<PluginId>,
    limits: Limits,
    guards: Guards,
    /// None once a call has failed.
    store: Option<Store<State>>,
}

impl Instance {
    /// Makes an instance, which may already run code of the component.
    pub(super) fn new(
        pre: &InstancePre<State>,
        plugin: &Arc<PluginId>,
        limits: &Limits,
        guards: Guards,
        sink: LogSink,
    ) -> Result<(Self, component::Instance), PluginError> {
        let logger = Logger::new(Arc::clone(plugin), sink, limits);
        let state = State { usage: Usage::new(limits), logger, host_bytes: 0, output_bytes: 0 };
        let mut store = Store::new(pre.engine(), state);
        store.limiter(|state| &mut state.usage);
        store.set_max_component_handles(limits::MAX_HANDLES);
        store.set_hostcall_fuel(usize::try_from(limits.host_bytes).unwrap_or(usize::MAX));
        store.epoch_deadline_trap();
        let limits = limits.clone();
        let mut instance = Self { plugin: Arc::clone(plugin), limits, guards, store: Some(store) };
        let made = instance.call("instantiate", |store| pre.instantiate(store))?;
        Ok((instance, made))
    }

    /// Which plugin it is of.
    pub(super) fn plugin(&self) -> &Arc<PluginId> {
        &self.plugin
    }

    /// Instructions that the last call took; none where they are not counted, or the instance has ended.
    pub(super) fn fuel_used(&self) -> Option<u64> {
        let left = self.store.as_ref()?.get_fuel().ok()?;
        Some(self.limits.call_fuel.saturating_sub(left))
    }

    /// What the last call took; none where the instance has ended.
    pub(super) fn used(&self) -> Option<Used> {
        let State { usage, logger, host_bytes, output_bytes } = self.store.as_ref()?.data();
        let (log_lines, log_bytes) = logger.used();
        Some(Used {
            fuel: self.fuel_used(),
            memory_bytes: usage.memory_bytes(),
            host_bytes: *host_bytes,
            log_lines,
            log_bytes,
            output_bytes: *output_bytes,
        })
    }

    /// The limits that it runs under.
    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Calls the function `name` of the contract through `function`.
    pub(super) fn call<T>(
        &mut self,
        name: &'static str,
        function: impl FnOnce(&mut Store<State>) -> wasmtime::Result<T>,
    ) -> Result<T, PluginError> {
        let Some(store) = self.store.as_mut() else {
            return Err(PluginError::Dead { plugin: Arc::clone(&self.plugin), call: name });
        };
        let state = store.data_mut();
        state.logger.begin(name);
        (state.host_bytes, state.output_bytes) = (0, 0);
        if self.guards.epochs {
            store.set_epoch_deadline(ticker::ticks(self.limits.call_ms));
        }
        let filled = if self.guards.fuel { store.set_fuel(self.limits.call_fuel) } else { Ok(()) };
        let called = filled.and_then(|()| function(store));
        called.map_err(|error| {
            let error = self.explain(name, &error);
            // The guest's memory may be in any state now.
            self.store = None;
            error
        })
    }

    /// A call whose result is the guest's: what it made the host allocate is kept.
    pub(super) fn take<T: Handed>(
        &mut self,
        name: &'static str,
        function: impl FnOnce(&mut Store<State>) -> wasmtime::Result<T>,
    ) -> Result<T, PluginError> {
        let taken = self.call(name, function)?;
        if let Some(store) = self.store.as_mut() {
            let state = store.data_mut();
            state.host_bytes = state.host_bytes.max(taken.behind());
        }
        Ok(taken)
    }

    /// A call whose result may be an `error` of the contract.
    pub(super) fn ask<T: Handed>(
        &mut self,
        name: &'static str,
        function: impl FnOnce(&mut Store<State>) -> wasmtime::Result<Result<T, types::Error>>,
    ) -> Result<T, PluginError> {
        self.take(name, function)?.map_err(|error| {
            let plugin = Arc::clone(&self.plugin);
            match error {
                types::Error::InvalidConfig(problems) => {
                    PluginError::InvalidConfig { plugin, problems: super::convert::problems_from(problems) }
                }
                types::Error::UnsupportedState => PluginError::UnsupportedState { plugin },
                types::Error::Failed(message) => {
                    PluginError::Failed { plugin, call: name, message: printable(&message) }
                }
            }
        })
    }

    /// The error for a result that breaks the contract.
    pub(super) fn broken(&self, call: &'static str, problems: Vec<Problem>) -> PluginError {
        let problems = super::convert::problems_of(problems);
        PluginError::BrokenContract { plugin: Arc::clone(&self.plugin), call, problems }
    }

    /// Refuses results of more than `output_bytes`.
    pub(super) fn check_output(&mut self, call: &'static str, bytes: u64) -> Result<(), PluginError> {
        if let Some(store) = self.store.as_mut() {
            store.data_mut().output_bytes = bytes;
        }
        if bytes > self.limits.output_bytes {
            Err(self.over(call, Limit::OutputBytes, self.limits.output_bytes, Some(bytes)))
        } else {
            Ok(())
        }
    }

    fn over(&self, call: &'static str, limit: Limit, allowed: u64, used: Option<u64>) -> PluginError {
        PluginError::OverLimit { plugin: Arc::clone(&self.plugin), call, limit, allowed, used }
    }

    fn explain(&self, call: &'static str, error: &wasmtime::Error) -> PluginError {
        if let Some(hit) = error.downcast_ref::<LimitHit>() {
            return self.over(call, hit.limit, hit.allowed, Some(hit.used));
        }
        let limits = &self.limits;
        match error.downcast_ref::<Trap>() {
            Some(Trap::OutOfFuel) => self.over(call, Limit::CallFuel, limits.call_fuel, None),
            Some(Trap::Interrupt) => self.over(call, Limit::CallMs, limits.call_ms, None),
            Some(Trap::StackOverflow) => self.over(call, Limit::StackBytes, limits.stack_bytes, None),
            Some(trap) => {
                let message = self.crash_message(*trap, error);
                PluginError::Crashed { plugin: Arc::clone(&self.plugin), call, message }
            }
            None => {
                let message = format!("{error:#}");
                if message.contains(HOST_BYTES_MESSAGE) {
                    return self.over(call, Limit::HostBytes, limits.host_bytes, None);
                }
                if let Some((limit, allowed)) = limits::said(&message) {
                    return self.over(call, limit, allowed, None);
                }
                self.broken(
                    call,
                    vec![Problem::new("", format!("it returned what can't be read: {}", printable(&message)))],
                )
            }
        }
    }

    /// The panic's own words where it logged them, and what the call had said before: a bare trap says little.
    fn crash_message(&self, trap: Trap, error: &wasmtime::Error) -> String {
        let logger = self.store.as_ref().map(|store| &store.data().logger);
        let (words, panic) = logger.map_or((None, None), |logger| (logger.words(), logger.last_error()));
        let reason = match (trap, panic) {
            (Trap::UnreachableCodeReached, Some(panic)) => panic.to_owned(),
            (Trap::UnreachableCodeReached, None) if words.is_none() => {
                "it stopped itself (a panic or an abort) without a word".to_owned()
            }
            (Trap::UnreachableCodeReached, None) => "it stopped itself (a panic or an abort)".to_owned(),
            (Trap::MemoryOutOfBounds, _) if below_memory(error) => {
                "its stack overflowed: it ran below the start of its memory, where the guest keeps its stack".to_owned()
            }
            (trap, _) => trap.to_string(),
        };
        match words.filter(|words| !reason.starts_with(words.trim_end_matches('…'))) {
            Some(words) => format!("{reason}; the log of this call:\\n{words}"),
            None => reason,
        }
    }
}

/// Whether code reached for an address just below zero, which wraps round to the end of 32 bits. wasmtime tells the
/// address in words only.
fn below_memory(error: &wasmtime::Error) -> bool {
    error.chain().any(|cause| {
        let message = cause.to_string();
        let address = message.split_once("wasm address 0x").and_then(|(_, rest)| rest.split(' ').next());
        address.and_then(|digits| u64::from_str_radix(digits, 16).ok()).is_some_and(|at| at > LOWEST_WRAPPED_ADDRESS)
    })
}
