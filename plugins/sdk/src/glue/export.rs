//! The generated traits, implemented once for every plugin: each call is handed to the session of this instance.

use std::any::Any;
use std::cell::RefCell;
use std::marker::PhantomData;
use std::sync::Once;

use crate::bindings::shared::telemill::plugin::{host, types};
use crate::session::{GeneratorSession, IncidentModelSession, ValidatorSession};
use crate::{Error, Generator, IncidentModel, Level, Validator, config};

thread_local! {
    /// The one session of this instance, of whichever kind the plugin is.
    static SESSION: RefCell<Option<Box<dyn Any>>> = const { RefCell::new(None) };
}

/// Shows a message beside the run.
pub fn log(level: Level, message: &str) {
    let level = match level {
        Level::Debug => host::Level::Debug,
        Level::Info => host::Level::Info,
        Level::Warn => host::Level::Warn,
        Level::Error => host::Level::Error,
    };
    host::log(level, message);
}

/// A panic ends in a trap that says nothing; its message is logged first.
fn log_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| std::panic::set_hook(Box::new(|panic| log(Level::Error, &panic.to_string()))));
}

fn begin<S: 'static>(opened: Result<S, Error>) -> Result<(), types::Error> {
    let session = opened.map_err(types::Error::from)?;
    SESSION.with_borrow_mut(|slot| *slot = Some(Box::new(session)));
    Ok(())
}

fn with<S: 'static, R>(call: impl FnOnce(&mut S) -> Result<R, Error>) -> Result<R, types::Error> {
    SESSION.with_borrow_mut(|slot| {
        let session = slot.as_mut().and_then(|slot| slot.downcast_mut::<S>());
        match session {
            Some(session) => call(session).map_err(types::Error::from),
            None => Err(types::Error::Failed("the plugin is not open".to_owned())),
        }
    })
}

fn each<A, B: From<A>>(items: Vec<A>) -> Vec<B> {
    items.into_iter().map(B::from).collect()
}

macro_rules! about {
    ($export:ident, $kind:ident, $session:ident) => {
        impl<P: $kind> crate::bindings::about::exports::telemill::plugin::about::Guest for $export<P> {
            fn describe() -> crate::bindings::about::exports::telemill::plugin::about::Descriptor {
                log_panics();
                let about = P::about();
                crate::bindings::about::exports::telemill::plugin::about::Descriptor {
                    name: about.name,
                    version: about.version,
                    summary: about.summary,
                    documentation: about.documentation,
                    config_schema: config::schema::<P::Config>(),
                    examples: about
                        .examples
                        .into_iter()
                        .map(|example| crate::bindings::about::exports::telemill::plugin::about::Example {
                            name: example.name,
                            config: example.config,
                        })
                        .collect(),
                    attributes: each(about.attributes),
                }
            }

            fn check(config: String) -> Vec<types::Problem> {
                log_panics();
                each($session::<P>::check(&config))
            }
        }
    };
}

/// A generator as the contract exports it.
pub struct GeneratorExport<G>(PhantomData<G>);

about!(GeneratorExport, Generator, GeneratorSession);

mod generator {
    pub(super) use crate::bindings::generator::exports::telemill::plugin::generator::*;
}

impl<G: Generator> generator::Guest for GeneratorExport<G> {
    fn plan(config: String) -> Result<generator::Simulation, types::Error> {
        log_panics();
        Ok(GeneratorSession::<G>::plan(&config)?.into())
    }

    fn open(config: String, shard: generator::Shard) -> Result<(), types::Error> {
        log_panics();
        begin(GeneratorSession::<G>::open(&config, shard.into()))
    }

    fn feed(input: types::Batch) -> Result<(), types::Error> {
        let columns = input.columns.into_iter().map(crate::Column::try_from).collect::<Result<_, _>>()?;
        with(|session: &mut GeneratorSession<G>| session.feed(input.table, input.rows, columns))
    }

    fn inject(incidents: Vec<types::Incident>) -> Result<(), types::Error> {
        with(|session: &mut GeneratorSession<G>| session.inject(each(incidents)))
    }

    fn advance(window: types::Window) -> Result<Vec<types::Batch>, types::Error> {
        with(|session: &mut GeneratorSession<G>| session.advance(window.into())).map(each)
    }

    fn save() -> Result<Option<Vec<u8>>, types::Error> {
        with(|session: &mut GeneratorSession<G>| session.save())
    }

