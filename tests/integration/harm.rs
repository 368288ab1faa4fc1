//! The catalogue of hostile components: what each does, and the one typed error that follows from it, within its limits,
//! with the host's memory back where it was and an instance beside it unharmed. The components are made from text, so that
//! they do what no tool chain lets a guest do.
#![expect(clippy::unwrap_used, reason = "tests")]

mod bytes;
pub(crate) mod compiling;
pub(crate) mod component;
mod descriptors;
pub(crate) mod memory;
pub(crate) mod shapes;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use telemill::batch::{GuestBatch, GuestColumn, GuestValues, TableFingerprint, TableLayout};
use telemill::core::time::{Timestamp, Window};
use telemill::plugin::{Engine, Limit, Limits, PluginError, PluginKind, Rejection, Shard, log_nowhere};
use telemill_tests::guest;

use component::{ABOUT, Guest, World};

const MIB: u64 = 1 << 20;
/// The longest that a case may take to be found out, however busy the machine is: its limits end it far earlier.
const DEADLINE: Duration = Duration::from_secs(20);

/// Low, so that a case is over soon; enough for everything honest here.
fn limits() -> Limits {
    Limits {
        memory_bytes: 16 * MIB,
        call_ms: 10_000,
        call_fuel: 50_000_000,
        host_bytes: 4 * MIB,
        log_lines: 100,
        log_bytes: 64 << 10,
        output_bytes: MIB,
        component_bytes: 4 * MIB,
        compile_ms: 20_000,
        ..Limits::default()
    }
}

static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::new(limits(), None).unwrap());

