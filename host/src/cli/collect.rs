//! `telemill collect`: rows of an HTTP endpoint or an InfluxDB at one instant, as files, by key in a SQLite table, in the lake.

use super::Verdict;
use super::output::{Output, grouped};
use crate::app::App;
use crate::collect::{self, Clock, Collection, Question, Source};
use crate::core::document::json_or_text;
use crate::core::time::{Length, Timestamp};
use crate::run::{self, Host};
use crate::sink::Credentials;
use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::{Map, Value};
use std::path::PathBuf;
use std::time::Duration;

/// Collect once from an HTTP endpoint or an InfluxDB
///
/// The endpoint gets a JSON object with current_time and the parameters by POST, and answers with rows. These are kept as they
/// came (OUTPUT_DIR/json), flat (OUTPUT_DIR/csv), and by key in a table of a SQLite file, where the same instant again replaces
/// them; with --dataset in the lake as well, by key, too.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  telemill collect --api-url http://127.0.0.1:8080/segment-stats --simulate-minutes 15\n  telemill collect --api-url http://127.0.0.1:8080/segment-stats \\\n    --current-time 2026-11-09T14:00:00Z --dataset collected"
)]
pub(super) struct Collect {
    /// The endpoint, or the InfluxDB's address
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080/segment-stats")]
    api_url: String,
    /// A parameter that the endpoint is sent, such as window_minutes=60
    #[arg(long = "param", value_name = "KEY=VALUE")]
    params: Vec<String>,
    /// Ask an InfluxDB (version 1) for this database, instead of an endpoint
    #[arg(long, value_name = "DATABASE", requires = "query", group = "influxdb")]
    influx: Option<String>,
    /// Ask an InfluxDB (version 2) in this organisation
    #[arg(long, value_name = "ORG", requires = "query", group = "influxdb")]
    influx_org: Option<String>,
    /// What the InfluxDB is asked: InfluxQL, or Flux with --influx-org
    #[arg(long, value_name = "QUERY", requires = "influxdb")]
    query: Option<String>,
    /// The variable of the environment that has the token which the source asks for
    #[arg(long, value_name = "VARIABLE", conflicts_with = "basic_env")]
    bearer_env: Option<String>,
    /// The variable that has USER:PASSWORD for it
    #[arg(long, value_name = "VARIABLE")]
    basic_env: Option<String>,
    /// The instant to collect; now where it is left out
    #[arg(long, value_name = "TIME", value_parser = Timestamp::written)]
    current_time: Option<Timestamp>,
    /// Collect so many minutes after the last time, whatever the clock says
    #[arg(long, value_name = "N")]
    simulate_minutes: Option<u32>,
    /// Where the simulated clock is kept; simulated_clock.json in the output folder where it is left out
    #[arg(long, value_name = "FILE")]
    state_file: Option<PathBuf>,
    /// Where the files go
    #[arg(long, value_name = "DIR", default_value = "./data_collection")]
    output_dir: PathBuf,
    /// The SQLite file with the table; segment_timeseries.db in the output folder where it is left out
    #[arg(long, value_name = "FILE")]
    timeseries_db: Option<PathBuf>,
    /// What the rows are called
    #[arg(long, value_name = "NAME", default_value = "segment_timeseries")]
    table: String,
    /// The columns that make a row unique; all that hold no numbers where it is left out
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    key: Vec<String>,
    /// The dataset of the lake that takes the rows
    #[arg(long, value_name = "NAME")]
    dataset: Option<String>,
    /// Keep the rows in a table of the catalog's database as well
    #[arg(long)]
    catalog: bool,
    /// How long the source may take
    #[arg(long, value_name = "LENGTH", default_value = "60s")]
    timeout: Length,
}

impl Collect {
    pub(super) fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        let clock = Clock {
            current: self.current_time,
            simulate_minutes: self.simulate_minutes,
            state_file: self.state_file.clone().unwrap_or_else(|| self.output_dir.join("simulated_clock.json")),
        };
        let database = self.timeseries_db.clone().unwrap_or_else(|| self.output_dir.join("segment_timeseries.db"));
        let collection = Collection {
            source: self.source()?,
            output_dir: self.output_dir,
            table: self.table,
            key: self.key,
            database: Some(database.clone()),
            catalog: self.catalog,
            dataset: self.dataset,
        };
        let now = run::now();
        let at = clock.at(now)?;
        let writer = if collection.catalog || collection.dataset.is_some() { Some(app.writer()?) } else { None };
        let host = writer.as_ref().map(|writer| -> &Host { &writer.host });
        let collected = collect::collect(&collection, host, app.runtime().handle(), at, now)?;
        clock.keep(at)?;
        out.print(&collected, |out| {
            writeln!(out, "{} rows at {at}", grouped(collected.rows))?;
            writeln!(out, "{}\n{}\n{}", collected.json.display(), collected.csv.display(), database.display())?;
            match &collection.dataset {
                Some(dataset) => {
                    writeln!(out, "{} rows are new in {dataset}.{}", grouped(collected.lake_rows), collection.table)
                }
                None => Ok(()),
            }
        })?;
        Ok(Verdict::Good)
    }

    fn source(&self) -> anyhow::Result<Source> {
        Ok(Source {
            url: self.api_url.clone(),
            question: self.question()?,
            credentials: Credentials { bearer_env: self.bearer_env.clone(), basic_env: self.basic_env.clone() },
            timeout: Duration::from_micros(self.timeout.us()),
        })
    }

    fn question(&self) -> anyhow::Result<Question> {
        if let Some(query) = &self.query {
            if !self.params.is_empty() {
                bail!("--param is for an endpoint, and --query asks an InfluxDB");
            }
            let query = query.clone();
            return Ok(match (self.influx.clone(), self.influx_org.clone()) {
                (Some(database), _) => Question::InfluxQl { database, query },
                (None, org) => Question::Flux { org: org.unwrap_or_default(), query },
            });
        }
        let mut body: Map<String, Value> = Map::new();
        for pair in &self.params {
            let (key, value) = pair.split_once('=').with_context(|| format!("--param {pair}: write KEY=VALUE"))?;
            body.insert(key.to_owned(), json_or_text(value));
        }
        Ok(Question::Endpoint(body))
    }
}
