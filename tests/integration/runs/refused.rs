//! Runs that never begin, and runs whose rows are judged to be wrong.

use serde_json::Value;

use super::{run, shop};
use crate::program::Place;

#[test]
fn a_spec_that_can_not_be_used_names_the_key_and_records_nothing() {
    let place = Place::new();
    let good = shop("15:00", "1h", 2, "30m");
    let incident = |start: &str| {
        let placed = format!("start = \"2026-11-09T{start}:00Z\"\nlength = \"5m\"");
        let what = "kind = \"payment-gateway-timeout\"\ntarget = \"payment-gateway\"";
        format!("{good}\n[[incident]]\nmodel = \"service-incidents\"\n{what}\n{placed}\n")
    };
    let cases: [(String, &[&str], &str); 20] = [
        (format!("colour = 1\n{good}"), &[], "colour"),
        (good.replace("seed = 7", "seed = \"seven\""), &[], "seed"),
        (good.replace("1h", "soon"), &[], "duration"),
        (good.replace("partitions = 2", "partitions = 0"), &[], "partitions"),
        (good.replace("plugin = \"ecommerce\"", "plugin = \"ecommerce\"\nconfigg = 1"), &[], "configg"),
        (good.replace("\"ecommerce\"", "\"nowhere.wasm\""), &[], "nowhere.wasm"),
        (good.replace("\"ecommerce\"", "\"table-rules\""), &[], "table-rules"),
        (good.replace("dataset = \"shop\"", "dataset = \"a shop\""), &[], "dataset"),
        ("dataset = \"shop\"\nduration = \"1h\"\n".to_owned(), &[], "generator"),
        ("dataset".to_owned(), &[], "spec.toml"),
        (good.clone(), &["--set", "ecommerce.base_tpz=1"], "base_tpz"),
        (good.clone(), &["--set", "ecommerce.base_tps=many"], "base_tps"),
        (good.clone(), &["--set", "ecommerce.base_tps=-1"], "base_tps"),
        (good.clone(), &["--set", "shop.base_tps=1"], "shop"),
        (good.clone(), &["--duration", "1500ms"], "duration"),
        (good.clone(), &["--start", "2026-11-09T15:00:00.5Z"], "start: 2026-11-09T15:00:00.5Z is no whole second"),
        (incident("13:00"), &[], "incident[0].start"),
        (incident("16:00"), &[], "incident[0].start"),
        (format!("{}{}", incident("15:10"), incident("17:00").replace(&good, "")), &[], "incident[1].start"),
        (good.clone(), &["--setting", "limits.memory=1"], "limits.memory"),
    ];
    for (spec, flags, part) in cases {
        place.file("spec.toml", &spec);
        place.ask(["run", "start", "spec.toml"].into_iter().chain(flags.iter().copied())).refused(&[part]);
    }
    assert!(place.runs().is_empty());
    place.ask(["run", "start", "no-such-spec"]).refused(&["no-such-spec", "ecommerce"]);
}

/// A shorter span that a flag asks for leaves out what was placed for the spec's own; so does one that begins later.
#[test]
fn a_changed_span_leaves_out_incidents_by_hand_and_says_so() {
    let place = Place::new();
    let spec = shop("14:00", "1h", 2, "30m");
    let incident = "[[incident]]\nmodel = \"service-incidents\"\nkind = \"payment-gateway-timeout\"\n\
                    target = \"payment-gateway\"\nstart = \"2026-11-09T14:40:00Z\"\nlength = \"5m\"\n";
    place.file("spec.toml", format!("{spec}\n{incident}"));
    let placed = || place.sql("SELECT count(*) AS n FROM shop.incidents WHERE start_time = '2026-11-09T14:40:00Z'");
    let told = |flags: &[&str]| {
        let words = ["run", "start", "spec.toml", "--replace"];
        place.ask(words.into_iter().chain(flags.iter().copied())).with_code(0)
    };
    assert!(!told(&[]).err.contains("left out"));
    assert_eq!(placed()[0]["n"], 1);
    let shown = place.good(["run", "show"]);
    assert!(shown.contains("seed 7, 1h from 2026-11-09T14:00:00Z") && !shown.contains("verdicts"), "{shown}");
    for flags in [["--duration", "10m"], ["--start", "2026-11-09T15:00:00Z"]] {
        let answer = told(&flags);
        let said = answer.err.matches("payment-gateway at 2026-11-09T14:40:00Z is left out").count();
        assert_eq!(said, 1, "{}", answer.err);
        assert_eq!(placed()[0]["n"], 0);
    }
    let short = told(&["--duration", "1m"]).out;
    assert!(!short.contains("incidents (UTC)") && !short.contains("verdicts"), "{short}");
    place.good(["generate", "spec.toml", "--duration", "10m", "--quiet"]);
    // The spec of a stream may hold incidents behind the position that it was written down at.
    let later = incident.replace("14:40", "19:40");
    place.file("spec.toml", format!("backfill_end = \"2026-11-09T14:01:00Z\"\n{spec}\n{later}"));
    told(&[]);
}

