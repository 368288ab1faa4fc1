//! What guests return from every function of the contract, as it crosses the boundary: refused with an error that says what is
//! wrong and shows nothing raw, or sound.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock, Mutex};

use serde_json::{Value, json};
use telemill::batch::TableLayout;
use telemill::core::incident::{Bendable, Incident};
use telemill::core::problem::Problem;
use telemill::core::report::Report;
use telemill::core::schema::{DataType, Field, Signal, Simulation, Table, TableKind, Target};
use telemill::core::time::{Timestamp, Window};
use telemill::plugin::{LogSink, Plugin, PluginError, Selection, Shard, log_nowhere};

use super::parrot::{logging, parrot, said};
use super::{Tally, is_shown_safely};
use crate::harm::component::World;

/// Answers of each function that are tried.
const ANSWERS: usize = 1_500;
/// Bytes of an input: choices for some hundred leaves.
const INPUT_BYTES: usize = 1_500;
/// The most that an error may say, in bytes.
const MOST_SAID: usize = 256 << 10;

static GENERATOR: LazyLock<Plugin> = LazyLock::new(|| parrot(World::Generator));
static MODEL: LazyLock<Plugin> = LazyLock::new(|| parrot(World::IncidentModel));
static VALIDATOR: LazyLock<Plugin> = LazyLock::new(|| parrot(World::Validator));

fn day() -> Window {
    Window::from_start(Timestamp(0), 86_400_000_000)
}

fn shard() -> Shard {
    Shard { seed: 1, partition: 0, partitions: 1, span: day() }
}

fn field(name: &str, data_type: DataType, nullable: bool) -> Field {
    Field { name: name.into(), data_type, nullable, unit: None, summary: String::new(), attributes: Vec::new() }
}

fn readings() -> Table {
    Table {
        name: "readings".into(),
        summary: String::new(),
        kind: TableKind::Events,
        fields: vec![field("at", DataType::Timestamp, false), field("value", DataType::Int64, true)],
        primary_key: Vec::new(),
        time_field: Some("at".into()),
        attributes: Vec::new(),
    }
}

/// What incidents are made for.
pub(super) static SIMULATION: LazyLock<Simulation> = LazyLock::new(|| Simulation {
    tables: vec![readings()],
    signals: vec![Signal {
        name: "signal0".into(),
        unit: None,
        summary: String::new(),
        table: "readings".into(),
        column: "value".into(),
        inverse: false,
    }],
    targets: vec![Target {
        name: "target0".into(),
        parents: vec!["all".into()],
        signals: vec!["signal0".into()],
        attributes: Vec::new(),
    }],
    inputs: Vec::new(),
    step_us: 1_000_000,
    attributes: Vec::new(),
});

/// Tries answers: `ask` says what the host made of one, and fails where that is not sound.
fn tried(what: &str, ask: impl Fn(&[u8]) -> Result<(), PluginError> + std::panic::RefUnwindSafe) {
    let tally = Tally::default();
    bolero::check!().with_iterations(ANSWERS).with_max_len(INPUT_BYTES).for_each(|input: &[u8]| match ask(input) {
        Ok(()) => tally.accept(),
        Err(error) => {
            expect_typed(&error);
            tally.refuse();
        }
    });
    tally.expect_both(what);
}

/// An error that says whose fault it is, in words that can be shown.
fn expect_typed(error: &PluginError) {
    use PluginError::{BadRows, BrokenContract, Failed, InvalidConfig, OverLimit, Rejected, UnsupportedState};
    let text = error.to_string();
    match error {
        BadRows { .. }
        | BrokenContract { .. }
        | Failed { .. }
        | InvalidConfig { .. }
        | OverLimit { .. }
        | Rejected { .. }
        | UnsupportedState { .. } => {}
        other => panic!("{text}: {other:?}"),
    }
    assert!(text.contains("parrot") && text.len() < MOST_SAID, "{} bytes: {text:.1000}", text.len());
    assert!(is_shown_safely(&text), "{text:?}");
}

/// Every text in what was accepted can be shown, but for the values of attributes, which are data.
fn expect_shown_safely(accepted: serde_json::Result<Value>) {
    fn walk(value: &Value) {
        match value {
            Value::String(text) => assert!(is_shown_safely(text), "{text:?}"),
            Value::Array(values) => values.iter().for_each(walk),
            Value::Object(fields) => {
                fields.iter().filter(|(name, _)| *name != "attributes").for_each(|(_, value)| walk(value));
            }
            _ => {}
        }
    }
    walk(&accepted.unwrap());
}

fn all_differ<'a>(names: impl IntoIterator<Item = &'a String>) -> bool {
    let mut seen = BTreeSet::new();
    names.into_iter().all(|name| seen.insert(name))
}

