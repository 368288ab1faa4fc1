//! Projects of plugins that stay from one run of the tests to the next, one folder a language: its tools, which npm and pip
//! install, serve all that are built in it. Everything is below Cargo's target folder, what the tools keep for themselves included.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard};
use std::{fs, io};

use serde_json::Value;
use telemill_tests::repository;

use crate::program::{Answer, answer, program};

/// One build at a time: projects share their tools, and a machine has few cores.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// What stays in a language's folder while the project in it changes.
const TOOLS: [&str; 5] = [".venv", "node_modules", "package-lock.json", "build", "target"];
/// Where tools keep what they have fetched or compiled, by the variables that tell them so.
const CACHES: [(&str, &str); 4] =
    [("npm_config_cache", "npm"), ("PIP_CACHE_DIR", "pip"), ("GOCACHE", "go"), ("ZIG_GLOBAL_CACHE_DIR", "zig")];

/// Variables of the Cargo that runs these tests, which no author has.
const OURS: [&str; 3] = ["CARGO_TARGET_DIR", "CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS"];

/// A folder that stays.
pub(super) fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("languages").join(name)
}

/// The component `name` of a project in `language`, whose files `put` writes; it is not built again where they are what they
/// were. Whatever is built is handed to `look`.
pub(super) fn built(name: &str, language: &str, put: impl FnOnce(&Path), look: impl FnOnce(&Path)) -> PathBuf {
    let _turn = turn();
    let project = laid_out(language, put);
    let kept = folder("built");
    fs::create_dir_all(&kept).unwrap();
    let (component, stamp) = (kept.join(name).with_extension("wasm"), kept.join(name).with_extension("sources"));
    let now = sources(&project);
    if !component.is_file() || fs::read_to_string(&stamp).ok().as_deref() != Some(now.as_str()) {
        let told = telemill(&["plugin", "build", project.to_str().unwrap(), "--json"]).with_code(0);
        let told: Value = serde_json::from_str(&told.out).unwrap();
        look(&project);
        fs::copy(told["component"].as_str().unwrap(), &component).unwrap();
        fs::write(stamp, now).unwrap();
    }
    component
}

/// The example `name` of plugins/examples.
pub(super) fn example(name: &str, language: &str) -> PathBuf {
    built(
        name,
        language,
        |project| copy(&repository().join("plugins/examples").join(name), project),
        own_tests(language),
    )
}

/// What `plugin new` makes.
pub(super) fn hello(kind: &str, language: &str) -> PathBuf {
    built(
        &hello_name(kind, language),
        language,
        |project| copy(new(kind, language).path(), project),
        own_tests(language),
    )
}

/// Runs a project's own tests, as the README of a new one says.
fn own_tests(language: &str) -> impl FnOnce(&Path) {
    let readme = repository().join("host/templates").join(language).join("all/README.md");
    let readme = fs::read_to_string(readme).unwrap();
    let commands = readme.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    let own: Vec<String> = commands.lines().filter(|line| !line.starts_with("telemill")).map(str::to_owned).collect();
    assert!(!own.is_empty(), "{readme}");
    move |project| {
        for line in own {
            let mut command = Command::new("sh");
            command
                .args(["-c", &line])
                .current_dir(project)
                .env("CARGO_NET_OFFLINE", "true")
                .env("GOTOOLCHAIN", "local");
            OURS.iter().for_each(|name| _ = command.env_remove(name));
            answer(with_caches(&mut command).output().unwrap()).with_code(0);
        }
    }
}

/// Does something in the built project that `plugin new` makes, and lets nobody else build meanwhile.
pub(super) fn in_hello<T>(kind: &str, language: &str, work: impl FnOnce(&Path) -> T) -> T {
    hello(kind, language);
    let _turn = turn();
    let project = laid_out(language, |project| copy(new(kind, language).path(), project));
    work(&project)
}

/// A new project in a folder of its own.
pub(super) fn new(kind: &str, language: &str) -> tempfile::TempDir {
    let fresh = tempfile::tempdir().unwrap();
    let name = hello_name(kind, language);
    let dir = fresh.path().to_str().unwrap();
    telemill(&["plugin", "new", &name, "--kind", kind, "--language", language, "--dir", dir]).with_code(0);
    fresh
}

/// The program, with everything that it and the tools keep below the target folder, and no other crates than those that the
/// workspace itself is built with.
pub(super) fn telemill(words: &[&str]) -> Answer {
    let data = folder("data");
    fs::create_dir_all(&data).unwrap();
    let mut command = program(&data);
    command.arg("--data-dir").arg(&data).args(words).env("CARGO_NET_OFFLINE", "true");
    answer(with_caches(&mut command).output().unwrap())
}

/// A tool that keeps what it keeps below the target folder.
pub(crate) fn with_caches(command: &mut Command) -> &mut Command {
    command.envs(CACHES.map(|(variable, name)| (variable, folder("caches").join(name))))
}

pub(super) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

fn hello_name(kind: &str, language: &str) -> String {
    format!("hello-{kind}-{language}")
}

fn turn() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// A language's folder with the files of one project, and the tools that were there. What belongs to Telemill is written by
/// the program under test, with the next build.
fn laid_out(language: &str, put: impl FnOnce(&Path)) -> PathBuf {
    let project = folder(language);
    fs::create_dir_all(&project).unwrap();
    for entry in fs::read_dir(&project).unwrap() {
        let entry = entry.unwrap();
        if !TOOLS.contains(&entry.file_name().to_string_lossy().as_ref()) {
            remove(&entry.path()).unwrap();
        }
    }
    put(&project);
    project
}

fn remove(path: &Path) -> io::Result<()> {
    if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}

/// What a build depends on, as far as it is ours.
fn sources(project: &Path) -> String {
    let ours = ["host/templates", "wit", "plugins/sdk/src"].map(|folder| repository().join(folder));
    let mut files: Vec<PathBuf> = Vec::new();
    let mut folders: Vec<PathBuf> = [project.to_owned()].into_iter().chain(ours).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let theirs =
                path.parent() == Some(project) && [&TOOLS[..], &["telemill", "wit"]].concat().contains(&name.as_str());
            match theirs {
                true => {}
                false if path.is_dir() => folders.push(path),
                false => files.push(path),
            }
        }
    }
    files.sort();
    let texts = files.iter().map(|file| format!("{}\n{}", file.display(), fs::read_to_string(file).unwrap()));
    texts.collect()
}
