//! What a server does that is asked for more than it can do, or by clients that hold on to it.

use crate::program::{Place, wait_until};
use serde_json::json;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// Queries at once that the server lets itself in for; clients here are more.
const QUERIES: usize = 8;

/// A query whose answer is longer than what sockets hold, by far.
const LONG: &str = "SELECT a.trace_id AS first, b.trace_id AS second, repeat('x', 2000) AS filler
    FROM ecommerce.transactions a, ecommerce.transactions b";

#[test]
fn queries_are_shed_and_clients_that_take_nothing_are_let_go() {
    let place = Place::new();
    place.good(["run", "start", "ecommerce", "--duration", "10m", "--seed", "7", "--quiet"]);
    let server = place.serve(["--setting", "server.write_ms=3000"]);
    let address = server.url.strip_prefix("http://").unwrap();
    let body = json!({ "sql": LONG, "format": "ndjson" }).to_string();
    let stuck: Vec<TcpStream> = (0..QUERIES + 4)
        .map(|_| {
            let mut client = TcpStream::connect(address).unwrap();
            let head = "POST /api/v1/query HTTP/1.1\r\ncontent-type: application/json";
            let length = body.len();
            write!(client, "{head}\r\nhost: {address}\r\ncontent-length: {length}\r\n\r\n{body}").unwrap();
            client
        })
        .collect();
    let paths = ["datasets/ecommerce/tables/transactions/", "incidents?dataset=ecommerce"];
    let asked = || server.post("/api/v1/query", &json!({ "sql": "SELECT 1 AS n" }));
    wait_until("a query is refused", || match asked() {
        reply if reply.status == 503 => {
            assert_eq!(reply.header("retry-after"), Some("1"));
            assert_eq!(reply.header("content-type"), Some("application/problem+json"));
            true
        }
        reply => {
            reply.with_status(200);
            false
        }
    });
    for path in [format!("{}preview", paths[0]), format!("{}export", paths[0]), paths[1].to_owned()] {
        server.get(&format!("/api/v1/{path}")).with_status(503);
    }
    // What is no query goes on.
    server.get("/healthz").with_status(200);
    server.get("/api/v1/datasets").with_status(200);
    // None of them has read a byte, and none has gone.
    wait_until("they are let go", || asked().status == 200);
    drop(stuck);
}

#[test]
fn one_run_too_many_is_told_to_come_again() {
    let place = Place::new();
    let server = place.serve([]);
    let start = |dataset: &str| {
        let month = json!({ "scenario": "ecommerce", "duration": "30d", "dataset": dataset, "validators": [] });
        server.post("/api/v1/runs", &month)
    };
    for dataset in ["a", "b", "c", "d"] {
        start(dataset).with_status(201);
    }
    let refused = start("e").with_status(429);
    assert_eq!(refused.header("retry-after"), Some("1"));
    let runs = server.get("/api/v1/runs").json()["items"].as_array().unwrap().clone();
    assert_eq!(runs.len(), 4, "what was refused left nothing");
    // A place that was given back is somebody else's.
    server.send("POST", &format!("/api/v1/runs/{}/cancel", runs[0]["id"].as_str().unwrap()), &[], &[]).with_status(202);
    wait_until("there is a place again", || start("e").status == 201);
    server.stop().with_code(0);
}

#[test]
fn a_connection_that_rests_after_a_request_is_closed() {
    let place = Place::new();
    let server = place.serve(["--setting", "server.header_ms=500"]);
    let address = server.url.strip_prefix("http://").unwrap();
    let mut client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let request = format!("GET /healthz HTTP/1.1\r\nhost: {address}\r\n\r\n");
    // Two at once: the connection is one that stays open between requests.
    client.write_all(request.repeat(2).as_bytes()).unwrap();
    let mut text = String::new();
    client.read_to_string(&mut text).unwrap();
    assert_eq!(text.matches("HTTP/1.1 200").count(), 2, "{text}");
    assert!(!text.to_lowercase().contains("connection: close"), "it was closed for resting alone: {text}");
}

/// The bodies of requests with keys are held; what is too large says so, and what to do.
#[test]
fn a_large_body_with_a_key_is_refused_before_it_is_sent() {
    let place = Place::new();
    let server = place.serve([]);
    let address = server.url.strip_prefix("http://").unwrap();
    let mut client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let path = "/api/v1/datasets/shop/tables/orders/files?name=orders.csv";
    let head = format!("POST {path} HTTP/1.1\r\nhost: {address}\r\nexpect: 100-continue\r\nconnection: close");
    write!(client, "{head}\r\nidempotency-key: k\r\ncontent-length: 70000000\r\n\r\n").unwrap();
    let mut text = String::new();
    client.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 413") && text.contains("without a key"), "{text}");
}
