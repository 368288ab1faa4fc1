//! The benchmark: ratios of what is measured side by side in one run, per second of CPU time, medians of several rounds.
//! `cargo xtask bench` builds and starts it; docs/BENCHMARKS.md tells what the figures mean.

mod clock;
mod ingest;
mod isolation;
mod lake;
mod languages;
mod parts;
mod peers;
mod processes;
mod report;
mod sandbox;
mod server;
mod shop;
mod streams;
mod swaps;
mod texts;

use anyhow::{Context, Result, bail};
use report::Report;
use shop::Shop;
use std::path::Path;
use std::process::ExitCode;

const HELP: &str = "\
Measure the e-commerce example's way from the sandbox to files

Usage: bench [--only PART] [--peers] [--runs N] [--json] [--strict]

Options:
      --only P  Only one part: sandbox, lake, texts, parts, processes, isolation, languages, streams or ingest
      --peers   Also measure tpchgen-cli 4.0.0 and a script with pandas, installed from PyPI into a folder under target/
      --runs N  Rounds of each measurement, of which the median counts [default: 5]
      --json    Print one JSON document
      --strict  Exit with 1 where a bar is missed
  -h, --help    Print help
";

/// What can be measured by itself. The last three are measured only where they are named: languages install their tools, streams
/// and ingest are on the wall's clock and want the machine for themselves.
const PARTS: [&str; 9] =
    ["sandbox", "lake", "texts", "parts", "processes", "isolation", "languages", "streams", "ingest"];

struct Options {
    only: Option<String>,
    peers: bool,
    runs: usize,
    json: bool,
    strict: bool,
}

fn main() -> Result<ExitCode> {
    let Some(options) = options()? else {
        print!("{HELP}");
        return Ok(ExitCode::SUCCESS);
    };
    let folder = tempfile::Builder::new().prefix("telemill-bench").tempdir()?;
    let peer = if options.peers { Some(peers::Tpchgen::install(&folder.path().join("peer"))?) } else { None };
    let mut report = Report::new(options.json);
    match options.only.as_deref() {
        Some("streams") => streams::measure(folder.path(), &mut report)?,
        Some("languages") => languages::measure(&folder.path().join("languages"), options.runs, &mut report)?,
        Some("ingest") => ingest::measure(folder.path(), options.runs, &mut report)?,
        only => measure(folder.path(), only, peer.as_ref(), &options, &mut report)?,
    }
    let missed = report.finish()?;
    Ok(if missed && options.strict { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What is measured in CPU time: all, or `only` a part.
fn measure(
    folder: &Path,
    only: Option<&str>,
    peer: Option<&peers::Tpchgen>,
    options: &Options,
    report: &mut Report,
) -> Result<()> {
    let shop = Shop::new(&folder.join("data"))?;
    let wanted = |part: &str| only.is_none_or(|only| only == part);
    if wanted("sandbox") {
        sandbox::measure(&shop, options.runs, report)?;
    }
    if wanted("texts") {
        let texts = folder.join("texts");
        texts::measure(&shop, &texts, peer, options.runs, report)?;
        texts::measure_compression(&shop, &texts, options.peers, options.runs, report)?;
    }
    if wanted("lake") || wanted("parts") {
        let row_ns = lake::measure(&shop, peer, options.runs, report)?;
        if wanted("parts") {
            parts::measure(&shop, row_ns, options.runs, report)?;
        }
    }
    if wanted("processes") {
        processes::measure(&shop, &folder.join("week"), report)?;
    }
    if wanted("isolation") {
        isolation::measure(&shop, &folder.join("days"), options.runs, report)?;
    }
    Ok(())
}

/// What the command line asks for; none where it asks for help.
fn options() -> Result<Option<Options>> {
    let mut options = Options { only: None, peers: false, runs: 5, json: false, strict: false };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--peers" => options.peers = true,
            "--json" => options.json = true,
            "--strict" => options.strict = true,
            "--only" => {
                let part = arguments.next().filter(|part| PARTS.contains(&part.as_str()));
                options.only = Some(part.with_context(|| format!("--only wants one of {}", PARTS.join(", ")))?);
            }
            "--runs" => {
                let runs = arguments.next().and_then(|runs| runs.parse().ok()).filter(|runs| *runs > 0);
                options.runs = runs.context("--runs wants a number from 1")?;
            }
            "-h" | "--help" => return Ok(None),
            other => bail!("there is no option `{other}`: see --help"),
        }
    }
    Ok(Some(options))
}
