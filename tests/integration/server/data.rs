//! Datasets, files, series, exports and SQL over HTTP.

use crate::program::{Place, Served};
use crate::python;
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

fn shop(place: &Place) -> Served {
    place.good(["run", "start", "ecommerce", "--duration", "1h", "--seed", "7", "--start", "2026-11-09"]);
    place.serve([])
}

#[test]
fn what_is_in_the_lake_is_told_as_the_command_line_tells_it() {
    let place = Place::new();
    let server = shop(&place);
    let datasets = server.get("/api/v1/datasets").with_status(200).json();
    assert_eq!(datasets, place.json(["dataset", "list", "--json"]));
    let shown = server.get("/api/v1/datasets/ecommerce").with_status(200).json();
    let names: Vec<&str> =
        shown["tables"].as_array().unwrap().iter().map(|t| t["table"]["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["incident_effects", "incidents", "infrastructure_metrics", "transactions"]);
    let columns = server.get("/api/v1/datasets/ecommerce/tables/transactions/columns").with_status(200).json();
    let told = place.json(["dataset", "show", "ecommerce", "--json"]);
    let told = told["tables"].as_array().unwrap().iter().find(|t| t["table"]["name"] == "transactions").unwrap();
    assert_eq!(columns, told["columns"]);
    for path in ["datasets/none", "datasets/ecommerce/tables/none/columns", "datasets/ecommerce/tables/none/preview"] {
        let reply = server.get(&format!("/api/v1/{path}")).with_status(404);
        assert!(reply.text().contains("none"), "{}", reply.text());
    }
    let incidents = server.get("/api/v1/incidents?dataset=ecommerce").with_status(200).json();
    assert_eq!(incidents.as_array().unwrap().len(), place.sql("SELECT * FROM ecommerce.incidents").len());
    server.get("/api/v1/incidents?dataset=none").with_status(404);
    let reports = server.get("/api/v1/reports?dataset=ecommerce&limit=1").with_status(200).json();
    assert_eq!(reports["items"][0]["dataset"], "ecommerce");
    server.send("DELETE", "/api/v1/datasets/ecommerce", &[], &[]).with_status(200);
    server.get("/api/v1/datasets/ecommerce").with_status(404);
}

#[test]
fn files_come_whole_and_in_ranges_and_nothing_else_is_served() {
    let place = Place::new();
    let server = shop(&place);
    let files = server.get("/api/v1/datasets/ecommerce/tables/transactions/files").with_status(200).json();
    let (href, bytes) = (files[0]["href"].as_str().unwrap(), files[0]["bytes"].as_u64().unwrap());
    let whole = server.get(href).with_status(200);
    assert_eq!((whole.body.len() as u64, &whole.body[..4]), (bytes, b"PAR1".as_slice()));
    let head = server.send("HEAD", href, &[], &[]).with_status(200);
    assert_eq!(head.header("content-length").unwrap(), bytes.to_string());
    let tail = server.send("GET", href, &[("range", "bytes=-4")], &[]).with_status(206);
    assert_eq!(tail.body, b"PAR1");
    assert_eq!(tail.header("content-range").unwrap(), format!("bytes {}-{}/{bytes}", bytes - 4, bytes - 1));
    server.send("GET", href, &[("range", &format!("bytes={bytes}-"))], &[]).with_status(416);
    let folder = "/api/v1/datasets/ecommerce/tables/transactions/files";
    for name in ["none.parquet", "..%2F..%2F..%2Ftelemill.sqlite", "%2e%2e"] {
        server.get(&format!("{folder}/{name}")).with_status(404);
    }
}

#[test]
fn duckdb_reads_a_file_over_http_in_ranges() {
    let packages = ["duckdb==1.5.5", "duckdb-extensions==1.5.5", "duckdb-extension-httpfs==1.5.5"];
    let python = python::environment("duckdb-http-venv", &packages).unwrap();
    let place = Place::new();
    let server = shop(&place);
    let files = server.get("/api/v1/datasets/ecommerce/tables/transactions/files").with_status(200).json();
    let links: Vec<String> = files.as_array().unwrap().iter().map(|file| text(&file["href"], &server)).collect();
    let script = r#"
import json, sys
import duckdb
from duckdb_extensions import import_extension
import_extension("httpfs")
c = duckdb.connect()
c.execute("LOAD httpfs")
query = "SELECT count(*), sum(retries), count(DISTINCT trace_id), max(response_time_ms) FROM read_parquet(?)"
print(json.dumps(c.execute(query, [sys.argv[1:]]).fetchone(), default=str))
"#;
    let out = python::run(Command::new(python).args(["-c", script]).args(&links)).unwrap();
    let theirs: Value = serde_json::from_str(&out).unwrap();
    let ours = &place.sql("SELECT count(*) AS a, sum(retries) AS b, count(DISTINCT trace_id) AS c, max(response_time_ms) AS d FROM ecommerce.transactions")[0];
    assert_eq!(theirs, json!([ours["a"], ours["b"], ours["c"], ours["d"]]));
    let route = "/api/v1/datasets/{dataset}/tables/{table}/files/{file}";
    let asked = |status: u16, method: &str| {
        let name = format!("telemill_http_requests_total{{method=\"{method}\",route=\"{route}\",status=\"{status}\"}}");
        super::metrics::figures(&server).get(&name).copied().unwrap_or_default()
    };
    assert!(asked(206, "GET") > 1.0, "it reads footer and columns by ranges: {:?}", super::metrics::figures(&server));
    assert_eq!(asked(200, "GET"), 0.0, "and never a whole file");
}

fn text(href: &Value, server: &Served) -> String {
    format!("{}{}", server.url, href.as_str().unwrap())
}

#[test]
fn a_series_has_few_points_and_loses_no_peak() {
    let place = Place::new();
    let server = shop(&place);
    let path = "/api/v1/datasets/ecommerce/tables/transactions/series?column=response_time_ms";
    let series = server.get(&format!("{path}&max_points=50")).with_status(200).json();
    let points = series["points"].as_array().unwrap();
    assert!((40..=50).contains(&points.len()), "{}", points.len());
    let of = |name: &'static str| points.iter().map(move |point| point[name].as_f64().unwrap());
    let truth = &place.sql(
        "SELECT count(*) AS n, CAST(min(response_time_ms) AS DOUBLE) AS a, CAST(max(response_time_ms) AS DOUBLE) AS b FROM ecommerce.transactions",
    )[0];
    assert_eq!(of("min").fold(f64::INFINITY, f64::min), truth["a"].as_f64().unwrap());
    assert_eq!(of("max").fold(0.0, f64::max), truth["b"].as_f64().unwrap());
    assert_eq!(of("rows").sum::<f64>(), truth["n"].as_f64().unwrap());
    let mean = server.get(&format!("{path}&max_points=1&downsampling=average")).json();
    let truth = &place.sql("SELECT avg(response_time_ms) AS m FROM ecommerce.transactions")[0]["m"];
    assert!((mean["points"][0]["mean"].as_f64().unwrap() - truth.as_f64().unwrap()).abs() < 1e-6);
    let part = server.get(&format!("{path}&from=2026-11-09T00:10:00Z&to=2026-11-09T00:20:00Z")).json();
    assert!(
        part["points"].as_array().unwrap().iter().all(|p| p["at"].as_str().unwrap().starts_with("2026-11-09T00:1"))
    );
    server.get(&format!("{path}&max_points=0")).with_status(400);
    for (column, said) in [("none", "has no column"), ("service", "made of numbers")] {
        let path = format!("/api/v1/datasets/ecommerce/tables/transactions/series?column={column}");
        let refused = server.get(&path).with_status(400).json();
        assert_eq!(refused["errors"][0]["path"], "column", "{refused}");
        assert!(refused["detail"].as_str().unwrap().contains(said), "{refused}");
    }
}

#[test]
fn an_export_over_http_is_the_export_of_the_command_line() {
    let place = Place::new();
    let server = shop(&place);
    for format in ["csv", "ndjson"] {
        let path = format!(
            "/api/v1/datasets/ecommerce/tables/infrastructure_metrics/export?format={format}&columns=timestamp,host"
        );
        let reply = server.get(&path).with_status(200);
        let words = ["export", "ecommerce.infrastructure_metrics", "--format", format, "--columns", "timestamp,host"];
        assert!(reply.text() == place.good(words), "{format} differs");
    }
    let rows = |span: &str| {
        let path = "/api/v1/datasets/ecommerce/tables/infrastructure_metrics/export?format=csv";
        server.get(&format!("{path}{span}")).with_status(200).text()
    };
    let last = rows("&last=2m");
    assert_eq!(last, place.good(["export", "ecommerce.infrastructure_metrics", "--format", "csv", "--last", "2m"]));
    assert!(last.lines().count() > 1 && last.len() < rows("").len());
    let table = "/api/v1/datasets/ecommerce/tables/infrastructure_metrics";
    let points = |span: &str| server.get(&format!("{table}/series?column=cpu_pct{span}")).with_status(200).text();
    assert!(points("&last=2m").len() < points("").len());
    let reply = server.get(&format!("{table}/export?last=2m&from=2026-11-09T00:00:00Z")).with_status(400);
    assert_eq!(reply.json()["errors"][0]["path"], "last");
    server.get(&format!("{table}/rows?last=2m")).with_status(200);
    server.get("/api/v1/incidents?dataset=ecommerce&last=1d").with_status(200);
    server.get("/api/v1/datasets/ecommerce/tables/transactions/export?columns=none").with_status(400);
    server.get("/api/v1/datasets/ecommerce/tables/transactions/export?format=none").with_status(400);
}

#[test]
fn sql_reads_in_every_format_and_nothing_is_changed_by_it() {
    let place = Place::new();
    let server = shop(&place);
    let sql = "SELECT status, count(*) AS n FROM ecommerce.transactions GROUP BY status ORDER BY status";
    assert_eq!(server.sql(sql), place.sql(sql));
    let body = json!({ "sql": sql }).to_string();
    for (accept, format) in [("text/csv", "csv"), ("application/x-ndjson", "ndjson")] {
        let headers = [("content-type", "application/json"), ("accept", accept)];
        let reply = server.send("POST", "/api/v1/query", &headers, body.as_bytes()).with_status(200);
        assert_eq!(reply.text(), place.good(["sql", sql, "--format", format]));
    }
    let cases = [
        ("DROP TABLE ecommerce.transactions", "reading only"),
        ("SELECT * FROM ecommerce.none", "none"),
        ("SELECT * FROM none.transactions", "none"),
        ("SELEC", "understood"),
        ("SELECT 1 / 0 FROM ecommerce.transactions", "zero"),
    ];
    for (sql, part) in cases {
        let reply = server.post("/api/v1/query", &json!({ "sql": sql })).with_status(400);
        assert!(reply.text().to_lowercase().contains(part), "{part} is missing in {}", reply.text());
    }
    let reply = server.post("/api/v1/query", &json!({ "sql": sql, "colour": 1 })).with_status(400);
    assert!(reply.text().contains("colour"), "{}", reply.text());
}

#[test]
fn a_query_ends_when_its_client_goes_away() {
    let place = Place::new();
    let mut server = shop(&place);
    let address = server.url.strip_prefix("http://").unwrap().to_owned();
    // A product of all rows with all rows, of which no first row comes for a long time.
    let sql = "SELECT sum(a.response_time_ms * b.response_time_ms * c.response_time_ms)
        FROM ecommerce.transactions a, ecommerce.transactions b, ecommerce.transactions c";
    let body = json!({ "sql": sql }).to_string();
    let mut client = TcpStream::connect(&address).unwrap();
    let head = format!(
        "POST /api/v1/query HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    client.write_all(head.as_bytes()).unwrap();
    client.write_all(body.as_bytes()).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    let mut answer = [0; 1_000];
    if let Ok(bytes) = client.read(&mut answer) {
        panic!("the query was to take long: {}", String::from_utf8_lossy(&answer[..bytes]));
    }
    drop(client);
    let begun = Instant::now();
    let idle = |server: &mut Served| {
        let before = server.running().cpu_ticks();
        std::thread::sleep(Duration::from_millis(500));
        server.running().cpu_ticks() - before < 10
    };
    while !idle(&mut server) {
        assert!(begun.elapsed() < Duration::from_secs(60), "the query goes on");
    }
    let rows: Vec<Value> = server.sql("SELECT 1 AS one");
    assert_eq!(rows, [json!({ "one": 1 })]);
}
