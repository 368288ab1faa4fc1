//! What worker processes say, as if a plugin had broken out of its sandbox there: frames that honest workers said, changed, cut,
//! doubled and in another order. The host refuses them with an error, starts another worker, or uses what is sound.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use arrow::array::Array as _;
use telemill::app::{App, Origin, Writer};
use telemill::core::cancel::Cancel;
use telemill::core::id::RunId;
use telemill::core::problem::chain;
use telemill::core::time::Timestamp;
use telemill::plugin::check::{CheckOptions, check};
use telemill::plugin::{Engine, Limits, LogSink, PluginError};
use telemill::run::{self, Plan, Request, RunError, RunSpec, Unobserved};
use telemill::worker::Program;
use telemill_tests::{guest, telemill};
use tempfile::TempDir;

use super::texts::mutated;
use super::{Choices, Tally, is_shown_safely};
use crate::harm::component::{Guest, World};
use crate::program::Place;

/// Answers of workers that are tried, for each of their jobs.
const ANSWERS: usize = 250;
/// The same for the check, of which a whole one goes with each.
const CHECKS: usize = 40;
/// The longest that the host may take over an answer, however busy the machine is.
const DEADLINE: Duration = Duration::from_secs(30);
/// The most that an error may say, in bytes.
const MOST_SAID: usize = 64 << 10;
/// Numbers at the edges of what the host counts with.
const NUMBERS: [&str; 6] = ["0", "-1", "18446744073709551615", "9223372036854775807", "1099511627776", "1e300"];

/// Texts and names that no honest worker passes on.
const EVIL: &str = r#"{"crashed":{"plugin":{"name":"a\u001b[2J\nb","version":"\u009b1"},"call":"x\ny","message":"\u001b[31m\nERROR forged\u202e"}}"#;

const LINE: &str = r#"{"Line":{"plugin":{"name":"a\u001b\nb","version":"1"},"call":"\n","level":"error","message":"\u001b[2J\n\u202e"}}"#;
const OTHER: &str = r#"{"Failed":{"Other":"\u001b[2J\nERROR forged"}}"#;
const REFUSED: &str =
    r#"{"Refused":{"rejected":{"origin":"\u001b[2J","reason":{"Invalid":{"message":"\nERROR forged"}}}}}"#;

/// A program that is `telemill`, but for its workers of one job: they say what stands in a file, where it is there. Else the
/// file beside it is made of what an honest worker says.
struct Impostor {
    folder: TempDir,
}

impl Impostor {
    fn new(job: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // The file has what a worker said before the host has it.
        let (at, honest) = (folder.path().display(), telemill().unwrap());
        let text = format!(
            "#!/bin/sh\n[ \"$2\" = {job} ] || exec {honest} \"$@\"\n[ ! -f {at}/told ] || exec /bin/cat {at}/told\n\
             {honest} \"$@\" | /usr/bin/tee /dev/fd/3 3>&1 >{at}/honest\n",
            honest = honest.display()
        );
        let script = folder.path().join("telemill");
        fs::write(&script, text).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        Self { folder }
    }

