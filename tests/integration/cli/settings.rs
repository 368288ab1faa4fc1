//! Where settings come from, which one wins, and what is no setting.

use serde_json::Value;

use super::shop;
use crate::program::{Answer, Place, answer, program};

const ROWS: &str = "SELECT transaction_id FROM shop.transactions";

/// How many rows a query gives under a limit from the file, a variable and flags.
fn rows(place: &Place, file: &str, variable: Option<&str>, flag: Option<&str>) -> usize {
    place.file("telemill.toml", file);
    let mut command = place.command(flag.map(|flag| ["--setting", flag]).into_iter().flatten());
    command.args(["sql", ROWS, "--format", "csv"]);
    if let Some(value) = variable {
        command.env("TELEMILL_QUERY_ROWS", value);
    }
    // A header, and the rows.
    answer(command.output().unwrap()).with_code(0).out.lines().count() - 1
}

#[test]
fn flags_win_over_variables_and_these_over_the_file() {
    let place = shop();
    let file = "[query]\nrows = 3\n";
    assert!(rows(&place, "", None, None) > 1000);
    assert_eq!(rows(&place, file, None, None), 3);
    assert_eq!(rows(&place, file, Some("4"), None), 4);
    assert_eq!(rows(&place, file, Some("4"), Some("query.rows=5")), 5);
    assert_eq!(rows(&place, "", Some("4"), None), 4);
}

#[test]
fn the_data_folder_comes_from_flag_variable_or_file() {
    let place = shop();
    let ask = |file: &str, variable: Option<&str>, flag: Option<&str>| -> Answer {
        place.file("telemill.toml", file);
        let mut command = program(place.path());
        command.args(["dataset", "list", "--json"]);
        command.args(flag.map(|flag| ["--data-dir", flag]).into_iter().flatten());
        command.envs(variable.map(|value| ("TELEMILL_DATA_DIR", value)));
        answer(command.output().unwrap())
    };
    let found = |answer: Answer| {
        let list: Value = serde_json::from_str(&answer.with_code(0).out).unwrap();
        assert_eq!(list[0]["name"], "shop");
    };
    found(ask("data_dir = \"data\"", None, None));
    found(ask("data_dir = \"a\"", Some("data"), None));
    found(ask("data_dir = \"a\"", Some("b"), Some("data")));
    ask("", None, None).refused(&["telemill-data", "run start"]);
    ask("data_dir = \"a\"", Some("b"), Some("c")).refused(&[" c"]);
    assert!(!place.path().join("telemill-data").exists(), "looking makes no folder");
}

#[test]
fn what_is_no_setting_is_refused_with_its_place() {
    let place = shop();
    let refused = |command: &mut std::process::Command, parts: &[&str]| {
        answer(command.args(["dataset", "list"]).output().unwrap()).refused(parts);
    };
    refused(&mut place.command(["--setting", "query.colour=1"]), &["query.colour", "query.rows"]);
    refused(&mut place.command(["--setting", "query.rows=many"]), &["query.rows"]);
    refused(&mut place.command(["--setting", "query.rows"]), &["KEY=VALUE"]);
    refused(place.command([]).env("TELEMILL_QUERY_COLOUR", "1"), &["TELEMILL_QUERY_COLOUR"]);
    refused(place.command([]).env("TELEMILL_LIMITS_CALL_MS", "soon"), &["TELEMILL_LIMITS_CALL_MS"]);
    place.file("telemill.toml", "[query]\ncolour = 1\n");
    refused(&mut place.command([]), &["telemill.toml", "colour"]);
    place.file("telemill.toml", "query");
    refused(&mut place.command([]), &["telemill.toml"]);
}

#[test]
fn queries_read_and_no_more() {
    let place = shop();
    let files = place.parquet("shop", "transactions");
    for query in [
        "DROP TABLE shop.transactions",
        "INSERT INTO shop.incidents SELECT * FROM shop.incidents",
        "DELETE FROM shop.incidents",
        "UPDATE shop.incidents SET kind = 'none'",
        "CREATE TABLE shop.other AS SELECT 1",
        "CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '/etc/passwd'",
        "COPY (SELECT 1) TO 'out.csv'",
        "SET datafusion.execution.batch_size = 1",
    ] {
        place.ask(["sql", query]).refused(&["reading only"]);
    }
    for (query, part) in [
        ("SELECT * FROM '/etc/passwd'", "/etc/passwd"),
        ("SELECT * FROM 'telemill.toml'", "telemill.toml"),
        ("SELECT * FROM nowhere.transactions", "nowhere"),
        ("SELECT * FROM shop.nothing", "nothing"),
        ("SELECT colour FROM shop.transactions", "colour"),
        ("SELECT 1; SELECT 2", "single"),
        ("SELEC 1", "SELEC"),
    ] {
        place.ask(["sql", query]).refused(&[part]);
    }
    assert!(!place.path().join("out.csv").exists());
    assert_eq!(place.parquet("shop", "transactions"), files);
}

