//! Whatever comes in is refused or used, and never ends the host: what guests return, the texts that people write, and
//! components. A bounded number of inputs in every run of the tests; `cargo bolero test` goes on as long as it is let.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arbitrary::{Arbitrary as _, Unstructured};
use arrow::array::Array as _;
use telemill::batch::{
    BadBatch, GuestBatch, GuestColumn, GuestText, GuestValues, TableFingerprint, TableLayout, to_arrow,
};
use telemill::clean::Recipe;
use telemill::core::schema::{DataType, Field, Table, TableKind};
use telemill::core::time::{Timestamp, Window};
use telemill::plugin::check::{CheckOptions, check};
use telemill::plugin::{Engine, Limits, PluginError, profiles, recipes, scenarios};
use telemill::project::Manifest;
use telemill::run::RunSpec;
use telemill::sink::profile::Profile;
use telemill_tests::plugin;

use crate::harm::component::{Guest, World};
use crate::harm::drive;
use crate::harm::shapes::{section, with_instance_of};

/// Inputs of each test that costs little.
const ITERATIONS: usize = 20_000;
/// Texts to parse.
const TEXTS: usize = 3_000;
/// Small components to compile.
const COMPONENTS: usize = 60;
/// Modules that are instantiated.
const INSTANCES: usize = 150;
/// The longest that an engine of these limits may take with one, however busy the machine is.
const DEADLINE: Duration = Duration::from_secs(20);
/// Real ones, which take a second each.
const REAL_COMPONENTS: usize = 15;

/// Decisions, one after the other, from the bytes of an input; zeroes when they are used up.
struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    fn below(&mut self, end: usize) -> usize {
        (usize::from(self.byte()) << 8 | usize::from(self.byte())) % end.max(1)
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.byte()).collect()
    }

    /// Mostly as asked for.
    fn about(&mut self, length: usize) -> usize {
        match self.byte() {
            0 => length + 1,
            1 => length.saturating_sub(1),
            2 => self.below(64),
            _ => length,
        }
    }
}

/// A table with a column of every type, each with nulls and without.
static LAYOUTS: LazyLock<Vec<TableLayout>> = LazyLock::new(|| {
    use DataType::{Boolean, Date, Float32, Float64, Int32, Int64, Timestamp, Utf8};
    let types = [Boolean, Int32, Int64, Float32, Float64, Utf8, Date, Timestamp];
    let field = |(at, (data_type, nullable)): (usize, (DataType, bool))| Field {
        name: format!("c{at}"),
        data_type,
        nullable,
        unit: None,
        summary: String::new(),
        attributes: Vec::new(),
    };
    let both = types.into_iter().flat_map(|data_type| [(data_type, false), (data_type, true)]);
    vec![TableLayout::new(Table {
        name: "t".into(),
        summary: String::new(),
        kind: TableKind::Events,
        fields: both.enumerate().map(field).collect(),
        primary_key: Vec::new(),
        time_field: Some("c14".into()),
        attributes: Vec::new(),
    })]
});

fn width(data_type: DataType) -> usize {
    match data_type {
        DataType::Int32 | DataType::Float32 | DataType::Date => 4,
        _ => 8,
    }
}

fn text(choices: &mut Choices<'_>, values: usize) -> GuestText {
    let mut bytes = Vec::new();
    let mut offsets = vec![0_u32];
    for _ in 0..values {
        let value: &[u8] = [&b"a"[..], "ü".as_bytes(), b"", b"\xff", b"bcd"][choices.below(5)];
        bytes.extend_from_slice(value);
        offsets.push(u32::try_from(bytes.len()).unwrap());
    }
    if choices.byte() < 8 {
        let at = choices.below(offsets.len());
        offsets[at] = u32::from(choices.byte()) << (choices.below(4) * 8);
    }
    let mut offsets: Vec<u8> = offsets.into_iter().flat_map(u32::to_le_bytes).collect();
    offsets.truncate(choices.about(offsets.len()));
    GuestText { offsets, bytes }
}

fn values(choices: &mut Choices<'_>, data_type: DataType, rows: usize) -> GuestValues {
    let length = choices.about(rows);
    match (data_type, choices.byte() % 8) {
        (DataType::Utf8, 0) => GuestValues::Strings(vec!["x".into(); length]),
        (DataType::Utf8, 1..=4) | (_, 0) => GuestValues::Text(text(choices, length)),
        (DataType::Utf8, _) | (_, 1) => {
            let distinct = choices.below(4);
            let values = text(choices, distinct);
            let keys = (0..length).flat_map(|_| u32::from(choices.byte() % 4).to_le_bytes()).collect();
            GuestValues::Dictionary(keys, values)
        }
        (DataType::Boolean, _) => GuestValues::Packed(choices.bytes(length.div_ceil(8))),
        (_, 2) => GuestValues::Float64s(vec![f64::NAN; length]),
        (_, 3) => GuestValues::Int64s((0..length).map(|_| i64::from(choices.byte()) << choices.below(56)).collect()),
        (_, 4) => GuestValues::Booleans(vec![true; length]),
        (DataType::Timestamp, _) => {
            GuestValues::Packed((0..length).flat_map(|_| i64::from(choices.byte()).to_le_bytes()).collect())
        }
        (data_type, _) => GuestValues::Packed(choices.bytes(length * width(data_type))),
    }
}

