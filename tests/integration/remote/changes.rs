//! Commands that change something: in a place of their own here, and through the server of another.

use super::{ask, command};
use crate::cli::SPEC;
use crate::program::{Place, Running, Served, wait_until};
use crate::server::shop;
use serde_json::{Value, json};
use std::io::Read as _;
use std::process::Stdio;
use telemill_tests::{guest, lying_guest, plugin};

/// Output without what differs between any two places: ids, times of day, and where the next commands would work.
fn plain(text: &str) -> String {
    let words = text.split_inclusive([' ', '\n', '"', ',']).map(|word| {
        let is_id = word.len() >= 17 && word.starts_with('r') && word[1..17].bytes().all(|b| b.is_ascii_hexdigit());
        if is_id { "ID ".to_owned() } else { word.to_owned() }
    });
    words.collect()
}

/// Up to what is suggested, which names the place.
fn summary(text: &str) -> String {
    plain(text.split("\ngo on with").next().unwrap())
}

#[test]
fn a_run_on_a_server_is_told_and_made_as_one_that_is_made_here() {
    let (here, there) = (Place::new(), Place::new());
    for place in [&here, &there] {
        place.file("spec.toml", SPEC);
    }
    let server = there.serve([]);
    let words = ["run", "start", "spec.toml"];
    let (made, told) = (here.ask(words), ask(&there, &server, words));
    assert_eq!((made.code, summary(&made.out)), (told.code, summary(&told.out)), "{}", told.err);
    assert!(told.out.contains(&format!("telemill --server {}", server.url)), "{}", told.out);
    assert!(told.err.contains("seed 7"), "{}", told.err);
    // Rows that are there are refused with the same words, and replaced where that is asked for.
    let (refused, there_refused) = (here.ask(words), ask(&there, &server, words));
    assert_eq!(refused.code, there_refused.code);
    assert!(there_refused.err.contains("shop has") && there_refused.err.contains("--replace"), "{}", there_refused.err);
    let again = ["run", "start", "spec.toml", "--replace", "--seed", "9", "--json"];
    let fingerprint = |text: &str| serde_json::from_str::<Value>(text).unwrap()["run"]["fingerprint"].clone();
    assert_eq!(fingerprint(&here.good(again)), fingerprint(&ask(&there, &server, again).with_code(0).out));
    // What the validators say is the exit code.
    let failing = there.file("failing.toml", format!("{SPEC}[[validators]]\nplugin = \"table-rules\"\n"));
    let failing = failing.display().to_string();
    let words = ["run", "start", failing.as_str(), "--replace"];
    assert_eq!(here.ask(words).code, ask(&there, &server, words).code);
}

#[test]
fn ctrl_c_stops_a_run_on_its_server_and_resume_goes_on_there() {
    let place = Place::new();
    let server = place.serve([]);
    let words = ["run", "start", "ecommerce", "--duration", "30d", "--seed", "7"];
    let mut running = start(&place, &server, words);
    let state = || server.get("/api/v1/runs").json()["items"][0]["state"].clone();
    wait_until("the run is under way", || state() == "running");
    running.interrupt();
    let answer = running.answer().with_code(2);
    assert!(answer.err.contains("telemill run resume"), "{}", answer.err);
    assert_eq!(state(), "cancelled");
    // Another that nobody waits for, and that is stopped by name.
    let words = ["run", "start", "ecommerce", "--duration", "30d", "--dataset", "other", "--detach", "--json"];
    let begun: Value = serde_json::from_str(&ask(&place, &server, words).with_code(0).out).unwrap();
    let id = begun["id"].as_str().unwrap();
    assert_eq!(begun["state"], "running");
    ask(&place, &server, ["run", "cancel", id]).with_code(0);
    wait_until("the run has stopped", || state() == "cancelled");
    let again = ask(&place, &server, ["run", "cancel", id]).refused(&["cancelled"]);
    assert!(again.err.contains(id), "{}", again.err);
    let mut resumed = start(&place, &server, ["run", "resume", id]);
    wait_until("the run goes on", || state() == "running");
    resumed.interrupt();
    resumed.answer().with_code(2);
}

