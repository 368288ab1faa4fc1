//! Versions of plugins: installed from everywhere, enabled, rolled back, removed; and what each refusal leaves behind.

mod images;
mod sources;

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use telemill_tests::{guest, lying_guest, noted};

use crate::program::Place;

fn spec(config: &Value) -> String {
    let config =
        config.as_object().unwrap().iter().map(|(key, value)| format!("{key} = {value}\n")).collect::<String>();
    format!(
        "dataset = \"meters\"\nseed = 1\nstart = \"2026-01-01T00:00:00Z\"\nduration = \"1m\"\npartitions = 1\n\
         [generator]\nplugin = \"hostile\"\n[generator.config]\n{config}"
    )
}

fn installed(place: &Place, file: &str) -> String {
    let answer = place.json(["plugin", "install", file, "--json"]);
    answer["installed"]["digest"].as_str().unwrap().to_owned()
}

fn run(place: &Place) -> Value {
    place.json(["run", "start", "spec.toml", "--replace", "--quiet", "--json"])["run"].clone()
}

fn made_with(run: &Value) -> &str {
    run["plugins"][0]["digest"].as_str().unwrap_or_else(|| panic!("{run}"))
}

/// Names of what is kept of components.
fn kept(data: &Path) -> Vec<String> {
    let entries = fs::read_dir(data.join("plugins")).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn state(place: &Place, digest: &str) -> Option<String> {
    let list = place.json(["plugin", "list", "--json"]);
    let listed = list.as_array().unwrap().iter().find(|listed| listed["digest"] == digest)?.clone();
    Some(listed["state"].as_str().unwrap().to_owned())
}

#[test]
fn a_name_means_the_version_that_is_enabled_and_runs_keep_theirs() {
    let place = Place::new();
    place.file("a.wasm", noted(guest("hostile").unwrap(), "a"));
    place.file("b.wasm", noted(guest("hostile").unwrap(), "b"));
    place.file("spec.toml", spec(&json!({})));
    place.ask(["run", "start", "spec.toml"]).refused(&["hostile", "telemill plugin list"]);

    let a = installed(&place, "a.wasm");
    assert_eq!(state(&place, &a).as_deref(), Some("installed"));
    let unnamed = ["no plugin \"hostile\"", "installed and not enabled", "telemill plugin enable hostile"];
    place.ask(["run", "start", "spec.toml"]).refused(&unnamed);
    place.ask(["plugin", "inspect", "hostile"]).refused(&unnamed);
    // The digits that `list` prints are enough, as long as they are one component's.
    let begun = format!("sha256:{}", &a[..12]);
    assert_eq!(place.json(["plugin", "inspect", &begun, "--json"])["digest"], a.as_str());
    place.ask(["plugin", "inspect", "sha256:"]).refused(&["no digest"]);
    let enabled = place.json(["plugin", "enable", "hostile", "--json"]);
    assert_eq!((enabled["active"].as_str(), &enabled["changed"]), (Some(a.as_str()), &json!(true)));
    assert_eq!(place.json(["plugin", "enable", "hostile", "--json"])["changed"], false);
    let first = run(&place);
    assert_eq!(made_with(&first), a);

    let answer = place.json(["plugin", "install", "b.wasm", "--enable", "--json"]);
    let b = answer["installed"]["digest"].as_str().unwrap().to_owned();
    assert_eq!(answer["enabled"]["before"], a.as_str());
    assert_eq!((state(&place, &a).as_deref(), state(&place, &b).as_deref()), (Some("installed"), Some("active")));
    let second = run(&place);
    assert_eq!(made_with(&second), b);
    assert_eq!(second["fingerprint"], first["fingerprint"], "the note changes no row");
    // The run of before is made again with what made it.
    place.good(["run", "verify", first["id"].as_str().unwrap()]);
    // A version can be named exactly, whichever is active; two of one version only by digest.
    place.ask(["plugin", "enable", "hostile@0.1.0"]).refused(&["or", "by its digest"]);

    place.ask(["plugin", "remove", &format!("sha256:{b}")]).refused(&["the name hostile, which means it"]);
    assert_eq!(place.json(["plugin", "rollback", "hostile", "--json"])["active"], a.as_str());
    assert_eq!(made_with(&run(&place)), a);
    let removed = place.json(["plugin", "remove", &format!("sha256:{}", &b[..12]), "--json"]);
    assert_eq!(removed["kept_for_runs"], true);
    assert_eq!(state(&place, &b).as_deref(), Some("used"));
    place.good(["run", "verify", second["id"].as_str().unwrap()]);

    assert_eq!(place.json(["plugin", "rollback", "hostile", "--json"])["active"], Value::Null);
    place.ask(["plugin", "rollback", "hostile"]).refused(&["nothing to go back to"]);
    place.ask(["run", "start", "spec.toml", "--replace"]).refused(&["no plugin \"hostile\""]);
}

#[test]
fn disabling_can_be_undone_and_a_version_that_went_is_passed_over() {
    let place = Place::new();
    for name in ["a", "b", "c"] {
        place.file(&format!("{name}.wasm"), noted(guest("hostile").unwrap(), name));
        place.good(["plugin", "install", &format!("{name}.wasm"), "--enable"]);
    }
    let digest = |name: &str| place.json(["plugin", "install", name, "--json"])["installed"]["digest"].clone();
    let (a, b, c) = (digest("a.wasm"), digest("b.wasm"), digest("c.wasm"));
    assert_eq!(place.json(["plugin", "disable", "hostile", "--json"])["active"], Value::Null);
    assert_eq!(place.json(["plugin", "rollback", "hostile", "--json"])["active"], c);
    let removed = place.json(["plugin", "remove", &format!("sha256:{}", b.as_str().unwrap()), "--json"]);
    assert_eq!(removed["kept_for_runs"], false, "no run was made with it");
    assert!(!kept(&place.data()).iter().any(|name| name.starts_with(b.as_str().unwrap())));
    assert_eq!(place.json(["plugin", "rollback", "hostile", "--json"])["active"], a);
    place.ask(["plugin", "disable", "unheard-of"]).refused(&["unheard-of", "telemill plugin list"]);
}

#[test]
fn a_refusal_leaves_everything_as_it_was() {
    let place = Place::new();
    place.file("good.wasm", guest("hostile").unwrap());
    place.good(["plugin", "install", "good.wasm", "--enable"]);
    // What plugins say of themselves is kept from the first list on.
    place.good(["plugin", "list"]);
    let (before, files) = (place.json(["plugin", "list", "--json"]), kept(&place.data()));
    place.file("noise.wasm", "no component");
    place.file("liar.wasm", lying_guest("bad-name").unwrap());
    // The name of a table that may not be.
    place.file("taken.wasm", lying_guest("bad-table").unwrap());
    place.ask(["plugin", "install", "noise.wasm"]).refused(&["noise.wasm", "no WebAssembly"]);
    place.ask(["plugin", "install", "liar.wasm"]).refused(&["liar.wasm", "descriptor"]);
    place.ask(["plugin", "install", "taken.wasm"]).refused(&["taken.wasm", "breaks the contract", "rows: defaults"]);
    place.ask(["plugin", "install", "missing.wasm"]).refused(&["missing.wasm"]);
    assert_eq!(place.json(["plugin", "list", "--json"]), before);
    assert_eq!(kept(&place.data()), files);
}

#[test]
fn a_version_may_only_add_columns() {
    let place = Place::new();
    place.file("a.wasm", guest("hostile").unwrap());
    place.file("b.wasm", lying_guest("other-column").unwrap());
    let a = installed(&place, "a.wasm");
    place.good(["plugin", "enable", "hostile"]);
    let b = installed(&place, "b.wasm");
    let exact = format!("sha256:{b}");
    place.ask(["plugin", "enable", &exact]).refused(&["readings.flag", "flop stands in its place"]);
    assert_eq!(state(&place, &a).as_deref(), Some("active"));
    let compared = place.ask(["plugin", "compare", "hostile", &exact, "--for", "1m"]).with_code(1);
    assert!(compared.out.contains("can NOT") && compared.out.contains("flop"), "{}", compared.out);
    // Where nothing is active, it has nothing to fit; rows of before hold it off nevertheless.
    place.file("spec.toml", format!("existing = \"append\"\n{}", spec(&json!({}))));
    place.good(["run", "start", "spec.toml", "--quiet"]);
    place.good(["plugin", "disable", "hostile"]);
    place.good(["plugin", "enable", &exact]);
    let later = spec(&json!({})).replacen("2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z", 1);
    place.file("later.toml", format!("existing = \"append\"\n{later}"));
    let rows = place.sql("SELECT count(*) AS n FROM meters.readings");
    place.ask(["run", "start", "later.toml"]).refused(&["readings", "flag", "flop"]);
    assert_eq!(place.sql("SELECT count(*) AS n FROM meters.readings"), rows);
    // Another dataset, or this one anew, takes its tables.
    assert_eq!(made_with(&run(&place)), b);
}

/// What a version added stays in the tables, empty in the rows of one that does not have it.
#[test]
fn a_rollback_goes_back_over_columns_that_were_added() {
    let place = Place::new();
    place.file("a.wasm", guest("hostile").unwrap());
    place.file("b.wasm", lying_guest("added-column").unwrap());
    place.good(["plugin", "install", "a.wasm", "--enable"]);
    let a = installed(&place, "a.wasm");
    place.good(["plugin", "install", "b.wasm", "--enable"]);
    let append = |start: &str| {
        let spec = spec(&json!({})).replacen("2026-01-01T00:00:00Z", start, 1);
        place.file("spec.toml", format!("existing = \"append\"\n{spec}"));
        place.json(["run", "start", "spec.toml", "--quiet", "--json"])["run"].clone()
    };
    append("2026-01-01T00:00:00Z");
    place.ask(["plugin", "enable", &format!("sha256:{a}")]).refused(&["readings.added", "is missing"]);
    assert_eq!(place.json(["plugin", "rollback", "hostile", "--json"])["active"], a.as_str());
    assert_eq!(made_with(&append("2026-01-01T00:01:00Z")), a);
    let counted = place.sql(
        "SELECT count(added) = count(*) AS whole, count(added) AS filled FROM meters.readings \
         GROUP BY time >= '2026-01-01T00:01:00Z' ORDER BY whole",
    );
    assert_eq!((&counted[0]["whole"], &counted[0]["filled"]), (&json!(false), &json!(0)));
    assert_eq!(counted[1]["whole"], true);
}

#[test]
fn what_an_unfinished_run_was_planned_with_stays() {
    let place = Place::new();
    place.file("a.wasm", guest("hostile").unwrap());
    place.file("spec.toml", spec(&json!({ "fault": "panic", "after_s": 30 })));
    let a = installed(&place, "a.wasm");
    place.good(["plugin", "enable", "hostile"]);
    place.ask(["run", "start", "spec.toml"]).with_code(2);
    let failed = place.runs()[0].clone();
    assert_eq!(failed["state"], "failed");
    place.good(["plugin", "disable", "hostile"]);
    let exact = format!("sha256:{a}");
    place.ask(["plugin", "remove", &exact]).refused(&[failed["id"].as_str().unwrap(), "failed"]);
    assert_eq!(state(&place, &a).as_deref(), Some("installed"));
}

#[test]
fn two_versions_are_compared_column_by_column() {
    let place = Place::new();
    let same = place.json(["plugin", "compare", "ecommerce", "ecommerce", "--for", "2m", "--json"]);
    let tables = same["tables"].as_array().unwrap();
    assert!(tables.len() == 2 && same["first"]["rows"].as_u64().unwrap() > 1_000, "{same}");
    for table in tables {
        assert_eq!(table["first_rows"], table["second_rows"]);
        for column in table["columns"].as_array().unwrap() {
            assert!(column["distance"].is_null() || column["distance"] == 0.0, "{column}");
            assert_eq!(column["first"], column["second"]);
        }
    }
    place.ask(["plugin", "compare", "ecommerce", "table-rules"]).refused(&["table-rules", "generator"]);
}

/// What inspect shows comes from the component's bytes and its descriptor.
#[test]
fn inspect_says_what_ran() {
    let place = Place::new();
    place.file("a.wasm", noted(guest("hostile").unwrap(), "never seen before"));
    let first = place.json(["plugin", "inspect", "a.wasm", "--json"]);
    assert_eq!(first["described_now"], true);
    let imports = first["imports"].as_array().unwrap();
    assert!(imports.contains(&json!("telemill:plugin/types@0.1.0")), "{imports:?}");
    assert_eq!(first["size_bytes"], fs::metadata(place.path().join("a.wasm")).unwrap().len());
    let text = place.good(["plugin", "inspect", "a.wasm"]);
    assert!(text.contains("nothing of it ran") && text.contains("imports telemill:plugin/"), "{text}");
}
