//! Code: modules of any shape in components, and real components that were cut or changed.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arbitrary::{Arbitrary as _, Unstructured};
use telemill::plugin::PluginError;
use telemill::plugin::check::{CheckOptions, check};
use telemill_tests::plugin;

use super::{Choices, ENGINE};
use crate::harm::component::{Guest, World};
use crate::harm::drive;
use crate::harm::shapes::{section, with_instance_of};

/// Small components to compile.
const COMPONENTS: usize = 60;
/// Modules that are instantiated.
const INSTANCES: usize = 150;
/// The longest that an engine of these limits may take with one, however busy the machine is.
const DEADLINE: Duration = Duration::from_secs(20);
/// Real ones, which take a second each.
const REAL_COMPONENTS: usize = 15;

#[test]
fn code_of_any_shape_is_refused_or_harmless() {
    let honest = Guest::new(World::Generator).build();
    bolero::check!().with_iterations(COMPONENTS).with_max_len(4_096).for_each(|input: &[u8]| {
        let Ok(module) = wasm_smith::Module::arbitrary(&mut Unstructured::new(input)) else { return };
        // A module more in a component that is used as it is.
        let component = [honest.clone(), section(1, &module.to_bytes())].concat();
        drop(drive(&ENGINE, &component));
        // The way of an upload; the component is honest but for what nobody calls.
        let report = check(
            &ENGINE,
            "smith.wasm",
            &component,
            &CheckOptions { length_us: 60_000_000, ..CheckOptions::default() },
        );
        assert!(!report.checks.is_empty());
    });
}

/// What a module of any shape is that needs nothing from its host, with memories, tables, segments and mostly a start function.
pub(super) fn closed() -> wasm_smith::Config {
    let mut config = wasm_smith::Config::default();
    // What the host's engine knows.
    (config.memory64_enabled, config.threads_enabled, config.gc_enabled) = (false, false, false);
    (config.exceptions_enabled, config.wide_arithmetic_enabled) = (false, false);
    (config.max_imports, config.min_funcs) = (0, 1);
    config
}

/// Each is instantiated: segments are copied and the start function runs, for as long and with as much as the limits allow.
#[test]
fn instances_of_any_shape_end_within_their_limits() {
    let (instantiated, ended) = (AtomicUsize::new(0), AtomicUsize::new(0));
    bolero::check!().with_iterations(INSTANCES).with_max_len(4_096).for_each(|input: &[u8]| {
        let Ok(module) = wasm_smith::Module::new(closed(), &mut Unstructured::new(input)) else { return };
        let started = Instant::now();
        let driven = drive(&ENGINE, &with_instance_of(&module.to_bytes()));
        assert!(started.elapsed() < DEADLINE, "it took {:?}", started.elapsed());
        match driven {
            Ok(()) => _ = instantiated.fetch_add(1, Ordering::Relaxed),
            Err(
                PluginError::OverLimit { call: "instantiate", .. } | PluginError::Crashed { call: "instantiate", .. },
            ) => _ = ended.fetch_add(1, Ordering::Relaxed),
            // A module may ask for more memories than are allowed, or for what the engine does not know.
            Err(PluginError::Rejected { .. }) => {}
            Err(error) => panic!("{error}: {error:?}"),
        }
    });
    let (instantiated, ended) = (instantiated.into_inner(), ended.into_inner());
    eprintln!("{instantiated} were instantiated, {ended} ended while they were");
    assert!(instantiated + ended > INSTANCES / 10, "hardly any was instantiated: {instantiated}, {ended}");
}

#[test]
fn real_components_that_were_cut_or_changed_are_refused_or_harmless() {
    let whole = plugin("phase-signatures").unwrap();
    bolero::check!().with_iterations(REAL_COMPONENTS).with_max_len(64).for_each(|input: &[u8]| {
        let mut choices = Choices(input);
        let mut bytes = whole.clone();
        for _ in 0..=choices.below(3) {
            let at = (choices.below(1 << 16) << 8 | choices.below(256)) % bytes.len();
            bytes[at] ^= choices.byte() | 1;
        }
        if choices.byte() % 4 == 0 {
            bytes.truncate((choices.below(1 << 16) << 8) % bytes.len());
        }
        if let Ok(plugin) = ENGINE.load("changed.wasm", &bytes) {
            drop(plugin.check_config(&serde_json::json!({})));
        }
    });
}
