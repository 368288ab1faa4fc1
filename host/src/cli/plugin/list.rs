//! `telemill plugin list`.

use crate::app::App;
use crate::cli::Verdict;
use crate::cli::output::{Output, table};
use crate::versions;
use clap::Args;

/// List the plugins that ship, those that are installed and those that were used, and which of them names mean
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  telemill plugin list")]
pub(in crate::cli) struct List {}

impl List {
    pub(super) fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        let plugins = match app.server() {
            Some(server) => server.plugins()?,
            None => versions::list(&app.registry()?, app.records()?.as_ref(), app.runtime().handle())?,
        };
        out.print(&plugins, |out| {
            let rows = plugins.iter().map(|stated| {
                let (listed, descriptor) = (&stated.plugin, &stated.plugin.descriptor);
                let (kind, digest) = (listed.kind.to_string(), listed.digest.short());
                let (name, version) = (descriptor.name.clone(), descriptor.version.clone());
                vec![name, kind, version, stated.state.as_str().to_owned(), digest, descriptor.summary.clone()]
            });
            table(out, &["name", "kind", "version", "state", "digest", "what"], &rows.collect::<Vec<_>>())
        })?;
        Ok(Verdict::Good)
    }
}
