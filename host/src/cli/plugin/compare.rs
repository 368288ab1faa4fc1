//! `telemill plugin compare`: what a swap would change.

use crate::api;
use crate::app::App;
use crate::cli::Verdict;
use crate::cli::output::{Output, grouped, table};
use crate::cli::value::read_json;
use crate::core::time::{Length, Timestamp};
use crate::fit::{ColumnComparison, Measure};
use crate::plugin::check::CheckOptions;
use crate::remote::{self, Server};
use crate::versions::{self, Comparing, Comparison};
use anyhow::bail;
use clap::Args;
use serde_json::{Map, Value};
use std::io::{self, Write};
use std::path::PathBuf;

/// Run two versions of a generator over the same seed and window, and hold their rows side by side
///
/// Exit code 1 where the second could not take the place of the first, because its tables do more than add columns.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  telemill plugin compare ecommerce ecommerce --for 5m")]
pub(in crate::cli) struct Compare {
    /// The version in place: a name, NAME@VERSION, a .wasm file or sha256:DIGEST
    first: String,
    /// The version that would take its place
    second: String,
    /// The seed of both
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Where simulated time starts
    #[arg(long, value_name = "TIME")]
    start: Option<Timestamp>,
    /// How much of it is simulated, a day at most
    #[arg(long = "for", value_name = "LENGTH", default_value = "15m")]
    length: Length,
    /// The configuration of both, a JSON file; each one's defaults where it is left out
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Compare {
    pub(super) fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        if let Some(server) = app.server() {
            let comparison = self.ask(server)?;
            out.print(&comparison, |out| tell(out, &comparison))?;
            return Ok(if comparison.compatible() { Verdict::Good } else { Verdict::Negative });
        }
        let registry = app.registry()?;
        let load = |reference: &str| registry.engine().load(reference, &registry.bytes(reference)?);
        let config = self.config.as_deref().map(read_json).transpose()?;
        let comparing = Comparing {
            seed: self.seed,
            start: self.start.unwrap_or(CheckOptions::default().start),
            length_us: self.length.us(),
            config: config.unwrap_or_else(|| serde_json::json!({})),
        };
        let comparison = versions::compare(&load(&self.first)?, &load(&self.second)?, &comparing)?;
        out.print(&comparison, |out| tell(out, &comparison))?;
        Ok(if comparison.compatible() { Verdict::Good } else { Verdict::Negative })
    }

    fn ask(&self, server: &Server) -> anyhow::Result<Comparison> {
        let ((name, first), (other, second)) = (remote::named(&self.first), remote::named(&self.second));
        if name.is_some() && other.is_some() && name != other {
            bail!(
                "a server compares versions of one plugin: write NAME@VERSION for the second, or name both by digest"
            );
        }
        let config = match self.config.as_deref().map(read_json::<Value>).transpose()? {
            Some(Value::Object(config)) => config,
            Some(_) => bail!("the configuration must be a JSON object"),
            None => Map::new(),
        };
        let start = self.start.unwrap_or(CheckOptions::default().start);
        let (seed, length) = (self.seed, self.length);
        // Without a version, the second is what the name means as well.
        let second = match second {
            Some(second) => second.to_owned(),
            None => server.inspect(&self.second)?.digest.reference(),
        };
        let compare = api::Compare {
            first: first.map(str::to_owned),
            second,
            seed: Some(seed),
            start: Some(start),
            length: Some(length),
            config,
        };
        Ok(server.compare(name.or(other), &compare)?)
    }
}

fn tell(out: &mut dyn Write, comparison: &Comparison) -> io::Result<()> {
    writeln!(out, "seed {} over {}\n", comparison.seed, comparison.window)?;
    let side = |side: &versions::Side| {
        let (time, fuel) = (format!("{:.3} s", side.seconds), format!("{:.0}", side.fuel_per_row));
        vec![format!("{} {}", side.name, side.version), side.digest.short(), grouped(side.rows), time, fuel]
    };
    table(
        out,
        &["version", "digest", "rows", "time", "fuel a row"],
        &[side(&comparison.first), side(&comparison.second)],
    )?;
    for compared in &comparison.tables {
        let rows = |rows: Option<u64>| rows.map_or("none".to_owned(), grouped);
        writeln!(out, "\n{}: {} and {} rows", compared.table, rows(compared.first_rows), rows(compared.second_rows))?;
        compared.problems.iter().try_for_each(|problem| writeln!(out, "  DIFFERENT {problem}"))?;
        if !compared.columns.is_empty() {
            let rows: Vec<_> = compared.columns.iter().map(column).collect();
            table(out, &["column", "nulls", "", "distinct", "", "mean", "", "distance", "by"], &rows)?;
        }
    }
    let verdict = if comparison.compatible() { "can" } else { "can NOT" };
    writeln!(out, "\nthe second {verdict} take the place of the first")
}

fn column(compared: &ColumnComparison) -> Vec<String> {
    let number = |number: Option<f64>| number.map_or("-".to_owned(), |number| format!("{number:.4}"));
    let mut cells = vec![compared.column.clone()];
    let sides = [&compared.first, &compared.second];
    cells.extend(sides.map(|side| number(side.as_ref().map(|side| side.null_share))));
    cells.extend(sides.map(|side| side.as_ref().map_or("-".to_owned(), |side| grouped(side.distinct))));
    cells.extend(sides.map(|side| number(side.as_ref().and_then(|side| side.mean))));
    cells.push(number(compared.distance));
    cells.push(match compared.measure {
        Some(Measure::KolmogorovSmirnov) => "KS".to_owned(),
        Some(Measure::PopulationStability) => "PSI".to_owned(),
        None => "-".to_owned(),
    });
    cells
}
