//! Components that harm whoever compiles or reads them: a process of its own does it, which the system bounds and which
//! dies alone.

use std::path::PathBuf;
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};
use std::{fs, process};

use telemill::plugin::{Engine, Limit, Limits, Rejection};
use telemill::worker::Program;
use telemill_tests::{plugin, telemill};

use super::component::{Guest, HONEST, Texts, World};
use super::{Case, MISDEEDS, catalogue, drive, limits, rejection};

/// An engine that lets workers compile.
pub(super) fn engine(limits: Limits) -> Engine {
    Engine::with_compiler(limits, None, Program::at(telemill().unwrap())).unwrap()
}

/// A function that is small to write and dear to compile: many variables that live through many branches.
fn bomb(branches: usize) -> Vec<u8> {
    let locals = 1_000;
    let mut body = format!("(local {})", "i32 ".repeat(locals));
    for at in 0..branches {
        let (a, b, c) = (at * 7 % locals, at * 13 % locals, at * 29 % locals);
        body.push_str(&format!(
            "(if (i32.eqz (local.get {a})) (then (local.set {b} (i32.add (local.get {c}) (i32.const {at})))))"
        ));
    }
    Guest::new(World::Generator).extra(&format!("(func {body})")).build()
}

pub(crate) static BOMB: LazyLock<Vec<u8>> = LazyLock::new(|| bomb(40_000));

/// Processes of this one's that compile within this bound on memory, which tells one test's from those of others.
fn compilers(compile_bytes: u64) -> Vec<u32> {
    let children = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
        let id: u32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let parent = stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse::<u32>().ok()?;
        let words = fs::read_to_string(entry.path().join("cmdline")).ok()?;
        (parent == process::id() && words.contains(&format!("worker\0compile\0{compile_bytes}\0"))).then_some(id)
    });
    children.collect()
}

#[test]
fn a_worker_compiles_what_runs_here() {
    let engine = engine(Limits::default());
    let component = plugin("ecommerce").unwrap();
    let loaded = engine.load("ecommerce", &component).unwrap();
    assert_eq!(loaded.id().name, "ecommerce");
    loaded.check_config(&serde_json::json!({})).unwrap();
}

