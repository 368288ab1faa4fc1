//! `telemill serve`: the HTTP API over a data folder, in one process.

use super::Verdict;
use super::output::Output;
use super::run::on_ctrl_c;
use crate::alert::{Alerts, Notifier};
use crate::app::App;
use crate::http::{Access, Server, Services};
use crate::plugin::log_to_tracing;
use crate::run::{Cancel, Supervisor};
use crate::schedule::{Scheduler, SystemClock, read_all};
use crate::stream::Streams;
use crate::versions;
use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::json;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How often is looked whether to stop.
const LOOK: Duration = Duration::from_millis(50);

/// Serve the data folder over HTTP until Ctrl-C or SIGTERM
///
/// Streams that were under way go on. On loopback no token is needed; any other address asks for one of each request
/// (`telemill token create`). /api/v1/openapi.json tells what there is.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  telemill serve --listen 127.0.0.1:8080\n  telemill serve --pipeline plugins/device-fleet/pipelines/collection.toml"
)]
pub(super) struct Serve {
    #[command(flatten)]
    serving: Serving,
}

/// What a server is told.
#[derive(Debug, Args)]
pub(super) struct Serving {
    /// Where to listen; port 0 lets the system choose one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Run this pipeline, a file, when it is due; can be given several times
    #[arg(long = "pipeline", value_name = "FILE")]
    pipelines: Vec<PathBuf>,
    /// A folder to watch: a component that is in it, or comes into it, is installed as if it were uploaded
    #[arg(long, value_name = "DIR")]
    plugins_dir: Option<PathBuf>,
}

impl Serve {
    pub(super) fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        self.serving.serve(app, |streams, url| {
            let streams = streams.take_up_all()?;
            out.print(&json!({ "listening": url, "streams": streams }), |out| {
                writeln!(out, "listening on {url}")?;
                match streams {
                    0 => Ok(()),
                    _ => writeln!(out, "streams that go on: {streams}"),
                }
            })
        })
    }
}

impl Serving {
    /// Serves until somebody asks to stop; `begin` takes streams up, or starts one, and says where the server is.
    pub(super) fn serve(
        self,
        app: &App,
        begin: impl FnOnce(&Streams, &str) -> anyhow::Result<()>,
    ) -> anyhow::Result<Verdict> {
        let pipelines = read_all(&self.pipelines)?;
        let (writer, log) = app.writer_with_log()?;
        let (runtime, settings) = (app.runtime(), app.settings());
        let access = Access::of(self.listen);
        if access == Access::Token && !has_token(&writer.host)? {
            bail!(
                "{} can be reached from elsewhere, which needs a token: `telemill token create NAME --scope write` makes one",
                self.listen
            );
        }
        let host = Arc::clone(&writer.host);
        let runs = Arc::new(Supervisor::new(Arc::clone(&host)));
        let alerts = Alerts::new(host.store.clone(), host.runtime.clone());
        let streams = Streams::new(&host, alerts.clone(), settings.streams.clone(), log_to_tracing())?;
        // Held until the server ends.
        let _watch = self.plugins_dir.as_deref().map(|dir| versions::watch(Arc::clone(&host), dir)).transpose()?;
        let notifier = Notifier::new(alerts.clone(), &settings.alert)?;
        let scheduler = Scheduler::new(pipelines, alerts.clone()).with_log(Arc::clone(&log));
        let bound = runtime.block_on(Server::bind(self.listen));
        let server = bound.with_context(|| format!("can't listen on {}", self.listen))?;
        let stop = on_ctrl_c(app);
        let url = format!("http://{}", server.address());
        let services =
            Services::new(Arc::clone(&host), Arc::clone(&runs), streams.clone(), Arc::clone(&log), alerts, access);
        let served = begin(&streams, &url).map(|()| {
            std::thread::scope(|scope| {
                scope.spawn(|| notifier.run(&stop));
                // A scheduler that can't go on ends the server, which would promise what nobody does.
                let scheduled =
                    scope.spawn(|| scheduler.run(&host, &SystemClock, &stop).inspect_err(|_| stop.cancel()));
                let stopped = stopped(Arc::clone(&stop));
                runtime.block_on(server.run(Arc::new(services), &settings.server, stopped));
                stop.cancel();
                scheduled.join()
            })
        });
        // Both end where they can go on.
        streams.shut_down();
        runs.shut_down();
        log.close().context("rows stay in the log, for they can't be moved into the lake")?;
        match served? {
            Ok(ended) => ended?,
            Err(panic) => std::panic::resume_unwind(panic),
        }
        Ok(Verdict::Good)
    }
}

/// Done when somebody asks to stop.
async fn stopped(cancel: Arc<Cancel>) {
    while !cancel.is_cancelled() {
        tokio::time::sleep(LOOK).await;
    }
}

fn has_token(host: &crate::run::Host) -> anyhow::Result<bool> {
    let tokens = host.runtime.block_on(host.store.tokens())?;
    Ok(tokens.iter().any(|token| token.revoked_at.is_none()))
}
