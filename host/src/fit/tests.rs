//! Tests of the whole way from a file to a configuration.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::core::document;
use serde_json::{Value as Json, json};

/// Even numbers between 0 and 1, the same every time.
fn even(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64
    }
}

fn request(file: PathBuf) -> Request {
    Request { file, format: None, time_field: None, entity: None }
}

/// The spec that is fitted to a CSV file.
fn fitted(header: &str, rows: impl IntoIterator<Item = String>) -> Json {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sample.csv");
    std::fs::write(&file, rows.into_iter().fold(format!("{header}\n"), |text, row| text + &row + "\n")).unwrap();
    let document = fit(&request(file.clone())).unwrap().document;
    assert_eq!(fit(&request(file)).unwrap().document, document, "the same file, the same configuration");
    assert!(crate::run::RunSpec::parse(&document, false, "fitted").is_ok(), "{document}");
    document::from_toml(&document).unwrap()
}

fn table(spec: &Json) -> &Json {
    &spec["generator"]["config"]["tables"][0]
}

fn column<'a>(spec: &'a Json, name: &str) -> &'a Json {
    table(spec)["columns"].as_array().unwrap().iter().find(|column| column["name"] == name).unwrap()
}

/// The value below which a share of a column lies, as it is written.
fn quantile(column: &Json, share: f64) -> f64 {
    let empirical = &column["value"]["empirical"];
    let at = empirical["shares"].as_array().unwrap().iter().position(|known| known.as_f64() == Some(share));
    empirical["values"][at.unwrap()].as_f64().unwrap()
}

/// The i-th minute of a Monday in the form of a file.
fn minute(i: u32) -> String {
    format!("2026-11-{:02}T{:02}:{:02}:00Z", 9 + i / 1440, i / 60 % 24, i % 60)
}

#[test]
fn every_sort_of_column_is_told() {
    let mut even = even(1);
    let spec = fitted(
        "time,order,place,paid,items,amount,shipped,due,serial",
        (0..2000).map(|i| {
            let place = ["DE", "DE", "DE", "FR"][(i % 4) as usize];
            let amount = if i % 5 == 0 { String::new() } else { format!("{:.2}", 10.0 + 90.0 * even()) };
            let (paid, items) = (even() < 0.25, i % 2 + 1);
            let (shipped, due) = (minute(i + 30), 10 + i / 1440);
            format!("{},o-{i},{place},{paid},{items},{amount},{shipped},2026-11-{due:02},{}", minute(i), 100 + 5 * i)
        }),
    );
    assert_eq!(spec["start"], "2026-11-09T00:00:00Z");
    assert_eq!(table(&spec)["rows"], json!({ "every": 60 }));
    assert_eq!(column(&spec, "time")["value"], "time");
    assert_eq!(column(&spec, "order")["value"], json!({ "id": { "prefix": "o-" } }));
    let categories = json!({ "values": ["DE", "FR"], "weights": [0.75, 0.25] });
    assert_eq!(column(&spec, "place")["value"], json!({ "categories": categories }));
    let chance = column(&spec, "paid")["value"]["chance"].as_f64().unwrap();
    assert!((chance - 0.25).abs() < 0.03, "{chance}");
    let numbers = json!({ "values": [1, 2], "weights": [0.5, 0.5] });
    assert_eq!(column(&spec, "items"), &json!({ "name": "items", "type": "integer", "value": { "numbers": numbers } }));
    let amount = column(&spec, "amount");
    assert_eq!((&amount["null_share"], &amount["decimals"]), (&json!(0.2), &json!(2)));
    for (share, value) in [(0.0, 10.0), (0.25, 32.5), (0.5, 55.0), (0.999, 99.9), (1.0, 100.0)] {
        let got = quantile(amount, share);
        assert!((got - value).abs() < 3.0, "{share}: {got} instead of {value}");
    }
    let later = json!({ "numbers": { "values": [1800], "weights": [1] } });
    assert_eq!(column(&spec, "shipped"), &json!({ "name": "shipped", "type": "timestamp", "value": later }));
    let due = json!({ "numbers": { "values": [1], "weights": [1] } });
    assert_eq!(column(&spec, "due"), &json!({ "name": "due", "type": "date", "value": due }));
    assert_eq!(column(&spec, "serial")["value"], json!({ "sequence": { "start": 100, "increment": 5 } }));
}