fn batch(choices: &mut Choices<'_>) -> GuestBatch {
    let rows = choices.below(20);
    let fields = &LAYOUTS[0].table.fields;
    let count = choices.about(fields.len()).min(fields.len() * 2);
    let columns = (0..count).map(|at| {
        let data_type = fields[at % fields.len()].data_type;
        let validity = (choices.byte().is_multiple_of(4)).then(|| {
            let length = choices.about(rows.div_ceil(8));
            choices.bytes(length)
        });
        GuestColumn { values: values(choices, data_type, rows), validity }
    });
    let columns = columns.collect();
    GuestBatch { table: u32::from(choices.byte() == 1), rows: u32::try_from(choices.about(rows)).unwrap(), columns }
}

#[test]
fn what_guests_return_is_refused_or_sound() {
    let window = Window { start: Timestamp(0), end: Timestamp(200) };
    bolero::check!().with_iterations(ITERATIONS).with_max_len(1_024).for_each(|input: &[u8]| {
        let batch = batch(&mut Choices(input));
        let rows = usize::try_from(batch.rows).unwrap();
        match to_arrow(batch, &LAYOUTS, window) {
            Ok((table, taken)) => {
                assert_eq!((table, taken.num_rows()), (0, rows));
                // Arrow's own checks in full, which the host does not pay for.
                taken.columns().iter().for_each(|column| column.to_data().validate_full().unwrap());
                TableFingerprint::default().add(&taken).unwrap();
            }
            Err(BadBatch { fault, .. }) => assert!(!fault.to_string().is_empty()),
        }
    });
}

/// A text with pieces taken out, doubled, swapped and replaced.
fn mutated(text: &str, choices: &mut Choices<'_>) -> String {
    const PIECES: [&str; 16] = [
        "[",
        "]",
        "{",
        "}",
        "\"",
        "'",
        "=",
        "\n",
        "\0",
        "-1",
        "1e999",
        "99999999999999999999",
        "\u{202e}",
        "[[a]]",
        "nan",
        "9999-12-31T23:59:60Z",
    ];
    let mut characters: Vec<char> = text.chars().collect();
    for _ in 0..=choices.below(6) {
        let at = choices.below(characters.len());
        let end = (at + choices.below(24)).min(characters.len());
        match choices.byte() % 4 {
            0 => drop(characters.drain(at..end)),
            1 => {
                let piece = characters[at..end].to_vec();
                let to = choices.below(characters.len());
                characters.splice(to..to, piece);
            }
            2 => drop(characters.splice(at..end, PIECES[choices.below(PIECES.len())].chars())),
            _ => {
                let other = choices.below(characters.len());
                if other < characters.len() {
                    characters.swap(at, other);
                }
            }
        }
        if characters.is_empty() {
            characters.push(' ');
        }
    }
    characters.into_iter().collect()
}

/// Lets `parse` try mutations of each of `texts`, and bytes that were no such text.
fn never_panics(texts: &[&str], parse: impl Fn(&str) + std::panic::RefUnwindSafe) {
    let texts: Vec<&str> = texts.iter().copied().filter(|text| !text.is_empty()).collect();
    assert!(!texts.is_empty());
    texts.iter().for_each(|text| parse(text));
    bolero::check!().with_iterations(TEXTS).with_max_len(256).for_each(|input: &[u8]| {
        let mut choices = Choices(input);
        let text = texts[choices.below(texts.len())];
        parse(&mutated(text, &mut choices));
        parse(&String::from_utf8_lossy(input));
    });
}

#[test]
fn specs_are_refused_or_used() {
    let texts: Vec<&str> = scenarios().map(|(_, text)| text).collect();
    never_panics(&texts, |text| {
        for json in [false, true] {
            if let Ok(spec) = RunSpec::parse(text, json, "spec") {
                // A spec that is taken can be stored, and comes back the same.
                let resolved = spec.resolve(Timestamp(0), 1);
                if let Ok(resolved) = resolved {
                    let stored = serde_json::to_string(&resolved).unwrap();
                    assert_eq!(serde_json::from_str::<telemill::run::ResolvedSpec>(&stored).unwrap(), resolved);
                }
            }
        }
    });
}

#[test]
fn recipes_are_refused_or_used() {
    let texts: Vec<&str> = recipes().iter().map(|(_, text)| *text).collect();
    never_panics(&texts, |text| drop(Recipe::parse(text, "recipe")));
}

#[test]
fn export_profiles_are_refused_or_used() {
    let texts: Vec<&str> = profiles().iter().map(|(_, text)| *text).collect();
    never_panics(&texts, |text| drop(Profile::parse(text, "profile")));
}

/// A project's manifest says what is run and which files are looked at: none outside of its folder.
#[test]
fn manifests_of_projects_are_refused_or_used() {
    let text = include_str!("../../plugins/examples/water-meters/telemill-plugin.toml");
    never_panics(&[text], |text| {
        if let Ok(manifest) = Manifest::parse(text) {
            let steps = manifest.setup.iter().chain(&manifest.build);
            let files =
                [&manifest.component].into_iter().chain(&manifest.watch).chain(steps.flat_map(|step| &step.inputs));
            for file in files {
                let inside = |part| matches!(part, std::path::Component::Normal(_) | std::path::Component::CurDir);
                assert!(file.components().all(inside), "{}", file.display());
            }
        }
    });
}

/// An engine that gives up early.
static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    let limits = Limits { memory_bytes: 16 << 20, call_fuel: 10_000_000, call_ms: 5_000, ..Limits::default() };
    Engine::new(limits, None).unwrap()
});

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
fn closed() -> wasm_smith::Config {
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
