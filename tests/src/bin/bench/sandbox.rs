//! The model in the sandbox beside the same model natively, and what limits cost.

use crate::clock::{thread, timed};
use crate::report::{Report, Work, compare};
use crate::shop::{Shop, WINDOW_US};
use anyhow::Result;
use std::hint::black_box;
use telemill::core::time::Window;
use telemill::plugin::{Engine, Plugin};
use telemill_sdk::native::Run;

/// Simulated hours of one round.
const HOURS: i64 = 12;
/// The sandbox's share of native speed.
const BAR: f64 = 0.75;

pub(crate) fn measure(shop: &Shop, runs: usize, report: &mut Report) -> Result<()> {
    let span = shop.busy(HOURS);
    let plugin = &shop.plan.generator.plugin;
    let registry = shop.app.registry()?;
    let unmetered = Engine::unmetered(shop.app.settings().limits.clone(), Some(&shop.app.data_dir().join("cache")))?;
    let unmetered = unmetered.load("ecommerce", &registry.bytes("ecommerce")?)?;
    let compared = compare(runs, || sandboxed(shop, plugin, span), || native(shop, span))?;
    report.against("model in the sandbox, beside native", "rows/s", &compared, BAR);
    let compared = compare(runs, || sandboxed(shop, plugin, span), || sandboxed(shop, &unmetered, span))?;
    let price = (1.0 / compared.ratio - 1.0) * 100.0;
    report.figure("price of the limits (fuel, epochs) on the sandbox's time", price, "%", crate::report::Bar::None);
    Ok(())
}

/// Rows of both tables through the component, buffers handed to the host; nothing is checked.
fn sandboxed(shop: &Shop, plugin: &Plugin, span: Window) -> Result<Work> {
    let (rows, cpu) = timed(thread, || {
        let mut generator = shop.open(plugin, span)?;
        let mut rows = 0_u64;
        for window in span.pieces(WINDOW_US) {
            let batches = black_box(generator.advance(window)?);
            rows += batches.iter().map(|batch| u64::from(batch.rows)).sum::<u64>();
        }
        Ok(rows)
    })?;
    Ok(Work { units: rows as f64, cpu })
}

/// The same rows from the same model, compiled for this machine.
fn native(shop: &Shop, span: Window) -> Result<Work> {
    let (rows, cpu) = timed(thread, || {
        let mut rows = 0_usize;
        let run = Run::new(shop.plan.generator.config.to_string(), telemill_sdk::Window::new(span.start.0, span.end.0));
        run.seed(shop.plan.spec.seed()).windows(WINDOW_US as i64).each::<ecommerce::Shop>(|batch| {
            rows += black_box(batch).rows();
        })?;
        Ok(rows)
    })?;
    Ok(Work { units: rows as f64, cpu })
}
