//! Rows that come in over HTTP: every format, what is refused and how, and `kill -9` under load.

use crate::program::{Place, Reply, Served, send, wait_until};
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::ipc::writer::{FileWriter, StreamWriter};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

const NDJSON: (&str, &str) = ("content-type", "application/x-ndjson");
const CSV: (&str, &str) = ("content-type", "text/csv");

fn count(served: &Served, table: &str) -> i64 {
    served.sql(&format!("SELECT count(*) AS n FROM {table}"))[0]["n"].as_i64().unwrap()
}

#[test]
fn rows_are_visible_when_they_are_acknowledged_and_in_the_lake_after_a_clean_stop() {
    let place = Place::new();
    let served = place.serve([]);
    let reply =
        served.send("POST", "/api/v1/ingest/shop/orders", &[NDJSON], b"{\"id\":1,\"name\":\"a\"}\n{\"id\":2}\n");
    let reply = reply.with_status(200).json();
    assert_eq!(
        reply,
        json!({"rows": 2, "bad_rows": 0, "problems": [], "created": true, "renamed": {}, "repeated": false})
    );
    served.send("POST", "/api/v1/ingest/shop/orders", &[CSV], b"id,name\n3,c\n").with_status(200);
    assert_eq!(count(&served, "shop.orders"), 3);
    assert_eq!(place.sql("SELECT count(*) AS n FROM shop.orders")[0]["n"], 0, "another process sees the lake");
    served.stop().with_code(0);
    assert_eq!(place.sql("SELECT count(*) AS n, sum(id) AS s FROM shop.orders"), [json!({"n": 3, "s": 6})]);
    assert_eq!(place.parquet("shop", "orders").len(), 1);
}

/// What asks for a window of a whole dataset, or takes its place, meets the rows that were acknowledged before.
#[test]
fn rows_that_wait_for_the_lake_are_judged_exported_and_replaced_like_the_others() {
    let place = Place::new();
    let served = place.serve([]);
    let send = |dataset: &str, table: &str| {
        let rows = b"{\"id\":1,\"at\":\"2026-11-09T10:00:00Z\"}\n{\"id\":2,\"at\":\"2026-11-09T11:00:00Z\"}\n{\"id\":2,\"at\":\"2026-11-09T11:30:00Z\"}\n";
        let path = format!("/api/v1/ingest/{dataset}/{table}?time_field=at");
        served.send("POST", &path, &[NDJSON], rows).with_status(200);
    };
    send("shop", "orders");
    let last = served.get("/api/v1/datasets/shop/tables/orders/export?format=csv&last=1h").with_status(200).text();
    assert_eq!(last.lines().count(), 3, "{last}");
    send("other", "orders");
    let rules = json!({ "tables": [{ "table": "orders", "unique": [{ "name": "ids differ", "columns": ["id"] }] }] });
    let request = json!({ "with": "table-rules", "config": rules, "last": "1h" });
    let judged = served.post("/api/v1/datasets/other/validate", &request).with_status(200).json();
    assert_eq!(judged[0]["passed"], false, "{judged}");
    // A run in their place keeps none of them.
    send("made", "transactions");
    let run = json!({ "scenario": "ecommerce", "duration": "1m", "dataset": "made", "existing": "replace", "validators": [] });
    let run = served.post("/api/v1/runs", &run).with_status(201).json();
    let path = format!("/api/v1/runs/{}", run["id"].as_str().unwrap());
    wait_until("the run is finished", || served.get(&path).json()["state"] == "finished");
    served.stop().with_code(0);
    let rows = run_rows(&place);
    assert_eq!(place.sql("SELECT count(*) AS n FROM made.transactions"), [json!({ "n": rows })]);
}

fn run_rows(place: &Place) -> Value {
    let run = place.json(["run", "show", "--json"]);
    let tables = run["run"]["tables"].as_array().or(run["tables"].as_array()).unwrap().clone();
    tables.iter().find(|table| table["table"] == "transactions").unwrap()["rows"].clone()
}

