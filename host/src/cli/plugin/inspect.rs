//! `telemill plugin inspect`.

use crate::app::App;
use crate::cli::Verdict;
use crate::cli::output::{Output, bytes, table};
use crate::plugin::{self, Listed};
use crate::remote::{RemoteError, Server};
use crate::store::PluginVersion;
use anyhow::Context as _;
use clap::Args;

/// Show what a plugin is: kind, version, imports, size, digest, configuration; nothing of it runs but its descriptor
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  telemill plugin inspect ecommerce")]
pub(in crate::cli) struct Inspect {
    /// A name, a .wasm file or sha256:DIGEST
    plugin: String,
    /// Print its configuration's JSON Schema alone
    #[arg(long)]
    schema: bool,
    /// Print the run spec alone that was installed with it
    #[arg(long, conflicts_with = "schema")]
    scenario: bool,
}

impl Inspect {
    pub(super) fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        let listed = match app.server() {
            Some(server) => server.inspect(&self.plugin)?,
            None => app.registry()?.describe(&self.plugin)?,
        };
        let descriptor = &listed.descriptor;
        if self.scenario {
            let version = match (app.server(), app.records()?) {
                (Some(server), _) => installed_there(server, &listed)?,
                (None, Some(store)) => app.runtime().block_on(store.plugin_version(listed.digest))?,
                (None, None) => None,
            };
            let shipped = plugin::scenario(&descriptor.name).filter(|_| listed.shipped).map(str::to_owned);
            let scenario = version.and_then(|version| version.scenario).or(shipped);
            let text = scenario.with_context(|| format!("no scenario came with {}", self.plugin))?;
            out.print(&text, |out| out.write_all(text.as_bytes()))?;
            return Ok(Verdict::Good);
        }
        if self.schema {
            out.print(&descriptor.config_schema, |out| {
                serde_json::to_writer_pretty(&mut *out, &descriptor.config_schema)?;
                writeln!(out)
            })?;
            return Ok(Verdict::Good);
        }
        out.print(&listed, |out| {
            writeln!(out, "{} {}, a {}", descriptor.name, descriptor.version, listed.kind)?;
            writeln!(out, "{}", descriptor.summary)?;
            writeln!(out, "digest sha256:{}, {}", listed.digest, bytes(listed.size_bytes))?;
            writeln!(out, "imports {}", listed.imports.join(", "))?;
            let ran = if listed.described_now {
                "its descriptor was asked for just now, and nothing else of it ran"
            } else {
                "nothing of it ran: this is what its descriptor said before"
            };
            writeln!(out, "{ran}\n\n{}", descriptor.documentation)?;
            let property = |(name, schema): (&String, &serde_json::Value)| {
                let text = |key: &str| match schema.get(key) {
                    Some(serde_json::Value::String(text)) => text.split_whitespace().collect::<Vec<_>>().join(" "),
                    Some(value) => value.to_string(),
                    None => String::new(),
                };
                let mut default = text("default");
                if default.chars().count() > 40 {
                    default = default.chars().take(39).chain(['…']).collect();
                }
                vec![name.clone(), default, text("description")]
            };
            let properties = descriptor.config_schema.get("properties").and_then(serde_json::Value::as_object);
            let rows: Vec<_> = properties.into_iter().flatten().map(property).collect();
            writeln!(out)?;
            table(out, &["configuration", "default", "what"], &rows)
        })?;
        Ok(Verdict::Good)
    }
}

/// The installed version that a component of a server is, where it is one.
fn installed_there(server: &Server, listed: &Listed) -> Result<Option<PluginVersion>, RemoteError> {
    let versions = match server.plugin(&listed.descriptor.name) {
        Err(error) if error.status() == Some(404) => Vec::new(),
        listing => listing?.versions,
    };
    Ok(versions.into_iter().find(|version| version.digest == listed.digest))
}
