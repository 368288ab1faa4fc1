//! `telemill plugin`: a file for each command.

mod inspect;
mod list;
mod test;

use super::Verdict;
use super::output::Output;
use crate::app::App;
use clap::Subcommand;

/// List, inspect and test plugins
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  telemill plugin inspect ecommerce")]
pub(super) enum Plugin {
    List(list::List),
    Inspect(inspect::Inspect),
    Test(test::Test),
}

impl Plugin {
    pub(super) fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        match self {
            Self::List(command) => command.run(app, out),
            Self::Inspect(command) => command.run(app, out),
            Self::Test(command) => command.run(app, out),
        }
    }
}