#[test]
fn what_can_not_be_taken_is_told_and_leaves_nothing() {
    let place = Place::new();
    let served = place.serve(["--setting", "ingest.unfolded_bytes=100000"]);
    let post = |path: &str, headers: &[(&str, &str)], body: &[u8]| served.send("POST", path, headers, body);
    let orders = "/api/v1/ingest/shop/orders";
    post(orders, &[NDJSON], b"{\"id\":1}\n").with_status(200);
    let bad = b"{\"id\":2}\n{\"id\":\"x\"}\n{\"colour\":3}\n";
    let reply = post(orders, &[NDJSON], bad).with_status(422).json();
    let places: Vec<_> =
        reply["errors"].as_array().unwrap().iter().map(|error| error["path"].as_str().unwrap().to_owned()).collect();
    assert_eq!(places, ["line 2", "line 3"]);
    assert_eq!(count(&served, "shop.orders"), 1);
    let reply = post(&format!("{orders}?partial=true"), &[NDJSON], bad).with_status(200).json();
    assert_eq!((&reply["rows"], &reply["bad_rows"]), (&json!(1), &json!(2)));
    post(orders, &[("content-type", "application/xml")], b"<x/>").with_status(415);
    post(orders, &[NDJSON, ("content-encoding", "br")], b"x").with_status(415);
    post("/api/v1/ingest/Shop/orders", &[NDJSON], b"{}").with_status(400);
    let bomb = packed("gzip", "{\"id\":1}\n".repeat(100_000).as_bytes());
    post(orders, &[NDJSON, ("content-encoding", "gzip")], &bomb).with_status(413);
    let key = ("idempotency-key", "k");
    assert_eq!(post(orders, &[NDJSON, key], b"{\"id\":9}\n").with_status(200).json()["repeated"], false);
    assert_eq!(post(orders, &[NDJSON, key], b"{\"id\":9}\n").with_status(200).json()["repeated"], true);
    post(orders, &[NDJSON, key], b"{\"id\":8}\n").with_status(422);
    assert_eq!(count(&served, "shop.orders"), 3);
}

/// `bytes` as `gzip` or `zstd` packs them.
fn packed(program: &str, bytes: &[u8]) -> Vec<u8> {
    let mut child = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&bytes).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output.stdout
}

/// Rows as columns, with ids from `from` to `to`.
fn orders(from: i64, to: i64) -> RecordBatch {
    let names = StringArray::from_iter_values((from..to).map(|id| format!("n{id}")));
    let columns: [(&str, ArrayRef); 2] =
        [("id", Arc::new(Int64Array::from_iter_values(from..to))), ("name", Arc::new(names))];
    RecordBatch::try_from_iter(columns).unwrap()
}

fn arrow_stream(batch: &RecordBatch) -> Vec<u8> {
    let mut writer = StreamWriter::try_new(Vec::new(), batch.schema_ref()).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap()
}

fn arrow_file(batch: &RecordBatch) -> Vec<u8> {
    let mut writer = FileWriter::try_new(Vec::new(), batch.schema_ref()).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap()
}

#[test]
fn rows_come_in_every_format_packed_and_unpacked() {
    const STREAM: (&str, &str) = ("content-type", "application/vnd.apache.arrow.stream");
    const FILE: (&str, &str) = ("content-type", "application/vnd.apache.arrow.file");
    const PARQUET: (&str, &str) = ("content-type", "application/vnd.apache.parquet");
    const ZSTD: (&str, &str) = ("content-encoding", "zstd");
    // A Parquet file as another Telemill has it.
    let other = Place::new();
    other.file("orders.csv", "id,name\n60,n60\n61,n61\n");
    other.good(["ingest", "shop.orders", "orders.csv"]);
    let parquet = std::fs::read(&other.parquet("shop", "orders")[0]).unwrap();

    let place = Place::new();
    let served = place.serve([]);
    let send = |headers: &[(&str, &str)], body: &[u8]| served.send("POST", "/api/v1/ingest/shop/orders", headers, body);
    let rows = [
        (vec![FILE], arrow_file(&orders(0, 10)), 10),
        (vec![STREAM], arrow_stream(&orders(10, 30)), 20),
        (vec![FILE, ZSTD], packed("zstd", &arrow_file(&orders(30, 40))), 10),
        (vec![STREAM, ZSTD], packed("zstd", &arrow_stream(&orders(40, 50))), 10),
        (vec![NDJSON, ZSTD], packed("zstd", b"{\"id\":50,\"name\":\"n50\"}\n"), 1),
        (vec![CSV, ZSTD], packed("zstd", b"id,name\n51,n51\n"), 1),
        (vec![PARQUET], parquet, 2),
    ];
    for (headers, body, rows) in rows {
        let reply = send(&headers, &body).with_status(200).json();
        assert_eq!(reply["rows"], rows, "{headers:?}: {reply}");
    }
    // What was cut off between two batches would be a whole stream; of a file it is known.
    let whole = arrow_file(&orders(100, 110));
    let end = arrow_stream(&orders(100, 110)).len() + 64;
    for length in [whole.len() - 1, end, end / 2, 64] {
        let reply = send(&[FILE], &whole[..length]).with_status(422);
        assert!(reply.text().contains("Arrow"), "{}", reply.text());
    }
    let found = served.sql("SELECT count(*) AS n, sum(id) AS ids, min(name) AS name FROM shop.orders");
    assert_eq!(found, [json!({ "n": 54, "ids": (0..52).sum::<i64>() + 60 + 61, "name": "n0" })]);
}

