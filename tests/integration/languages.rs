//! Plugins in other languages than Rust: made by `plugin new`, built by their languages' own tools, and run.

mod bindings;
mod keyed;
mod projects;
mod state;
mod templates;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

pub(crate) use projects::with_caches;
use projects::{built, copy, example, folder, hello, new, telemill};
use serde_json::Value;

use crate::program::{Answer, Place, Running, answer, wait_until};

/// What `plugin new`'s generator makes, in the seed and span below, in languages that take their sine from the same library.
const HELLO: &str = "[generator]\nplugin = \"PLUGIN\"\n";
/// A run of a day in two partitions.
const DAY: &str =
    "dataset = \"homes\"\nseed = 7\nstart = \"2026-11-09T00:00:00Z\"\nduration = \"1d\"\npartitions = 2\n";

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn fingerprint(place: &Place, spec: &str) -> String {
    place.file("spec.toml", spec);
    let run = place.json(["run", "start", "spec.toml", "--replace", "--json", "--quiet"]);
    run["run"]["fingerprint"].as_str().unwrap().to_owned()
}

#[test]
fn a_generator_and_an_incident_model_in_javascript_run_with_validators_in_python_and_rust() {
    let [fleet, trouble] = ["thermostat-fleet", "heating-trouble"].map(|name| example(name, "javascript"));
    let comfort = example("comfort", "python");
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

/// An incident model is tried on what is installed, too, or on the generator that is named.
#[test]
fn an_incident_model_of_an_installed_generator_is_installed() {
    let [fleet, trouble] = ["thermostat-fleet", "heating-trouble"].map(|name| shown(&example(name, "javascript")));
    let place = Place::new();
    place.ask(["plugin", "install", &trouble]).refused(&["breaks the contract", "no target takes it", "--generator"]);
    place.good(["plugin", "install", &fleet]);
    place
        .ask(["plugin", "inspect", "thermostat-fleet"])
        .refused(&["installed and not enabled", "telemill plugin enable"]);
    place.good(["plugin", "install", &trouble]);

    let named = Place::new();
    named.good(["plugin", "install", &trouble, "--generator", &fleet]);
    // Over HTTP, what the server has can be named, and no file of its machine.
    let served = Place::new();
    served.good(["plugin", "install", &fleet]);
    let server = served.serve([]);
    let upload = |generator: &str| {
        let wasm = [("content-type", "application/wasm")];
        server.send("POST", &format!("/api/v1/plugins?generator={generator}"), &wasm, &fs::read(&trouble).unwrap())
    };
    let refused = upload("elsewhere/fleet.wasm").with_status(400);
    assert!(refused.text().contains("is a path"), "{}", refused.text());
    upload("thermostat-fleet@0.1.0").with_status(201);
}

#[test]
fn new_generators_in_javascript_typescript_python_and_c_make_the_same_rows() {
    let place = Place::new();
    let print = |language| {
        let plugin = shown(&hello("generator", language));
        fingerprint(&place, &format!("{DAY}{}", HELLO.replace("PLUGIN", &plugin)))
    };
    let first = print("javascript");
    for language in ["typescript", "python", "c"] {
        assert_eq!(print(language), first, "{language}");
    }
}

/// What a number can't hold exactly would silently be another run's seed.
#[test]
fn a_seed_that_javascript_would_round_is_refused() {
    let plugin = shown(&hello("generator", "javascript"));
    let place = Place::new();
    let spec =
        |seed: u64| format!("{DAY}{}", HELLO.replace("PLUGIN", &plugin)).replace("seed = 7", &format!("seed = {seed}"));
    place.file("spec.toml", spec((1 << 53) + 1));
    place.ask(["run", "start", "spec.toml"]).refused(&["open failed", "seeds up to 9007199254740991"]);
    fingerprint(&place, &spec((1 << 53) - 1));
}

#[test]
fn generators_in_python_c_and_go_keep_the_contract_and_run_beside_rust() {
    let place = Place::new();
    for (name, language) in [("parking-garage", "python"), ("water-meters", "c"), ("web-cache", "go")] {
        let plugin = shown(&example(name, language));
        telemill(&["plugin", "test", &plugin]).with_code(0);
        let spec = format!("{DAY}{}[[validators]]\nplugin = \"table-rules\"\n", HELLO.replace("PLUGIN", &plugin));
        let first = fingerprint(&place, &spec);
        assert_eq!(fingerprint(&place, &spec.replace("partitions = 2", "partitions = 3")), first, "{name}");
    }
}

/// A new generator in which some lines are others.
fn changed(name: &str, language: &str, file: &str, changes: &[(&str, &str)]) -> PathBuf {
    let put = |project: &Path| {
        let fresh = new("generator", language);
        let model = fresh.path().join(file);
        let mut text = fs::read_to_string(&model).unwrap();
        for (line, changed) in changes {
            assert!(text.contains(line), "{line}");
            text = text.replace(line, changed);
        }
        fs::write(&model, text).unwrap();
        copy(fresh.path(), project);
    };
    built(&format!("{name}-{language}"), language, put, |_| {})
}

/// What a run says of it.
fn told_of(name: &str, language: &str, file: &str, changes: &[(&str, &str)]) -> Answer {
    let plugin = changed(name, language, file, changes);
    let place = Place::new();
    place.file("spec.toml", format!("{DAY}{}", HELLO.replace("PLUGIN", &shown(&plugin))));
    place.ask(["run", "start", "spec.toml"])
}

/// An error says what and where, in the words of its language.
fn error_of(language: &str, file: &str, change: (&str, &str), said: &[&str]) {
    let told = told_of("thrower", language, file, &[change]).refused(&["advance failed"]).refused(said);
    assert!(!told.err.contains("crashed"), "{}", told.err);
}

#[test]
fn exceptions_of_javascript_arrive_with_their_stack() {
    let line = "advance(window, rows, effects) {";
    let broken = "advance(window, rows, effects) {\n        rows.nowhere.push(1);";
    error_of("javascript", "src/plugin.js", (line, broken), &["TypeError", "at advance", "plugin.js"]);
}

#[test]
fn exceptions_of_python_arrive_with_their_traceback() {
    let line = "push = rows[\"readings\"].push";
    let said = ["KeyError: 'nowhere'", "Traceback", "in advance", "rows[\"nowhere\"].push"];
    error_of("python", "src/plugin.py", (line, "push = rows[\"nowhere\"].push"), &said);
}

#[test]
fn panics_of_go_arrive_with_their_stack() {
    let said = ["index out of range [7] with length 1", "plugin.go:"];
    error_of("go", "src/plugin.go", ("rows[0].Push", "rows[7].Push"), &said);
}

#[test]
fn failures_of_c_arrive_with_their_words() {
    let line = "void tm_advance(tm_window window) {";
    let broken = "void tm_advance(tm_window window) {\n  tm_fail(\"the boiler is %s\", \"cold\");";
    error_of("c", "src/plugin.c", (line, broken), &["the boiler is cold"]);
}

#[test]
fn dev_tells_what_a_save_changed() {
    hello("generator", "javascript");
    let place = Place::new();
    let project = place.path().join("project");
    let new = ["plugin", "new", "kettles", "--kind", "generator", "--language", "javascript", "--dir", "project"];
    place.good(new);
    // The tools that are installed already, so that npm has nothing to fetch.
    let tools = folder("javascript").join("node_modules");
    assert!(Command::new("cp").arg("-a").arg(tools).arg(&project).status().unwrap().success());
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

/// What no language can catch ends the plugin; what it had written to standard error by then is shown.
#[test]
fn a_crash_of_c_shows_what_was_written_to_stderr() {
    let line = "void tm_advance(tm_window window) {";
    let broken = "#include <stdio.h>\n#include <stdlib.h>\nvoid tm_advance(tm_window window) {\n\
                  fprintf(stderr, \"the boiler is %s\\n\", \"cold\");\nabort();";
    told_of("aborter", "c", "src/plugin.c", &[(line, broken)])
        .refused(&["advance crashed", "\n      the boiler is cold"]);
}

#[test]
fn a_panic_of_a_goroutine_shows_its_stack() {
    let broken = "go func() { panic(\"the boiler is cold, ü\") }()\n<-make(chan int)\nrows[0].Push";
    let said = ["advance crashed", "\n      panic: the boiler is cold, ü", "plugin.go:"];
    told_of("aborter", "go", "src/plugin.go", &[("rows[0].Push", broken)]).refused(&said);
}

#[test]
fn a_crash_of_python_shows_what_was_printed() {
    let line = "push = rows[\"readings\"].push";
    let broken = "print(\"the boiler is\", \"cold\", file=sys.stderr)\n        os._exit(3)";
    let changes = [("import math", "import math\nimport os\nimport sys"), (line, broken)];
    told_of("aborter", "python", "src/plugin.py", &changes).refused(&["advance crashed", "\n      the boiler is cold"]);
}

/// What Python has and a plugin has not would end it without a word; so would the very traceback of a `raise`, which reads files.
#[test]
fn what_python_lacks_in_a_plugin_is_said_in_a_traceback() {
    let cases = [
        ("lambda: datetime.datetime.now()", "a plugin has no clock"),
        ("lambda: moment.utcnow()", "a plugin has no clock"),
        ("lambda: datetime.date.today()", "a plugin has no clock"),
        ("lambda: time.time()", "a plugin has no clock"),
        ("lambda: time.strftime('%Y')", "a plugin has no clock"),
        ("lambda: random.random()", "a plugin has no randomness"),
        ("lambda: shuffle([1, 2])", "a plugin has no randomness"),
        ("lambda: random.Random()", "a plugin has no randomness"),
        ("lambda: secrets.token_hex()", "a plugin has no randomness"),
        ("lambda: open('boilers.csv')", "a plugin has no files"),
        ("lambda: os.stat('boilers.csv')", "a plugin has no files"),
        ("lambda: __import__('zipfile')", "zipfile was not imported while the plugin was built"),
        ("lambda: fail('the boiler is ü')", "ValueError: the boiler is ü"),
    ];
    let tries: String = cases.iter().map(|(call, _)| format!("    {call},\n")).collect();
    let imports = format!(
        "import datetime\nimport math\nimport os\nimport random\nimport secrets\nimport time\n\
         from datetime import datetime as moment\nfrom random import shuffle\n\n\n\
         def fail(what):\n    raise ValueError(what)  # ü\n\n\nTRIES = [\n{tries}]\n"
    );
    // What is given is as good as ever.
    let fine = "assert moment(2026, 1, 2) - datetime.timedelta(days=1) == moment(2026, 1, 1)\n        \
                assert time.gmtime(0).tm_year == 1970 and time.strftime('%Y', time.gmtime(0)) == '1970'\n        \
                random.Random(7).random()\n        TRIES[int(self.celsius)]()\n        push = rows[\"readings\"].push";
    let changes = [("import math\n", imports.as_str()), ("push = rows[\"readings\"].push", fine)];
    let plugin = shown(&changed("lacking", "python", "src/plugin.py", &changes));
    let place = Place::new();
    for (number, (call, said)) in cases.iter().enumerate() {
        let config = format!("[generator.config]\ncelsius = {number}\n");
        place.file("spec.toml", format!("{DAY}{}{config}", HELLO.replace("PLUGIN", &plugin)));
        let told = place.ask(["run", "start", "spec.toml", "--replace"]);
        told.refused(&["advance failed", "Traceback", "in advance", call.trim_start_matches("lambda: "), said]);
    }
}

#[test]
fn a_clock_that_javascript_asks_for_is_refused_with_words() {
    let line = "advance(window, rows, effects) {";
    let broken = "advance(window, rows, effects) {\n        Date.now();";
    let said = ["advance failed", "a plugin has no clock", "at advance"];
    told_of("watcher", "javascript", "src/plugin.js", &[(line, broken)]).refused(&said);
}

/// It would give every run the same numbers, whatever its seed.
#[test]
fn randomness_of_javascripts_own_is_refused_with_words() {
    let said = ["advance failed", "a plugin has no randomness of its own", "at advance"];
    told_of("gambler", "javascript", "src/plugin.js", &[("noise.at(step)", "Math.random()")]).refused(&said);
}

#[test]
fn a_value_that_does_not_fit_its_column_is_named() {
    let change = ("name, heat.apply(base)", "name, undefined");
    told_of("misfit", "javascript", "src/plugin.js", &[change])
        .refused(&["column celsius of table readings got undefined"]);
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