#[test]
fn a_compile_bomb_ends_at_its_deadline() {
    let engine = engine(Limits { compile_ms: 300, call_ms: 10, ..limits() });
    let started = Instant::now();
    let reason = rejection(engine.load("bomb.wasm", &BOMB).unwrap_err());
    assert_eq!(reason, Rejection::CompileCost { limit: Limit::CompileMs, allowed: 300 });
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

#[test]
fn a_compile_bomb_ends_at_its_bound_on_memory() {
    let compile_bytes = 64 << 20;
    let engine = engine(Limits { compile_bytes, compile_ms: 120_000, ..limits() });
    let reason = rejection(engine.load("bomb.wasm", &BOMB).unwrap_err());
    assert_eq!(reason, Rejection::CompileCost { limit: Limit::CompileBytes, allowed: compile_bytes });
}

#[test]
fn a_compiler_that_is_killed_is_told_of() {
    let compile_bytes = limits().compile_bytes + (1 << 20);
    let engine = engine(Limits { compile_bytes, compile_ms: 120_000, ..limits() });
    thread::scope(|scope| {
        let loading = scope.spawn(|| engine.load("bomb.wasm", &BOMB));
        while !loading.is_finished() {
            for compiler in compilers(compile_bytes) {
                drop(process::Command::new("kill").args(["-9", &compiler.to_string()]).status());
            }
            thread::sleep(Duration::from_millis(5));
        }
        let error = loading.join().unwrap_err_or_panic();
        let Rejection::CompilerCrashed { message } = rejection(error) else { panic!("no crash") };
        assert!(message.contains("signal 9"), "{message}");
    });
}

/// Plugins whose schemas would keep the host busy for years, or end it, and why they are refused: two make two of each
/// definition, so many times over, the last is itself.
pub(super) fn endless() -> [(Vec<u8>, &'static str); 3] {
    let doubling = |times: usize| {
        let twice = |n| {
            format!(r##""d{n}": {{"allOf": [{{"$ref": "#/$defs/d{m}"}}, {{"$ref": "#/$defs/d{m}"}}]}}, "##, m = n + 1)
        };
        let all: String = (0..times).map(twice).collect();
        format!(r##"{{"type": "object", "$ref": "#/$defs/d0", "$defs": {{{all} "d{times}": {{}}}}}}"##)
    };
    let itself = r##"{"type": "object", "allOf": [{"$ref": "#"}]}"##.to_owned();
    let cases = [
        (doubling(40), "follows references too deeply"),
        (doubling(14), "combines too many schemas for one value"),
        (itself, "refers to itself for the same value"),
    ];
    cases.map(|(schema, why)| {
        let texts = Texts { schema: &schema, examples: &[("e", "{}")], ..HONEST };
        (Guest::saying(World::Generator, texts).build(), why)
    })
}

/// Seen for what it is before anything is checked against it; were it not, the worker would end with its time.
#[test]
fn a_schema_that_never_ends_ends_with_its_worker() {
    let engine = engine(Limits { compile_ms: 2_000, call_ms: 100, ..limits() });
    for (component, why) in endless() {
        let started = Instant::now();
        match rejection(drive(&engine, &component).unwrap_err()) {
            Rejection::BadDescriptor { problems } => {
                let told: Vec<_> =
                    problems.iter().map(|problem| (problem.path.as_str(), problem.message.as_str())).collect();
                assert_eq!(told, [("config-schema", why)]);
            }
            other => panic!("{other}"),
        }
        assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    }
}

/// The same errors come out of a worker as out of this process.
#[test]
fn cases_that_fail_while_they_are_loaded_fail_the_same_in_a_worker() {
    let engine = engine(limits());
    let loading = |case: &&Case| matches!(case.call, "" | "describe" | "instantiate");
    let cases = catalogue();
    let cases: Vec<_> = cases.iter().filter(loading).collect();
    assert!(cases.len() > 3 * MISDEEDS.len());
    for case in cases {
        case.check(&engine);
    }
}

/// What a worker is started with: nothing of this process's environment, and nothing but its pipes.
#[test]
fn a_worker_has_an_empty_environment_and_few_files() {
    let compile_bytes = limits().compile_bytes + (2 << 20);
    let engine = engine(Limits { compile_bytes, compile_ms: 120_000, ..limits() });
    thread::scope(|scope| {
        let loading = scope.spawn(|| engine.load("bomb.wasm", &BOMB).map(drop));
        let mut seen = false;
        while !loading.is_finished() {
            for compiler in compilers(compile_bytes) {
                let proc = PathBuf::from(format!("/proc/{compiler}"));
                let Ok(limits) = fs::read_to_string(proc.join("limits")) else { continue };
                let bound = |name: &str| {
                    let line = limits.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
                    line.trim_start_matches(name).split_whitespace().next().unwrap_or_default().to_owned()
                };
                // Set by the worker itself, just after it has begun.
                if bound("Max core file size") == "0" && bound("Max open files") == "32" && !seen {
                    assert_eq!(bound("Max file size"), super::limits().memory_bytes.to_string());
                    assert_eq!(bound("Max data size"), compile_bytes.to_string());
                    assert_eq!(fs::read(proc.join("environ")).unwrap_or_default(), b"");
                    let opened = fs::read_dir(proc.join("fd")).map(Iterator::count).unwrap_or_default();
                    assert!(opened <= 8, "{opened} files");
                    seen = true;
                    drop(process::Command::new("kill").args(["-9", &compiler.to_string()]).status());
                }
            }
            thread::sleep(Duration::from_millis(2));
        }
        assert!(seen, "no worker was seen");
    });
}

/// The error of a thread that was expected to have one.
trait UnwrapError<E> {
    fn unwrap_err_or_panic(self) -> E;
}

impl<T, E> UnwrapError<E> for thread::Result<Result<T, E>> {
    fn unwrap_err_or_panic(self) -> E {
        match self {
            Ok(Err(error)) => error,
            Ok(Ok(_)) => panic!("no error"),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}