/// Starts a command, and waits until it says what it watches: from then on Ctrl-C is its own.
pub(super) fn start<'a>(place: &Place, server: &Served, words: impl IntoIterator<Item = &'a str>) -> Running {
    let mut command = command(place, &server.url, words);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (stderr, mut line) = (child.stderr.as_mut().unwrap(), Vec::new());
    while !line.ends_with(b"\n") {
        let mut byte = [0];
        assert_eq!(stderr.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&line));
        line.push(byte[0]);
    }
    assert!(String::from_utf8_lossy(&line).contains("run r"), "{}", String::from_utf8_lossy(&line));
    child.into()
}

#[test]
fn a_stream_that_is_started_there_goes_on_there() {
    let place = Place::new();
    let server = place.serve([]);
    let words = ["stream", "run", "ecommerce", "--backfill", "10m", "--speed", "60", "--set", "ecommerce.base_tps=5"];
    let begun = ask(&place, &server, words).with_code(0).out;
    assert!(begun.contains("running"), "{begun}");
    wait_until("rows are there", || {
        let shown = ask(&place, &server, ["stream", "show", "--json"]).with_code(0).out;
        serde_json::from_str::<Value>(&shown).unwrap()["commits"].as_u64().unwrap() > 2
    });
    let stopped = ask(&place, &server, ["stream", "stop"]).with_code(0).out;
    assert!(stopped.contains("stopped"), "{stopped}");
    for words in [&["stream", "show"][..], &["stream", "show", "--spec"], &["stream", "list"], &["stream", "verify"]] {
        let (here, there) = (place.ask(words.iter().copied()), ask(&place, &server, words.iter().copied()));
        assert_eq!((here.code, &here.out), (there.code, &there.out), "{words:?}: {}{}", here.err, there.err);
    }
    let spec = place.file("same.json", ask(&place, &server, ["stream", "show", "--spec"]).with_code(0).out);
    let run =
        ask(&place, &server, ["run", "start", spec.to_str().unwrap(), "--dataset", "again", "--json"]).with_code(0).out;
    let shown = ask(&place, &server, ["stream", "show", "--json"]).with_code(0).out;
    let of = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    assert_eq!(of(&run)["run"]["fingerprint"], of(&shown)["fingerprint"]);
}

#[test]
fn a_file_is_taken_in_there_as_it_is_here() {
    let (here, there) = (Place::new(), Place::new());
    let server = there.serve([]);
    for place in [&here, &there] {
        place.file("orders.csv", "id,at,total\n1,2026-11-09T00:00:00Z,9.5\n2,2026-11-09T00:01:00Z,\n");
        place.file("bad.csv", "id,at,total\nx,2026-11-09T00:00:00Z,1\n3,never,2\n4,2026-11-09T00:00:00Z,3\n");
        place.file("lines.txt", "{\"id\": 5, \"Full Name\": \"a\"}\n");
    }
    for words in [
        &["ingest", "shop.orders", "orders.csv"][..],
        &["ingest", "shop.orders", "orders.csv"],
        &["ingest", "shop.orders", "bad.csv"],
        &["ingest", "shop.orders", "bad.csv", "--json"],
        &["ingest", "shop.names", "lines.txt", "--format", "ndjson"],
        &["ingest", "shop.names", "lines.txt"],
        &["ingest", "shop.names", "none.csv"],
        &["ingest", "Shop.names", "orders.csv"],
        &["ingest", "names", "orders.csv"],
        &["export", "shop.orders", "--format", "csv"],
        &["dataset", "list"],
        &["dataset", "drop", "shop", "--yes"],
        &["dataset", "list"],
    ] {
        let (made, told) = (here.ask(words.iter().copied()), ask(&there, &server, words.iter().copied()));
        assert_eq!((made.code, &made.out), (told.code, &told.out), "{words:?}: {}{}", made.err, told.err);
        if made.code == Some(2) {
            let first = |text: &str| text.lines().next().unwrap_or_default().to_owned();
            assert_eq!(first(&made.err), first(&told.err), "{words:?}");
        }
    }
}

