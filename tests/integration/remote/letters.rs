//! Batches that a sink gave up: listed, sent again once the endpoint is mended, dropped; here and there alike.

use super::ask;
use crate::program::{Place, Served, send, wait_until};
use crate::server::shop;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::runtime::Runtime;

/// How the endpoint is.
#[derive(Debug, Clone, PartialEq)]
enum Mood {
    /// It refuses the first two batches for good.
    Choosy,
    /// It refuses everything for good.
    Stubborn,
    /// It takes nothing for now.
    Away,
    /// It takes what has this key, and refuses everything else.
    Only(String),
    /// It takes everything.
    Mended,
}

/// A batch that came: its key, its table, its lines.
type Came = (String, String, Vec<u8>);

#[derive(Debug)]
struct Endpoint {
    mood: Mood,
    refused: Vec<Came>,
    taken: Vec<Came>,
}

type Shared = Arc<Mutex<Endpoint>>;

async fn take(State(endpoint): State<Shared>, headers: HeaderMap, body: Bytes) -> (StatusCode, &'static str) {
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    let came = (header("idempotency-key"), header("telemill-table"), body.to_vec());
    let mut endpoint = endpoint.lock().unwrap();
    match endpoint.mood.clone() {
        Mood::Choosy if endpoint.refused.len() < 2 => {
            endpoint.refused.push(came);
            (StatusCode::UNPROCESSABLE_ENTITY, "never")
        }
        Mood::Stubborn => (StatusCode::UNPROCESSABLE_ENTITY, "still not"),
        Mood::Away => (StatusCode::SERVICE_UNAVAILABLE, "later"),
        Mood::Only(key) if key != came.0 => (StatusCode::UNPROCESSABLE_ENTITY, "not this one"),
        Mood::Choosy | Mood::Only(_) | Mood::Mended => {
            endpoint.taken.push(came);
            (StatusCode::OK, "thanks")
        }
    }
}

fn endpoint(runtime: &Runtime) -> (SocketAddr, Shared) {
    let shared = Shared::new(Mutex::new(Endpoint { mood: Mood::Choosy, refused: vec![], taken: vec![] }));
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/rows", post(take)).with_state(Arc::clone(&shared));
    runtime.spawn(async move { axum::serve(listener, router).await });
    (address, shared)
}

/// A stream that has ended, with two batches that the endpoint refused; the path of its sink.
fn ended(server: &Served, address: SocketAddr) -> String {
    let mut spec = shop();
    spec["stream"]["until"] = "2026-11-09T20:30:00Z".into();
    spec["stream"]["sinks"] = json!([{ "name": "backend", "tables": ["transactions"],
        "http": { "url": format!("http://{address}/rows") } }]);
    let begun = server.post("/api/v1/streams", &spec).with_status(201).json();
    let path = format!("/api/v1/streams/{}", begun["id"].as_str().unwrap());
    wait_until("everything is delivered or given up", || {
        let (stream, sinks) = (server.get(&path).json(), server.get(&format!("{path}/sinks")).json());
        stream["state"] == "stopped" && sinks[0]["position"] == stream["commits"]
    });
    path
}

fn listed(server: &Served, path: &str) -> Vec<Value> {
    let page = server.get(&format!("{path}/sinks/backend/dead-letters")).with_status(200).json();
    page["items"].as_array().unwrap().clone()
}