    fn restore(config: String, shard: generator::Shard, state: Vec<u8>) -> Result<(), types::Error> {
        log_panics();
        begin(GeneratorSession::<G>::restore(&config, shard.into(), &state))
    }
}

impl From<generator::Shard> for crate::Shard {
    fn from(shard: generator::Shard) -> Self {
        Self { seed: shard.seed, partition: shard.partition, partitions: shard.partitions, span: shard.span.into() }
    }
}

impl From<crate::Simulation> for generator::Simulation {
    fn from(simulation: crate::Simulation) -> Self {
        Self {
            tables: each(simulation.tables),
            signals: each(simulation.signals),
            targets: each(simulation.targets),
            inputs: simulation
                .inputs
                .into_iter()
                .map(|input| generator::Input {
                    table: input.table,
                    fields: each(input.fields),
                    required: input.required,
                })
                .collect(),
            step: simulation.step_micros,
            attributes: each(simulation.attributes),
        }
    }
}

/// An incident model as the contract exports it.
pub struct IncidentModelExport<M>(PhantomData<M>);

about!(IncidentModelExport, IncidentModel, IncidentModelSession);

mod incident_model {
    pub(super) use crate::bindings::incident_model::exports::telemill::plugin::incident_model::*;
}

impl<M: IncidentModel> incident_model::Guest for IncidentModelExport<M> {
    fn kinds() -> Vec<incident_model::Kind> {
        log_panics();
        M::kinds().into_iter().map(|kind| incident_model::Kind { name: kind.name, summary: kind.summary }).collect()
    }

    fn open(config: String, seed: u64, span: types::Window, targets: Vec<types::Target>) -> Result<(), types::Error> {
        log_panics();
        begin(IncidentModelSession::<M>::open(&config, seed, span.into(), each(targets)))
    }

    fn plan(day: types::Window) -> Result<Vec<types::Incident>, types::Error> {
        with(|session: &mut IncidentModelSession<M>| session.plan(day.into())).map(each)
    }

    fn trigger(kind: String, target: String, window: types::Window) -> Result<Vec<types::Incident>, types::Error> {
        with(|session: &mut IncidentModelSession<M>| session.trigger(&kind, &target, window.into())).map(each)
    }
}

/// A validator as the contract exports it.
pub struct ValidatorExport<V>(PhantomData<V>);

about!(ValidatorExport, Validator, ValidatorSession);

mod validator {
    pub(super) use crate::bindings::validator::exports::telemill::plugin::validator::*;
}

impl<V: Validator> validator::Guest for ValidatorExport<V> {
    fn open(
        config: String,
        tables: Vec<types::Table>,
        window: types::Window,
    ) -> Result<Vec<validator::Selection>, types::Error> {
        log_panics();
        let tables: Vec<crate::Table> = each(tables);
        let session = ValidatorSession::<V>::open(&config, &tables, window.into())?;
        let selections = session
            .selections()
            .iter()
            .cloned()
            .map(|selection| validator::Selection {
                table: selection.table,
                columns: selection.columns,
                order_by: selection.order_by,
            })
            .collect();
        begin(Ok(session))?;
        Ok(selections)
    }

    fn observe(batch: types::Batch) -> Result<(), types::Error> {
        let columns = batch.columns.into_iter().map(crate::Column::try_from).collect::<Result<_, _>>()?;
        with(|session: &mut ValidatorSession<V>| session.observe(batch.table, batch.rows, columns))
    }

    fn finish() -> Result<validator::Report, types::Error> {
        with(|session: &mut ValidatorSession<V>| session.finish()).map(validator::Report::from)
    }
}

impl From<crate::Report> for validator::Report {
    fn from(report: crate::Report) -> Self {
        let finding = |finding: crate::Finding| validator::Finding {
            rule: finding.rule,
            severity: finding.severity.into(),
            table: finding.table,
            column: finding.column,
            message: finding.message,
            failed: finding.failed,
            checked: finding.checked,
            samples: finding.samples,
        };
        let metric = |metric: crate::Metric| validator::Metric {
            name: metric.name,
            value: metric.value,
            unit: metric.unit,
            at: metric.at,
        };
        Self {
            findings: report.findings.into_iter().map(finding).collect(),
            metrics: report.metrics.into_iter().map(metric).collect(),
        }
    }
}