#[test]
fn recipes_and_validators_work_there() {
    let (here, there) = (Place::new(), Place::new());
    let recipe = "summary = \"slow ones\"\ntable = \"transactions\"\nclasses = [\"status\"]\n[[steps]]\nname = \"slow\"\nsql = \"SELECT * FROM input WHERE response_time_ms > 100\"\n";
    for place in [&here, &there] {
        place.file("spec.toml", SPEC);
        place.file("recipe.toml", recipe);
        place.good(["run", "start", "spec.toml", "--quiet"]);
    }
    let server = there.serve([]);
    for words in [
        &["clean", "shop", "--recipe", "recipe.toml", "-o", "slow"][..],
        &["clean", "shop", "--recipe", "recipe.toml", "-o", "slow"],
        &["clean", "shop", "--recipe", "none.toml", "-o", "slow"],
        &["validate", "shop", "--with", "service-levels", "--last", "10m"],
        &["validate", "shop", "--with", "service-levels", "--json"],
        &["validate", "none", "--with", "service-levels"],
        &["validate", "shop", "--with", "ecommerce"],
        &["dataset", "show", "slow"],
    ] {
        let (made, told) = (here.ask(words.iter().copied()), ask(&there, &server, words.iter().copied()));
        assert_eq!((made.code, &made.out), (told.code, &told.out), "{words:?}: {}{}", made.err, told.err);
    }
    let help = ask(&there, &server, ["validate", "shop", "--with", "service-levels", "--help"]).with_code(0).out;
    assert!(help.contains("Configuration of service-levels"), "{help}");
    ask(&there, &server, ["validate", "shop", "--with", "./mine.wasm"]).refused(&["./mine.wasm"]);
}

#[test]
fn users_files_are_taken_in_counted_and_merged_there() {
    let (here, there) = (Place::new(), Place::new());
    let server = there.serve([]);
    let row = "0.0,10,20,1,0,0,0,0,idle\n1.0,11,21,1,0,0,0,0,idle\n";
    let header = "timestamp,cpu_percent,memory_percent,memory_used_gb,disk_read_mb,disk_write_mb,network_sent_mb,network_recv_mb,phase\n";
    for place in [&here, &there] {
        for folder in ["users", "bad"] {
            std::fs::create_dir(place.path().join(folder)).unwrap();
        }
        place.file("users/ada_web_20261109_000000.csv", format!("{header}{row}"));
        place.file("users/bob_external_20261109_000000.csv", format!("{header}{row}"));
        place.file("bad/x.csv", format!("{header}{row}"));
        place.file("bad/eve_web_20261109_000000.csv", format!("{header}0.0,many,20,1,0,0,0,0,idle\n"));
    }
    for words in [
        &["user-data", "merge"][..],
        &["import", "user-data", "users"],
        &["import", "user-data", "users", "--json"],
        &["import", "user-data", "bad"],
        &["import", "user-data", "."],
        &["user-data", "merge", "--csv", "train.csv"],
        &["user-data", "merge", "--csv", "train.csv", "--json"],
        &["user-data", "stats"],
        &["user-data", "stats", "--json"],
    ] {
        let (made, told) = (here.ask(words.iter().copied()), ask(&there, &server, words.iter().copied()));
        assert_eq!((made.code, &made.out), (told.code, &told.out), "{words:?}: {}{}", made.err, told.err);
    }
    let read = |place: &Place| std::fs::read_to_string(place.path().join("train.csv")).unwrap();
    // The time of taking in is a column.
    let columns = |text: String| {
        text.lines().map(|line| line.split(',').take(9).collect::<Vec<_>>().join(",")).collect::<Vec<_>>()
    };
    assert_eq!(columns(read(&here)), columns(read(&there)));
}

#[test]
fn versions_of_plugins_are_switched_there() {
    let place = Place::new();
    let wasm = place.file("mine.wasm", telemill_tests::plugin("ecommerce").unwrap());
    let server = place.serve([]);
    let good = |words: &[&str]| ask(&place, &server, words.iter().copied()).with_code(0).out;
    let installed: Value =
        serde_json::from_str(&good(&["plugin", "install", wasm.to_str().unwrap(), "--json"])).unwrap();
    let digest = installed["installed"]["digest"].as_str().unwrap().to_owned();
    assert_eq!(installed["enabled"], json!(null));
    assert!(good(&["plugin", "enable", "ecommerce"]).contains(&digest[..12]));
    assert!(good(&["plugin", "disable", "ecommerce"]).contains("the plugin that ships"));
    assert!(good(&["plugin", "rollback", "ecommerce"]).contains(&digest[..12]));
    let compared = good(&["plugin", "compare", "ecommerce", "ecommerce", "--for", "1m"]);
    assert!(compared.contains("can take the place"), "{compared}");
    ask(&place, &server, ["plugin", "remove", "ecommerce"]).refused(&["ecommerce"]);
    good(&["plugin", "disable", "ecommerce"]);
    assert!(good(&["plugin", "remove", "ecommerce"]).contains("is removed"));
    ask(&place, &server, ["plugin", "enable", "none"]).refused(&["none"]);
}

