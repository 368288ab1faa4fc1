//! `telemill plugin inspect`.

use crate::app::App;
use crate::cli::Verdict;
use crate::cli::output::{Output, table};
use clap::Args;

/// Show what a plugin says of itself: kind, version, configuration, digest
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  telemill plugin inspect ecommerce")]
pub(in crate::cli) struct Inspect {
    /// A name, a .wasm file or sha256:DIGEST
    plugin: String,
    /// Print its configuration's JSON Schema alone
    #[arg(long)]
    schema: bool,
}

impl Inspect {
    pub(super) fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        let listed = app.registry()?.describe(&self.plugin)?;
        let descriptor = &listed.descriptor;
        if self.schema {
            out.print(&descriptor.config_schema, |out| {
                serde_json::to_writer_pretty(&mut *out, &descriptor.config_schema)?;
                writeln!(out)
            })?;
            return Ok(Verdict::Good);
        }
        out.print(&listed, |out| {
            writeln!(out, "{} {}, a {}", descriptor.name, descriptor.version, listed.kind)?;
            writeln!(out, "{}\ndigest sha256:{}\n\n{}", descriptor.summary, listed.digest, descriptor.documentation)?;
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
