//! The laws of validators: the verdict follows from the rows, not from how they are cut or, where no order is asked for,
//! from the order in which they come.

use super::apart::{self, Again, Elsewhere};
use super::meter::Meter;
use super::sample::Sample;
use super::{CheckOptions, Config, Record, text};
use crate::batch::{GuestBatch, to_guest};
use crate::core::incident::Severity;
use crate::core::report::Report;
use crate::core::schema::{Simulation, Table};
use crate::core::time::Window;
use crate::plugin::engine::{Engine, Plugin};
use crate::plugin::error::PluginError;
use crate::plugin::log::log_nowhere;
use crate::plugin::validator::{Selection, Validator};
use arrow::array::{RecordBatch, UInt64Array};
use arrow::compute::{SortColumn, cast, concat_batches, lexsort_to_indices, take_record_batch};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use serde_json::Value;

/// Rows of a batch as the host usually sends them, and as it never does.
const USUAL_ROWS: usize = 8_192;
const FEW_ROWS: usize = 100;

pub(super) fn check(
    record: &mut Record,
    engine: &Engine,
    plugin: &Plugin,
    configs: &[Config],
    options: &CheckOptions,
    (meter, elsewhere): (&Meter, Option<&Elsewhere<'_>>),
) {
    let suits = |simulation: &Simulation| suits(plugin, configs, simulation, options);
    let sample = match Sample::for_check(engine, options, &suits) {
        Ok(sample) => sample,
        Err(why) => {
            record.skip("laws", &why);
            return;
        }
    };
    let trial = Trial { plugin, sample: &sample, meter };
    for (index, config) in configs.iter().enumerate() {
        let usual = record.make(&format!("verdict: {}", config.name), || {
            // Of the first, another process is shown the same rows.
            let shown = if index == 0 { trial.shown(config)? } else { Vec::new() };
            let report = trial.judge(config, Cut::USUAL)?;
            let verdict = if report.passed() { "passed" } else { "failed" };
            let told = format!("{verdict}, {} findings, {} metrics", report.findings.len(), report.metrics.len());
            Ok((told, (report, shown)))
        });
        let Some((report, shown)) = usual.filter(|_| index == 0) else { continue };
        record.make("same rows, same report", || {
            if trial.judge(config, Cut { packed_otherwise: true, ..Cut::USUAL })? == report {
                Ok((String::new(), ()))
            } else {
                let how = "its texts packed otherwise (a dictionary, or end to end)";
                Err(format!("another instance, {how}, said something else of the same rows"))
            }
        });
        let again = Again::Report { tables: sample.tables.clone(), window: sample.window };
        apart::check(record, "another process, same report", elsewhere, config, (again, &shown), |made| {
            if apart::packed(&report)? == made {
                Ok(String::new())
            } else {
                Err("another process said something else of the same rows".into())
            }
        });
        record.make("batches of another size, same verdict", || {
            same_verdict(&report, &trial.judge(config, Cut { rows: FEW_ROWS, ..Cut::USUAL })?)
        });
        record.make("rows in another order, same verdict", || {
            same_verdict(&report, &trial.judge(config, Cut { backwards: true, ..Cut::USUAL })?)
        });
    }
}

/// How many tables of a simulation its configurations ask for, each counted by itself.
pub(super) fn suits(plugin: &Plugin, configs: &[Config], simulation: &Simulation, options: &CheckOptions) -> usize {
    configs.iter().map(|config| selected(plugin, config, simulation, options).unwrap_or_default()).sum()
}

/// What a validator says of a sample's rows.
pub(super) fn report(plugin: &Plugin, config: Config, sample: &Sample) -> Result<Report, String> {
    Trial { plugin, sample, meter: &Meter::default() }.judge(&config, Cut::USUAL)
}

/// How many selections of a simulation's tables a configuration makes.
fn selected(
    plugin: &Plugin,
    config: &Config,
    simulation: &Simulation,
    options: &CheckOptions,
) -> Result<usize, PluginError> {
    let window = Window::from_start(options.start, i64::try_from(options.length_us).unwrap_or(i64::MAX));
    let selections = plugin.validator(log_nowhere())?.open(&config.effective, &simulation.tables, window)?;
    Ok(selections.len())
}

/// What an instance says of the batches that are made of its selections.
pub(super) fn judged(
    plugin: &Plugin,
    config: &Value,
    (tables, window): (&[Table], Window),
    batches: impl FnOnce(&[Selection]) -> Result<Vec<GuestBatch>, String>,
    meter: &Meter,
) -> Result<Report, String> {
    let mut validator = plugin.validator(log_nowhere()).map_err(text)?;
    let selections =
        meter.call("open", &mut validator, |validator| validator.open(config, tables, window)).map_err(text)?;
    for batch in batches(&selections)? {
        let rows = u64::from(batch.rows);
        let observe = |validator: &mut Validator| validator.observe(batch);
        meter.row_call("observe", &mut validator, observe, |_| rows).map_err(text)?;
    }
    meter.call("finish", &mut validator, Validator::finish).map_err(text)
}

struct Trial<'a> {
    plugin: &'a Plugin,
    sample: &'a Sample,
    meter: &'a Meter,
}

