//! Export profiles: exactly their columns, names and forms.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::shop;
use crate::program::Place;
use crate::tidy::files_in;
use telemill_tests::repository;

fn data(name: &str) -> String {
    repository().join("tests/data").join(name).display().to_string()
}

/// Rows with everything that a profile has a form for.
const DEVICES: &str = "serial,seen,bought,active,load,note
AT1,2026-11-09T04:05:06.500000Z,2020-02-29,true,1.005,x
\"CC, 2\",2026-11-09T23:59:59.000000Z,2021-12-31,false,12.0,
PD3,,,,,
";

/// What `devices-csv.toml` makes of them.
const DEVICES_CSV: &str = "Serial,Last Seen,bought,active,load
AT1,2026-11-09 04:05:06,29/02/2020,True,1.0
\"CC, 2\",2026-11-09 23:59:59,31/12/2021,False,12.0
PD3,,,NULL,-
";

fn devices() -> Place {
    let place = Place::new();
    place.file("devices.csv", DEVICES);
    place.good(["ingest", "fleet.devices", "devices.csv"]);
    place
}

#[test]
fn a_profile_says_columns_names_and_forms() {
    let place = devices();
    assert_eq!(place.good(["export", "fleet", "--profile", &data("devices-csv.toml")]), DEVICES_CSV);
    let words = ["export", "fleet", "--profile", &data("devices-csv.toml"), "--profile", &data("devices-ndjson.toml")];
    let told = place.json(words.into_iter().chain(["--output-dir", "out", "--json"]));
    assert_eq!((&told[0]["rows"], &told[1]["file"]), (&3.into(), &"out/devices.ndjson".into()));
    let written = |name: &str| fs::read_to_string(place.path().join("out").join(name)).unwrap();
    assert_eq!(written("synthetic_devices.csv"), DEVICES_CSV);
    assert_eq!(
        written("devices.ndjson").lines().next(),
        Some(r#"{"Serial":"AT1","Last Seen":"2026-11-09 04:05:06","bought":"29/02/2020","active":"True","load":1.0}"#)
    );
    place.good(["export", "fleet", "--profile", &data("devices-parquet.toml"), "--output-dir", "out"]);
    place.good(["ingest", "again.devices", "out/devices.parquet"]);
    assert_eq!(
        place.good(["export", "again.devices", "--format", "csv"]),
        DEVICES_CSV.replace("Serial,Last Seen", "serial,last_seen").replace("NULL,-", ",")
    );
    let left = files_in(&place.path().join("out"), "partial");
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_file_for_each_value_holds_its_rows_in_the_order_of_time() {
    let place = shop();
    place.ask(["export", "shop", "--profile", &data("hosts-csv.toml")]).refused(&["--output-dir"]);
    let words = ["export", "shop", "--profile", &data("hosts-csv.toml"), "--output-dir", "out", "--json"];
    let told = place.json(words);
    let hosts = place.sql("SELECT DISTINCT service, host FROM shop.infrastructure_metrics");
    let expected: BTreeSet<_> = hosts
        .iter()
        .map(|row| {
            format!(
                "out/hosts/{}/{}_20261109_151500.csv",
                row["service"].as_str().unwrap(),
                row["host"].as_str().unwrap()
            )
        })
        .collect();
    let files: BTreeSet<_> =
        told.as_array().unwrap().iter().map(|file| file["file"].as_str().unwrap().to_owned()).collect();
    assert!(expected.len() > 5);
    assert_eq!(files, expected);
    let mut rows = 0;
    for file in &files {
        let text = fs::read_to_string(place.path().join(file)).unwrap();
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("timestamp,cpu"));
        let times: Vec<_> = lines.map(|line| line.split(',').next().unwrap().to_owned()).collect();
        assert!(times.is_sorted() && times[0] == "15:15:00", "{file}");
        rows += times.len();
    }
    let count = place.sql("SELECT count(*) AS n FROM shop.infrastructure_metrics");
    assert_eq!(count[0]["n"], rows);

    let half = ["--from", "2026-11-09T15:30:00Z"];
    let told = place.json(words.map(|word| if word == "out" { "half" } else { word }).into_iter().chain(half));
    assert!(told[0]["file"].as_str().unwrap().ends_with("_20261109_153000.csv"), "{told}");
}

#[test]
fn line_protocol_has_tags_fields_and_nanoseconds() {
    let place = shop();
    let text = place.good(["export", "shop", "--profile", &data("hosts-influx.toml"), "--ordered"]);
    let rows = place.sql(
        "SELECT host, incident_id, cpu_pct, threads_active AS threads, phase,
         arrow_cast(arrow_cast(timestamp, 'Timestamp(Nanosecond, None)'), 'Int64') AS ns
         FROM shop.infrastructure_metrics",
    );
    let expected = rows.iter().map(|row| {
        let incident = row["incident_id"].as_str().map(|id| format!(",incident={id}")).unwrap_or_default();
        let host = row["host"].as_str().unwrap();
        let cpu = (row["cpu_pct"].as_f64().unwrap() * 100.0).round_ties_even() / 100.0;
        let (threads, phase, ns) = (&row["threads"], &row["phase"], &row["ns"]);
        format!("host\\ metrics,host={host}{incident} cpu={cpu:?},threads={threads}i,phase={phase} {ns}")
    });
    let lines: BTreeSet<_> = text.lines().map(str::to_owned).collect();
    let expected: BTreeSet<_> = expected.collect();
    assert_eq!(lines.difference(&expected).next(), None);
    assert_eq!(lines.len(), expected.len());
    assert!(text.contains(",incident="), "some rows have one");
    // And back, under the table's own names.
    place.file("hosts.lp", &text);
    let told = place.json(["ingest", "back.hosts", "hosts.lp", "--profile", &data("hosts-influx.toml"), "--json"]);
    assert_eq!(told["rows"], rows.len());
    let sums = |table: &str| {
        place.sql(&format!(
            "SELECT count(*) AS n, count(incident_id) AS i, sum(threads_active) AS t, count(DISTINCT host) AS h,
             max(phase) AS p, min(timestamp) AS a, max(timestamp) AS b, count(DISTINCT timestamp) AS d FROM {table}"
        ))
    };
    assert_eq!(sums("back.hosts"), sums("shop.infrastructure_metrics"));
}

#[test]
fn profiles_that_ship_are_named_and_bad_ones_are_refused_with_the_key() {
    let place = shop();
    let text = place.good(["export", "shop", "--profile", "ecommerce/calls"]);
    assert!(
        text.starts_with("time,user_id,service,operation,status,response_time_ms,amount\n2026-11-09 15:"),
        "{text}"
    );
    assert!(!text.contains("incident"));
    place.ask(["export", "shop", "--profile", "mine"]).refused(&["mine", "ecommerce/calls"]);
    let profile = |head: &str, column: &str| {
        format!("table = \"transactions\"\nformat = \"csv\"\n{head}\n[[columns]]\n{column}\n")
    };
    for (text, parts) in [
        (
            profile("", "name = \"colour\""),
            ["profile.toml", "columns[0].name", "colour", "response_time_ms"].as_slice(),
        ),
        (profile("", "name = \"a\"\nfrom = \"colour\""), &["profile.toml", "columns[0].from", "colour"]),
        (profile("", "name = \"status\"\ntime = \"%Y\""), &["columns[0].time", "status"]),
        (profile("", "name = \"status\"\nboolean = [\"a\", \"b\"]"), &["columns[0].boolean", "status"]),
        (profile("", "name = \"status\"\ndecimals = 2"), &["columns[0].decimals", "status"]),
        (profile("", "name = \"status\"\nform = 2"), &["columns[0].form"]),
        (profile("file = \"{colour}.csv\"", "name = \"status\""), &["file", "colour"]),
        (profile("file = \"../a.csv\"", "name = \"status\""), &["file", "below the output folder"]),
        (profile("", "name = \"status\"").replace("transactions", "nothing"), &["nothing", "transactions"]),
    ] {
        place.file("profile.toml", text);
        place.ask(["export", "shop", "--profile", "profile.toml", "--output-dir", "out"]).refused(parts);
        let left = fs::read_dir(place.path().join("out")).map_or(0, Iterator::count);
        assert_eq!(left, 0, "{parts:?}");
    }
    place.ask(["export", "shop", "--output-dir", "out"]).refused(&["--format"]);
    place.ask(["export", "shop.incidents", "--profile", "ecommerce/calls"]).refused(&["transactions"]);
    assert!(!Path::new(&place.path().join("out/calls.csv")).exists());
}

#[test]
fn two_files_never_have_one_name() {
    let place = Place::new();
    place.file("rows.csv", "name,value\na/b,1\na b,2\n");
    place.good(["ingest", "mine.rows", "rows.csv"]);
    place.file(
        "profile.toml",
        "table = \"rows\"\nformat = \"csv\"\nfile = \"{name}.csv\"\n[[columns]]\nname = \"value\"\n",
    );
    let words = ["export", "mine", "--profile", "profile.toml", "--output-dir", "out"];
    place.ask(words).refused(&["a_b.csv", "a/b", "a b"]);
    assert!(files_in(&place.path().join("out"), "partial").is_empty());
    // Nor have the files of two profiles.
    for (name, column) in [("one.toml", "name"), ("two.toml", "value")] {
        let profile =
            format!("table = \"rows\"\nformat = \"csv\"\nfile = \"all.csv\"\n[[columns]]\nname = \"{column}\"\n");
        place.file(name, profile);
    }
    place.ask(["export", "mine", "--profile", "one.toml", "--profile", "two.toml", "--output-dir", "both"]).refused(&[
        "all.csv",
        "the rows of rows",
        "two.toml",
    ]);
    let kept = fs::read_to_string(place.path().join("both/all.csv")).unwrap();
    assert_eq!(kept, "name\na/b\na b\n", "the first one's file is not written over");
    assert!(files_in(&place.path().join("both"), "partial").is_empty());
}

/// The rows of `devices()` without what the profile leaves out: the note, fractions of seconds, decimals.
const DEVICES_BACK: &str = "serial,seen,bought,active,load
AT1,2026-11-09T04:05:06.000000Z,2020-02-29,true,1.0
\"CC, 2\",2026-11-09T23:59:59.000000Z,2021-12-31,false,12.0
PD3,,,,
";

#[test]
fn what_a_profile_wrote_it_takes_in_again() {
    let place = devices();
    for (format, file) in
        [("csv", "synthetic_devices.csv"), ("ndjson", "devices.ndjson"), ("parquet", "devices.parquet")]
    {
        let (profile, file) = (data(&format!("devices-{format}.toml")), format!("out/{file}"));
        place.good(["export", "fleet", "--profile", &profile, "--output-dir", "out"]);
        // Into a table that is made of it, and into one that is there and has a column more.
        let new = format!("{format}.devices");
        place.good(["ingest", &new, &file, "--profile", &profile]);
        assert_eq!(place.good(["export", &new, "--format", "csv"]), DEVICES_BACK, "{format}");
        let types = |dataset: &str| {
            let shown = place.json(["dataset", "show", dataset, "--json"]);
            let fields = shown["tables"][0]["table"]["fields"].as_array().unwrap().clone();
            fields.into_iter().map(|field| field["data_type"].clone()).take(5).collect::<Vec<_>>()
        };
        assert_eq!(types(format), types("fleet"));
        let before = place.sql("SELECT count(*) AS n FROM fleet.devices")[0]["n"].as_u64().unwrap();
        place.good(["ingest", "fleet.devices", &file, "--profile", &profile]);
        let after = place.sql("SELECT count(*) AS n, count(seen) AS seen FROM fleet.devices");
        assert_eq!((after[0]["n"].as_u64(), after[0]["seen"].as_u64()), (Some(before + 3), Some((before + 3) / 3 * 2)));
        place.good(["dataset", "drop", "fleet", "--yes"]);
        place.good(["ingest", "fleet.devices", "devices.csv"]);
    }
    let shop = shop();
    shop.good(["export", "shop", "--profile", "ecommerce/calls", "--output-dir", "out"]);
    shop.good(["ingest", "mine.calls", "out/calls.csv", "--profile", "ecommerce/calls", "--time-field", "timestamp"]);
    let sums = |table: &str| {
        shop.sql(&format!(
            "SELECT count(*) AS n, sum(user_id) AS users, sum(response_time_ms) AS took, min(timestamp) AS start,
             count(DISTINCT operation) AS operations FROM {table}"
        ))
    };
    assert_eq!(sums("mine.calls"), sums("shop.transactions"));
}

#[test]
fn what_is_not_in_the_form_of_the_profile_is_a_bad_row() {
    let place = devices();
    let profile = data("devices-csv.toml");
    let bad = DEVICES_CSV.replace("29/02/2020", "30/02/2020").replace("False", "false");
    place.file("bad.csv", &bad);
    let bad = r#"{"Serial": "a", "active": "True"}
{"Serial": "b", "active": true}
{"Serial": "c", "Last Seen": "yesterday"}
"#;
    place.file("bad.ndjson", bad);
    let json = data("devices-ndjson.toml");
    for table in ["fleet.devices", "new.devices"] {
        for (file, profile, lines) in [("bad.csv", &profile, [2, 3]), ("bad.ndjson", &json, [2, 3])] {
            let told = place.json_with_code(1, ["ingest", table, file, "--profile", profile, "--json"]);
            let places = told["first"].as_array().unwrap().iter().map(|bad| bad["path"].as_str().unwrap().to_owned());
            assert_eq!(places.collect::<Vec<_>>(), lines.map(|line| format!("line {line}")), "{told}");
        }
    }
    place.ask(["ingest", "fleet.devices", "bad.csv", "--profile", &data("hosts-influx.toml")]).with_code(1);
    place.ask(["ingest", "fleet.devices", "bad.csv", "--profile", "nothing"]).refused(&["ecommerce/calls"]);
    assert_eq!(place.sql("SELECT count(*) AS n FROM fleet.devices")[0]["n"], 3);
}