#[test]
fn a_full_memory_says_wait_and_a_full_disk_says_so() {
    let place = Place::new();
    let body = "{\"id\":1,\"text\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}\n".repeat(2_000);
    let few = ["--setting", "ingest.memory_bytes=10000", "--setting", "ingest.move_after_s=3600"];
    let served = place.serve(few);
    served.send("POST", "/api/v1/ingest/shop/orders", &[NDJSON], body.as_bytes()).with_status(200);
    let mut rows = 2_000;
    let mut refused = 0;
    wait_until("a request is told to wait and another is taken", || {
        let reply = served.send("POST", "/api/v1/ingest/shop/orders", &[NDJSON], body.as_bytes());
        match reply.status {
            200 => rows += 2_000,
            429 => {
                assert_eq!(reply.header("retry-after"), Some("1"));
                refused += 1;
            }
            other => panic!("{other}: {}", reply.text()),
        }
        refused > 0 && rows > 2_000
    });
    assert_eq!(count(&served, "shop.orders"), rows);
    served.stop().with_code(0);
    let served = place.serve(["--setting", "ingest.keep_free_bytes=1000000000000000"]);
    let reply = served.send("POST", "/api/v1/ingest/shop/orders", &[NDJSON], b"{\"id\":1}\n").with_status(507);
    assert_eq!(reply.header("retry-after"), Some("30"));
    let reply = served.send("POST", "/api/v2/write?bucket=m", &[], b"m f=1 1").with_status(507);
    assert!(reply.json()["message"].as_str().unwrap().contains("full"));
    assert_eq!(count(&served, "shop.orders"), rows);
}

#[test]
fn influx_clients_are_answered_in_their_dialects() {
    let place = Place::new();
    let served = place.serve([]);
    for path in ["/ping", "/health"] {
        let reply = served.get(path);
        assert!(reply.status < 300 && reply.header("x-influxdb-version").is_some(), "{path}: {reply:?}");
    }
    assert_eq!(served.get("/health").json()["status"], "pass");
    let token = ("authorization", "Token any");
    let write = |path: &str, body: &str| served.send("POST", path, &[token], body.as_bytes());
    write(
        "/api/v2/write?org=o&bucket=My-Bucket&precision=s",
        "cpu,host=a usage=1.5 1794234300\ncpu,host=b usage=2 1794234301",
    )
    .with_status(204);
    write("/write?db=my_bucket&precision=ms", "cpu,host=c usage=3i 1794234302000").with_status(204);
    let rows = served.sql("SELECT host, usage FROM my_bucket.cpu ORDER BY time");
    assert_eq!(
        rows,
        [json!({"host": "a", "usage": 1.5}), json!({"host": "b", "usage": 2.0}), json!({"host": "c", "usage": 3.0})]
    );
    let reply = write("/api/v2/write?bucket=my_bucket", "cpu usage=\"x\" 1\ncpu usage=4 2").with_status(400).json();
    assert_eq!(reply["code"], "invalid");
    assert!(reply["message"].as_str().unwrap().starts_with("partial write: line 1: field type conflict"), "{reply}");
    assert_eq!(count(&served, "my_bucket.cpu"), 4, "the good line was taken");
    let reply = write("/write?db=my_bucket", "nonsense").with_status(400);
    assert!(reply.json()["error"].as_str().unwrap().contains("dropped=1"));
    assert!(reply.header("x-influxdb-error").is_some());
    write("/api/v2/write", "m f=1").with_status(400);
    write("/write?db=x&precision=fortnight", "m f=1").with_status(400);
    served.send("POST", "/query?q=CREATE%20DATABASE%20x", &[], &[]).with_status(200);
    served.send("POST", "/query?q=SELECT%201", &[], &[]).with_status(400);
}