/// How rows are shown.
#[derive(Clone, Copy)]
struct Cut {
    /// Rows of a batch.
    rows: usize,
    /// From the last row to the first, where no order is asked for.
    backwards: bool,
    /// Texts as dictionaries, and dictionaries as texts: the host sends what it has.
    packed_otherwise: bool,
}

impl Cut {
    const USUAL: Self = Self { rows: USUAL_ROWS, backwards: false, packed_otherwise: false };
}

impl Trial<'_> {
    /// What is said of the sample's rows.
    fn judge(&self, config: &Config, cut: Cut) -> Result<Report, String> {
        let made_of = (self.sample.tables.as_slice(), self.sample.window);
        let batches = |selections: &[Selection]| self.batches(selections, cut);
        judged(self.plugin, &config.effective, made_of, batches, self.meter)
    }

    /// What [`Self::judge`] shows as the host usually does.
    fn shown(&self, config: &Config) -> Result<Vec<GuestBatch>, String> {
        let mut validator = self.plugin.validator(log_nowhere()).map_err(text)?;
        let selections = validator.open(&config.effective, &self.sample.tables, self.sample.window).map_err(text)?;
        self.batches(&selections, Cut::USUAL)
    }

    fn batches(&self, selections: &[Selection], cut: Cut) -> Result<Vec<GuestBatch>, String> {
        let mut shown = Vec::new();
        for (index, selection) in selections.iter().enumerate() {
            let Some(mut all) = self.select(selection).map_err(text)? else { continue };
            if cut.backwards && selection.order_by.is_empty() {
                all = backwards(&all).map_err(text)?;
            }
            if cut.packed_otherwise {
                all = packed_otherwise(&all).map_err(text)?;
            }
            let index = u32::try_from(index).map_err(|_| "more selections than there can be".to_owned())?;
            for start in (0..all.num_rows()).step_by(cut.rows) {
                let rows = cut.rows.min(all.num_rows() - start);
                shown.push(to_guest(&all.slice(start, rows), index).map_err(text)?);
            }
        }
        Ok(shown)
    }

    /// The rows and columns that a selection asks for, in its order; none where its table is empty.
    fn select(&self, selection: &Selection) -> Result<Option<RecordBatch>, ArrowError> {
        let table = self.sample.tables.iter().position(|table| table.name == selection.table);
        let batches: Vec<_> =
            self.sample.rows.iter().filter(|(of, _)| Some(*of) == table).map(|(_, batch)| batch).collect();
        let Some(first) = batches.first() else { return Ok(None) };
        let all = concat_batches(&first.schema(), batches.iter().copied())?;
        let named =
            |names: &[String]| names.iter().map(|name| all.schema().index_of(name)).collect::<Result<Vec<_>, _>>();
        let columns = named(&selection.columns)?;
        if selection.order_by.is_empty() {
            return all.project(&columns).map(Some);
        }
        let keys: Vec<_> = named(&selection.order_by)?
            .into_iter()
            .filter_map(|index| all.columns().get(index))
            .map(|values| SortColumn { values: values.clone(), options: None })
            .collect();
        let order = lexsort_to_indices(&keys, None)?;
        take_record_batch(&all.project(&columns)?, &order).map(Some)
    }
}

/// The same rows, the last first.
fn backwards(rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let last_first = (0..rows.num_rows() as u64).rev();
    take_record_batch(rows, &UInt64Array::from_iter_values(last_first))
}

/// The same rows, their texts in dictionaries where they were not, and the other way round.
fn packed_otherwise(rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let texts = DataType::Utf8;
    let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let schema = rows.schema();
    let columns = schema.fields().iter().zip(rows.columns()).map(|(field, column)| {
        let column = match column.data_type() {
            DataType::Utf8 => cast(column, &dictionary)?,
            DataType::Dictionary(..) => cast(column, &texts)?,
            _ => column.clone(),
        };
        Ok((field.name().clone(), column, field.is_nullable()))
    });
    RecordBatch::try_from_iter_with_nullable(columns.collect::<Result<Vec<_>, ArrowError>>()?)
}

/// Compares what a verdict rests on; metrics and samples may differ in their last digits and their choice.
fn same_verdict(one: &Report, other: &Report) -> Result<(String, ()), String> {
    let rests_on = |report: &Report| {
        let findings = report.findings.iter().filter(|finding| finding.severity >= Severity::Medium);
        let mut found: Vec<_> = findings
            .map(|finding| (finding.rule.clone(), finding.table.clone(), finding.column.clone(), finding.failed))
            .collect();
        found.sort();
        found
    };
    if one.passed() != other.passed() {
        return Err(format!("one verdict is {}, the other {}", one.passed(), other.passed()));
    }
    if rests_on(one) != rests_on(other) {
        return Err("it found other things in the same rows".into());
    }
    Ok((String::new(), ()))
}