#[test]
fn queries_stay_within_their_limits() {
    let place = shop();
    let ask = |setting: &str, query: &str| place.ask(["--setting", setting, "sql", query]);
    let cut = ask("query.rows=2", ROWS).with_code(0);
    assert_eq!(cut.out.lines().count(), 6, "a header, two rows and three lines: {}", cut.out);
    assert!(cut.err.contains("query.rows"), "a cut result says so: {}", cut.err);
    let slow = "SELECT count(*) FROM shop.transactions a, shop.transactions b, shop.transactions c \
                WHERE a.response_time_ms < b.response_time_ms + c.response_time_ms";
    ask("query.time_ms=100", slow).refused(&["query.time_ms", "100 ms"]);
    let wide = "SELECT a.trace_id, b.trace_id, count(*) FROM shop.transactions a, shop.transactions b GROUP BY 1, 2";
    let limits = ["--setting", "query.memory_bytes=8000000", "--setting", "query.spill_bytes=1000000", "sql", wide];
    place.ask(limits).refused(&["query.memory_bytes"]);
}

#[test]
fn data_goes_to_standard_output_and_the_rest_to_standard_error() {
    let place = Place::new();
    place.file("spec.toml", super::SPEC);
    let run = place.ask(["run", "start", "spec.toml", "--json"]).with_code(0);
    let told: Value = serde_json::from_str(&run.out).unwrap();
    let id = told["run"]["id"].as_str().unwrap();
    assert!(run.err.contains(id), "the run's id comes with the progress: {}", run.err);
    assert_eq!(place.ask(["run", "start", "spec.toml", "--json", "--quiet", "--replace"]).with_code(0).err, "");
    for words in [
        ["run", "list", "--json"].as_slice(),
        &["run", "show", "--json"],
        &["run", "verify", "--lake", "--json"],
        &["dataset", "list", "--json"],
        &["dataset", "show", "shop", "--json", "--distinct"],
        &["plugin", "list", "--json"],
        &["plugin", "inspect", "ecommerce", "--json"],
        &["plugin", "inspect", "ecommerce", "--schema"],
        &["sql", "SELECT 1 AS one", "--json"],
        &["preview", "spec.toml", "--for", "1s", "--json"],
        &["export", "shop", "--format", "csv", "--output-dir", "out", "--json"],
        &["validate", "shop", "--with", "table-rules", "--json"],
        &["doctor", "--json"],
    ] {
        let answer = place.ask(words.iter().copied()).with_code(0);
        assert!(answer.out.ends_with('\n'), "{words:?}");
        let value: Value = serde_json::from_str(&answer.out).unwrap();
        assert!(value.is_array() || value.is_object(), "{words:?}");
        assert!(!answer.err.contains("error"), "{words:?}: {}", answer.err);
    }
}

#[test]
fn what_is_written_to_no_terminal_has_no_colours() {
    let place = shop();
    for words in [["run", "show"].as_slice(), &["run", "start", "spec.toml"], &["doctor"], &["nonsense"], &["--help"]] {
        for no_colour in ["1", ""] {
            let ended = answer(place.command(words.iter().copied()).env("NO_COLOR", no_colour).output().unwrap());
            assert!(!ended.out.contains('\u{1b}') && !ended.err.contains('\u{1b}'), "{words:?}: {ended:?}");
        }
    }
}

#[test]
fn wrong_use_ends_with_2_and_says_what_is_wrong() {
    let place = Place::new();
    for (words, part) in [
        (["nonsense"].as_slice(), "nonsense"),
        (&["run", "start"], "<SPEC>"),
        (&["run", "start", "ecommerce", "--colour", "red"], "--colour"),
        (&["run", "start", "ecommerce", "--workers", "0"], "--workers"),
        (&["run", "start", "ecommerce", "--duration", "long"], "--duration"),
        (&["run", "start", "ecommerce", "--start", "soon"], "--start"),
        (&["sql", "SELECT 1", "--format", "xml"], "xml"),
        (&["dataset", "list"], "run start"),
        (&["run", "list"], "run start"),
        (&["sql", "SELECT 1"], "run start"),
        (&["generate", "ecommerce", "--colour", "red"], "--colour"),
        (&["generate", "ecommerce", "--days", "1", "--set", "ecommerce.colour=red"], "colour"),
        (&["generate", "ecommerce", "--days", "1", "--base-tps", "many"], "base_tps"),
        (&["generate", "nowhere"], "nowhere"),
        (&["generate", "ecommerce", "--days", "0"], "--days"),
        (&["preview", "ecommerce", "--at", "2020-01-01"], "outside the run"),
        (&["preview", "ecommerce", "--table", "colours"], "colours"),
        (&["plugin", "inspect", "nowhere"], "nowhere"),
        (&["plugin", "test", "nowhere.wasm"], "nowhere.wasm"),
    ] {
        place.ask(words.iter().copied()).refused(&[part]);
    }
}