#[test]
fn what_an_endpoint_refused_is_listed_and_sent_again_once_it_is_mended() {
    let runtime = Runtime::new().unwrap();
    let (address, endpoint) = endpoint(&runtime);
    let mood = |mood: Mood| endpoint.lock().unwrap().mood = mood;
    let place = Place::new();
    let server = place.serve([]);
    let path = ended(&server, address);
    let letters = format!("{path}/sinks/backend/dead-letters");
    let refused = endpoint.lock().unwrap().refused.clone();
    let taken = endpoint.lock().unwrap().taken.len();

    // Newest first, in pages.
    let first = server.get(&format!("{letters}?limit=1")).with_status(200).json();
    let second = server.get(&format!("{letters}?limit=1&cursor={}", first["next"].as_str().unwrap())).json();
    assert_eq!(
        (&first["items"][0]["batch_key"], &second["items"][0]["batch_key"]),
        (&json!(refused[1].0), &json!(refused[0].0))
    );
    assert_eq!(second["next"], Value::Null);
    for (key, _, body) in &refused {
        let letter = listed(&server, &path).into_iter().find(|letter| letter["batch_key"] == key.as_str()).unwrap();
        assert_eq!((&letter["reason"], &letter["bytes"]), (&json!("status 422: never"), &json!(body.len())));
        assert_eq!(&server.get(&format!("{letters}/{key}")).with_status(200).body, body);
    }
    // Through a server as beside it.
    for words in [
        &["list", "backend"][..],
        &["list", "backend", "--json"],
        &["list", "other"],
        &["show", "backend", &refused[0].0],
    ] {
        let words: Vec<_> = ["stream", "dead-letters"].into_iter().chain(words.iter().copied()).collect();
        let (here, there) = (place.ask(words.iter().copied()), ask(&place, &server, words.iter().copied()));
        assert_eq!((here.code, &here.out), (there.code, &there.out), "{words:?}: {}{}", here.err, there.err);
    }

    // Refused once more, they stay with the new reason.
    mood(Mood::Stubborn);
    let again = ask(&place, &server, ["stream", "dead-letters", "send", "backend", "--json"]).with_code(1).out;
    assert_eq!(serde_json::from_str::<Value>(&again).unwrap(), json!({ "sent": 0, "left": 2, "stopped": null }));
    assert!(listed(&server, &path).iter().all(|letter| letter["reason"] == "status 422: still not"));
    mood(Mood::Away);
    let again = server.send("POST", &format!("{letters}/send"), &[], &[]).with_status(200).json();
    assert_eq!(again, json!({ "sent": 0, "left": 2, "stopped": "status 503: later" }));

    // The command does the same while nobody serves.
    let audit = server.get("/api/v1/audit").json().to_string();
    assert!(audit.contains(&format!("{letters}/send")), "{audit}");
    server.stop().with_code(0);
    mood(Mood::Only(refused[1].0.clone()));
    let again = place.json_with_code(1, ["stream", "dead-letters", "send", "backend", "--json"]);
    assert_eq!(again, json!({ "sent": 1, "left": 1, "stopped": null }));
    mood(Mood::Mended);
    let server = place.serve([]);
    let again = server.send("POST", &format!("{letters}/send"), &[], &[]).with_status(200).json();
    assert_eq!(again, json!({ "sent": 1, "left": 0, "stopped": null }));
    let sent = endpoint.lock().unwrap().taken[taken..].to_vec();
    assert_eq!(sent, [refused[1].clone(), refused[0].clone()], "just these, with their keys");
    assert_eq!(listed(&server, &path), Vec::<Value>::new());
    let sinks = server.get(&format!("{path}/sinks")).json();
    assert_eq!((&sinks[0]["dead"], &sinks[0]["letters"]), (&json!(2), &json!(0)));
    for missing in
        [format!("{letters}/{}", refused[0].0), format!("{letters}/x"), format!("{path}/sinks/other/dead-letters")]
    {
        server.get(&missing).with_status(404);
    }
}

#[test]
fn what_was_given_up_is_dropped_when_somebody_who_may_says_so() {
    let runtime = Runtime::new().unwrap();
    let (address, _) = endpoint(&runtime);
    let place = Place::new();
    let reader = place.json(["token", "create", "reader", "--scope", "read", "--json"]);
    let server = place.serve([]);
    let path = ended(&server, address);
    let letters = format!("{path}/sinks/backend/dead-letters");
    let who = format!("Bearer {}", reader["secret"].as_str().unwrap());
    let headers = [("authorization", who.as_str())];
    send(&server.url, "GET", &letters, &headers, &[]).with_status(200);
    send(&server.url, "DELETE", &letters, &headers, &[]).with_status(403);
    send(&server.url, "POST", &format!("{letters}/send"), &headers, &[]).with_status(403);
    ask(&place, &server, ["stream", "dead-letters", "drop", "backend"]).refused(&["--yes"]);
    assert_eq!(listed(&server, &path).len(), 2);
    let dropped = ask(&place, &server, ["stream", "dead-letters", "drop", "backend", "--yes"]).with_code(0).out;
    assert_eq!((dropped.as_str(), listed(&server, &path).len()), ("2 dropped\n", 0));
    server.stop().with_code(0);
    assert_eq!(place.good(["stream", "dead-letters", "drop", "backend", "--yes"]), "0 dropped\n");
}
