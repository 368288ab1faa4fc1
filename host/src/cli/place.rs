//! Where a command works: on this machine's data folder, or on a server's.
//!
//! A flag that a command can't follow is refused; the variable is a default for those that can.

use super::{Cli, Command, plugin, schedule};
use crate::remote::Server;
use anyhow::bail;
use clap::ArgMatches;
use clap::parser::ValueSource;

/// The server that the command line, or else the environment, names for this command.
pub(super) fn server(cli: &Cli, matches: &ArgMatches) -> anyhow::Result<Option<Server>> {
    let Some(url) = &cli.global.server else { return Ok(None) };
    let typed = |name: &str| matches.value_source(name) == Some(ValueSource::CommandLine);
    match (typed("server"), typed("data_dir")) {
        (true, true) => bail!("--server and --data-dir name two places: give one of them"),
        (false, true) => return Ok(None),
        _ => {}
    }
    if let Some(why) = stays_here(&cli.command) {
        if typed("server") {
            bail!("--server can't be followed: {why}");
        }
        return Ok(None);
    }
    Ok(Some(Server::at(url, cli.global.token.as_deref())?))
}

/// Why a command works on this machine whatever is said.
fn stays_here(command: &Command) -> Option<&'static str> {
    const FILES: &str = "this command makes files on this machine and needs no data folder; leave --server out";
    const PROJECT: &str = "this command works on a plugin's project or image on this machine; leave --server out";
    match command {
        Command::Generate(_) | Command::Fit(_) | Command::Completions(_) | Command::Man(_) => Some(FILES),
        Command::Collect(_) => Some("collecting is done by this machine; a pipeline of the server can do it there"),
        Command::Serve(_) | Command::Up(_) => {
            Some("this command is a server itself, over a data folder of this machine")
        }
        Command::Schedule(schedule::Schedule::Run(_)) => {
            Some("the scheduler runs in this process; `telemill serve --pipeline FILE` is one of a server")
        }
        Command::Plugin(
            plugin::Plugin::New(_) | plugin::Plugin::Build(_) | plugin::Plugin::Dev(_) | plugin::Plugin::Push(_),
        ) => Some(PROJECT),
        Command::Preview(_)
        | Command::Run(_)
        | Command::Stream(_)
        | Command::Validate(_)
        | Command::Dataset(_)
        | Command::Ingest(_)
        | Command::Clean(_)
        | Command::Import(_)
        | Command::UserData(_)
        | Command::Sql(_)
        | Command::Export(_)
        | Command::Load(_)
        | Command::Schedule(_)
        | Command::Alert(_)
        | Command::Plugin(_)
        | Command::Token(_)
        | Command::Doctor(_) => None,
    }
}
