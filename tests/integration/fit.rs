//! From a sample to a run that makes more of its kind: what was put into a sample is written down, and comes out again.

use std::f64::consts::TAU;
use std::fmt::Write as _;
use std::fs;

use serde_json::{Value, json};

use crate::program::Place;

/// Even numbers between 0 and 1, the same every time.
struct Even(u64);

impl Even {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A normal value, near enough: the sum of twelve.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.next()).sum::<f64>() - 6.0
    }
}

fn instant(seconds: f64) -> String {
    let (day, second) = ((seconds / 86_400.0) as u32, seconds % 86_400.0);
    let (hour, minute) = ((second / 3600.0) as u32, (second / 60.0) as u32 % 60);
    format!("2026-11-{:02}T{hour:02}:{minute:02}:{:06.3}Z", day + 1, second % 60.0)
}

/// Three hosts every five minutes for six days: the load has a level of each host, a daily wave and memory; states last.
fn metrics() -> String {
    let mut even = Even(7);
    let mut rows = "ts,host,cpu,state,errors,disk,ok,heat\n".to_owned();
    let (mut noise, mut state) = ([0.0; 3], [0; 3]);
    for step in 0..6 * 288 {
        let wave = (TAU * f64::from(step) / 288.0).sin();
        for (host, name) in ["web-1", "web-2", "db-1"].into_iter().enumerate() {
            noise[host] = 0.8 * noise[host] + 0.6 * even.normal();
            let cpu = (40.0 + 8.0 * host as f64 + 10.0 * wave + 3.0 * noise[host]).clamp(0.0, 100.0);
            if even.next() < 0.1 {
                state[host] = (even.next() * 3.0) as usize;
            }
            let errors = [0, 0, 0, 0, 0, 0, 0, 1, 1, 2][(even.next() * 10.0) as usize];
            let disk = if even.next() < 0.1 { String::new() } else { format!("{:.2}", -20.0 * even.next().ln()) };
            let (state, ok) = (["idle", "busy", "full"][state[host]], even.next() < 0.9);
            let heat = 30.0 + 0.4 * cpu + even.normal();
            let time = instant(f64::from(step) * 300.0);
            writeln!(rows, "{time},{name},{cpu:.1},{state},{errors},{disk},{ok},{heat:.2}").unwrap();
        }
    }
    rows
}

/// Orders over three weeks, of which most come by day and few on Sundays.
fn orders() -> String {
    let mut even = Even(11);
    let mut rows = "order_id,timestamp,country,amount,items,paid_at,due\n".to_owned();
    let mut number = 0;
    for minute in 0..21 * 1440 {
        // 1 November 2026 is a Sunday.
        let day = if minute / 1440 % 7 == 0 { 0.3 } else { 1.0 };
        let hour = if (480..1200).contains(&(minute % 1440)) { 0.6 } else { 0.1 };
        if even.next() < day * hour {
            number += 1;
            let seconds = (f64::from(minute) + even.next()) * 60.0;
            let country = ["DE", "DE", "DE", "DE", "DE", "FR", "FR", "FR", "IT", "IT"][(even.next() * 10.0) as usize];
            let amount = 30.0 * (0.6 * even.normal()).exp();
            let items = 1 + (-1.5 * even.next().ln()) as u32;
            let paid = if even.next() < 0.2 { String::new() } else { instant(seconds + 5.0 - 60.0 * even.next().ln()) };
            let due = [3, 7, 7][(even.next() * 3.0) as usize] + seconds as u32 / 86_400 + 1;
            let due = if due > 30 { format!("2026-12-{:02}", due - 30) } else { format!("2026-11-{due:02}") };
            let time = instant(seconds);
            writeln!(rows, "o-{number:06},{time},{country},{amount:.2},{items},{paid},{due}").unwrap();
        }
    }
    rows
}

/// What is told of one column.
fn column<'a>(report: &'a Value, name: &str) -> &'a Value {
    let columns = report["columns"].as_array().unwrap();
    columns.iter().find(|column| column["column"] == name).unwrap_or_else(|| panic!("no {name} in {report}"))
}

fn within(report: &Value, bounds: &[(&str, f64)]) {
    for (name, most) in bounds {
        let column = column(report, name);
        let distance = column["distance"].as_f64().unwrap_or_else(|| panic!("{column}"));
        assert!(distance <= *most, "{name} is {distance} away, more than {most}: {column}");
        let nulls = column["null_share_difference"].as_f64().unwrap();
        assert!(nulls.abs() <= 0.02, "{column}");
        let lag = column["lag_1_difference"].as_f64().unwrap_or(0.0);
        assert!(lag.abs() <= 0.06, "{column}");
    }
}

