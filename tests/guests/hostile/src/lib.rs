//! A generator that breaks the contract on purpose: `{"fault": "..."}` in its configuration says how.
//! It is written against the bare bindings, since the SDK keeps its users from most of this.
//!
//! Without a fault it is a well-behaved generator, so that a test can tell the fault from the guest.

mod bindings;
mod columns;
mod fault;
mod meters;
mod misdeed;

use std::cell::{Cell, RefCell};

use bindings::exports::telemill::plugin::{about, generator};
use bindings::telemill::plugin::types::{
    Attribute, Batch, Error, Incident, Problem, Signal, Table, TableKind, Target, Window,
};
use fault::{Config, Fault};
use meters::{Meters, Row, STEP};

/// The component's exports.
#[derive(Debug)]
pub struct Hostile;

/// The seed whose shards do not panic under [`Fault::OtherSeedsPanic`]: that of the conformance check.
const SEED: u64 = 42;

/// The example, wide enough for a test to write another fault over it.
const HONEST: &str = r#"{"fault": "none"              }"#;

/// One opened shard.
struct Shard {
    config: Config,
    partition: u32,
    start: i64,
    end: i64,
    /// Whether it goes on from a state.
    restored: bool,
    meters: Meters,
}

thread_local! {
    static SHARD: RefCell<Option<Shard>> = const { RefCell::new(None) };
    /// Openings of this instance, restored ones among them.
    static OPENINGS: Cell<i64> = const { Cell::new(0) };
    /// Saves of this instance.
    static SAVES: Cell<i64> = const { Cell::new(0) };
}

impl about::Guest for Hostile {
    fn describe() -> about::Descriptor {
        let mut descriptor = about::Descriptor {
            name: "hostile".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            summary: "Meters whose generator breaks the contract on demand".into(),
            documentation: "For tests of the host: `fault` says what goes wrong.".into(),
            config_schema: fault::schema(),
            examples: vec![about::Example { name: "honest".into(), config: HONEST.into() }],
            attributes: Vec::new(),
        };
        match fault::describe_fault() {
            "bad-name" => descriptor.name = "../Hostile".into(),
            "bad-version" => descriptor.version = "newest".into(),
            "bad-schema" => descriptor.config_schema = "{".into(),
            "bad-example" => descriptor.examples[0].config = r#"{"fault": "good intentions"}"#.into(),
            "forgery" => descriptor.summary = misdeed::FORGED.into(),
            "loop" => misdeed::loop_forever(),
            "panic" => misdeed::panic(),
            _ => {}
        }
        descriptor
    }

    fn check(config: String) -> Vec<Problem> {
        match Config::parse(&config) {
            Ok(Config { fault: Fault::Refused, .. }) => {
                vec![Problem { path: "/fault".into(), message: "the guest was told to refuse this".into() }]
            }
            Ok(_) => Vec::new(),
            Err(message) => vec![Problem { path: "/fault".into(), message }],
        }
    }
}

