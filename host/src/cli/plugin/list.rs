//! `telemill plugin list`.

use crate::app::App;
use crate::cli::Verdict;
use crate::cli::output::{Output, table};
use clap::Args;

/// List the plugins that ship and those in the data folder
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  telemill plugin list")]
pub(in crate::cli) struct List {}

impl List {
    pub(super) fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        let plugins = app.registry()?.list()?;
        out.print(&plugins, |out| {
            let rows = plugins.iter().map(|listed| {
                let descriptor = &listed.descriptor;
                let (kind, digest) = (listed.kind.to_string(), listed.digest.short());
                vec![descriptor.name.clone(), kind, descriptor.version.clone(), digest, descriptor.summary.clone()]
            });
            table(out, &["name", "kind", "version", "digest", "what"], &rows.collect::<Vec<_>>())
        })?;
        Ok(Verdict::Good)
    }
}
