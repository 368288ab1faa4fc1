//! Who may do what, and manners: tokens, hosts, keys, limits, stopping.

use crate::program::{Place, send};
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;
use telemill::alert::Alerts;
use telemill::app::{App, Origin};
use telemill::http::{Access, Limits, Server, Services};
use telemill::plugin::log_to_tracing;
use telemill::run::Supervisor;
use telemill::stream::Streams;

fn minute(dataset: &str) -> Value {
    json!({ "scenario": "ecommerce", "duration": "1m", "dataset": dataset, "validators": [] })
}

#[test]
fn tokens_open_as_much_as_their_scope_says() {
    let place = Place::new();
    let secret = |name: &str, scope: &str| {
        let made = place.json(["token", "create", name, "--scope", scope, "--json"]);
        made["secret"].as_str().unwrap().to_owned()
    };
    let (reader, writer, gone) = (secret("reader", "read"), secret("writer", "write"), secret("gone", "admin"));
    place.good(["token", "revoke", "gone"]);
    place.ask(["token", "create", "reader"]).refused(&["reader"]);
    place.ask(["token", "revoke", "gone"]).refused(&["gone"]);
    let stored = std::fs::read(place.data().join("telemill.sqlite")).unwrap();
    assert!(!stored.windows(reader.len()).any(|bytes| bytes == reader.as_bytes()), "a secret is kept as a digest");

    let server = place.serve([]);
    let ask = |method: &str, path: &str, authorization: &str| {
        let headers = [("authorization", authorization), ("content-type", "application/json")];
        server.send(method, path, &headers, minute("a").to_string().as_bytes()).status
    };
    let basic = format!("Basic {}", base64(&format!("anybody:{reader}")));
    for authorization in [format!("Bearer {reader}"), format!("Token {reader}"), basic] {
        assert_eq!(ask("GET", "/api/v1/runs", &authorization), 200);
        assert_eq!(ask("POST", "/api/v1/runs", &authorization), 403);
    }
    assert_eq!(ask("POST", "/api/v1/runs", &format!("Bearer {writer}")), 201);
    for wrong in [format!("Bearer {gone}"), "Bearer x".to_owned(), "Basic x".to_owned(), "x".to_owned()] {
        assert_eq!(ask("GET", "/api/v1/runs", &wrong), 401, "{wrong}");
    }
    let audit = server.get("/api/v1/audit").with_status(200).json();
    let callers: Vec<_> =
        audit["items"].as_array().unwrap().iter().map(|e| (e["caller"].clone(), e["status"].clone())).collect();
    assert!(callers.contains(&(json!("writer"), json!(201))), "{audit}");
}

/// A browser sends such requests without asking the server first, whatever page they come from.
#[test]
fn a_page_from_elsewhere_changes_nothing() {
    let place = Place::new();
    let server = place.serve([]);
    let write = |header: (&str, &str)| {
        let headers = [header, ("content-type", "text/plain")];
        server.send("POST", "/write?db=metrics&precision=s", &headers, b"cpu,host=a usage=0.5 1794234300").status
    };
    assert_eq!(write(("origin", "http://evil.example")), 403);
    assert_eq!(write(("sec-fetch-site", "cross-site")), 403);
    assert_eq!(server.get("/api/v1/datasets").json(), json!([]));
    assert_eq!(write(("origin", &server.url)), 204);
}

#[test]
fn clients_of_influx_1_send_user_and_password_in_the_query() {
    let place = Place::new();
    let made = place.json(["token", "create", "agent", "--scope", "write", "--json"]);
    let secret = made["secret"].as_str().unwrap();
    let server = place.serve([]);
    let write = |credentials: &str| {
        let path = format!("/write?db=metrics&precision=s&{credentials}");
        server.send("POST", &path, &[], b"cpu,host=a usage=0.5 1794234300").status
    };
    assert_eq!(write(&format!("u=agent&p={secret}")), 204);
    assert_eq!(write("u=agent&p=wrong"), 401);
    let create = format!("/query?q=CREATE%20DATABASE%20metrics&u=agent&p={secret}");
    server.send("POST", &create, &[], &[]).with_status(200);
    // Elsewhere a query holds no credentials, which would stand in everybody's logs; on loopback nobody needs any.
    assert_eq!(server.send("GET", "/api/v1/runs?p=wrong", &[], &[]).status, 200);
    assert_eq!(server.sql("SELECT count(*) AS n FROM metrics.cpu")[0]["n"], 1);
    let audit = server.get("/api/v1/audit").text();
    assert!(!audit.contains(secret), "a secret must not be written down: {audit}");
}

fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let word = chunk.iter().chain([0, 0].iter()).take(3).fold(0u32, |word, byte| word << 8 | u32::from(*byte));
        for place in 0..=chunk.len() {
            encoded.push(char::from(DIGITS[(word >> (18 - 6 * place)) as usize & 63]));
        }
        (chunk.len()..3).for_each(|_| encoded.push('='));
    }
    encoded
}

#[test]
fn an_address_beyond_loopback_needs_a_token() {
    let place = Place::new();
    place.ask(["serve", "--listen", "0.0.0.0:0"]).refused(&["telemill token create"]);
}

/// As a server that can be reached from elsewhere answers; it listens on loopback here, and is told that it does not.
#[test]
fn who_comes_from_elsewhere_needs_a_token_for_everything() {
    let place = Place::new();
    let made = place.json(["token", "create", "reader", "--scope", "read", "--json"]);
    let secret = format!("Bearer {}", made["secret"].as_str().unwrap());
    let app = App::new(Origin { data_dir: Some(place.data()), settings: Vec::new() }).unwrap();
    let (writer, log) = app.writer_with_log().unwrap();
    let host = Arc::clone(&writer.host);
    let alerts = Alerts::new(host.store.clone(), host.runtime.clone());
    let streams = Streams::new(&host, alerts.clone(), app.settings().streams.clone(), log_to_tracing()).unwrap();
    let runs = Arc::new(Supervisor::new(Arc::clone(&host)));
    let access = Access::of("192.0.2.1:8080".parse().unwrap());
    let services = Services::new(host, runs, streams.clone(), Arc::clone(&log), alerts, access);
    let server = app.runtime().block_on(Server::bind("127.0.0.1:0".parse().unwrap())).unwrap();
    let url = format!("http://{}", server.address());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = app.runtime().spawn(async move {
        let limits = Limits::default();
        server.run(Arc::new(services), &limits, async { drop(stopped.await) }).await;
    });

    let ask = |method: &str, path: &str, headers: &[(&str, &str)]| send(&url, method, path, headers, b"");
    let token = ("authorization", secret.as_str());
    for path in ["/api/v1/runs", "/api/v1/openapi.json", "/metrics", "/write"] {
        let refused = ask("GET", path, &[]).with_status(401);
        assert!(refused.header("www-authenticate").is_some(), "{path}");
        ask("GET", path, &[("authorization", "Bearer wrong")]).with_status(401);
    }
    ask("POST", "/api/v2/write?bucket=b", &[]).with_status(401);
    ask("GET", "/api/v1/runs", &[token]).with_status(200);
    ask("POST", "/api/v1/runs", &[token]).with_status(403);
    // Its names are its owner's matter, and whether it lives anybody may know.
    ask("GET", "/api/v1/runs", &[token, ("host", "example.org")]).with_status(200);
    ask("GET", "/healthz", &[("host", "example.org")]).with_status(200);

    stop.send(()).unwrap();
    app.runtime().block_on(serving).unwrap();
    streams.shut_down();
    log.close().unwrap();
}

#[test]
fn a_page_under_a_name_of_its_own_can_not_reach_the_server() {
    let place = Place::new();
    let server = place.serve([]);
    server.send("GET", "/api/v1/runs", &[("host", "example.org")], &[]).with_status(421);
    let preflight = [("origin", "http://example.org"), ("access-control-request-method", "POST")];
    let reply = server.send("OPTIONS", "/api/v1/runs", &preflight, &[]);
    assert_eq!((reply.status, reply.header("access-control-allow-origin")), (405, None));
}

#[test]
fn the_same_key_does_nothing_twice() {
    let place = Place::new();
    let server = place.serve([]);
    let start = |key: &str, dataset: &str| {
        let headers = [("idempotency-key", key), ("content-type", "application/json")];
        server.send("POST", "/api/v1/runs", &headers, minute(dataset).to_string().as_bytes())
    };
    let first = start("k1", "a").with_status(201);
    let again = start("k1", "a").with_status(201);
    assert_eq!((first.json(), first.header("location")), (again.json(), again.header("location")));
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    start("k1", "b").with_status(422);
    start("", "b").with_status(400);
    start("k2", "b").with_status(201);
    assert_eq!(server.get("/api/v1/runs").json()["items"].as_array().unwrap().len(), 2);
    // A key outlives the server.
    server.stop().with_code(0);
    let server = place.serve([]);
    let headers = [("idempotency-key", "k1"), ("content-type", "application/json")];
    let kept = send(&server.url, "POST", "/api/v1/runs", &headers, minute("a").to_string().as_bytes()).with_status(201);
    assert_eq!(kept.json(), first.json());
}

