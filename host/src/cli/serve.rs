//! `telemill serve`: the HTTP API over a data folder, in one process.

use super::Verdict;
use super::output::Output;
use super::run::on_ctrl_c;
use crate::alert::Notifier;
use crate::app::App;
use crate::http::{Access, Server, Services};
use crate::run::{Cancel, Supervisor};
use crate::schedule::{Scheduler, SystemClock, read_all};
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
/// On loopback no token is needed; any other address asks for one of each request (`telemill token create`).
/// /api/v1/openapi.json tells what there is.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  telemill serve --listen 127.0.0.1:8080\n  telemill serve --pipeline plugins/device-fleet/pipelines/collection.toml"
)]
pub(super) struct Serve {
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
        let pipelines = read_all(&self.pipelines)?;
        let (writer, log) = app.writer_with_log()?;
        let runtime = app.runtime();
        let access = Access::of(self.listen);
        if access == Access::Token && !has_token(&writer.host)? {
            bail!(
                "{} can be reached from elsewhere, which needs a token: `telemill token create NAME --scope write` makes one",
                self.listen
            );
        }
        let host = Arc::clone(&writer.host);
        let runs = Arc::new(Supervisor::new(Arc::clone(&host)));
        // Held until the server ends.
        let _watch = self.plugins_dir.as_deref().map(|dir| versions::watch(Arc::clone(&host), dir)).transpose()?;
        let services = Arc::new(Services::new(Arc::clone(&host), Arc::clone(&runs), Arc::clone(&log), access));
        let notifier = Notifier::new(services.alerts.clone(), &app.settings().alert)?;
        let scheduler = Scheduler::new(pipelines, services.alerts.clone());
        let bound = runtime.block_on(Server::bind(self.listen));
        let server = bound.with_context(|| format!("can't listen on {}", self.listen))?;
        let address = server.address();
        out.print(&json!({ "listening": format!("http://{address}") }), |out| {
            writeln!(out, "listening on http://{address}")
        })?;
        let stop = on_ctrl_c(app);
        let scheduled = std::thread::scope(|scope| {
            scope.spawn(|| notifier.run(&stop));
            // A scheduler that can't go on ends the server, which would promise what nobody does.
            let scheduled = scope.spawn(|| scheduler.run(&host, &SystemClock, &stop).inspect_err(|_| stop.cancel()));
            runtime.block_on(server.run(services, &app.settings().server, stopped(Arc::clone(&stop))));
            stop.cancel();
            scheduled.join()
        });
        runs.shut_down();
        log.close().context("rows stay in the log, for they can't be moved into the lake")?;
        match scheduled {
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
