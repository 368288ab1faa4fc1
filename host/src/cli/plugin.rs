//! `telemill plugin`: a file for each command.

mod build;
mod dev;
mod inspect;
mod list;
mod new;
mod test;

use super::Verdict;
use super::output::Output;
use crate::app::App;
use clap::Subcommand;

/// Write, build, list, inspect and test plugins
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  telemill plugin inspect ecommerce")]
pub(super) enum Plugin {
    New(new::New),
    Build(build::Build),
    Test(test::Test),
    Dev(dev::Dev),
    List(list::List),
    Inspect(inspect::Inspect),
}

impl Plugin {
    pub(super) fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        match self {
            Self::New(command) => command.run(out),
            Self::Build(command) => command.run(app, out),
            Self::Test(command) => command.run(app, out),
            Self::Dev(command) => command.run(app, out),
            Self::List(command) => command.run(app, out),
            Self::Inspect(command) => command.run(app, out),
        }
    }
}
