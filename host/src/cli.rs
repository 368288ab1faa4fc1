//! The command line: one file per command under `cli/`. Data goes to standard output, progress and logs to
//! standard error; exit codes are 0 for good, 1 for a negative verdict, 2 for wrong use or I/O.

mod alert;
mod clean;
mod collect;
mod dataset;
mod doctor;
mod export;
mod fit;
mod generate;
mod generated;
mod ingest;
mod load;
mod options;
mod output;
mod place;
mod plugin;
mod preview;
mod profiles;
mod progress;
mod run;
mod schedule;
mod serve;
mod shell;
mod span;
mod sql;
mod stream;
mod summary;
mod token;
mod up;
mod user_data;
mod validate;
mod value;
mod work;

use crate::app::{App, Origin};
use crate::worker::Program;
use anyhow::Context as _;
use clap::{ArgMatches, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

/// How a command ended that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Exit code 0.
    Good,
    /// Exit code 1: a check, a validator or a receiver said no.
    Negative,
}

/// Realistic, labelled operational data from simulations that are sandboxed WebAssembly components.
#[derive(Parser)]
#[command(name = "telemill", version, about, max_term_width = 110)]
#[command(
    after_help = "Example:\n  telemill run start ecommerce --duration 1d\n  telemill sql \"SELECT count(*) FROM ecommerce.transactions\""
)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Clone, Args)]
struct Global {
    /// Where lake, catalog and plugins live [default: ./telemill-data]
    #[arg(long, global = true, value_name = "DIR", env = "TELEMILL_DATA_DIR", help_heading = "Global options")]
    data_dir: Option<PathBuf>,
    /// Work on the data of the server at this address, such as http://127.0.0.1:8080
    #[arg(long, global = true, value_name = "URL", env = "TELEMILL_SERVER", help_heading = "Global options")]
    server: Option<String>,
    /// What opens that server, from `telemill token create`
    #[arg(
        long,
        global = true,
        value_name = "SECRET",
        env = "TELEMILL_TOKEN",
        hide_env_values = true,
        help_heading = "Global options"
    )]
    token: Option<String>,
    /// Print results as JSON
    #[arg(long, global = true, help_heading = "Global options")]
    json: bool,
    /// Show no progress and only warnings and errors
    #[arg(long, short, global = true, help_heading = "Global options")]
    quiet: bool,
    /// How the log on standard error is written: text, or json for an object a line
    #[arg(
        long,
        global = true,
        value_name = "FORMAT",
        env = "TELEMILL_LOG_FORMAT",
        default_value = "text",
        // Said above: a list of them would make the help of every command a long one.
        hide_possible_values = true,
        help_heading = "Global options"
    )]
    log_format: output::LogFormat,
    /// A setting, such as limits.memory_bytes=134217728; telemill.toml and TELEMILL_LIMITS_MEMORY_BYTES say the same
    #[arg(long = "setting", global = true, value_name = "KEY=VALUE", help_heading = "Global options")]
    settings: Vec<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Generate(generate::Generate),
    Preview(preview::Preview),
    #[command(subcommand)]
    Run(run::Run),
    #[command(subcommand)]
    Stream(stream::Stream),
    Validate(validate::Validate),
    #[command(subcommand)]
    Dataset(dataset::Dataset),
    Ingest(ingest::Ingest),
    Fit(fit::Fit),
    Clean(clean::Clean),
    Collect(collect::Collect),
    #[command(subcommand)]
    Import(user_data::Import),
    #[command(subcommand)]
    UserData(user_data::UserData),
    Sql(sql::Sql),
    Export(export::Export),
    #[command(subcommand)]
    Load(load::Load),
    #[command(subcommand)]
    Schedule(schedule::Schedule),
    #[command(subcommand)]
    Alert(alert::Alert),
    #[command(subcommand)]
    Plugin(plugin::Plugin),
    Serve(serve::Serve),
    Up(up::Up),
    #[command(subcommand)]
    Token(token::Token),
    Doctor(doctor::Doctor),
    #[command(hide = true)]
    Completions(shell::Completions),
    #[command(hide = true)]
    Man(shell::Man),
}

/// Runs the command line `args`, whose first word is the program's name.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    // Before the settings are read and the plugins' options are looked up: a worker knows nothing but its job.
    if let Some(job) = work::job(&args) {
        return work::run(job);
    }
    let matches = match parse(args) {
        Ok(matches) => matches,
        Err(error) => error.exit(),
    };
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    let log_format = cli.global.log_format;
    output::init_log(cli.global.quiet, log_format);
    match dispatch(cli, &matches) {
        Ok(Verdict::Good) => ExitCode::SUCCESS,
        Ok(Verdict::Negative) => ExitCode::from(1),
        Err(error) if output::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::print_error(&error, log_format);
            ExitCode::from(2)
        }
    }
}

/// Parses, with the options of the plugins that the words name.
fn parse(args: Vec<OsString>) -> Result<ArgMatches, clap::Error> {
    options::with_plugin_options(Cli::command(), &args).try_get_matches_from(args)
}

/// Everything put together, with this program as its own worker.
fn open(origin: Origin) -> anyhow::Result<App> {
    let program = Program::this().context("can't find this program, to start workers of it")?;
    Ok(App::new(origin).context("can't use the settings")?.with_worker(program))
}

fn dispatch(cli: Cli, matches: &ArgMatches) -> anyhow::Result<Verdict> {
    let server = place::server(&cli, matches)?;
    let Global { data_dir, json, quiet, log_format, settings, .. } = cli.global.clone();
    let app = open(Origin { data_dir, settings })?.with_server(server);
    let out = output::Output { json, quiet, log_format };
    let verdict = match cli.command {
        Command::Generate(command) => command.run(&app, &out, matches),
        Command::Preview(command) => command.run(&app, &out),
        Command::Run(command) => command.run(&app, &out),
        Command::Stream(command) => command.run(&app, &out),
        Command::Validate(command) => command.run(&app, &out, matches),
        Command::Dataset(command) => command.run(&app, &out),
        Command::Ingest(command) => command.run(&app, &out),
        Command::Fit(command) => command.run(&app, &out),
        Command::Clean(command) => command.run(&app, &out),
        Command::Collect(command) => command.run(&app, &out),
        Command::Import(command) => command.run(&app, &out),
        Command::UserData(command) => command.run(&app, &out),
        Command::Sql(command) => command.run(&app, &out),
        Command::Export(command) => command.run(&app, &out),
        Command::Load(command) => command.run(&app, &out),
        Command::Schedule(command) => command.run(&app, &out),
        Command::Alert(command) => command.run(&app, &out),
        Command::Plugin(command) => command.run(&app, &out),
        Command::Serve(command) => command.run(&app, &out),
        Command::Up(command) => command.run(&app, &out),
        Command::Token(command) => command.run(&app, &out),
        Command::Doctor(command) => command.run(&app, &out),
        Command::Completions(command) => command.run(&mut Cli::command()),
        Command::Man(command) => command.run(&Cli::command()),
    };
    app.shut_down();
    verdict
}
