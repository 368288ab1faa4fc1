//! The benchmark: ratios of what is measured side by side in one run, per second of CPU time, medians of several rounds.
//! `cargo xtask bench` builds and starts it; docs/BENCHMARKS.md tells what the figures mean.

mod clock;
mod isolation;
mod lake;
mod languages;
mod parts;
mod peers;
mod processes;
mod report;
mod sandbox;
mod shop;
mod texts;

use anyhow::{Context, Result, bail};
use report::Report;
use shop::Shop;
use std::process::ExitCode;

const HELP: &str = "\
Measure the e-commerce example's way from the sandbox to files

Usage: bench [--only PART] [--peers] [--runs N] [--json] [--strict]

Options:
      --only P  Only one part: sandbox, lake, texts, parts, processes, isolation or languages
      --peers   Also measure tpchgen-cli 4.0.0 and a script with pandas, installed from PyPI into a folder under target/
      --runs N  Rounds of each measurement, of which the median counts [default: 5]
      --json    Print one JSON document
      --strict  Exit with 1 where a bar is missed
  -h, --help    Print help
";

/// What can be measured by itself.
const PARTS: [&str; 7] = ["sandbox", "lake", "texts", "parts", "processes", "isolation", "languages"];

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
    let shop = Shop::new(&folder.path().join("data"))?;
    let mut report = Report::new(options.json);
    let wanted = |part: &str| options.only.as_deref().is_none_or(|only| only == part);
    if wanted("sandbox") {
        sandbox::measure(&shop, options.runs, &mut report)?;
    }
    if wanted("texts") {
        let texts = folder.path().join("texts");
        texts::measure(&shop, &texts, peer.as_ref(), options.runs, &mut report)?;
        texts::measure_compression(&shop, &texts, options.peers, options.runs, &mut report)?;
    }
    if wanted("lake") || wanted("parts") {
        let row_ns = lake::measure(&shop, peer.as_ref(), options.runs, &mut report)?;
        if wanted("parts") {
            parts::measure(&shop, row_ns, options.runs, &mut report)?;
        }
    }
    if wanted("processes") {
        processes::measure(&shop, &folder.path().join("week"), &mut report)?;
    }
    if wanted("isolation") {
        isolation::measure(&shop, &folder.path().join("days"), options.runs, &mut report)?;
    }
    if wanted("languages") {
        languages::measure(&folder.path().join("languages"), options.runs, &mut report)?;
    }
    let missed = report.finish()?;
    Ok(if missed && options.strict { ExitCode::FAILURE } else { ExitCode::SUCCESS })
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
