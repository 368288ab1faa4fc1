//! The command line against a server: the same words, the same output, the same exit codes.

mod changes;
mod letters;
mod refusals;
mod same;

use crate::program::{Answer, Place, Served, answer, program};
use std::process::Command;

/// The program with this command line, in the place's folder, on the data of a server.
fn command<'a>(place: &Place, url: &str, words: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = program(place.path());
    command.args(["--server", url]).args(words);
    command
}

fn ask<'a>(place: &Place, server: &Served, words: impl IntoIterator<Item = &'a str>) -> Answer {
    answer(command(place, &server.url, words).output().unwrap())
}