#[test]
fn rows_that_are_there_are_not_lost_by_accident() {
    let place = Place::new();
    let first = run(&place, &shop("15:00", "30m", 2, "30m"), &[]);
    let spec = place.file("spec.toml", shop("16:00", "30m", 2, "30m"));
    let spec = spec.to_str().unwrap();
    let files = place.parquet("shop", "transactions");

    place.ask(["run", "start", spec]).refused(&["shop", "--append", "--replace"]);
    assert_eq!(place.runs().len(), 1, "nothing is recorded");
    assert_eq!(place.parquet("shop", "transactions"), files, "no row is made");
    place.ask(["run", "start", spec, "--append", "--replace"]).refused(&["--append", "--replace"]);

    let rows = || place.sql("SELECT count(*) AS rows FROM shop.transactions")[0]["rows"].as_u64().unwrap();
    let of = |record: &Value| {
        let tables = record["tables"].as_array().unwrap();
        tables.iter().find(|table| table["table"] == "transactions").unwrap()["rows"].as_u64().unwrap()
    };
    let second = place.json(["run", "start", spec, "--append", "--json"])["run"].take();
    assert_eq!(rows(), of(&first) + of(&second));
    let third = place.json(["run", "start", spec, "--replace", "--json"])["run"].take();
    assert_eq!(rows(), of(&third));
}

#[test]
fn a_failed_verdict_keeps_the_rows_and_says_so() {
    let place = Place::new();
    let spec = format!("{}\n[[validators]]\nplugin = \"table-rules\"\n", shop("15:00", "1h", 2, "1h"));
    place.file("spec.toml", spec);
    let tables = r#"table-rules.tables=[{"table": "transactions", "rows": [{"name": "busy", "at_least": 1e9}]}]"#;
    let answer = place.ask(["run", "start", "spec.toml", "--set", tables, "--json"]).with_code(1);
    let told: Value = serde_json::from_str(&answer.out).unwrap();
    assert_eq!((&told["passed"], &told["run"]["state"]), (&Value::Bool(false), &"finished".into()));
    let shown = place.json(["run", "show", "--json"]);
    assert!(shown["reports"].to_string().contains("busy"), "the report is kept: {shown}");
    assert!(place.good(["run", "show"]).contains("FAILED"));
    assert!(place.sql("SELECT count(*) AS rows FROM shop.transactions")[0]["rows"].as_u64() > Some(0));
    place.good(["run", "verify", "--lake"]);

    let at_least = |rows: &str| format!(r#"tables=[{{"table": "transactions", "rows": [{{"at_least": {rows}}}]}}]"#);
    let (few, many) = (at_least("1"), at_least("1e9"));
    // Rules by the hour need a whole one, and the rows' own times span a little less.
    let hour =
        ["validate", "shop", "--with", "table-rules", "--from", "2026-11-09T15:00:00Z", "--to", "2026-11-09T16:00:00Z"];
    place.ask(hour.into_iter().chain(["--set", &few])).with_code(0);
    place.ask(hour.into_iter().chain(["--set", &many])).with_code(1);
    place.ask(["validate", "shop", "--with", "ecommerce"]).refused(&["ecommerce"]);
    place.ask(["validate", "nowhere", "--with", "table-rules"]).refused(&["nowhere"]);
}