#[test]
fn slow_clients_and_too_many_are_let_go() {
    let place = Place::new();
    let limits =
        ["--setting", "server.connections=2", "--setting", "server.header_ms=300", "--setting", "server.body_ms=300"];
    let server = place.serve(limits);
    let address = server.url.strip_prefix("http://").unwrap();
    let connect = || {
        let client = TcpStream::connect(address).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        client
    };
    let read = |mut client: TcpStream| {
        let mut text = String::new();
        // A connection that is cut off is as good as one that is closed.
        let _ = client.read_to_string(&mut text);
        text
    };
    // Half a head, then nothing: both are closed after their time, the third is turned away at once.
    let mut slow: Vec<TcpStream> = (0..2).map(|_| connect()).collect();
    slow.iter_mut().for_each(|client| client.write_all(b"GET /healthz HT").unwrap());
    std::thread::sleep(Duration::from_millis(100));
    let third = read(connect());
    assert!(third.starts_with("HTTP/1.1 503") && third.contains("retry-after"), "{third}");
    for client in slow {
        let text = read(client);
        assert!(text.is_empty() || text.starts_with("HTTP/1.1 408"), "{text}");
    }
    let mut body = connect();
    write!(body, "POST /api/v1/query HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{{").unwrap();
    let text = read(body);
    assert!(text.is_empty() || text.starts_with("HTTP/1.1 4"), "{text}");
    let huge = vec![b' '; 5 << 20];
    server.send("POST", "/api/v1/query", &[("content-type", "application/json")], &huge).with_status(413);
    server.get("/healthz").with_status(200);
}

#[test]
fn one_sigterm_ends_streams_of_events_and_the_server() {
    let place = Place::new();
    let server = place.serve([]);
    let day = json!({ "scenario": "ecommerce", "duration": "30d", "validators": [] });
    let id = server.post("/api/v1/runs", &day).with_status(201).json()["id"].as_str().unwrap().to_owned();
    let url = server.url.clone();
    let watching = std::thread::spawn(move || send(&url, "GET", &format!("/api/v1/runs/{id}/events"), &[], &[]));
    std::thread::sleep(Duration::from_millis(300));
    server.stop().with_code(0);
    let events = watching.join().unwrap().text();
    assert!(events.contains("event: progress"), "{events}");
    assert_eq!(place.runs()[0]["state"], "cancelled");
    // The lock is free, and what is there can be read.
    place.good(["dataset", "list"]);
}

/// A client that has much to say, and says all of it before it listens, hears why it was refused.
#[test]
fn a_request_that_is_refused_unread_is_answered() {
    let place = Place::new();
    let server = place.serve([]);
    let address = server.url.strip_prefix("http://").unwrap();
    let body = vec![b'x'; 12 << 20];
    for _ in 0..5 {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let head = format!("POST /no/such/path HTTP/1.1\r\nHost: {address}\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&body).unwrap();
        // The connection goes on, too.
        stream
            .write_all(format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())
            .unwrap();
        let mut answers = String::new();
        stream.read_to_string(&mut answers).unwrap();
        assert!(answers.starts_with("HTTP/1.1 404") && answers.contains("HTTP/1.1 200"), "{answers}");
    }
}

/// A server whose catalog can't be read lives, and is of no use.
#[test]
fn a_server_is_ready_when_its_catalog_can_be_read() {
    let place = Place::new();
    let server = place.serve([]);
    let ready = || server.get("/readyz");
    assert_eq!(ready().with_status(200).json()["status"], "ok");
    let sqlite = |sql: &str| {
        let script = "import sqlite3,sys\nsqlite3.connect(sys.argv[1], timeout=60).executescript(sys.argv[2])";
        let mut python = std::process::Command::new("python3");
        let python = python.args(["-c", script]).arg(place.data().join(telemill::store::DATABASE_FILE)).arg(sql);
        assert!(python.status().unwrap().success());
    };
    sqlite("ALTER TABLE ducklake_snapshot RENAME TO aside");
    let problem = ready().with_status(503);
    assert_eq!(problem.header("content-type"), Some("application/problem+json"));
    assert!(!problem.text().contains("ducklake"), "the inside stays inside: {}", problem.text());
    server.get("/healthz").with_status(200);
    sqlite("ALTER TABLE aside RENAME TO ducklake_snapshot");
    ready().with_status(200);
    server.stop().with_code(0);
}