impl generator::Guest for Hostile {
    fn plan(config: String) -> Result<generator::Simulation, Error> {
        let config = parse(&config)?;
        match config.fault {
            Fault::PlanLoops => misdeed::loop_forever(),
            Fault::InvalidConfig => {
                let message = "the guest was told to refuse this".into();
                return Err(Error::InvalidConfig(vec![Problem { path: "/fault".into(), message }]));
            }
            _ => {}
        }
        let mut simulation = simulation(config.meters);
        let table = &mut simulation.tables[0];
        match config.fault {
            Fault::PlanBadName => table.name = "readings\"; DROP TABLE readings".into(),
            Fault::PlanDuplicateColumn => table.fields[1].name = "time".into(),
            Fault::PlanUnknownTimeField => table.time_field = Some("moment".into()),
            Fault::PlanUnknownKey => table.primary_key = vec!["key".into()],
            Fault::PlanUnknownSignalColumn => simulation.signals[0].column = "pressure".into(),
            Fault::PlanZeroStep => simulation.step = 0,
            Fault::RenamingSignal => {
                table.fields.iter_mut().for_each(|field| field.attributes.clear());
                table.primary_key = vec!["time".into(), "name".into()];
            }
            Fault::UnknownMover => {
                let attributes = table.fields.iter_mut().flat_map(|field| &mut field.attributes);
                let movers = attributes.filter(|attribute| attribute.name == "moved_by");
                movers.for_each(|attribute| attribute.value = "pressure".into());
            }
            Fault::LeaksUndeclared => columns::disown(&mut table.fields),
            Fault::UnknownOwner => {
                columns::disown(&mut table.fields);
                table.fields = std::mem::take(&mut table.fields)
                    .into_iter()
                    .map(|field| if field.name == "kind" { columns::owning(field) } else { field })
                    .collect();
            }
            _ => {}
        }
        match fault::describe_fault() {
            "other-column" => simulation.tables[0].fields[5].name = "flop".into(),
            "added-column" => simulation.tables[0].fields.push(columns::added_field()),
            "bad-table" => simulation.tables[0].name = "bad name".into(),
            _ => {}
        }
        Ok(simulation)
    }

    fn open(config: String, shard: generator::Shard) -> Result<(), Error> {
        let config = parse(&config)?;
        if config.fault == Fault::OpenLoops {
            misdeed::loop_forever();
        }
        open(config, &shard, false);
        Ok(())
    }

    fn feed(_input: Batch) -> Result<(), Error> {
        Err(Error::Failed("the meters take no input".into()))
    }

    fn inject(mut incidents: Vec<Incident>) -> Result<(), Error> {
        with_shard(|shard| {
            if shard.config.fault == Fault::DeafMeter {
                let deaf = meters::name(2);
                incidents.iter_mut().for_each(|incident| incident.effects.retain(|effect| effect.target != deaf));
            }
            if matches!(shard.config.fault, Fault::LeaksToNext | Fault::LeaksUndeclared) {
                incidents.iter_mut().for_each(|incident| meters::leak(&mut incident.effects));
            }
            let deaf = match shard.config.fault {
                Fault::DeafSignal => true,
                Fault::DeafAfterRestore => shard.restored,
                _ => false,
            };
            if !deaf {
                shard.meters.inject(incidents);
            }
            Ok(())
        })
    }

    fn advance(window: Window) -> Result<Vec<Batch>, Error> {
        with_shard(|shard| advance(shard, &window))
    }

    fn save() -> Result<Option<Vec<u8>>, Error> {
        with_shard(|shard| match shard.config.fault {
            Fault::SaveLoops => misdeed::loop_forever(),
            Fault::HugeState => Ok(Some(vec![7; misdeed::HUGE_STATE_BYTES])),
            Fault::StateLost => Ok(None),
            _ => {
                SAVES.set(SAVES.get() + 1);
                Ok(Some(shard.meters.save()))
            }
        })
    }

    fn restore(config: String, shard: generator::Shard, state: Vec<u8>) -> Result<(), Error> {
        let config = parse(&config)?;
        match config.fault {
            Fault::RestoreLoops => misdeed::loop_forever(),
            Fault::UnsupportedState => return Err(Error::UnsupportedState),
            _ => {}
        }
        open(config, &shard, true);
        with_shard(|shard| {
            let good = shard.config.fault == Fault::RestoreIgnored || shard.meters.restore(&state);
            if good { Ok(()) } else { Err(Error::UnsupportedState) }
        })
    }
}

fn parse(config: &str) -> Result<Config, Error> {
    Config::parse(config).map_err(|message| Error::InvalidConfig(vec![Problem { path: "/fault".into(), message }]))
}

fn open(config: Config, shard: &generator::Shard, restored: bool) {
    OPENINGS.set(OPENINGS.get() + 1);
    let seed = match config.fault {
        Fault::Seedless => 0,
        Fault::OtherSeedsPanic if shard.seed != SEED => misdeed::panic(),
        _ => shard.seed,
    };
    let meters = Meters::new(seed, config.meters, shard.partition, shard.partitions);
    let Window { start, end } = shard.span;
    let opened = Shard { config, partition: shard.partition, start, end, restored, meters };
    SHARD.with_borrow_mut(|slot| *slot = Some(opened));
}

