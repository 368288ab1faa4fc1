//! `telemill validate`: a validator's configuration as options, and the span that it judges.

use serde_json::Value;

use super::shop;

#[test]
fn the_keys_of_a_validator_are_options() {
    let place = shop();
    let judged = |code: i32, more: &[&str]| -> Value {
        let words = ["validate", "shop", "--with", "service-levels", "--json"];
        place.json_with_code(code, words.into_iter().chain(more.iter().copied()))[0].clone()
    };
    let strict = r#"[{"name": "all fail", "phases": ["normal"], "errors_at_least": 0.99}]"#;
    let set = format!("levels={strict}");
    let by_set = judged(1, &["--set", &set]);
    assert_eq!(by_set["report"], judged(1, &["--levels", strict])["report"]);
    // With the validator's name before the key, as in other commands; another's is none of its keys.
    judged(1, &["--set", &format!("service-levels.{set}")]);
    let others = format!("table-rules.{set}");
    place.ask(["validate", "shop", "--with", "service-levels", "--set", &others]).refused(&["table-rules.levels"]);
    judged(0, &["--levels", "[]"]);
    // What --set says wins over an option, and that over a file.
    place.file("config.json", format!("{{\"levels\": {strict}}}"));
    judged(1, &["--config", "config.json"]);
    judged(0, &["--config", "config.json", "--levels", "[]"]);
    judged(1, &["--levels", "[]", "--set", &set]);

    let help = place.good(["validate", "shop", "--with", "service-levels", "--help"]);
    for part in ["--volume <VALUE>", "--latency-column", "Configuration of service-levels"] {
        assert!(help.contains(part), "{part:?} is missing in {help}");
    }
    let words = ["validate", "shop", "--with=service-levels"];
    place.ask(words.into_iter().chain(["--min-days", "1"])).refused(&["--min-days"]);
    place.ask(words.into_iter().chain(["--volume", "7"])).refused(&["volume"]);
    place.ask(["validate", "shop", "--with", "nothing"]).refused(&["nothing", "service-levels"]);
}

#[test]
fn the_last_span_ends_with_the_newest_row() {
    let place = shop();
    let rows = |span: &[&str]| {
        let words = ["export", "shop.transactions", "--format", "csv"];
        place.good(words.into_iter().chain(span.iter().copied())).lines().count() - 1
    };
    let newest = place.sql("SELECT max(timestamp) AS t FROM shop.transactions");
    let newest = newest[0]["t"].as_str().unwrap().to_owned();
    let counted = |length: &str| {
        let query = format!(
            "SELECT count(*) AS n FROM shop.transactions WHERE timestamp > TIMESTAMP '{newest}' - INTERVAL '{length}'"
        );
        usize::try_from(place.sql(&query)[0]["n"].as_u64().unwrap()).unwrap()
    };
    assert_eq!(rows(&["--last", "5m"]), counted("5 minutes"));
    assert_eq!(rows(&["--last", "30d"]), rows(&[]));
    assert!(rows(&["--last", "5m"]) < rows(&["--last", "10m"]));
    place.ask(["export", "shop", "--format", "csv", "--last", "5m", "--from", "2026-11-09"]).refused(&["--from"]);
    let words = ["validate", "shop", "--with", "service-levels", "--levels", "[]", "--json"];
    let judged = |span: &[&str]| place.ask(words.into_iter().chain(span.iter().copied())).out;
    assert!(judged(&["--last", "30d"]) == judged(&[]), "there is no more than that");
    assert!(judged(&["--last", "5m"]) != judged(&[]));
}