/// Method, path and headers.
type Asked<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);

#[test]
fn whatever_is_wrong_is_said_in_the_dialect_of_influx_clients() {
    let place = Place::new();
    let made = place.json(["token", "create", "reader", "--scope", "read", "--json"]);
    let (reads, wrong) = (format!("Token {}", made["secret"].as_str().unwrap()), "Token wrong".to_owned());
    let served = place.serve([]);
    let ask = |method: &str, path: &str, headers: &[(&str, &str)]| {
        let reply = served.send(method, path, headers, b"m f=1 1");
        assert_eq!(reply.header("content-type"), Some("application/json"), "{method} {path}");
        assert!(reply.header("x-influxdb-error").is_some() && reply.header("x-influxdb-version").is_some());
        reply
    };
    let (reads, wrong) = (("authorization", reads.as_str()), ("authorization", wrong.as_str()));
    let cases: [(Asked<'_>, u16, &str); 8] = [
        (("POST", "/api/v2/write?bucket=b", &[wrong]), 401, "unauthorized"),
        (("POST", "/api/v2/write?bucket=b", &[reads]), 403, "forbidden"),
        (("POST", "/api/v2/write?bucket=b&bucket=c", &[]), 400, "invalid"),
        (("POST", "/api/v2/write?bucket=b&precision=fortnight", &[]), 400, "invalid"),
        (("POST", "/api/v2/write?bucket=b", &[("content-encoding", "br")]), 415, "unsupported media type"),
        (("GET", "/api/v2/write", &[]), 405, "method not allowed"),
        (("GET", "/api/v2/buckets", &[]), 404, "not found"),
        (("GET", "/health", &[("host", "example.org")]), 421, "internal error"),
    ];
    for ((method, path, headers), status, code) in cases {
        let reply = ask(method, path, headers).with_status(status).json();
        assert_eq!(reply["code"], code, "{method} {path}: {reply}");
        assert!(reply["message"].is_string(), "{method} {path}: {reply}");
    }
    let cases: [(Asked<'_>, u16); 6] = [
        (("POST", "/write?db=b", &[wrong]), 401),
        (("POST", "/write?db=b", &[reads]), 403),
        (("POST", "/write?db=b&db=c", &[]), 400),
        (("DELETE", "/write", &[]), 405),
        (("POST", "/query?q=SELECT%201", &[]), 400),
        (("GET", "/ping", &[("host", "example.org")]), 421),
    ];
    for ((method, path, headers), status) in cases {
        let reply = ask(method, path, headers).with_status(status).json();
        assert!(reply["error"].is_string(), "{method} {path}: {reply}");
    }
    let told = ask("POST", "/write?db=b", &[wrong]);
    assert!(told.header("www-authenticate").is_some(), "clients ask people for a password then: {told:?}");
    // Elsewhere problems are documents.
    let reply = served.get("/api/v1/nothing").with_status(404);
    assert_eq!(reply.header("content-type"), Some("application/problem+json"));
    assert_eq!(reply.header("x-influxdb-version"), None);
}

/// One client of the loop below: rows with ids of its own, each request under a key, sent until it is acknowledged.
struct Client {
    name: usize,
    next: AtomicU64,
    acknowledged: Mutex<BTreeSet<u64>>,
}

/// Rows of a request.
const ROWS: u64 = 3;
/// How often the server is killed.
const KILLS: usize = 20;

impl Client {
    /// Sends one request after the other to the server of the moment, until `stop`.
    fn run(&self, url: &RwLock<Option<String>>, stop: &AtomicBool) {
        while !stop.load(Ordering::SeqCst) {
            let number = self.next.fetch_add(1, Ordering::SeqCst);
            while !self.try_send(url, number) {
                if stop.load(Ordering::SeqCst) {
                    // What is in the air now may be there or not, but only once.
                    return;
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            self.acknowledged.lock().unwrap().insert(number);
        }
    }

    fn try_send(&self, url: &RwLock<Option<String>>, number: u64) -> bool {
        let Some(url) = url.read().unwrap().clone() else { return false };
        let key = format!("{}-{number}", self.name);
        let ids = (0..ROWS).map(|row| number * ROWS + row);
        let (path, body): (&str, String) = if self.name.is_multiple_of(2) {
            (
                "/api/v1/ingest/load/rows?format=ndjson",
                ids.map(|id| format!("{{\"client\":{},\"id\":{id}}}\n", self.name)).collect(),
            )
        } else {
            (
                "/api/v2/write?bucket=load&precision=us",
                ids.map(|id| format!("points,client={} id={id}i {id}\n", self.name)).collect(),
            )
        };
        // A server that is killed breaks the connection, which is as good as no answer.
        let sent = std::panic::catch_unwind(|| send(&url, "POST", path, &[("idempotency-key", &key)], body.as_bytes()));
        matches!(sent, Ok(Reply { status: 200 | 204, .. }))
    }
}

#[test]
fn kill_9_under_load_loses_nothing_that_was_acknowledged_and_doubles_nothing() {
    let place = Place::new();
    let settings = [
        "--setting",
        "ingest.move_after_s=1",
        "--setting",
        "ingest.segment_bytes=20000",
        "--setting",
        "ingest.move_bytes=60000",
    ];
    let url = RwLock::new(None);
    let stop = AtomicBool::new(false);
    let client = |name| Client { name, next: AtomicU64::new(0), acknowledged: Mutex::default() };
    let clients: Vec<_> = (0..4).map(client).collect();
    let total = || clients.iter().map(|client| client.acknowledged.lock().unwrap().len()).sum::<usize>();
    std::thread::scope(|scope| {
        for client in &clients {
            scope.spawn(|| client.run(&url, &stop));
        }
        for kill in 0..KILLS {
            let served = place.serve(settings);
            let before = total();
            *url.write().unwrap() = Some(served.url.clone());
            wait_until("requests are acknowledged", || total() >= before + 20 + 7 * (kill % 5));
            // Killed first, so that requests are under way when it dies.
            served.kill();
            *url.write().unwrap() = None;
        }
        stop.store(true, Ordering::SeqCst);
    });
    let served = place.serve(settings);
    check(&clients, &served.sql("SELECT client, id FROM load.rows"), &served.sql("SELECT client, id FROM load.points"));
    served.stop().with_code(0);
    check(&clients, &place.sql("SELECT client, id FROM load.rows"), &place.sql("SELECT client, id FROM load.points"));
    assert!(total() >= 20 * KILLS);
}

fn check(clients: &[Client], rows: &[Value], points: &[Value]) {
    for client in clients {
        let text = client.name.to_string();
        let own = rows.iter().chain(points).filter(|row| match &row["client"] {
            Value::String(name) => *name == text,
            number => number.as_u64() == Some(client.name as u64),
        });
        let mut ids: Vec<u64> = own.map(|row| row["id"].as_u64().unwrap()).collect();
        ids.sort_unstable();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "client {text} finds a row twice");
        let found: BTreeSet<u64> = ids.into_iter().collect();
        let acknowledged = client.acknowledged.lock().unwrap();
        let wanted: BTreeSet<u64> =
            acknowledged.iter().flat_map(|number| (0..ROWS).map(move |row| number * ROWS + row)).collect();
        assert!(
            wanted.is_subset(&found),
            "client {text} misses {:?}",
            wanted.difference(&found).take(5).collect::<Vec<_>>()
        );
        // Beyond what was acknowledged there is at most the request that was under way when all ended, and it is whole.
        let more: Vec<_> = found.difference(&wanted).collect();
        assert!(more.is_empty() || more.len() as u64 == ROWS, "client {text} finds {more:?}");
    }
}
