//! Runs the commands that README.md and docs/ show, so that the pages stay true.
//!
//! A block marked `sh` is run as it stands, in a temporary folder that the blocks of one page share, each going on in the
//! folder that the one before ended in. The repository is there as `telemill`, its `plugins/` and `docs/` beside it.
//! A block with `file=NAME` behind its language is written to that file first, so that what a page tells to write
//! is what its commands build. `$REGISTRY` stands for the host and port of a registry of images, which is there.
//! A block marked `console` needs something that a test does not have, such as a server: of it, every `telemill` command must exist and
//! know the flags that are shown.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, fs, thread};

use telemill_tests::{repository, telemill};

use crate::languages::with_caches;
use crate::registry::Registry;
use crate::tidy::files_in;

/// Commands that a block may show and this test leaves out: they would run it within itself, or need
/// a network.
const NOT_RUN: [&str; 5] = ["cargo xtask ", "cargo install", "git clone", "cd telemill", "rustup "];

/// What stands for the address of a registry of images.
const REGISTRY: &str = "REGISTRY";

/// Pages at a time: most of a page's time is one tool's, on one core.
const PAGES_AT_A_TIME: usize = 2;

/// Where the folder is kept that a block ended in.
const AT: &str = ".at";

/// A fenced block of a page.
#[derive(Debug, PartialEq, Eq)]
struct Block {
    language: String,
    /// The file that it is the content of.
    file: Option<String>,
    /// Of its first line, from 1.
    line: usize,
    text: String,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (number, line) in page.lines().enumerate() {
        match (line.trim_start().strip_prefix("```"), &mut open) {
            (Some(info), None) => {
                let mut words = info.split_whitespace();
                let language = words.next().unwrap_or_default().to_owned();
                let file = words.find_map(|word| word.strip_prefix("file=")).map(str::to_owned);
                open = Some(Block { language, file, line: number + 2, text: String::new() });
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

/// The folder that the blocks of a page share.
struct Place {
    folder: tempfile::TempDir,
    registry: Option<Registry>,
}

impl Place {
    /// What the blocks of a page with this text need.
    fn new(page: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let link = |from: &Path, name: &str| std::os::unix::fs::symlink(from, folder.path().join(name)).unwrap();
        link(repository(), "telemill");
        for shared in ["plugins", "docs"] {
            link(&repository().join(shared), shared);
        }
        fs::write(folder.path().join(AT), folder.path().as_os_str().as_encoded_bytes()).unwrap();
        let registry = if page.contains(&format!("${REGISTRY}")) { Registry::start() } else { None };
        Self { folder, registry }
    }

    /// Where the last script ended.
    fn at(&self) -> PathBuf {
        PathBuf::from(fs::read_to_string(self.folder.path().join(AT)).unwrap().trim_end())
    }

    fn write(&self, file: &str, text: &str) {
        assert!(!file.contains("..") && !file.starts_with('/'), "{file} is outside of the page's folder");
        let path = self.at().join(file);
        let parent = path.parent().unwrap();
        fs::create_dir_all(parent).unwrap();
        fs::write(&path, text).unwrap();
        // What pages build shares one tree of compiled dependencies, which outlives the page's folder.
        let target = parent.join("target");
        if text.contains("[workspace]") && !target.exists() {
            let shared = telemill().unwrap().ancestors().nth(2).unwrap().join("docs");
            fs::create_dir_all(&shared).unwrap();
            std::os::unix::fs::symlink(shared, target).unwrap();
        }
    }

    /// Whether a script needs something that this machine has not.
    fn lacks(&self, script: &str) -> bool {
        self.registry.is_none() && script.contains(&format!("${REGISTRY}"))
    }

    /// Runs a script with the built program first on the path; gives what it wrote where it failed.
    fn run(&self, script: &str) -> Result<(), String> {
        let program = telemill().unwrap();
        let first = program.parent().unwrap().to_owned();
        let others = env::var_os("PATH").unwrap_or_default();
        let path = env::join_paths(std::iter::once(first).chain(env::split_paths(&others))).unwrap();
        let mut command = Command::new("bash");
        // What was set for this test's own build is nothing to a reader's.
        for name in ["CARGO_TARGET_DIR", "CARGO_INCREMENTAL", "CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS"] {
            command.env_remove(name);
        }
        if let Some(registry) = &self.registry {
            command.env(REGISTRY, registry.address().to_string());
        }
        let output = with_caches(&mut command)
            .args(["-euo", "pipefail", "-c", &format!("{script}\npwd > \"$DOCS_AT\"")])
            .current_dir(self.at())
            .env("PATH", path)
            .env("NO_COLOR", "1")
            .env("DOCS_AT", self.folder.path().join(AT))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        if output.status.success() {
            return Ok(());
        }
        Err(format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
    }
}

/// What goes wrong in a page's blocks, one after the other.
fn faults_of(page: &Path) -> Vec<String> {
    let text = fs::read_to_string(page).unwrap();
    let place = Place::new(&text);
    let mut faults = Vec::new();
    for block in &blocks(&text) {
        match &block.file {
            Some(file) => place.write(file, &block.text),
            None if block.language == "sh" => {
                let script: Vec<String> = commands(block).into_iter().filter(|command| is_run(command)).collect();
                let script = script.join("\n");
                if place.lacks(&script) {
                    continue;
                }
                if let Err(output) = place.run(&script) {
                    faults.push(format!("{}:{}:\n{}\n{output}", page.display(), block.line, block.text));
                }
            }
            None => {}
        }
    }
    faults
}

#[test]
fn commands_in_the_docs_run() {
    let (pages, next) = (pages(), AtomicUsize::new(0));
    let some =
        || std::iter::from_fn(|| pages.get(next.fetch_add(1, Ordering::Relaxed))).flat_map(|page| faults_of(page));
    let faults: Vec<String> = thread::scope(|scope| {
        let threads: Vec<_> = (0..PAGES_AT_A_TIME).map(|_| scope.spawn(|| some().collect::<Vec<_>>())).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
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
        // The help of a scenario's options reads its plugins, whose compiled code goes to the data folder.
        let folder = tempfile::tempdir().unwrap();
        let mut help = Command::new(program);
        help.args(&names[..count]).arg("--help").env("TELEMILL_DATA_DIR", folder.path());
        let output = help.output().map_err(|e| e.to_string())?;
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

/// A page without its blocks, which may have what looks like a link in some language.
fn prose(page: &str) -> String {
    page.split("```").step_by(2).collect()
}

/// Where the links of a page lead, those to the web apart.
fn links(prose: &str) -> Vec<&str> {
    let targets = prose.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    targets.filter(|target| !target.starts_with("http")).collect()
}

/// The anchors of a page's headings, as its readers' programs make them.
fn anchors(page: &str) -> Vec<String> {
    let headings = page.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    headings.map(|heading| heading.to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-")).collect()
}

#[test]
fn links_in_the_docs_lead_somewhere() {
    let mut faults = Vec::new();
    for page in pages() {
        let text = prose(&fs::read_to_string(&page).unwrap());
        for link in links(&text) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            let found = target.exists()
                && (anchor.is_empty() || anchors(&fs::read_to_string(&target).unwrap()).iter().any(|a| a == anchor));
            if !found {
                faults.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(faults.is_empty(), "nothing is there:\n{}", faults.join("\n"));
}

#[test]
fn blocks_are_found_with_their_lines() {
    let page = "text\n```sh\ntelemill a \\\n  --b\n# no\n```\n```console\n$ telemill c\noutput\n```\n```rust file=a/b.rs\n//! c\n```\n";
    let found = blocks(page);
    assert_eq!(found.iter().map(|block| block.line).collect::<Vec<_>>(), [3, 8, 12]);
    assert_eq!((found[2].language.as_str(), found[2].file.as_deref()), ("rust", Some("a/b.rs")));
    assert_eq!(commands(&found[0]), ["telemill a    --b"]);
    assert_eq!(commands(&found[1]), ["telemill c"]);
    assert!(!is_run("cargo xtask demo"));
}

#[test]
fn links_and_anchors_are_found() {
    let page = "a [b](c.md#d-e), [f](https://g.h)\n```javascript\nx[k](l)\n```\nand [i](j)";
    assert_eq!(links(&prose(page)), ["c.md#d-e", "j"]);
    assert_eq!(anchors("# A run, file by file\ntext\n## The `x`"), ["a-run-file-by-file", "the-x"]);
}

/// A promise that no test holds is a wish: every test that docs/SECURITY.md names is there, and each promise names one.
#[test]
fn every_promise_names_a_test_that_exists() {
    let page = fs::read_to_string(repository().join("docs/SECURITY.md")).unwrap();
    let promised = page.split("## What is promised").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows: Vec<&str> = promised.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    assert!(rows.len() > 20, "the table was not found");
    for row in rows {
        let held_by = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        let tests: Vec<&str> = held_by.split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "no test holds: {row}");
        for test in tests {
            let (modules, name) = test.rsplit_once("::").unwrap_or_else(|| panic!("{test} has no module"));
            let path = repository().join("tests/integration").join(modules.replace("::", "/")).with_extension("rs");
            let source = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{test}: {}: {e}", path.display()));
            assert!(source.contains(&format!("#[test]\nfn {name}()")), "there is no test {test}");
        }
    }
}
