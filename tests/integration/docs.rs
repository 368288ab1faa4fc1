//! Runs the commands that README.md and docs/ show, so that the pages stay true.
//!
//! A block marked `sh` is run as it stands, in a temporary folder that the blocks of one page share and
//! that has the repository's `plugins/` and `docs/` in it. A block marked `console` needs something that a test does
//! not have, such as a server: of it, every `telemill` command must exist and know the flags that are shown.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use telemill_tests::{repository, telemill};

use crate::tidy::files_in;

/// Commands that a block may show and this test leaves out: they would run it within itself, or need
/// a network.
const NOT_RUN: [&str; 6] = ["cargo xtask ", "cargo build", "cargo install", "git clone", "cd telemill", "rustup "];

/// A fenced block of a page.
#[derive(Debug, PartialEq, Eq)]
struct Block {
    language: String,
    /// Of its first line, from 1.
    line: usize,
    text: String,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (number, line) in page.lines().enumerate() {
        match (line.trim_start().strip_prefix("```"), &mut open) {
            (Some(language), None) => {
                open = Some(Block { language: language.trim().to_owned(), line: number + 2, text: String::new() });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(block)) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    blocks
}

/// README.md, what is under docs/, and the plugins' own.
fn pages() -> Vec<PathBuf> {
    let mut pages = vec![repository().join("README.md")];
    pages.extend(files_in(&repository().join("docs"), "md"));
    pages.extend(files_in(&repository().join("plugins"), "md"));
    pages
}

/// The commands of a block with lines that go on (`\`) joined; prompts, comments and output left out.
fn commands(block: &Block) -> Vec<String> {
    let joined = block.text.replace("\\\n", " ");
    let lines = joined.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    if block.language == "console" {
        lines.filter_map(|line| line.strip_prefix("$ ")).map(str::to_owned).collect()
    } else {
        lines.map(str::to_owned).collect()
    }
}

fn is_run(command: &str) -> bool {
    !NOT_RUN.iter().any(|start| command.starts_with(start))
}

/// Runs a script in `folder` with the built program first on the path; gives what it wrote where it failed.
fn run(script: &str, folder: &Path) -> Result<(), String> {
    let program = telemill().unwrap();
    let first = program.parent().unwrap().to_owned();
    let others = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths(std::iter::once(first).chain(env::split_paths(&others))).unwrap();
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", script])
        .current_dir(folder)
        .env("PATH", path)
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn commands_in_the_docs_run() {
    let mut faults = Vec::new();
    for page in pages() {
        let folder = tempfile::tempdir().unwrap();
        for shared in ["plugins", "docs"] {
            std::os::unix::fs::symlink(repository().join(shared), folder.path().join(shared)).unwrap();
        }
        let text = fs::read_to_string(&page).unwrap();
        for block in blocks(&text).iter().filter(|block| block.language == "sh") {
            let script: Vec<String> = commands(block).into_iter().filter(|command| is_run(command)).collect();
            if let Err(output) = run(&script.join("\n"), folder.path()) {
                faults.push(format!("{}:{}:\n{}\n{output}", page.display(), block.line, block.text));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn commands_that_are_only_shown_exist() {
    let program = telemill().unwrap();
    let mut faults = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for block in blocks(&text).iter().filter(|block| block.language == "console") {
            for command in commands(block).iter().filter(|command| command.starts_with("telemill ")) {
                if let Err(fault) = exists(&program, command) {
                    faults.push(format!("{}:{}: `{command}`: {fault}", page.display(), block.line));
                }
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// Whether the help of the command that a line names has every long flag that the line uses.
fn exists(program: &Path, line: &str) -> Result<(), String> {
    let words: Vec<&str> =
        line.split_whitespace().skip(1).take_while(|word| !["|", ">", "&&"].contains(word)).collect();
    let names = words
        .iter()
        .take_while(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !word.starts_with('-'));
    // A word behind the command may be its argument (`generate ecommerce`): the longest that has a help counts.
    let names: Vec<&str> = names.copied().collect();
    for count in (1..=names.len()).rev() {
        let output = Command::new(program).args(&names[..count]).arg("--help").output().map_err(|e| e.to_string())?;
        if output.status.success() {
            let help = String::from_utf8_lossy(&output.stdout).into_owned();
            let flags =
                words.iter().filter(|word| word.starts_with("--")).map(|word| word.split('=').next().unwrap_or(word));
            let unknown: Vec<&str> = flags.filter(|flag| !help.contains(flag)).collect();
            return if unknown.is_empty() {
                Ok(())
            } else {
                Err(format!("its help does not know {}", unknown.join(" ")))
            };
        }
    }
    Err("there is no such command".into())
}

#[test]
fn blocks_are_found_with_their_lines() {
    let page = "text\n```sh\ntelemill a \\\n  --b\n# no\n```\n```console\n$ telemill c\noutput\n```\n";
    let found = blocks(page);
    assert_eq!(found.iter().map(|block| block.line).collect::<Vec<_>>(), [3, 8]);
    assert_eq!(commands(&found[0]), ["telemill a    --b"]);
    assert_eq!(commands(&found[1]), ["telemill c"]);
    assert!(!is_run("cargo xtask demo"));
}
