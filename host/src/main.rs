//! The `telemill` binary: parse, set up the log, dispatch, say how it ended.

use std::process::ExitCode;

fn main() -> ExitCode {
    telemill::cli::main(std::env::args_os())
}
