//! `telemill plugin`: a file for each command.

mod compare;
mod inspect;
mod install;
mod list;
mod switch;
mod test;

use super::Verdict;
use super::output::Output;
use crate::app::App;
use clap::Subcommand;

/// Install, switch, list, inspect and test plugins
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  telemill plugin inspect ecommerce")]
pub(super) enum Plugin {
    List(list::List),
    Inspect(inspect::Inspect),
    Install(install::Install),
    Enable(switch::Enable),
    Disable(switch::Disable),
    Rollback(switch::Rollback),
    Remove(switch::Remove),
    Push(install::Push),
    Compare(compare::Compare),
    Test(test::Test),
}

impl Plugin {
    pub(super) fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        match self {
            Self::List(command) => command.run(app, out),
            Self::Inspect(command) => command.run(app, out),
            Self::Install(command) => command.run(app, out),
            Self::Enable(command) => command.run(app, out),
            Self::Disable(command) => command.run(app, out),
            Self::Rollback(command) => command.run(app, out),
            Self::Remove(command) => command.run(app, out),
            Self::Push(command) => command.run(app, out),
            Self::Compare(command) => command.run(app, out),
            Self::Test(command) => command.run(app, out),
        }
    }
}