#[test]
fn entities_levels_hours_and_memory_are_told() {
    let mut even = even(2);
    let mut noise = [0.0; 3];
    let mut rows = Vec::new();
    for step in 0..6 * 144 {
        for (host, name) in ["a", "b", "c"].into_iter().enumerate() {
            noise[host] = 0.8 * noise[host] + 0.6 * ((0..12).map(|_| even()).sum::<f64>() - 6.0);
            let wave = (std::f64::consts::TAU * f64::from(step) / 144.0).sin();
            let load = 50.0 + 10.0 * (host as f64 - 1.0) + 8.0 * wave + 2.0 * noise[host];
            rows.push(format!("{},{name},{},{load:.3}", minute(10 * step), ["north", "south"][host % 2]));
        }
    }
    let spec = fitted("ts,host,site,load", rows);
    assert_eq!((&table(&spec)["of"], &table(&spec)["rows"]), (&json!("host"), &json!({ "every": 600 })));
    let kind = &spec["generator"]["config"]["entities"][0];
    assert_eq!(kind["names"], json!(["a", "b", "c"]));
    assert_eq!(kind["attributes"][0], json!({ "name": "site", "value": { "list": ["north", "south", "north"] } }));
    assert_eq!(column(&spec, "site")["value"], json!({ "attribute": "host.site" }));
    let load = column(&spec, "load");
    assert_eq!(load["plus"], json!([{ "of": "host.load", "factor": 1 }]));
    let levels: Vec<f64> = serde_json::from_value(kind["attributes"][1]["value"]["list"].clone()).unwrap();
    for (level, wanted) in levels.iter().zip([-10.0, 0.0, 10.0]) {
        assert!((level - wanted).abs() < 0.7, "{levels:?}");
    }
    let hours: Vec<f64> = serde_json::from_value(load["hourly_plus"].clone()).unwrap();
    assert!((hours[6] - 8.0).abs() < 1.0 && (hours[18] + 8.0).abs() < 1.0 && hours[12].abs() < 1.0, "{hours:?}");
    let lag = load["lag_1"].as_f64().unwrap();
    assert!((lag - 0.8).abs() < 0.03, "{lag}");
    assert!(load.get("weekday_plus").is_none(), "six days do not tell weekdays");
}

#[test]
fn what_is_proportional_is_told_as_factors() {
    let mut even = even(3);
    let rows = (0..6 * 1440).map(|i| {
        let level = if (8..20).contains(&(i / 60 % 24)) { 40.0 } else { 4.0 };
        format!("{},{:.4}", minute(i), -level * (1.0 - even()).ln())
    });
    let spec = fitted("time,calls", rows);
    let hours: Vec<f64> = serde_json::from_value(column(&spec, "calls")["hourly"].clone()).unwrap();
    assert!((hours[14] / hours[2] - 10.0).abs() < 2.0, "{hours:?}");
}

#[test]
fn what_follows_another_column_is_told() {
    let mut even = even(6);
    let rows = (0..3000).map(|i| {
        let load = 100.0 * even();
        format!("{},{load:.2},{:.3}", minute(i), 20.0 + 0.3 * load + 10.0 * even())
    });
    let spec = fitted("time,load,heat", rows);
    let heat = column(&spec, "heat");
    assert_eq!(heat["plus"][0]["of"], "load");
    assert!((heat["plus"][0]["factor"].as_f64().unwrap() - 0.3).abs() < 0.01, "{heat}");
    let ends = [quantile(heat, 0.0), quantile(heat, 1.0)];
    assert!((ends[0] - 20.0).abs() < 0.5 && (ends[1] - 30.0).abs() < 0.5, "{ends:?}");
    assert!(column(&spec, "load").get("plus").is_none());
}