#[test]
fn samples_of_hosts_are_fitted_and_made_again() {
    let place = Place::new();
    place.file("metrics.csv", metrics());
    let report = place.json(["fit", "metrics.csv", "--at-most", "0.1", "--json"]);
    assert_eq!(report["rows"], "one of each host every 300 s");
    assert_eq!((&report["sample_rows"], &report["made_rows"]), (&json!(5184), &json!(5184)));
    within(
        &report,
        &[
            ("ts", 0.0),
            ("host", 0.0),
            ("cpu", 0.06),
            ("state", 0.08),
            ("errors", 0.03),
            ("disk", 0.04),
            ("ok", 0.02),
            ("heat", 0.06),
        ],
    );
    assert_eq!(report["pairs"], json!([]), "heat follows the load");
    assert!(column(&report, "heat")["written"].as_str().unwrap().contains(" times cpu"), "{report}");
    let written = |name: &str| column(&report, name)["written"].as_str().unwrap().to_owned();
    assert!(written("cpu").starts_with("quantiles, level of each host, hours, lag-1 of 0."), "{}", written("cpu"));
    assert!(written("state").starts_with("categories: 3, lag-1 of 0."), "{}", written("state"));
    assert_eq!((written("errors"), written("disk")), ("numbers: 3".to_owned(), "quantiles".to_owned()));

    // The same file, the same configuration.
    let spec = fs::read_to_string(place.path().join("metrics.toml")).unwrap();
    place.ask(["fit", "metrics.csv"]).refused(&["metrics.toml exists", "--replace"]);
    place.good(["fit", "metrics.csv", "--replace"]);
    assert_eq!(fs::read_to_string(place.path().join("metrics.toml")).unwrap(), spec);
    place.good(["ingest", "mine.metrics", "metrics.csv"]);
    // Other sorts of files with the same rows are as good.
    for format in ["parquet", "ndjson"] {
        let file = format!("same.{format}");
        let rows = place.command(["export", "mine.metrics", "--format", format]).output().unwrap().stdout;
        place.file(&file, rows);
        let other = place.json(["fit", &file, "-o", &format!("{format}.toml"), "--json"]);
        assert_eq!(column(&other, "cpu")["written"], column(&report, "cpu")["written"]);
        within(&other, &[("cpu", 0.06), ("state", 0.08)]);
    }

    place.good(["run", "start", "./metrics.toml"]);
    let rows =
        place.sql("SELECT host, count(*) AS rows, avg(cpu) AS mean FROM metrics.metrics GROUP BY host ORDER BY mean");
    let hosts: Vec<_> = rows.iter().map(|row| (&row["host"], &row["rows"])).collect();
    assert_eq!(
        hosts,
        [(&json!("web-1"), &json!(1728)), (&json!("web-2"), &json!(1728)), (&json!("db-1"), &json!(1728))]
    );
    for (row, level) in rows.iter().zip([40.0, 48.0, 56.0]) {
        assert!((row["mean"].as_f64().unwrap() - level).abs() < 1.5, "{row}");
    }
    // The wave is at its highest at six, and at its lowest at eighteen.
    let hours = place.sql(
        "SELECT extract(hour FROM ts) AS hour, avg(cpu) AS cpu FROM metrics.metrics \
         WHERE extract(hour FROM ts) IN (6, 18) GROUP BY 1 ORDER BY 1",
    );
    let wave = hours[0]["cpu"].as_f64().unwrap() - hours[1]["cpu"].as_f64().unwrap();
    assert!((wave - 20.0).abs() < 3.0, "{wave}");
}

#[test]
fn orders_are_fitted_and_made_again() {
    let place = Place::new();
    place.file("orders.csv", orders());
    let report = place.json(["fit", "orders.csv", "-o", "more.toml", "--json"]);
    let rows = report["rows"].as_str().unwrap();
    assert!(rows.starts_with("at random, ") && rows.ends_with(" an hour, by hours and weekdays"), "{rows}");
    let (sample, made) = (report["sample_rows"].as_f64().unwrap(), report["made_rows"].as_f64().unwrap());
    assert!((made / sample - 1.0).abs() < 0.05, "{made} rows instead of {sample}");
    within(
        &report,
        &[("timestamp", 0.03), ("country", 0.03), ("amount", 0.03), ("items", 0.03), ("paid_at", 0.03), ("due", 0.03)],
    );
    assert_eq!(column(&report, "order_id")["distance"], Value::Null, "ids are never the same");

    place.good(["run", "start", "./more.toml"]);
    let rows = place.sql(
        "SELECT count(*) = count(DISTINCT order_id) AS unique, min(order_id) LIKE 'o-%' AS prefix, \
         avg(CASE WHEN country = 'DE' THEN 1.0 ELSE 0.0 END) AS de, min(paid_at - timestamp) > INTERVAL '4 seconds' AS later \
         FROM orders.orders",
    );
    assert_eq!((&rows[0]["unique"], &rows[0]["prefix"], &rows[0]["later"]), (&json!(true), &json!(true), &json!(true)));
    assert!((rows[0]["de"].as_f64().unwrap() - 0.5).abs() < 0.03, "{}", rows[0]);

    // A verdict for scripts: no two samples are the same.
    let told =
        place.json_with_code(1, ["fit", "orders.csv", "-o", "more.toml", "--replace", "--at-most", "0", "--json"]);
    assert!(told["too_far"].as_array().unwrap().contains(&json!("amount")), "{told}");
}

#[test]
fn what_can_not_be_fitted_is_named() {
    let place = Place::new();
    place.file("a.csv", "time,x\n2026-11-01T00:00:00Z,1\n2026-11-01T00:01:00Z,2,3\n");
    place.ask(["fit", "a.csv"]).refused(&["a.csv", "line 3"]);
    place.file("b.csv", "time,x\n2026-11-01T00:00:00Z,1\nsoon,2\n");
    place.ask(["fit", "b.csv", "--time-field", "time"]).refused(&["time"]);
    place.ask(["fit", "b.csv", "--entity", "x"]).refused(&["x can't be the entity", "no column of text"]);
    place.ask(["fit", "missing.csv"]).refused(&["missing.csv"]);
    assert!(!place.path().join("a.toml").exists() && !place.path().join("b.toml").exists());
    // Without a time there is still something to tell.
    place.file("c.csv", "name,size\n".to_owned() + &"a,1.5\nb,2.5\n".repeat(200));
    let report = place.json(["fit", "c.csv", "--json"]);
    assert!(report["notes"][0].as_str().unwrap().contains("no column has times"), "{report}");
    within(&report, &[("name", 0.1), ("size", 0.1)]);
}