fn is_identifier(name: &str) -> bool {
    let first = name.starts_with(|c: char| c.is_ascii_lowercase());
    first && name.len() < 64 && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

fn expect_sound_table(table: &Table) {
    let names: Vec<&String> = table.fields.iter().map(|field| &field.name).collect();
    assert!(is_identifier(&table.name) && names.iter().all(|name| is_identifier(name)), "{table:?}");
    assert!(!names.is_empty() && all_differ(names.iter().copied()), "{table:?}");
    assert!(table.primary_key.iter().all(|key| names.contains(&key)) && all_differ(&table.primary_key), "{table:?}");
    let time = table.time_field.as_ref().map(|name| table.fields.iter().find(|field| field.name == *name).unwrap());
    assert!(time.is_none_or(|field| field.data_type == DataType::Timestamp && !field.nullable), "{table:?}");
}

fn expect_sound_simulation(simulation: &Simulation) {
    let Simulation { tables, signals, targets, inputs, step_us, .. } = simulation;
    tables.iter().for_each(expect_sound_table);
    assert!(!tables.is_empty() && *step_us > 0);
    assert!(all_differ(tables.iter().map(|table| &table.name)));
    assert!(all_differ(signals.iter().map(|signal| &signal.name)), "{signals:?}");
    assert!(all_differ(targets.iter().map(|target| &target.name)), "{targets:?}");
    assert!(all_differ(inputs.iter().map(|input| &input.table)), "{inputs:?}");
    for signal in signals {
        let table = tables.iter().find(|table| table.name == signal.table).unwrap();
        assert!(table.fields.iter().any(|field| field.name == signal.column), "{signal:?}");
    }
    for target in targets {
        let known = |name: &String| signals.iter().any(|signal| signal.name == *name);
        assert!(target.signals.iter().all(known), "{target:?}");
    }
    for input in inputs {
        assert!(is_identifier(&input.table) && input.fields.iter().all(|field| !field.name.is_empty()), "{input:?}");
        assert!(!input.fields.is_empty() && all_differ(input.fields.iter().map(|field| &field.name)), "{input:?}");
    }
    let names = signals.iter().map(|signal| &signal.name).chain(targets.iter().map(|target| &target.name));
    assert!(names.chain(targets.iter().flat_map(|target| &target.parents)).all(|name| !name.is_empty()), "{targets:?}");
    expect_shown_safely(serde_json::to_value(simulation));
    // It can be stored, and comes back the same.
    let stored = serde_json::to_string(simulation).unwrap();
    assert_eq!(serde_json::from_str::<Simulation>(&stored).unwrap(), *simulation);
}

#[test]
fn simulations_are_refused_or_sound() {
    tried("simulations", |input| {
        let config = said(World::Generator, input, &["plan"]);
        GENERATOR.generator(log_nowhere())?.plan(&config).map(|simulation| expect_sound_simulation(&simulation))
    });
}

/// What [`Incident::problems`] finds, as the error that a caller makes of it.
fn unusable(incident: &Incident, bendable: &Bendable<'_>) -> Result<(), PluginError> {
    let problems = incident.problems(bendable);
    let Some(Problem { path, message }) = problems.first() else { return Ok(()) };
    assert!(problems.iter().all(|problem| is_shown_safely(&problem.to_string())), "{problems:?}");
    Err(PluginError::BrokenContract {
        plugin: Arc::clone(MODEL.id()),
        call: "plan",
        problems: vec![Problem::new(path, message)],
    })
}

fn expect_sound_incident(incident: &Incident) {
    let Incident { id, window, recovered, effects, .. } = incident;
    assert!((1..=128).contains(&id.len()) && window.start < window.end && window.end <= *recovered, "{incident:?}");
    for effect in effects {
        assert!(effect.value.is_finite(), "{effect:?}");
        assert!(effect.start <= effect.full && effect.full <= effect.release && effect.release <= effect.end);
        assert!(["target0", "all"].contains(&effect.target.as_str()) && effect.signal == "signal0", "{effect:?}");
    }
    expect_shown_safely(serde_json::to_value(incident));
}

#[test]
fn incidents_are_refused_or_sound() {
    for function in ["plan", "trigger"] {
        tried(function, |input| {
            let config = said(World::IncidentModel, input, &[function]);
            let mut model = MODEL.incident_model(log_nowhere())?;
            model.open(&config, 1, day(), &SIMULATION.targets)?;
            let incidents = match function {
                "plan" => model.plan(day()),
                _ => model.trigger("kind", "target0", day()),
            }?;
            assert!(all_differ(incidents.iter().map(|incident| &incident.id)));
            if function == "plan" {
                assert!(incidents.iter().all(|incident| day().contains(incident.window.start)), "{incidents:?}");
            }
            let bendable = Bendable::of(&SIMULATION);
            incidents.iter().try_for_each(|incident| unusable(incident, &bendable))?;
            incidents.iter().for_each(expect_sound_incident);
            Ok(())
        });
    }
}

#[test]
fn kinds_are_refused_or_sound() {
    tried("kinds", |input| {
        let config = said(World::IncidentModel, input, &["kinds"]);
        let mut model = MODEL.incident_model(log_nowhere())?;
        model.open(&config, 1, day(), &SIMULATION.targets)?;
        let kinds = model.kinds()?;
        assert!(all_differ(kinds.iter().map(|kind| &kind.name)), "{kinds:?}");
        assert!(kinds.iter().all(|kind| !kind.name.is_empty()), "{kinds:?}");
        expect_shown_safely(serde_json::to_value(&kinds));
        Ok(())
    });
}

#[test]
fn selections_are_refused_or_of_what_there_is() {
    tried("selections", |input| {
        let config = said(World::Validator, input, &["open"]);
        let table = readings();
        let selections = VALIDATOR.validator(log_nowhere())?.open(&config, std::slice::from_ref(&table), day())?;
        let there_is = |selection: &Selection| {
            let mut columns = selection.columns.iter().chain(&selection.order_by);
            selection.table == table.name && columns.all(|column| table.field_index(column).is_some())
        };
        assert!(selections.len() <= 256 && selections.iter().all(there_is), "{selections:?}");
        Ok(())
    });
}

#[test]
fn reports_are_refused_or_sound() {
    tried("reports", |input| {
        let config = said(World::Validator, input, &["finish"]);
        let mut validator = VALIDATOR.validator(log_nowhere())?;
        validator.open(&config, &[readings()], day())?;
        let report = validator.finish()?;
        assert!(report.metrics.iter().all(|metric| metric.value.is_finite()), "{report:?}");
        assert!(report.findings.iter().all(|finding| finding.samples.len() <= 100), "{report:?}");
        expect_shown_safely(serde_json::to_value(&report));
        // It is kept as JSON, and comes back the same: the verdict, too.
        let kept: Report = serde_json::from_str(&serde_json::to_string(&report).unwrap()).unwrap();
        assert_eq!((&kept, kept.passed()), (&report, report.passed()));
        Ok(())
    });
}

#[test]
fn batches_are_refused_or_sound() {
    static LAYOUTS: LazyLock<Vec<TableLayout>> = LazyLock::new(|| vec![TableLayout::new(readings())]);
    tried("batches", |input| {
        let config = said(World::Generator, input, &["advance"]);
        let mut generator = GENERATOR.generator(log_nowhere())?;
        generator.open(&config, shard())?;
        for (table, rows) in generator.rows(&LAYOUTS, Window::from_start(Timestamp(0), 200))? {
            assert_eq!((table, rows.num_columns()), (0, 2));
        }
        Ok(())
    });
}

#[test]
fn states_are_refused_or_bounded() {
    tried("states", |input| {
        let config = said(World::Generator, input, &["save"]);
        let mut generator = GENERATOR.generator(log_nowhere())?;
        generator.open(&config, shard())?;
        let state = generator.save()?;
        assert!(state.is_none_or(|state| state.len() as u64 <= generator.output_bytes()));
        Ok(())
    });
}

/// What is wrong with a configuration is the guest's word, and no error of the host's.
#[test]
fn problems_of_configurations_are_told_and_bounded() {
    tried("problems", |input| {
        let config = said(World::Generator, input, if input.len().is_multiple_of(3) { &[] } else { &["check"] });
        GENERATOR.check_config(&config).map(drop)
    });
}

#[test]
fn lines_of_logs_are_refused_or_shown_safely() {
    tried("lines", |input| {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink: LogSink = {
            let lines = Arc::clone(&lines);
            Arc::new(move |line| lines.lock().unwrap().push(line.message.to_owned()))
        };
        let opened = GENERATOR.generator(sink)?.open(&logging(input), shard());
        let lines = lines.lock().unwrap();
        assert!(lines.iter().all(|line| is_shown_safely(line) && line.len() < 5 << 10), "{lines:?}");
        opened
    });
}

#[test]
fn an_honest_answer_of_every_function_is_accepted() {
    // Inputs that are used up at once choose what an honest guest writes.
    let plan = GENERATOR.generator(log_nowhere()).unwrap().plan(&said(World::Generator, &[], &["plan"])).unwrap();
    assert_eq!(plan.tables[0].name, "readings");
    GENERATOR.check_config(&json!({})).unwrap();
}
