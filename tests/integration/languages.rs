//! Plugins in other languages than Rust: made by `plugin new`, built by their languages' own tools, and run.
//!
//! npm and pip install the tools into folders below Cargo's target folder, where they stay; a project whose sources are what they
//! were is not built again.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};
use std::{fs, io};

use serde_json::Value;
use telemill_tests::repository;

use crate::program::{Answer, Place, Running, answer, program, wait_until};

/// What `plugin new`'s generator makes, in the seed and span below, in languages that take their sine from the same library.
const HELLO: &str = "[generator]\nplugin = \"PLUGIN\"\n";
/// A run of a day in two partitions.
const DAY: &str =
    "dataset = \"homes\"\nseed = 7\nstart = \"2026-11-09T00:00:00Z\"\nduration = \"1d\"\npartitions = 2\n";

/// One build at a time: tools share their caches, and a machine has few cores.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Where projects live from one run of the tests to the next.
fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("languages").join(name)
}

/// Builds a project that stays, where it is not built from these sources already; the component.
fn built(name: &str, put: impl FnOnce(&Path)) -> PathBuf {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let project = folder(name);
    fs::create_dir_all(&project).unwrap();
    // What belongs to Telemill comes from the program under test, and the sources from the repository: tools stay.
    for old in ["telemill", "wit", "src"] {
        remove(&project.join(old)).unwrap();
    }
    put(&project);
    let component = project.join("build").join(format!("{name}.wasm"));
    let (stamp, now) = (project.join("build/tested"), sources(&project));
    if component.is_file() && fs::read_to_string(&stamp).is_ok_and(|then| then == now) {
        return component;
    }
    telemill(&["plugin", "build", project.to_str().unwrap()]).with_code(0);
    fs::write(stamp, now).unwrap();
    component
}

/// The example `name` of plugins/examples.
fn example(name: &str) -> PathBuf {
    built(name, |project| {
        copy(&repository().join("plugins/examples").join(name), project);
    })
}

/// What `plugin new` makes.
fn hello(kind: &str, language: &str) -> PathBuf {
    let name = format!("hello-{kind}-{language}");
    built(&name, |project| {
        let fresh = tempfile::tempdir().unwrap();
        let words =
            ["plugin", "new", &name, "--kind", kind, "--language", language, "--dir", fresh.path().to_str().unwrap()];
        telemill(&words).with_code(0);
        copy(fresh.path(), project);
    })
}

fn telemill(words: &[&str]) -> Answer {
    let data = folder("data");
    fs::create_dir_all(&data).unwrap();
    answer(program(&data).arg("--data-dir").arg(&data).args(words).output().unwrap())
}

/// What a build depends on, as far as it is ours.
fn sources(project: &Path) -> String {
    let templates = repository().join("host/templates");
    let mut files: Vec<PathBuf> = Vec::new();
    let mut folders = vec![project.to_owned(), templates, repository().join("wit")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let made = ["build", "node_modules", "package-lock.json", "telemill", "wit"].contains(&name.as_str());
            if path.is_dir() && (!made || path.starts_with(repository())) && !name.starts_with('.') {
                folders.push(path);
            } else if path.is_file() && !made {
                files.push(path);
            }
        }
    }
    files.sort();
    let texts = files.iter().map(|file| format!("{}\n{}", file.display(), fs::read_to_string(file).unwrap()));
    texts.collect()
}

fn remove(folder: &Path) -> io::Result<()> {
    if folder.exists() { fs::remove_dir_all(folder) } else { Ok(()) }
}

