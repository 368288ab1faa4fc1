//! `telemill clean`: what its steps remove and fill, held to what pandas makes of the same file.

use std::fs;

use serde_json::json;
use telemill_tests::repository;

use super::shop;
use crate::program::Place;

/// Rows before and after each step of `tests/data/readings-recipe.toml`, as pandas counts them, and the losses that it
/// fills.
const EXPECTED: [(i64, i64); 4] = [(252, 240), (240, 226), (226, 204), (204, 204)];
const FILLED: u64 = 8;
const FILLED_BY_LINK: [(&str, u64); 2] = [("fibre", 7), ("satellite", 1)];
const CLASSES: [&str; 3] = ["fibre", "radio", "satellite"];

fn data(name: &str) -> String {
    repository().join("tests/data").join(name).display().to_string()
}

/// A place whose lake has the rows of `tests/data/readings.csv` as `raw.readings`.
fn readings() -> Place {
    let place = Place::new();
    place.good(["ingest", "raw.readings", &data("readings.csv")]);
    place
}

/// `tests/data/readings-cleaned.csv` was made from `readings.csv` by
///
/// ```python
/// df = df.drop_duplicates()
/// for c in ["rtt_ms", "size_mb"]:
///     q1, q3 = df[c].quantile(0.25), df[c].quantile(0.75)
///     df = df[(df[c] >= q1 - 1.5 * (q3 - q1)) & (df[c] <= q3 + 1.5 * (q3 - q1))]
/// df["loss"] = df["loss"].fillna(df["loss"].median())
/// ```
#[test]
fn a_recipe_leaves_the_rows_that_pandas_leaves() {
    let place = readings();
    let recipe = data("readings-recipe.toml");
    let told = place.json(["clean", "raw", "--recipe", &recipe, "-o", "tidy", "--json"]);
    let rows = place.good(["sql", "SELECT * FROM tidy.readings ORDER BY time", "--format", "csv"]);
    assert_eq!(rows, fs::read_to_string(data("readings-cleaned.csv")).unwrap());

    let steps = told["steps"].as_array().unwrap();
    let counts = steps.iter().map(|step| ["rows_in", "rows_out", "removed"].map(|key| step[key].as_i64().unwrap()));
    assert_eq!(counts.collect::<Vec<_>>(), EXPECTED.map(|(before, after)| [before, after, before - after]));
    for step in steps {
        let classes = step["removed_by_class"].as_array().unwrap();
        let sum: i64 = classes.iter().map(|class| class["rows"].as_i64().unwrap()).sum();
        assert_eq!(json!(sum), step["removed"], "{step}");
        assert!(classes.iter().all(|class| CLASSES.contains(&class["class"]["link"].as_str().unwrap())), "{step}");
    }
    // Rows without a round trip or a size went as rows; only what the last step did was filling.
    assert_eq!(steps[1]["missing_gone"]["rtt_ms"], 9);
    assert_eq!((&steps[1]["filled"], &steps[3]["filled"]), (&json!({}), &json!({ "loss": FILLED })));

    // By class, it is what pandas' `df[df["loss"].isna()].groupby("link").size()` says before the last step.
    let filled: Vec<(&str, u64)> = steps[3]["filled_by_class"]
        .as_array()
        .unwrap()
        .iter()
        .map(|class| (class["class"]["link"].as_str().unwrap(), class["columns"]["loss"].as_u64().unwrap()))
        .collect();
    assert_eq!(filled, FILLED_BY_LINK);
    assert_eq!(steps[1]["filled_by_class"], json!([]), "rows went");

    let text = place.good(["clean", "raw", "--recipe", &recipe, "-o", "tidy", "--replace"]);
    for part in [
        "removed by rtt",
        "link=fibre",
        "filled by loss",
        "by link",
        "fibre 7, satellite 1",
        "rows are in tidy.readings",
    ] {
        assert!(text.contains(part), "{part:?} is missing in {text}");
    }
}

#[test]
fn what_is_cleaned_is_a_table_as_good_as_the_one_before() {
    let place = shop();
    let shipped = "ecommerce/response-times";
    let told = place.json(["clean", "shop", "--recipe", shipped, "-o", "tidy", "--json"]);
    assert_eq!(told["steps"][0]["removed"], 0);
    assert!(told["steps"][1]["removed"].as_i64().unwrap() > 0, "{told}");
    let table = |dataset: &str| {
        let shown = place.json(["dataset", "show", dataset, "--json"]);
        let tables = shown["tables"].as_array().unwrap();
        tables.iter().find(|shown| shown["table"]["name"] == "transactions").unwrap()["table"].clone()
    };
    // Units, summaries, key and time stay; the same commands go on working.
    assert_eq!(table("tidy"), table("shop"));
    place.good(["export", "tidy.transactions", "--format", "csv", "--from", "2026-11-09T15:20:00Z"]);
    // Twice the same rows in the same order, and what was done is done.
    place.good(["clean", "shop", "--recipe", shipped, "-o", "again"]);
    let rows = |dataset: &str| place.good(["export", &format!("{dataset}.transactions"), "--format", "ndjson"]);
    assert_eq!(rows("tidy"), rows("again"));
    let left = fs::read_dir(place.data().join("spill")).map_or(0, Iterator::count);
    assert_eq!(left, 0, "rows between steps are gone");

    let span = ["--from", "2026-11-09T15:20:00Z", "--to", "2026-11-09T15:25:00Z"];
    let words = ["clean", "shop", "--recipe", shipped, "-o", "short", "--json"];
    let told = place.json(words.into_iter().chain(span));
    let count = place.sql(
        "SELECT count(*) AS n FROM shop.transactions
         WHERE timestamp >= '2026-11-09T15:20:00Z' AND timestamp < '2026-11-09T15:25:00Z'",
    );
    assert_eq!(told["rows_in"], count[0]["n"]);
}