/// What follows from a case.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Follows {
    /// The call ends over this limit.
    Over(Limit),
    /// The call crashes, and the error says this.
    Crashes(&'static str),
    /// The call's result breaks the contract, and the error says this.
    Breaks(&'static str),
    /// It is refused before it runs, or for what it says of itself; the error says this.
    Refused(&'static str),
    /// The plugin's own error is passed on.
    Fails(&'static str),
}

/// A component, and what follows from using it.
struct Case {
    name: String,
    /// The function of the contract that the error names; empty where it is refused.
    call: &'static str,
    follows: Follows,
    component: Vec<u8>,
}

impl Case {
    fn new(name: impl Into<String>, call: &'static str, follows: Follows, component: Vec<u8>) -> Self {
        Self { name: name.into(), call, follows, component }
    }

    /// Runs the case, and holds it to what is said of it.
    fn check(&self, engine: &Engine) {
        let started = Instant::now();
        let error = match drive(engine, &self.component) {
            Ok(()) => panic!("{}: nothing follows from it", self.name),
            Err(error) => error,
        };
        let took = started.elapsed();
        assert!(took < DEADLINE, "{} took {took:?}", self.name);
        let message = error.to_string();
        let (call, said) = match (&error, self.follows) {
            (PluginError::OverLimit { call, limit, .. }, Follows::Over(expected)) if *limit == expected => (*call, ""),
            (PluginError::Crashed { call, .. }, Follows::Crashes(said))
            | (PluginError::BrokenContract { call, .. }, Follows::Breaks(said))
            | (PluginError::Failed { call, .. }, Follows::Fails(said)) => (*call, said),
            (PluginError::Rejected { .. }, Follows::Refused(said)) => ("", said),
            _ => panic!("{}: expected {:?} of {}, got {error:?}", self.name, self.follows, self.call),
        };
        assert_eq!(call, self.call, "{}: {message}", self.name);
        assert!(message.contains(said), "{}: {message}", self.name);
        assert!(message.len() < 32 << 10, "{}: an error of {} bytes", self.name, message.len());
        assert!(!message.chars().any(char::is_control), "{}: {message:?}", self.name);
    }
}

fn span() -> Window {
    Window::from_start(Timestamp(0), 3_600_000_000)
}

/// Loads a component and calls all that its world has, in order, to the first error.
pub(crate) fn drive(engine: &Engine, component: &[u8]) -> Result<(), PluginError> {
    let plugin = engine.load("case.wasm", component)?;
    let config = plugin.check_config(&json!({}))?;
    let numbers = GuestColumn { values: GuestValues::Packed(vec![0; 80]), validity: None };
    let batch = GuestBatch { table: 0, rows: 10, columns: vec![numbers] };
    match plugin.kind() {
        PluginKind::Generator => {
            let shard = Shard { seed: 1, partition: 0, partitions: 1, span: span() };
            let mut generator = plugin.generator(log_nowhere())?;
            let simulation = generator.plan(&config)?;
            let layouts: Vec<_> = simulation.tables.into_iter().map(TableLayout::new).collect();
            generator.open(&config, shard)?;
            generator.feed(batch)?;
            generator.inject(&[])?;
            generator.rows(&layouts, span())?;
            generator.save()?;
            plugin.generator(log_nowhere())?.restore(&config, shard, &[1, 2, 3])
        }
        PluginKind::IncidentModel => {
            let mut model = plugin.incident_model(log_nowhere())?;
            model.kinds()?;
            model.open(&config, 1, span(), &[])?;
            model.plan(span())?;
            model.trigger("kind", "target", span()).map(drop)
        }
        PluginKind::Validator => {
            let mut validator = plugin.validator(log_nowhere())?;
            validator.open(&config, &[], span())?;
            validator.observe(batch)?;
            validator.finish().map(drop)
        }
    }
}

/// What a body does, and what follows.
const MISDEEDS: [(&str, &str, Follows); 4] = [
    ("traps", "unreachable", Follows::Crashes("without a word")),
    ("loops", "(loop $again (br $again)) unreachable", Follows::Over(Limit::CallFuel)),
    ("grows", "(drop (memory.grow (i32.const 4096))) (i32.const 0)", Follows::Over(Limit::MemoryBytes)),
    ("lies", "(i32.const -16)", Follows::Breaks("can't be read")),
];

/// Every export of every world with every misdeed.
fn every_export() -> impl Iterator<Item = Case> {
    World::ALL.into_iter().flat_map(|world| {
        let exports = ABOUT.iter().chain(world.functions()).map(|(export, _)| *export);
        exports.flat_map(move |export| {
            MISDEEDS.into_iter().map(move |(does, body, follows)| {
                let component = Guest::new(world).body(export, body).build();
                Case::new(format!("{world:?}: {export} {does}"), export, follows, component)
            })
        })
    })
}

fn catalogue() -> Vec<Case> {
    every_export().chain(shapes::cases()).chain(descriptors::cases()).collect()
}

/// An honest instance's rows of ten minutes.
fn honest() -> TableFingerprint {
    static PLUGIN: LazyLock<telemill::plugin::Plugin> = LazyLock::new(|| {
        let engine = Engine::new(Limits::default(), None).unwrap();
        engine.load("hostile.wasm", &guest("hostile").unwrap()).unwrap()
    });
    let config = PLUGIN.check_config(&json!({ "meters": 20 })).unwrap();
    let mut generator = PLUGIN.generator(log_nowhere()).unwrap();
    let layouts: Vec<_> = generator.plan(&config).unwrap().tables.into_iter().map(TableLayout::new).collect();
    generator.open(&config, Shard { seed: 7, partition: 0, partitions: 1, span: span() }).unwrap();
    let mut fingerprint = TableFingerprint::default();
    for window in Window::from_start(span().start, 600_000_000).pieces(60_000_000) {
        for (_, rows) in generator.rows(&layouts, window).unwrap() {
            fingerprint.add(&rows).unwrap();
        }
    }
    fingerprint
}

#[test]
fn honest_components_of_every_world_work() {
    for world in World::ALL {
        drive(&ENGINE, &Guest::new(world).build()).unwrap();
    }
}

/// One after the other, with an honest instance at work beside them all the time.
#[test]
fn every_case_has_its_own_error_and_a_run_beside_it_is_unharmed() {
    let alone = honest();
    assert!(alone.rows > 0);
    let cases = catalogue();
    assert!(cases.len() > 100, "{} cases", cases.len());
    thread::scope(|scope| {
        let bad = scope.spawn(|| cases.iter().for_each(|case| case.check(&ENGINE)));
        let mut runs = 0;
        while !bad.is_finished() || runs == 0 {
            assert_eq!(honest(), alone);
            runs += 1;
        }
        if let Err(panic) = bad.join() {
            std::panic::resume_unwind(panic);
        }
    });
}

fn rejection(error: PluginError) -> Rejection {
    match error {
        PluginError::Rejected { reason, .. } => reason,
        other => panic!("{other}"),
    }
}

#[test]
fn a_log_that_is_just_below_the_bound_of_every_call_ends() {
    let flood = "(local $left i32) (local.set $left (i32.const 90))
        (loop $again
            (call $log (i32.const 1) (i32.const 16) (i32.const 4))
            (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
        (i32.const 16)";
    let plugin = ENGINE.load("flood.wasm", &Guest::new(World::Generator).body("save", flood).build()).unwrap();
    let lines = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&lines);
    let mut generator = plugin.generator(Arc::new(move |_| _ = counter.fetch_add(1, Ordering::Relaxed))).unwrap();
    for _ in 0..100 {
        generator.save().unwrap();
    }
    drop(generator);
    // Ten times what a call may, the line that says so, and the line that says how many were left out.
    assert_eq!(lines.load(Ordering::Relaxed), 10 * limits().log_lines + 2);
}