#[test]
fn rows_at_random_and_without_times() {
    let mut even = even(4);
    let mut t = 0.0;
    let rows = (0..3000).map(|_| {
        t += -30.0 * (1.0 - even()).ln();
        let second = t as u32;
        format!("2026-11-09T{:02}:{:02}:{:02}.5Z,{}", second / 3600, second / 60 % 60, second % 60, second % 3)
    });
    let rows: Vec<String> = rows.take_while(|row| row < &"2026-11-09T20".to_owned()).collect();
    let count = rows.len() as f64;
    let spec = fitted("seen,kind", rows);
    let events = &table(&spec)["rows"]["events"];
    assert!((events["per_hour"].as_f64().unwrap() / (count / 20.0) - 1.0).abs() < 0.02, "{events}");
    assert!(events.get("hourly").is_none(), "a day does not tell hours");
    // Nothing to be the time: rows are spread over a day, beside a column that has the name.
    let spec = fitted("time,x", (0..240).map(|i| format!("{},{}", i * 7 % 240, i % 4)));
    assert_eq!(table(&spec)["columns"][0], json!({ "name": "row_time", "value": "time" }));
    assert_eq!((&spec["duration"], &table(&spec)["rows"]["events"]["per_hour"]), (&json!("1d"), &json!(10)));
    // Days are times, too.
    let spec = fitted("day,x", (0..28).map(|i| format!("2026-11-{:02},{}", i + 1, i * i)));
    assert_eq!(table(&spec)["rows"], json!({ "every": 86_400 }));
    assert_eq!(column(&spec, "day")["value"]["numbers"]["values"], json!([0]));
}

/// Writes the time of a row.
type Written<'a> = &'a dyn Fn(u64) -> String;

#[test]
fn numbers_that_are_named_are_times() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sample.csv");
    let fitted = |of: Written<'_>| {
        let rows: String = (0..200).map(|i| format!("{},{}\n", of(i), i * i % 17)).collect();
        std::fs::write(&file, format!("seen,x\n{rows}")).unwrap();
        fit(&Request { time_field: Some("seen".to_owned()), ..request(file.clone()) })
    };
    // 9 November 2026, every thirty seconds.
    let second = |i: u64| 1_794_182_400 + 30 * i;
    let cases = [
        (&(|i| second(i).to_string()) as Written<'_>, "2026-11-09T00:00:00Z", "as seconds since 1970"),
        (&|i| (second(i) * 1000).to_string(), "2026-11-09T00:00:00Z", "as milliseconds since 1970"),
        (&|i| format!("{}.0", second(i)), "2026-11-09T00:00:00Z", "as seconds since 1970"),
        (&|i| (30 * i).to_string(), "2026-01-01T00:00:00Z", "as seconds since a start"),
    ];
    for (of, start, told) in cases {
        let fitted = fitted(of).unwrap();
        let spec: Json = document::from_toml(&fitted.document).unwrap();
        assert_eq!((&spec["start"], &table(&spec)["rows"]), (&json!(start), &json!({ "every": 30 })));
        assert_eq!(column(&spec, "seen")["value"], "time");
        assert!(fitted.notes[0].contains(told), "{:?}", fitted.notes);
    }
    for (of, told) in [
        (&(|_| "soon".to_owned()) as Written<'_>, "times in RFC 3339 in every row, or numbers"),
        (&|i| if i == 7 { String::new() } else { second(i).to_string() }, "some row has no time"),
    ] {
        let error = fitted(of).unwrap_err().to_string();
        assert!(error.contains("seen can't be the rows' time") && error.contains(told), "{error}");
    }
}

#[test]
fn a_sample_that_is_too_short_for_hours_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sample.csv");
    let notes = |minutes: u32| {
        let rows: String = (0..minutes).map(|i| format!("{},{}\n", minute(i), i % 60)).collect();
        std::fs::write(&file, format!("time,x\n{rows}")).unwrap();
        fit(&request(file.clone())).unwrap().notes.join("\n")
    };
    assert!(notes(1440).contains("spans 1.00 days: a daily profile is told from 2 days on"), "{}", notes(1440));
    assert!(notes(90).contains("spans 1.5 hours"), "{}", notes(90));
    assert!(!notes(2 * 1440).contains("daily profile"));
}

#[test]
fn texts_that_last_have_memory() {
    let mut even = even(5);
    let mut place = 0;
    let rows = (0..5000).map(|i| {
        if even() < 0.05 {
            place = (even() * 4.0) as usize;
        }
        format!("{},{},{}", minute(i), ["a", "b", "c", "d"][place], ["x", "y"][usize::from(even() < 0.5)])
    });
    let spec = fitted("time,state,toss", rows.collect::<Vec<_>>());
    assert!(column(&spec, "state")["lag_1"].as_f64().unwrap() > 0.9, "{}", column(&spec, "state"));
    assert!(column(&spec, "toss").get("lag_1").is_none());
}

#[test]
fn names_are_made_of_files() {
    for (file, name) in [("a/Orders.csv.gz", "orders"), ("2026-11.csv", "t_2026_11"), ("incidents.csv", "t_incidents")]
    {
        assert_eq!(name_of(Path::new(file)), name);
    }
}