#[test]
fn missing_values_are_told_of_columns_that_steps_name() {
    let place = readings();
    let recipe = |condition: &str| {
        let step = format!("[[steps]]\nname = \"some\"\nsql = \"SELECT * FROM input WHERE {condition}\"\n");
        place.file("recipe.toml", format!("summary = \"s\"\ntable = \"readings\"\n{step}"));
        let told = place.json(["clean", "raw", "--recipe", "recipe.toml", "-o", "tidy", "--replace", "--json"]);
        told["steps"][0]["missing_gone"].clone()
    };
    assert_eq!(recipe("link <> 'fibre'"), json!({}), "nobody asked for round trips and losses");
    assert_eq!(recipe("loss IS NOT NULL")["rtt_ms"], json!(null));
    assert!(recipe("loss IS NOT NULL")["loss"].as_u64() > Some(0));
}

#[test]
fn columns_may_come_and_go() {
    let place = readings();
    place.file(
        "recipe.toml",
        r#"
summary = "Another table"
table = "readings"
classes = ["link"]
[[steps]]
name = "best"
sql = "SELECT time, link AS kind, rtt_ms > 50 AS slow, CAST(loss AS TEXT) AS loss FROM input"
[[steps]]
name = "known"
sql = "SELECT input.* FROM input JOIN raw.readings r ON r.time = input.time WHERE r.loss IS NOT NULL"
"#,
    );
    let told = place.json(["clean", "raw", "--recipe", "recipe.toml", "-o", "tidy", "--json"]);
    assert_eq!(told["steps"][1]["removed_by_class"], json!([]), "the class is gone");
    let shown = place.json(["dataset", "show", "tidy", "--json"]);
    let fields = shown["tables"][0]["table"]["fields"].as_array().unwrap();
    let types: Vec<_> =
        fields.iter().map(|f| (f["name"].as_str().unwrap(), f["data_type"].as_str().unwrap())).collect();
    assert_eq!(types, [("time", "timestamp"), ("kind", "utf8"), ("slow", "boolean"), ("loss", "utf8")]);
    assert_eq!(shown["tables"][0]["table"]["time_field"], "time");
}

#[test]
fn what_can_not_be_cleaned_is_refused_with_the_reason() {
    let place = readings();
    let recipe = |steps: &str| format!("summary = \"s\"\ntable = \"readings\"\nclasses = [\"link\"]\n{steps}");
    let step = |sql: &str| recipe(&format!("[[steps]]\nname = \"first\"\nsql = \"{sql}\"\n"));
    for (text, parts) in [
        (step("DELETE FROM raw.readings"), ["first", "one SELECT"].as_slice()),
        (step("SELECT 1; SELECT 2"), &["first"]),
        (step("SHOW TABLES"), &["first", "one SELECT"]),
        (step("SELECT nothing FROM input"), &["first", "nothing"]),
        (step("SELECT * FROM readings"), &["first", "DATASET.TABLE"]),
        (step("SELECT * FROM 'step-0.parquet'"), &["first"]),
        (step("SELECT * FROM nowhere.readings"), &["first", "nowhere"]),
        (step("SELECT count(*) FROM input"), &["column", "count(*)"]),
        (step("SELECT link, array_agg(loss) AS losses FROM input GROUP BY link"), &["losses", "cast"]),
        (step("SELECT * FROM input").replace("\"link\"", "\"colour\""), &["classes", "colour"]),
        (step("SELECT * FROM input").replace("\"readings\"", "\"nothing\""), &["nothing", "readings"]),
        (recipe("[[steps]]\nname = \"first\"\nsequel = \"\"\n"), &["recipe.toml", "steps[0]", "sequel"]),
        (recipe("steps = []\n"), &["recipe.toml", "steps"]),
    ] {
        place.file("recipe.toml", &text);
        place.ask(["clean", "raw", "--recipe", "recipe.toml", "-o", "tidy"]).refused(parts);
    }
    let good = data("readings-recipe.toml");
    place.ask(["clean", "raw", "--recipe", &good, "-o", "raw", "--replace"]).refused(&["another dataset"]);
    place.ask(["clean", "raw", "--recipe", "mine/nothing", "-o", "tidy"]).refused(&["ecommerce/response-times"]);
    place.ask(["clean", "raw", "--recipe", &good, "-o", "Tidy"]).refused(&["Tidy"]);
    let small = ["--setting", "query.spill_bytes=1000"];
    let words = ["clean", "raw", "--recipe", &good, "-o", "tidy"];
    place.ask(words.into_iter().chain(small)).refused(&["query.spill_bytes"]);
    assert_eq!(place.json(["dataset", "list", "--json"]).as_array().unwrap().len(), 1, "nothing came of it");
    place.good(words);
    place.ask(words).refused(&["--replace"]);
}
