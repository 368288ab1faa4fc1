//! The host's memory is back where it was after every case, measured by kind of case: each kind has a process of its own, in which its
//! cases are tried again and again, and what stays of one is next to nothing. So are its processes: no worker is left.

use std::process::{Command, id};
use std::{env, fs, mem};

use serde_json::json;
use telemill::plugin::{Engine, Limits, log_nowhere};
use telemill_tests::guest;

use super::component::World;
use super::{Case, ENGINE, Follows, bytes, catalogue, compiling, drive, limits};
use crate::hostile;

/// What may stay of a case, on the average of its repetitions: pages of the allocator, not the case.
const STAYS_BYTES: u64 = 16 << 10;
/// Cases of a kind that are tried before it is measured, and while it is, at least.
const WARM_UP: usize = 30;
const MEASURED: usize = 90;
/// The same of cases that take a worker and its time.
const DEAR_WARM_UP: usize = 6;
const DEAR_MEASURED: usize = 30;
/// Says which kind a process measures.
const KIND: &str = "TELEMILL_TESTS_KIND";

/// The memory that this process has written to, without its program, in bytes.
fn resident_bytes() -> u64 {
    resident(id())
}

/// The same of any process.
pub(crate) fn resident(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1_024
}

/// Processes that `process` has started and that are not gone, those that ended unseen among them.
pub(crate) fn children(process: u32) -> Vec<String> {
    let stats = fs::read_dir("/proc").unwrap().flatten();
    let stats = stats.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
    let parent = |stat: &String| stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok();
    stats.filter(|stat| parent(stat) == Some(process)).collect()
}

/// A kind of case: how often it is tried before and while it is measured, and each case.
struct Kind {
    name: String,
    repetitions: (usize, usize),
    cases: Vec<Box<dyn Fn()>>,
}

impl Kind {
    fn new(name: impl Into<String>, cases: impl IntoIterator<Item = Box<dyn Fn()>>) -> Self {
        Self { name: name.into(), repetitions: (WARM_UP, MEASURED), cases: cases.into_iter().collect() }
    }

    fn dear(self) -> Self {
        Self { repetitions: (DEAR_WARM_UP, DEAR_MEASURED), ..self }
    }

    /// What stays of a case, in bytes: the least that is in use in the last rounds beside the least in the first, which lets
    /// what comes and goes be.
    fn stays(&self) -> u64 {
        let (warm_up, measured) = self.repetitions;
        let rounds = |times: usize| times.div_ceil(self.cases.len()).max(3);
        let round = || {
            self.cases.iter().for_each(|case| case());
            resident_bytes()
        };
        (0..rounds(warm_up)).for_each(|_| _ = round());
        let used: Vec<u64> = (0..rounds(measured)).map(|_| round()).collect();
        let third = used.len() / 3;
        let least = |used: &[u64]| used.iter().copied().min().unwrap();
        let (first, last) = (least(&used[..third]), least(&used[used.len() - third..]));
        let between = (used.len() - third) * self.cases.len();
        eprintln!("{}: {first} bytes, after {between} cases more {last}", self.name);
        last.saturating_sub(first) / between as u64
    }
}

/// The catalogue by what follows, so that each way out of the host is measured alone.
fn of_the_catalogue() -> Vec<Kind> {
    let mut kinds: Vec<(mem::Discriminant<Follows>, Vec<Case>)> = Vec::new();
    for case in catalogue() {
        let kind = mem::discriminant(&case.follows);
        match kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, cases)) => cases.push(case),
            None => kinds.push((kind, vec![case])),
        }
    }
    let kind = |cases: Vec<Case>| {
        let name = format!("{:?}", cases[0].follows).split('(').next().unwrap().to_owned();
        let tried = |case: Case| Box::new(move || assert!(drive(&ENGINE, &case.component).is_err())) as Box<dyn Fn()>;
        Kind::new(name, cases.into_iter().map(tried))
    };
    kinds.into_iter().map(|(_, cases)| kind(cases)).collect()
}

/// Every fault of the guest that is written in Rust.
fn in_rust() -> Kind {
    // Enough for every honest call, and over in a moment.
    let engine = Engine::new(Limits { call_fuel: 300_000_000, ..Limits::default() }, None).unwrap();
    let rust = engine.load("hostile.wasm", &guest("hostile").unwrap()).unwrap();
    let tried = |fault: &'static str| {
        let rust = rust.clone();
        let config = json!({ "fault": fault, "after_s": 90 });
        Box::new(move || assert!(hostile::run(&rust, &config, &log_nowhere()).is_err(), "{fault}")) as Box<dyn Fn()>
    };
    Kind::new("a guest in Rust", hostile::failing().map(tried))
}

/// Components that were changed: other ones each time.
fn changed() -> Kind {
    let components = World::ALL.into_iter().flat_map(|world| bytes::mutated(world, 30));
    let tried = |bytes: Vec<u8>| Box::new(move || drop(drive(&ENGINE, &bytes))) as Box<dyn Fn()>;
    Kind::new("changed components", components.map(tried))
}

/// What ends in workers: by their time, by their memory, by a word of theirs.
fn in_workers() -> Vec<Kind> {
    let bomb = |limits: Limits| {
        let engine = compiling::engine(limits);
        Box::new(move || assert!(engine.load("bomb.wasm", &compiling::BOMB).is_err())) as Box<dyn Fn()>
    };
    let engine = compiling::engine(limits());
    let endless = compiling::endless().into_iter().map(|(component, _)| {
        let engine = engine.clone();
        Box::new(move || assert!(drive(&engine, &component).is_err())) as Box<dyn Fn()>
    });
    vec![
        Kind::new("compile bombs, by time", [bomb(Limits { compile_ms: 300, call_ms: 10, ..limits() })]).dear(),
        Kind::new("compile bombs, by memory", [bomb(Limits { compile_bytes: 64 << 20, ..limits() })]).dear(),
        Kind::new("endless schemas", endless).dear(),
    ]
}

fn kinds() -> Vec<Kind> {
    of_the_catalogue().into_iter().chain([in_rust(), changed()]).chain(in_workers()).collect()
}

#[test]
fn the_hosts_memory_is_back_where_it_was() {
    let own = env::current_exe().unwrap();
    let names: Vec<String> = kinds().into_iter().map(|kind| kind.name).collect();
    assert!(names.len() >= 10, "{names:?}");
    for name in names {
        let mut command = Command::new(&own);
        command.args(["--exact", "harm::memory::measured_alone", "--ignored", "--nocapture"]).env(KIND, &name);
        // The allocator of the system gives back what it can, so that what is left is in use.
        command
            .env("MALLOC_ARENA_MAX", "1")
            .env("MALLOC_TRIM_THRESHOLD_", "65536")
            .env("MALLOC_MMAP_THRESHOLD_", "65536");
        let measured = command.output().unwrap();
        let said = String::from_utf8_lossy(&measured.stderr);
        assert!(measured.status.success(), "{said}");
        let line = said.lines().find(|line| line.starts_with(&format!("{name}: ")));
        eprintln!("{}", line.unwrap_or_else(|| panic!("{name} was not measured: {said}")));
    }
}

#[test]
#[ignore = "the_hosts_memory_is_back_where_it_was runs it, once a kind, in processes of their own"]
fn measured_alone() {
    let wanted = env::var(KIND).unwrap();
    let kind = kinds().into_iter().find(|kind| kind.name == wanted).unwrap();
    let stays = kind.stays();
    assert!(stays < STAYS_BYTES, "{stays} bytes stay of each case of {wanted}");
    assert_eq!(children(id()), Vec::<String>::new(), "workers are left");
}