    fn program(&self) -> Program {
        Program::at(self.path("telemill"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What an honest worker has said, frame by frame, after one had its turn.
    fn honest(&self) -> Vec<Parts> {
        let bytes = fs::read(self.path("honest")).unwrap();
        let frames = frames(&bytes);
        assert!(!frames.is_empty() && written(&frames) == bytes);
        frames
    }

    fn tells(&self, bytes: &[u8]) {
        fs::write(self.path("told"), bytes).unwrap();
    }
}

/// A frame: its head and its blobs.
type Parts = Vec<Vec<u8>>;

/// The frames of a pipe.
fn frames(mut pipe: &[u8]) -> Vec<Parts> {
    let mut take = |length: usize| {
        let (taken, rest) = pipe.split_at(length.min(pipe.len()));
        pipe = rest;
        taken.to_vec()
    };
    let mut frames = Vec::new();
    while let Ok(blobs) = <[u8; 4]>::try_from(take(4)) {
        let mut part = || {
            let length = u64::from_le_bytes(take(8).try_into().unwrap());
            take(length as usize)
        };
        frames.push((0..=u32::from_le_bytes(blobs)).map(|_| part()).collect());
    }
    frames
}

/// The other way round.
fn written(frames: &[Parts]) -> Vec<u8> {
    let mut pipe = Vec::new();
    for frame in frames {
        pipe.extend((frame.len() as u32 - 1).to_le_bytes());
        for part in frame {
            pipe.extend((part.len() as u64).to_le_bytes());
            pipe.extend_from_slice(part);
        }
    }
    pipe
}

/// A head with another number in the place of one of its own.
fn renumbered(head: &str, choices: &mut Choices<'_>) -> String {
    let starts: Vec<usize> = head
        .char_indices()
        .filter(|(at, c)| c.is_ascii_digit() && !head[..*at].ends_with(|before: char| before.is_ascii_alphanumeric()))
        .map(|(at, _)| at)
        .collect();
    let Some(start) = starts.get(choices.below(starts.len())) else { return head.to_owned() };
    let digits = head[*start..].chars().take_while(char::is_ascii_digit).count();
    format!("{}{}{}", &head[..*start], NUMBERS[choices.below(NUMBERS.len())], &head[start + digits..])
}

/// What a worker says, and what else may be said in its place.
struct Said {
    honest: Vec<Parts>,
    /// Whether bytes of blobs may be others.
    blobs: bool,
    /// Heads that an honest worker does not come to.
    heads: Vec<String>,
}

/// Changes frames, in one place or a few. Now and then nothing is changed.
fn changed(Said { honest, blobs, heads }: &Said, choices: &mut Choices<'_>) -> Vec<u8> {
    let mut frames = honest.clone();
    let mut raw = None;
    for _ in 0..choices.below(4) {
        let at = choices.below(frames.len());
        let part = choices.below(frames[at].len());
        match choices.byte() % 9 {
            0 => drop(frames.remove(at)),
            1 => frames.insert(at, honest[choices.below(honest.len())].clone()),
            2 | 3 => {
                let head = String::from_utf8_lossy(&frames[at][0]).into_owned();
                frames[at][0] = mutated(&head, choices).into_bytes();
            }
            4 => {
                let head = String::from_utf8_lossy(&frames[at][0]).into_owned();
                frames[at][0] = renumbered(&head, choices).into_bytes();
            }
            5 => frames.insert(at, vec![heads[choices.below(heads.len())].clone().into_bytes()]),
            6 if *blobs && part > 0 => {
                let byte = choices.below(frames[at][part].len());
                if let Some(byte) = frames[at][part].get_mut(byte) {
                    *byte = choices.byte();
                }
            }
            7 if *blobs && part > 0 => frames[at][part] = choices.bytes(20),
            _ => raw = Some(choices.below(1 << 16)),
        }
        if frames.is_empty() {
            break;
        }
    }
    let mut pipe = written(&frames);
    // A length, or the end of it all.
    if let Some(at) = raw.filter(|_| !pipe.is_empty()) {
        let at = at % pipe.len();
        if at.is_multiple_of(2) { pipe.truncate(at) } else { pipe[at % 12] = 0xff }
    }
    pipe
}

/// Tries changed answers: `ask` is what the host does with one.
fn tried(
    what: &'static str,
    answers: usize,
    (impostor, blobs, heads): (&'static Impostor, bool, &[String]),
    ask: impl Fn() -> Result<(), String> + std::panic::RefUnwindSafe,
) {
    assert!(ask().is_ok(), "an honest worker is believed");
    let said = Said { honest: impostor.honest(), blobs, heads: heads.to_vec() };
    let tally = Tally::default();
    bolero::check!().with_iterations(answers).with_max_len(256).for_each(|input: &[u8]| {
        impostor.tells(&changed(&said, &mut Choices(input)));
        let started = Instant::now();
        let answer = ask();
        assert!(started.elapsed() < DEADLINE, "it took {:?}", started.elapsed());
        match answer {
            Ok(()) => tally.accept(),
            Err(error) => {
                assert!(!error.is_empty() && error.len() < MOST_SAID, "{} bytes: {error:.1000}", error.len());
                assert!(is_shown_safely(&error), "{error:?}");
                tally.refuse();
            }
        }
    });
    tally.expect_both(what);
}

/// A run of two segments whose guest does not ship, so that it is made by workers.
fn spec(folder: &Path) -> RunSpec {
    fs::write(folder.join("hostile.wasm"), guest("hostile").unwrap()).unwrap();
    let text = format!(
        "dataset = \"meters\"\nseed = 7\nstart = \"2026-11-09\"\nduration = \"2m\"\npartitions = 1\nsegment = \"1m\"\n\
         [generator]\nplugin = \"{}\"\n[generator.config]\nfault = \"none\"\n",
        folder.join("hostile.wasm").display()
    );
    RunSpec::parse(&text, false, "of the test").unwrap()
}

/// A sink that holds every line to what can be shown.
fn watched() -> LogSink {
    Arc::new(|line| {
        assert!(is_shown_safely(line.message) && is_shown_safely(&line.plugin.name), "{:?}", line.message);
    })
}

fn words(error: &RunError) -> String {
    use RunError::{Plugin, Shard, Worker};
    assert!(matches!(error, Plugin(_) | Shard { .. } | Worker { .. }), "{error:?}");
    chain(error)
}

/// A host whose workers of one job are not to be believed.
struct Deceived {
    impostor: Impostor,
    app: App,
    place: Place,
}

impl Deceived {
    fn new(job: &str) -> Self {
        let (impostor, place) = (Impostor::new(job), Place::new());
        let origin = Origin { data_dir: Some(place.data()), settings: Vec::new() };
        let app = App::new(origin).unwrap().with_worker(impostor.program());
        Self { impostor, app, place }
    }
}

#[test]
fn what_an_open_instances_worker_answers_is_refused_or_sound() {
    static HOST: LazyLock<Deceived> = LazyLock::new(|| Deceived::new("instance"));
    static PLAN: LazyLock<Plan> = LazyLock::new(|| {
        let Deceived { app, place, .. } = &*HOST;
        let spec = spec(place.path()).resolve(Timestamp(0), 1).unwrap();
        Plan::make(&app.registry().unwrap(), spec, None, app.input_reader(), watched()).unwrap()
    });
    let heads = [LINE.to_owned(), format!(r#"{{"Failed":{{"Plugin":{EVIL}}}}}"#), OTHER.to_owned()];
    tried("an instance's worker", ANSWERS, (&HOST.impostor, true, &heads), || {
        let tables = run::preview(&PLAN, PLAN.spec.window(), &Cancel::default()).map_err(|error| words(&error))?;
        for rows in tables.iter().flatten() {
            rows.columns().iter().for_each(|column| column.to_data().validate_full().unwrap());
        }
        Ok(())
    });
}

#[test]
fn what_a_shards_worker_says_is_refused_or_sound() {
    static HOST: LazyLock<Deceived> = LazyLock::new(|| Deceived::new("shard"));
    static WRITER: LazyLock<Writer> = LazyLock::new(|| HOST.app.writer().unwrap());
    static RUN: LazyLock<RunId> = LazyLock::new(|| {
        let started =
            run::start(&WRITER.host, spec(HOST.place.path()), &request(), &|_, _| {}, &Unobserved, &Cancel::default());
        started.unwrap().record.id
    });
    fn request() -> Request {
        Request { workers: None, log: watched() }
    }
    LazyLock::force(&RUN);
    let failed = |failure: &str| format!(r#"{{"Failed":{{"window":null,"failure":{failure}}}}}"#);
    let heads = [LINE.to_owned(), failed(&format!(r#"{{"Plugin":{EVIL}}}"#)), failed(r#"{"Other":"\u001b[2J\n"}"#)];
    tried("a shard's worker", ANSWERS, (&HOST.impostor, true, &heads), || {
        let made = run::verify(&WRITER.host, &RUN, &request(), &Unobserved, &Cancel::default());
        let verified = made.map_err(|error| words(&error))?;
        // What was said is one thing, that it is what was recorded another: the verdict tells them apart.
        assert_eq!(verified.equal, verified.found == verified.recorded);
        Ok(())
    });
}

/// Machine code from a worker is believed: it is what compiling is for. All else that such a worker says is not.
#[test]
fn what_a_compilers_worker_says_is_refused_or_sound() {
    static IMPOSTOR: LazyLock<Impostor> = LazyLock::new(|| Impostor::new("compile"));
    static ENGINE: LazyLock<Engine> =
        LazyLock::new(|| Engine::with_compiler(Limits::default(), None, IMPOSTOR.program()).unwrap());
    static COMPONENT: LazyLock<Vec<u8>> = LazyLock::new(|| Guest::new(World::Generator).build());
    let heads = [format!(r#"{{"Refused":{EVIL}}}"#), REFUSED.to_owned()];
    tried("a compiler's worker", ANSWERS, (&IMPOSTOR, false, &heads), || match ENGINE.load("case.wasm", &COMPONENT) {
        Ok(_) => Ok(()),
        Err(PluginError::Dead { .. } | PluginError::Io { .. }) => panic!("an error of the wrong kind"),
        Err(error) => Err(error.to_string()),
    });
}

#[test]
fn what_the_worker_of_a_check_says_is_compared() {
    static IMPOSTOR: LazyLock<Impostor> = LazyLock::new(|| Impostor::new("check"));
    static ENGINE: LazyLock<Engine> =
        LazyLock::new(|| Engine::with_compiler(Limits::default(), None, IMPOSTOR.program()).unwrap());
    static COMPONENT: LazyLock<Vec<u8>> = LazyLock::new(|| Guest::new(World::Generator).build());
    let law = "another process, same rows";
    let heads = [r#"{"Failed":"\u001b[2J\nERROR"}"#.to_owned()];
    tried("the worker of a check", CHECKS, (&IMPOSTOR, true, &heads), || {
        let options = CheckOptions { length_us: 60_000_000, ..CheckOptions::default() };
        let report = check(&ENGINE, "case.wasm", &COMPONENT, &options);
        let told = report.checks.iter().find(|check| check.name == law).unwrap();
        if report.passed() { Ok(()) } else { Err(told.message.clone()) }
    });
}
