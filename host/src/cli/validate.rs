//! `telemill validate`: a validator over a dataset that is there.

use super::Verdict;
use super::options;
use super::output::Output;
use super::run::on_ctrl_c;
use super::span::Span;
use super::summary;
use super::value::read_json;
use crate::api::ValidateRequest;
use crate::app::App;
use crate::core::document::json_or_text;
use crate::task;
use anyhow::Context as _;
use clap::{ArgMatches, Args};
use serde_json::{Map, Value};
use std::path::PathBuf;

const NO_OBJECT: &str = "the configuration must be a JSON object";

/// Let a validator judge a dataset; exit code 1 where it fails
///
/// The keys of the validator's configuration are options: --help behind --with shows them.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  telemill validate ecommerce --with service-levels --last 1h --phase-column phase\n  telemill validate ecommerce --with service-levels --help"
)]
pub(super) struct Validate {
    /// The dataset
    dataset: String,
    /// The validator: a name, a .wasm file or sha256:DIGEST
    #[arg(long, value_name = "PLUGIN")]
    with: String,
    /// Its configuration, a JSON file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// One key of its configuration, where its option's name is taken; the validator's name may stand before it
    #[arg(long = "set", value_name = "[PLUGIN.]KEY=VALUE")]
    sets: Vec<String>,
    #[command(flatten)]
    span: Span,
}

impl Validate {
    pub(super) fn run(self, app: &App, out: &Output, matches: &ArgMatches) -> anyhow::Result<Verdict> {
        let config = self.configuration(app, matches)?;
        let (dataset, with, Span { from, to, last }) = (self.dataset, self.with, self.span);
        let judgements = match app.server() {
            Some(server) => server.validate(&dataset, &ValidateRequest { with, config, from, to, last })?,
            None => {
                let task = task::Validate { dataset, with: Some(with), config, scenario: None, from, to, last };
                task.run(&app.writer()?.host, &on_ctrl_c(app))?
            }
        };
        out.print(&judgements, |out| {
            judgements.iter().try_for_each(|j| summary::verdict(out, &j.plugin, j.passed, &j.report))
        })?;
        Ok(if judgements.iter().all(|judgement| judgement.passed) { Verdict::Good } else { Verdict::Negative })
    }

    /// The file's keys, then those of options, then those of --set.
    fn configuration(&self, app: &App, matches: &ArgMatches) -> anyhow::Result<Map<String, Value>> {
        let mut config = match &self.config {
            Some(path) => read_json::<Value>(path)?.as_object().context(NO_OBJECT)?.clone(),
            None => Map::new(),
        };
        let mut given = Vec::new();
        if let Some(matches) = matches.subcommand_matches("validate") {
            given = options::given(app, std::slice::from_ref(&self.with), matches)?;
        }
        for (_, key, value) in given {
            config.insert(key, value);
        }
        for set in &self.sets {
            let (key, text) = set.split_once('=').with_context(|| format!("--set {set}: write KEY=VALUE"))?;
            config.insert(self.own_key(key).to_owned(), json_or_text(text));
        }
        Ok(config)
    }

    /// A key without the validator's name before it, which other commands want there.
    fn own_key<'a>(&self, key: &'a str) -> &'a str {
        key.strip_prefix(self.with.as_str()).and_then(|rest| rest.strip_prefix('.')).unwrap_or(key)
    }
}

/// The validator that words of the command line name, whose configuration keys are options.
pub(super) fn named_plugins(words: &[String]) -> Option<Vec<String>> {
    let behind = |(at, word): (usize, &String)| match word.strip_prefix("--with=") {
        Some(name) => Some(name.to_owned()),
        None => words.get(at + 1).filter(|_| word == "--with").cloned(),
    };
    words.iter().enumerate().find_map(behind).map(|name| vec![name])
}
