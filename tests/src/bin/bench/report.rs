//! Rates, medians, and the lines that are printed.

use anyhow::Result;
use serde_json::{Value, json};
use std::time::Duration;

/// What was done in how much CPU time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Work {
    pub(crate) units: f64,
    pub(crate) cpu: Duration,
}

impl Work {
    pub(crate) fn per_second(self) -> f64 {
        self.units / self.cpu.as_secs_f64()
    }
}

/// Two things measured in turns, so that what else the machine does meets both.
#[derive(Debug)]
pub(crate) struct Comparison {
    /// Median rates.
    pub(crate) ours: f64,
    pub(crate) theirs: f64,
    /// The median of each round's own ratio, ours to theirs.
    pub(crate) ratio: f64,
}

/// Measures `ours` and `theirs` in turns, once each before it counts.
pub(crate) fn compare(
    runs: usize,
    mut ours: impl FnMut() -> Result<Work>,
    mut theirs: impl FnMut() -> Result<Work>,
) -> Result<Comparison> {
    ours()?;
    theirs()?;
    let (mut our_rates, mut their_rates, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..runs {
        let (ours, theirs) = (ours()?.per_second(), theirs()?.per_second());
        our_rates.push(ours);
        their_rates.push(theirs);
        ratios.push(ours / theirs);
    }
    Ok(Comparison { ours: median(our_rates), theirs: median(their_rates), ratio: median(ratios) })
}

/// The median rate of `work`, which is done once before it counts.
pub(crate) fn rate(runs: usize, mut work: impl FnMut() -> Result<Work>) -> Result<f64> {
    work()?;
    let rates: Result<Vec<f64>> = (0..runs).map(|_| Ok(work()?.per_second())).collect();
    Ok(median(rates?))
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let (below, above) = (values.get((values.len() - 1) / 2), values.get(middle));
    below.zip(above).map_or(f64::NAN, |(below, above)| (below + above) / 2.0)
}

/// What a line is held to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bar {
    /// Nothing: it is there to be known.
    None,
    /// Less.
    Below(f64),
    /// As much, or more.
    Least(f64),
}

/// Prints lines as they come, or one JSON document at the end.
pub(crate) struct Report {
    json: bool,
    lines: Vec<Value>,
    missed: bool,
}

impl Report {
    pub(crate) fn new(json: bool) -> Self {
        if !json {
            println!("{:<68} {:>16} {:>16} {:>7}", "", "measured", "bar", "ratio");
        }
        Self { json, lines: Vec::new(), missed: false }
    }

    /// A figure by itself; its ratio is to the bar.
    pub(crate) fn figure(&mut self, name: &str, measured: f64, unit: &str, bar: Bar) {
        let (ratio, met, bar_text, bar) = match bar {
            Bar::None => (None, None, String::new(), None),
            Bar::Below(bar) => {
                (Some(measured / bar), Some(measured < bar), format!("< {}", short(bar, unit)), Some(bar))
            }
            Bar::Least(bar) => (Some(measured / bar), Some(measured >= bar), short(bar, unit), Some(bar)),
        };
        self.line(name, measured, unit, &bar_text, bar, ratio, met);
    }

    /// A rate that has to reach `bar`.
    pub(crate) fn at_least(&mut self, name: &str, measured: f64, unit: &str, bar: f64) {
        let text = format!(">= {}", short(bar, unit));
        self.line(name, measured, unit, &text, Some(bar), Some(measured / bar), Some(measured >= bar));
    }

    /// A rate beside another, whose share `bar` it has to reach.
    pub(crate) fn against(&mut self, name: &str, unit: &str, compared: &Comparison, bar: f64) {
        let Comparison { ours, theirs, ratio } = *compared;
        let text = format!("{bar} x {}", short(theirs, unit));
        self.line(name, ours, unit, &text, Some(theirs * bar), Some(ratio), Some(ratio >= bar));
    }

    #[expect(clippy::too_many_arguments, reason = "the cells of one line")]
    fn line(
        &mut self,
        name: &str,
        measured: f64,
        unit: &str,
        bar_text: &str,
        bar: Option<f64>,
        ratio: Option<f64>,
        met: Option<bool>,
    ) {
        self.missed |= met == Some(false);
        if self.json {
            let line =
                json!({"name": name, "measured": measured, "unit": unit, "bar": bar, "ratio": ratio, "met": met});
            self.lines.push(line);
            return;
        }
        let ratio = ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default();
        let verdict = met.map_or("", |met| if met { "met" } else { "MISSED" });
        println!("{name:<68} {:>16} {bar_text:>16} {ratio:>7}  {verdict}", short(measured, unit));
    }

    /// Whether a bar was missed.
    pub(crate) fn finish(self) -> Result<bool> {
        if self.json {
            println!("{}", serde_json::to_string_pretty(&self.lines)?);
        }
        Ok(self.missed)
    }
}

fn short(value: f64, unit: &str) -> String {
    match value {
        value if value >= 1e6 => format!("{:.2} M {unit}", value / 1e6),
        value if value >= 1e4 => format!("{:.0} k {unit}", value / 1e3),
        value => format!("{value:.1} {unit}"),
    }
}
