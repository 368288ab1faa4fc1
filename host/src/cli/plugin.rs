//! `telemill plugin`: a file for each command.

mod build;
mod compare;
mod dev;
mod inspect;
mod install;
mod list;
mod new;
mod switch;
mod test;

use super::Verdict;
use super::output::Output;
use crate::app::App;
use clap::Subcommand;

/// Write, build, install, switch, list, inspect and test plugins
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  telemill plugin inspect ecommerce")]
pub(super) enum Plugin {
    New(new::New),
    Build(build::Build),
    Test(test::Test),
    Dev(dev::Dev),
    List(list::List),
    Inspect(inspect::Inspect),
    Install(install::Install),
    Enable(switch::Enable),
    Disable(switch::Disable),
    Rollback(switch::Rollback),
    Remove(switch::Remove),
    Push(install::Push),
    Compare(compare::Compare),
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
            Self::Install(command) => command.run(app, out),
            Self::Enable(command) => command.run(app, out),
            Self::Disable(command) => command.run(app, out),
            Self::Rollback(command) => command.run(app, out),
            Self::Remove(command) => command.run(app, out),
            Self::Push(command) => command.run(app, out),
            Self::Compare(command) => command.run(app, out),
        }
    }
}