#[test]
fn a_stream_of_a_server_is_controlled_by_commands() {
    let place = Place::new();
    let server = place.serve([]);
    let mut spec = shop();
    spec["stream"]["live_from"] = "2026-11-09T16:00:00Z".into();
    place.file("stream.json", spec.to_string());
    let told = |words: &[&str]| -> Value {
        let words = words.iter().copied().chain(["--json"]);
        serde_json::from_str(&ask(&place, &server, words).with_code(0).out).unwrap()
    };
    told(&["stream", "run", "stream.json"]);
    wait_until("rows are made", || told(&["stream", "stats"])["commits"].as_u64() > Some(0));
    assert_eq!(told(&["stream", "pause"])["state"], "paused");
    ask(&place, &server, ["stream", "pause"]).refused(&["only a running stream"]);
    assert_eq!(told(&["stream", "speed", "600"])["clock"]["speed"], 600.0);
    let trigger = ["stream", "trigger", "service-incidents", "payment-gateway-timeout", "payment-gateway"];
    let made = told(&[&trigger[..], &["--length", "20m"]].concat());
    assert_eq!(made[0]["model"], "service-incidents");
    ask(&place, &server, trigger.into_iter().chain(["--length", "5m", "--start", "2026-11-09T15:00:00Z"]))
        .refused(&["made already"]);
    assert_eq!(told(&["stream", "resume"])["state"], "running");
    let stats = ask(&place, &server, ["stream", "stats"]).with_code(0).out;
    assert!(stats.contains("speed 600") && stats.contains("transactions"), "{stats}");
    assert_eq!(told(&["stream", "stop"])["state"], "stopped");
    assert_eq!(told(&["stream", "verify"])["equal"], true);
}

/// The check is the server's; a component of this machine goes along.
#[test]
fn a_component_is_held_to_the_contract_by_a_server() {
    let place = Place::new();
    let server = place.serve([]);
    place.file("good.wasm", plugin("phase-signatures").unwrap());
    place.file("bad.wasm", lying_guest("bad-version").unwrap());
    let test = |words: &[&str]| ask(&place, &server, [&["plugin", "test"], words].concat());
    let report = |words: &[&str], code| -> Value {
        serde_json::from_str(&test(&[words, &["--json"]].concat()).with_code(code).out).unwrap()
    };
    let good = report(&["good.wasm", "--generator", "user-workloads", "--seed", "9"], 0);
    assert_eq!((&good["name"], &good["kind"]), (&"phase-signatures".into(), &"validator".into()));
    assert_eq!(report(&["phase-signatures"], 0)["digest"], good["digest"], "by its name there");
    let bad = report(&["bad.wasm"], 1);
    let failed = bad["checks"].as_array().unwrap().iter().find(|check| check["outcome"] == "failed").unwrap();
    assert_eq!(failed["name"], "descriptor");
    assert!(test(&["bad.wasm"]).with_code(1).out.contains("the plugin breaks the contract"));
    place.file("hostile.wasm", guest("hostile").unwrap());
    assert_eq!(report(&["hostile.wasm"], 0)["effects"]["alike"], 3, "three meters are like the first");
    assert_eq!(report(&["hostile.wasm", "--every-target"], 0)["effects"]["alike"], 0);
    test(&["none"]).refused(&["none"]);
    test(&["good.wasm", "--generator", "good.wasm"]).refused(&["is a path"]);
    test(&["good.wasm", "--within", "301"]).refused(&["1 to 300"]);
    assert_eq!(server.get("/api/v1/plugins/phase-signatures").json()["versions"], json!([]), "nothing is kept");
}
