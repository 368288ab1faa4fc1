//! `telemill plugin install` and `telemill plugin push`.

use super::switch::{follow, tell_streams};
use crate::api::Uploaded;
use crate::app::App;
use crate::cli::Verdict;
use crate::cli::output::{Output, bytes};
use crate::core::digest::{BY_DIGEST, Digest};
use crate::run;
use crate::versions::{self, Followed, Found, Image, Installed, Source};
use clap::Args;
use serde_json::json;

/// Check a component and keep it as a version of its plugin; `plugin enable` makes it the one that its name means
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  telemill plugin install mine.wasm --enable\n  telemill plugin install oci://registry.example/plugins/thermostats:1.2.0"
)]
pub(in crate::cli) struct Install {
    /// A .wasm file, a folder with one (such as a project that was built), a URL, or oci://HOST/REPOSITORY:TAG
    source: String,
    /// Take nothing but the component of this digest, 64 hex digits
    #[arg(long, value_name = "SHA256")]
    digest: Option<String>,
    /// The generator whose targets and rows an incident model or a validator is tried on; the one that suits best of those
    /// that ship or are installed where it is left out
    #[arg(long, value_name = "PLUGIN")]
    generator: Option<String>,
    /// Enable it at once
    #[arg(long)]
    enable: bool,
}

/// Push a component to a registry of images, and print the digest that pins it
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  telemill plugin push mine.wasm oci://127.0.0.1:5000/plugins/mine:1.0.0\n\nTELEMILL_OCI_USER and TELEMILL_OCI_PASSWORD say who asks, where the registry wants to know."
)]
pub(in crate::cli) struct Push {
    /// A .wasm file, a folder with one, a name or sha256:DIGEST
    plugin: String,
    /// oci://HOST/REPOSITORY:TAG
    image: String,
}

impl Install {
    pub(super) fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        let pin = self.digest.as_deref().map(digest).transpose()?;
        let found = Source::parse(&self.source)?.fetch(&app.settings().limits, app.runtime().handle(), pin)?;
        let (installed, enabled) = match app.server() {
            Some(server) => {
                if found.scenario.is_some() {
                    tracing::warn!("the scenario beside it stays here: a server takes the component alone");
                }
                let Uploaded { installed, activated } =
                    server.install(found.bytes, pin, self.generator.as_deref(), self.enable)?;
                (installed, activated)
            }
            None => self.keep(app, &found)?,
        };
        let version = &installed.version;
        let exact = version.digest.reference();
        out.print(&json!({ "installed": installed, "enabled": enabled }), |out| {
            let (name, had) = (&version.name, if installed.new { "installed" } else { "was installed already" });
            writeln!(out, "{name} {} ({}, {}) {had}", version.version, version.kind, bytes(version.size_bytes))?;
            writeln!(out, "{exact}")?;
            let Some(enabled) = &enabled else {
                return writeln!(out, "`telemill plugin enable {name}` makes it what the name {name} means");
            };
            writeln!(out, "the name {name} means it now")?;
            tell_streams(out, &enabled.streams)
        })?;
        Ok(Verdict::Good)
    }
}

impl Install {
    fn keep(&self, app: &App, found: &Found) -> anyhow::Result<(Installed, Option<Followed>)> {
        let writer = app.writer()?;
        let installed = versions::install(&writer.host, found, self.generator.clone(), run::now())?;
        let exact = installed.version.digest.reference();
        let enable = || follow(app, &writer.host, versions::enable(&writer.host, &exact, run::now())?);
        let enabled = self.enable.then(enable).transpose()?;
        Ok((installed, enabled))
    }
}

impl Push {
    pub(super) fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        let image = Image::parse(&self.image)?;
        let (limits, runtime) = (&app.settings().limits, app.runtime().handle());
        let registry = app.registry()?;
        let (bytes, scenario) = match Source::parse(&self.plugin)? {
            // What is neither a file nor a folder is a name or a digest.
            Source::File(path) if !path.exists() => (registry.bytes(&self.plugin)?, None),
            source => {
                let found = source.fetch(limits, runtime, None)?;
                (found.bytes, found.scenario)
            }
        };
        let plugin = registry.engine().load(&self.plugin, &bytes)?;
        let manifest = versions::push(&image, &plugin, bytes, scenario, runtime)?;
        let pushed = json!({ "image": image.to_string(), "manifest": manifest, "component": plugin.digest() });
        out.print(&pushed, |out| {
            writeln!(out, "{} is {image}", plugin.id())?;
            writeln!(out, "pinned: {image}@{manifest}")
        })?;
        Ok(Verdict::Good)
    }
}

fn digest(text: &str) -> anyhow::Result<Digest> {
    text.strip_prefix(BY_DIGEST).unwrap_or(text).parse().map_err(anyhow::Error::msg)
}
