//! The generators that ship in the sandbox, each beside itself compiled for this machine; and what its guards cost.

use crate::clock::{thread, timed};
use crate::report::{Bar, Report, Work, compare};
use crate::shop::{Shop, open, plan};
use anyhow::Result;
use std::hint::black_box;
use telemill::core::time::{Length, Window};
use telemill::plugin::{Engine, Guards, Plugin};
use telemill::run::Plan;
use telemill_sdk::native::Run;

/// The sandbox's share of native speed.
const BAR: f64 = 0.75;
const MINUTE_US: u64 = 60 * 1_000_000;
/// Before it is busy, at nine in the morning.
const MORNING: u64 = 9 * 60;

/// A generator and how much of it is measured.
struct Model {
    plugin: &'static str,
    /// Simulated minutes of a round: a few tenths of a second of work.
    minutes: u64,
    /// Simulated minutes of a call: some 16,000 rows, as in a run.
    window_minutes: u64,
    /// Rows that the same model makes natively.
    native: fn(&Run) -> Result<usize, telemill_sdk::Error>,
}

const MODELS: [Model; 6] = [
    Model { plugin: "ecommerce", minutes: 12 * 60, window_minutes: 10, native: rows::<ecommerce::Shop> },
    Model { plugin: "pos-estate", minutes: 24 * 60, window_minutes: 30, native: rows::<pos_estate::PosEstate> },
    Model { plugin: "device-fleet", minutes: 24 * 60, window_minutes: 60, native: rows::<device_fleet::DeviceFleet> },
    Model {
        plugin: "transfer-compression",
        minutes: 30 * 24 * 60,
        window_minutes: 5 * 24 * 60,
        native: rows::<transfer_compression::TransferCompression>,
    },
    Model { plugin: "user-workloads", minutes: 12 * 60, window_minutes: 60, native: rows::<user_workloads::Workloads> },
    // A call centre: some 25,000 rows a day.
    Model {
        plugin: "declarative",
        minutes: 28 * 24 * 60,
        window_minutes: 12 * 60,
        native: rows::<declarative::Simulation>,
    },
];

fn rows<G: telemill_sdk::Generator>(run: &Run) -> Result<usize, telemill_sdk::Error> {
    let mut rows = 0;
    run.each::<G>(|batch| rows += black_box(batch).rows())?;
    Ok(rows)
}

pub(crate) fn measure(shop: &Shop, runs: usize, report: &mut Report) -> Result<()> {
    for model in &MODELS {
        let minutes = MORNING + model.minutes;
        let (_, plan) = plan(&shop.app, model.plugin, Length::from_us(minutes * MINUTE_US))?;
        let plugin = &plan.generator.plugin;
        let compared = compare(runs, || sandboxed(model, &plan, plugin), || native(model, &plan))?;
        report.against(&format!("{} in the sandbox, beside native", model.plugin), "rows/s", &compared, BAR);
    }
    price_of_limits(shop, runs, report)
}

/// What each guard costs alone, and all together, on a model of random text and on one that computes with floats.
fn price_of_limits(shop: &Shop, runs: usize, report: &mut Report) -> Result<()> {
    const NONE: Guards = Guards::NONE;
    let guards = [
        ("fuel", Guards { fuel: true, ..NONE }),
        ("epochs", Guards { epochs: true, ..NONE }),
        ("fuel and epochs", Guards { fuel: true, epochs: true, ..NONE }),
        ("canonical NaNs", Guards { canonical_nans: true, ..NONE }),
        ("all three guards", Guards::ALL),
    ];
    let cache = shop.app.data_dir().join("cache");
    let registry = shop.app.registry()?;
    for model in MODELS.iter().filter(|model| ["ecommerce", "user-workloads"].contains(&model.plugin)) {
        let length = Length::from_us((MORNING + model.minutes) * MINUTE_US);
        let (_, plan) = plan(&shop.app, model.plugin, length)?;
        let bytes = registry.bytes(model.plugin)?;
        let with = |guards| {
            let engine = Engine::with_guards(shop.app.settings().limits.clone(), Some(&cache), guards)?;
            engine.load(model.plugin, &bytes)
        };
        let bare = with(NONE)?;
        for (name, guards) in guards {
            let guarded = with(guards)?;
            let ours = || sandboxed(model, &plan, &guarded);
            let compared = compare(runs, ours, || sandboxed(model, &plan, &bare))?;
            let price = (1.0 / compared.ratio - 1.0) * 100.0;
            report.figure(&format!("{}: price of {name}", model.plugin), price, "%", Bar::None);
        }
    }
    Ok(())
}

fn span(model: &Model, plan: &Plan) -> Window {
    let us = |minutes: u64| i64::try_from(minutes * MINUTE_US).unwrap_or(i64::MAX);
    Window::from_start(plan.spec.window().start.plus_us(us(MORNING)), us(model.minutes))
}

/// Rows of all tables through the component, buffers handed to the host; nothing is checked.
fn sandboxed(model: &Model, plan: &Plan, plugin: &Plugin) -> Result<Work> {
    let span = span(model, plan);
    let (rows, cpu) = timed(thread, || {
        let mut generator = open(plan, plugin, span)?;
        let mut rows = 0_u64;
        for window in span.pieces(model.window_minutes * MINUTE_US) {
            let batches = black_box(generator.advance(window)?);
            rows += batches.iter().map(|batch| u64::from(batch.rows)).sum::<u64>();
        }
        Ok(rows)
    })?;
    Ok(Work { units: rows as f64, cpu })
}

/// The same rows from the same model, compiled for this machine.
fn native(model: &Model, plan: &Plan) -> Result<Work> {
    let span = span(model, plan);
    let (rows, cpu) = timed(thread, || {
        let run = Run::new(plan.generator.config.to_string(), telemill_sdk::Window::new(span.start.0, span.end.0));
        let window = i64::try_from(model.window_minutes * MINUTE_US)?;
        Ok((model.native)(&run.seed(plan.spec.seed()).windows(window))?)
    })?;
    Ok(Work { units: rows as f64, cpu })
}