fn copy(from: &Path, to: &Path) {
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

fn fingerprint(place: &Place, spec: &str) -> String {
    place.file("spec.toml", spec);
    let run = place.json(["run", "start", "spec.toml", "--replace", "--json", "--quiet"]);
    run["run"]["fingerprint"].as_str().unwrap().to_owned()
}

#[test]
fn a_generator_and_an_incident_model_in_javascript_run_with_validators_in_python_and_rust() {
    let (fleet, trouble, comfort) = (example("thermostat-fleet"), example("heating-trouble"), example("comfort"));
    let shown = |path: &Path| path.display().to_string();
    for (plugin, generator) in [(&fleet, None), (&trouble, Some(&fleet)), (&comfort, Some(&fleet))] {
        let mut words = vec!["plugin".to_owned(), "test".to_owned(), shown(plugin)];
        words.extend(generator.into_iter().flat_map(|generator| ["--generator".to_owned(), shown(generator)]));
        telemill(&words.iter().map(String::as_str).collect::<Vec<_>>()).with_code(0);
    }
    let place = Place::new();
    let spec = format!(
        "{DAY}[generator]\nplugin = \"{}\"\n[generator.config]\nhomes = 40\n\
         [[incident_models]]\nplugin = \"{}\"\n[incident_models.config]\nfailures_per_day = 4\n\
         [[validators]]\nplugin = \"{}\"\n\
         [[validators]]\nplugin = \"table-rules\"\n",
        shown(&fleet),
        shown(&trouble),
        shown(&comfort)
    );
    let first = fingerprint(&place, &spec);
    assert_eq!(fingerprint(&place, &spec), first, "the same spec made other rows");
    assert_eq!(fingerprint(&place, &spec.replace("partitions = 2", "partitions = 3")), first, "partitions count");
    let struck = place.sql("SELECT count(*) AS rows FROM homes.thermostats WHERE incident_id IS NOT NULL");
    assert!(struck[0]["rows"].as_u64().unwrap() > 50, "{struck:?}");
    place.good(["run", "verify", "--quiet"]);
}

#[test]
fn new_generators_in_javascript_python_and_c_make_the_same_rows() {
    let place = Place::new();
    let prints: Vec<String> = ["javascript", "python", "c"]
        .into_iter()
        .map(|language| {
            let plugin = hello("generator", language).display().to_string();
            fingerprint(&place, &format!("{DAY}{}", HELLO.replace("PLUGIN", &plugin)))
        })
        .collect();
    assert_eq!(prints[0], prints[1]);
    assert_eq!(prints[0], prints[2]);
}

#[test]
fn generators_in_python_c_and_go_keep_the_contract_and_run_beside_rust() {
    let place = Place::new();
    for name in ["parking-garage", "water-meters", "web-cache"] {
        let plugin = example(name).display().to_string();
        telemill(&["plugin", "test", &plugin]).with_code(0);
        let spec = format!("{DAY}{}[[validators]]\nplugin = \"table-rules\"\n", HELLO.replace("PLUGIN", &plugin));
        let first = fingerprint(&place, &spec);
        assert_eq!(fingerprint(&place, &spec.replace("partitions = 2", "partitions = 3")), first, "{name}");
    }
}

/// An exception says what and where, in the words of its language.
#[test]
fn exceptions_arrive_with_their_traceback() {
    let javascript = built("thrower-javascript", |project| {
        let words = ["plugin", "new", "thrower-javascript", "--kind", "generator", "--language", "javascript", "--dir"];
        let fresh = tempfile::tempdir().unwrap();
        telemill(&[words.as_slice(), &[fresh.path().to_str().unwrap()]].concat()).with_code(0);
        let model = fresh.path().join("src/plugin.js");
        let text = fs::read_to_string(&model).unwrap();
        assert!(text.contains("advance(window, rows, effects) {"));
        let broken = "advance(window, rows, effects) {\n        rows.nowhere.push(1);";
        fs::write(&model, text.replace("advance(window, rows, effects) {", broken)).unwrap();
        copy(fresh.path(), project);
    });
    let place = Place::new();
    place.file("spec.toml", format!("{DAY}{}", HELLO.replace("PLUGIN", &javascript.display().to_string())));
    let answer = place.ask(["run", "start", "spec.toml"]);
    let told = answer.refused(&["advance failed", "TypeError", "at advance", "plugin.js"]);
    assert!(!told.err.contains("crashed"), "{}", told.err);
}

#[test]
fn dev_tells_what_a_save_changed() {
    let component = hello("generator", "javascript");
    let place = Place::new();
    let project = place.path().join("project");
    let new = ["plugin", "new", "kettles", "--kind", "generator", "--language", "javascript", "--dir", "project"];
    place.good(new);
    // The tools that are installed already, so that npm has nothing to fetch.
    let tools = component.ancestors().nth(2).unwrap().join("node_modules");
    std::os::unix::fs::symlink(tools, project.join("node_modules")).unwrap();
    let manifest = project.join("telemill-plugin.toml");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(
        &manifest,
        text.replace("[\"npm\", \"install\", \"--no-audit\", \"--no-fund\"]", "[\"npm\", \"--version\"]"),
    )
    .unwrap();
    let out = place.path().join("rounds");
    let mut command = place.command(["plugin", "dev", "project", "--json", "--quiet"]);
    command.stdout(fs::File::create(&out).unwrap()).stderr(Stdio::null());
    let mut dev = Running::from(command.spawn().unwrap());
    let rounds = || -> Vec<Value> {
        let text = fs::read_to_string(&out).unwrap();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    };
    wait_until("the first round is shown", || rounds().len() == 1 || dev.has_ended());
    assert_eq!(rounds()[0]["passed"], true, "{:?}", rounds());
    assert!(rounds()[0]["changes"].is_null());
    let model = project.join("src/plugin.js");
    let text = fs::read_to_string(&model).unwrap();
    // The watch is set up before the round is shown, but its thread may be late: save until it is seen.
    let mut saved = Instant::now() - Duration::from_secs(60);
    wait_until("a save is built and shown", || {
        if saved.elapsed() > Duration::from_secs(30) {
            fs::write(&model, text.replace("0.5 * noise", "0.75 * noise")).unwrap();
            saved = Instant::now();
        }
        rounds().len() == 2 || dev.has_ended()
    });
    let change = &rounds()[1]["changes"][0];
    assert_eq!((change["table"].as_str(), change["rows_now"].as_u64()), (Some("readings"), Some(1_800)));
    assert_eq!(change["changed"]["celsius"].as_u64(), Some(1_800), "{change}");
    dev.interrupt();
    assert_eq!(dev.answer().code, Some(0));
}

#[test]
fn a_missing_tool_is_named_with_how_to_get_it() {
    let place = Place::new();
    let words = ["plugin", "new", "lost", "--kind", "validator", "--language", "javascript"];
    place.good(words);
    let mut command: Command = place.command(["plugin", "build", "lost"]);
    let told = answer(command.env("PATH", "/nowhere").output().unwrap());
    told.refused(&["there is no npm on the path", "apt-get install nodejs npm", "telemill plugin build"]);
    place.ask(words).refused(&["lost is not empty", "--dir"]);
    fs::remove_file(place.path().join("lost/telemill-plugin.toml")).unwrap();
    place.ask(["plugin", "build", "lost"]).refused(&["there is no telemill-plugin.toml", "telemill plugin new"]);
}
