//! Rows without a lake: any window of a run to look at, and all of it in order for whoever writes files.

use super::error::RunError;
use super::open::OpenShard;
use super::plan::Plan;
use super::windows::Windows;
use crate::core::cancel::Cancel;
use crate::core::time::Window;
use arrow::array::RecordBatch;

/// Hands the rows of `plan` to `take`, window after window in order, each batch with its table's index.
///
/// One instance makes all partitions' rows, which are the same set for any number of them.
///
/// # Errors
/// The plugin failed, or `take` did.
pub fn stream(
    plan: &Plan,
    cancel: &Cancel,
    take: &mut dyn FnMut(Window, Vec<(usize, RecordBatch)>) -> Result<(), RunError>,
) -> Result<(), RunError> {
    make(plan, plan.spec.window(), cancel, take)
}

/// The rows of `window`, cut to the run's span, by table. A simulation that carries state is replayed from its start.
///
/// # Errors
/// The plugin failed.
pub fn preview(plan: &Plan, window: Window, cancel: &Cancel) -> Result<Vec<Vec<RecordBatch>>, RunError> {
    let mut tables = vec![Vec::new(); plan.layouts.len()];
    preview_each(plan, window, cancel, &mut |batches| {
        for (table, rows) in batches {
            if let Some(table) = tables.get_mut(table) {
                table.push(rows);
            }
        }
        Ok(())
    })?;
    Ok(tables)
}

/// The same, handed to `take` as they are made, each batch with its table's index: nothing is held.
///
/// # Errors
/// The plugin failed, or `take` did.
pub fn preview_each(
    plan: &Plan,
    window: Window,
    cancel: &Cancel,
    take: &mut dyn FnMut(Vec<(usize, RecordBatch)>) -> Result<(), RunError>,
) -> Result<(), RunError> {
    let span = plan.spec.window();
    let step = i64::try_from(plan.simulation.step_us).unwrap_or(i64::MAX);
    // Whole steps, counted from the span's start.
    let down = |us: i64| span.start.plus_us(us - us.rem_euclid(step));
    let start = down((window.start.0 - span.start.0).max(0));
    let end = down((window.end.0 - span.start.0).saturating_add(step - 1)).min(span.end);
    make(plan, Window { start, end }, cancel, &mut |_, batches| take(batches))
}

/// Whether any window can be asked for at once: a simulation that saves nothing carries nothing over a step.
///
/// # Errors
/// The plugin failed.
pub fn is_stateless(plan: &Plan) -> Result<bool, RunError> {
    Ok(open(plan)?.save()?.is_none())
}

fn open(plan: &Plan) -> Result<OpenShard, RunError> {
    OpenShard::open(plan, plan.shard(0, 1), None, plan.bare_incidents())
}

fn make(
    plan: &Plan,
    wanted: Window,
    cancel: &Cancel,
    take: &mut dyn FnMut(Window, Vec<(usize, RecordBatch)>) -> Result<(), RunError>,
) -> Result<(), RunError> {
    let mut generator = open(plan)?;
    let from = if generator.save()?.is_none() { wanted.start } else { plan.spec.window().start };
    for piece in [Window { start: from, end: wanted.start }, wanted] {
        let mut windows = Windows::new(piece, plan.simulation.step_us);
        while let Some(window) = windows.next() {
            if cancel.is_cancelled() {
                return Err(RunError::Cancelled);
            }
            let batches = generator.rows(&plan.layouts, window)?;
            let rows = batches.iter().map(|(_, rows)| rows.num_rows() as u64).sum();
            let bytes = batches.iter().map(|(_, rows)| rows.get_array_memory_size() as u64).sum();
            windows.returned(rows, bytes);
            if piece == wanted {
                take(window, batches)?;
            }
        }
    }
    Ok(())
}