fn with_shard<T>(call: impl FnOnce(&mut Shard) -> Result<T, Error>) -> Result<T, Error> {
    SHARD.with_borrow_mut(|slot| match slot {
        Some(shard) => call(shard),
        None => Err(Error::Failed("no shard is open".into())),
    })
}

fn advance(shard: &mut Shard, window: &Window) -> Result<Vec<Batch>, Error> {
    let mut rows: Vec<Row> = Vec::new();
    let mut time = window.start;
    while time < window.end {
        shard.meters.step(time, &mut rows);
        time += STEP;
    }
    let due = window.end > shard.start.saturating_add(shard.config.after);
    let fault = if due { shard.config.fault } else { Fault::None };
    misdeed::commit(fault)?;
    let steps = (window.end - window.start) / STEP;
    match fault {
        Fault::ThirdPartition if shard.partition == 2 => rows.iter_mut().for_each(|row| row.id ^= 1),
        Fault::SingleSteps if steps == 1 => rows.iter_mut().for_each(|row| row.id ^= 1),
        Fault::OddWindows if steps > 1 && steps % 2 == 1 => rows.iter_mut().for_each(|row| row.id ^= 1),
        Fault::DependsOnEnd => rows.iter_mut().for_each(|row| row.id ^= shard.end - row.time),
        Fault::DependsOnPartition => rows.iter_mut().for_each(|row| row.id ^= i64::from(shard.partition)),
        Fault::DependsOnWindow => rows.iter_mut().for_each(|row| row.id ^= row.time - window.start),
        Fault::LeakySignal => {
            let start = shard.meters.first_effect().unwrap_or(i64::MAX);
            rows.iter_mut().filter(|row| row.time >= start).for_each(|row| row.id ^= 1);
        }
        Fault::RenamingSignal => {
            let start = shard.meters.first_effect().unwrap_or(i64::MAX);
            rows.iter_mut().filter(|row| row.time >= start).for_each(|row| row.meter += 1);
        }
        Fault::NotFinite => rows.iter_mut().for_each(|row| row.value = row.value.map(|_| meters::not_finite(row.id))),
        Fault::CountsOpenings => rows.iter_mut().for_each(|row| row.id ^= OPENINGS.get() - 1),
        Fault::CountsSaves => rows.iter_mut().for_each(|row| row.id ^= SAVES.get()),
        Fault::EarlySignal if shard.meters.first_effect().is_some() => rows.iter_mut().for_each(|row| row.id ^= 1),
        _ => {}
    }
    let mut batch = columns::batch(&rows);
    if fault::describe_fault() == "added-column" {
        batch.columns.push(columns::added(&rows));
    }
    if rows.len() > 1 {
        columns::corrupt(&mut batch, fault, window.start, window.end);
    }
    Ok(vec![batch])
}

fn simulation(meters: u32) -> generator::Simulation {
    let target = |name: String, parents: Vec<String>| Target {
        name,
        parents,
        signals: vec!["value".into()],
        attributes: Vec::<Attribute>::new(),
    };
    let mut targets = vec![target("site".into(), Vec::new())];
    targets.extend((0..meters).map(|meter| target(meters::name(meter), vec!["site".into()])));
    generator::Simulation {
        tables: vec![Table {
            name: "readings".into(),
            summary: "One reading a meter and second".into(),
            kind: TableKind::Events,
            fields: columns::fields(),
            primary_key: Vec::new(),
            time_field: Some("time".into()),
            attributes: Vec::new(),
        }],
        signals: vec![Signal {
            name: "value".into(),
            unit: Some("kW".into()),
            summary: "What the meters read".into(),
            table: "readings".into(),
            column: "value".into(),
            inverse: false,
        }],
        targets,
        inputs: Vec::new(),
        step: STEP.unsigned_abs(),
        attributes: Vec::new(),
    }
}
