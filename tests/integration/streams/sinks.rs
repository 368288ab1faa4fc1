//! Rows of streams on their way to others: at least once, in order, with keys, and given up where nothing helps.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::Value;
use telemill::store::{DATABASE_FILE, Store, StreamState};
use tokio::runtime::Runtime;

use super::{ended, newest, shop, streaming};
use crate::program::{Place, Running, wait_until};

fn with_sinks(sinks: &str) -> String {
    format!("{}\n{sinks}", shop())
}

#[test]
fn files_have_every_row_also_after_a_kill() {
    let place = Place::new();
    let sinks = r#"
        [[stream.sinks]]
        name = "lines"
        tables = ["transactions"]
        file = { folder = "lines" }
        [[stream.sinks]]
        name = "values"
        tables = ["operations"]
        file = { folder = "values", format = "csv", rotate_bytes = 20000 }
    "#;
    let sinks = sinks.replace("operations", "infrastructure_metrics");
    let child = streaming(&place, &with_sinks(&sinks), &[]);
    wait_until("something is delivered", || place.data().join("out/lines/transactions.ndjson").exists());
    child.kill();
    let stream = ended(&place, &with_sinks(&sinks), &[]);
    let rows = |table: &str| {
        let tables = stream["tables"].as_array().unwrap().iter();
        tables.clone().find(|found| found["table"] == table).unwrap()["rows"].as_u64().unwrap() as usize
    };
    let text = fs::read_to_string(place.data().join("out/lines/transactions.ndjson")).unwrap();
    let mut ids: Vec<String> =
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["transaction_id"].to_string()).collect();
    assert!(ids.len() >= rows("transactions"));
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), rows("transactions"), "at least once, and nothing else");
    let files: Vec<_> = fs::read_dir(place.data().join("out/values")).unwrap().map(|e| e.unwrap().path()).collect();
    assert!(files.len() > 2, "full files are put aside: {files:?}");
    let lines: usize = files.iter().map(|file| fs::read_to_string(file).unwrap().lines().count() - 1).sum();
    assert!(lines >= rows("infrastructure_metrics"));
}

/// A receiver that refuses every third batch once, and one batch for good.
#[derive(Default)]
struct Received {
    requests: u32,
    refused_for_good: Option<String>,
    rows: BTreeMap<String, usize>,
    authorization: Option<String>,
}

#[test]
fn an_endpoint_gets_every_batch_with_its_key_and_what_it_refuses_is_kept() {
    let received = Arc::new(Mutex::new(Received::default()));
    let seen = Arc::clone(&received);
    let handler = move |headers: HeaderMap, body: Bytes| {
        let seen = Arc::clone(&seen);
        async move {
            let mut seen = seen.lock().unwrap();
            let text = |name: &str| headers.get(name).unwrap().to_str().unwrap().to_owned();
            let key = text("idempotency-key");
            seen.requests += 1;
            seen.authorization = Some(text("authorization"));
            if seen.requests.is_multiple_of(3) {
                return (StatusCode::SERVICE_UNAVAILABLE, "later");
            }
            if seen.refused_for_good.is_none() || seen.refused_for_good.as_deref() == Some(&key) {
                seen.refused_for_good = Some(key);
                return (StatusCode::BAD_REQUEST, "never");
            }
            let lines = body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count();
            seen.rows.insert(key, lines);
            (StatusCode::OK, "thanks")
        }
    };
    let runtime = Runtime::new().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    runtime.spawn(async move {
        axum::serve(listener, Router::new().route("/rows", post(handler))).await.unwrap();
    });

    let place = Place::new();
    let spec = with_sinks(&format!(
        "[[stream.sinks]]\nname = \"backend\"\ntables = [\"transactions\"]\nhttp = {{ url = \"http://{address}/rows\", credentials = {{ bearer_env = \"BACKEND\" }} }}\n"
    ));
    place.file("stream.toml", &spec);
    let mut command = place.command(["stream", "run", "stream.toml", "--json"]);
    let answer = crate::program::answer(command.env("BACKEND", "secret").output().unwrap()).with_code(0);
    let stream: Value = serde_json::from_str(&answer.out).unwrap();
    let total = stream["tables"].as_array().unwrap().iter().find(|t| t["table"] == "transactions").unwrap();
    let id = newest(&place).unwrap().id;
    let sinks = runtime.block_on(async {
        let store = Store::open_read_only(&place.data().join(DATABASE_FILE)).await.unwrap();
        store.stream_sinks(&id).await.unwrap()
    });
    let letters = place.json(["stream", "dead-letters", "list", "backend", "--json"]);
    let key = letters[0]["batch_key"].as_str().unwrap();
    let body = place.good(["stream", "dead-letters", "show", "backend", key]);
    let received = received.lock().unwrap();
    assert_eq!(received.authorization.as_deref(), Some("Bearer secret"));
    let refused = body.lines().count();
    assert_eq!((letters.as_array().unwrap().len(), &letters[0]["reason"]), (1, &"status 400: never".into()));
    assert_eq!(Some(key), received.refused_for_good.as_deref());
    assert_eq!(letters[0]["bytes"], body.len());
    let arrived: usize = received.rows.values().sum();
    assert_eq!((arrived + refused) as u64, total["rows"].as_u64().unwrap());
    assert_eq!((sinks[0].rows, sinks[0].dead, sinks[0].letters), (arrived as u64, 1, 1));
    assert!(sinks[0].retries > 0);
}

/// What a server was asked: method and path, body, authorization.
type Asked = Arc<Mutex<Vec<(String, String, Option<String>)>>>;

/// A server that says 201 to everything and keeps it.
fn server(runtime: &Runtime) -> (std::net::SocketAddr, Asked) {
    let asked = Asked::default();
    let kept = Arc::clone(&asked);
    let handler = move |request: axum::extract::Request| {
        let kept = Arc::clone(&kept);
        async move {
            let authorization = request.headers().get("authorization").map(|v| v.to_str().unwrap().to_owned());
            let line = format!("{} {}", request.method(), request.uri());
            let body = axum::body::to_bytes(request.into_body(), 64 << 20).await.unwrap();
            kept.lock().unwrap().push((line, String::from_utf8(body.to_vec()).unwrap(), authorization));
            StatusCode::CREATED
        }
    };
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    runtime.spawn(async move {
        axum::serve(listener, Router::new().fallback(handler)).await.unwrap();
    });
    (address, asked)
}

#[test]
fn rows_become_requests_whose_answers_are_rows_and_points_of_line_protocol() {
    let runtime = Runtime::new().unwrap();
    let (address, asked) = server(&runtime);
    let place = Place::new();
    let spec = format!(
        r#"{}
        [[stream.sinks]]
        name = "traffic"
        tables = ["incidents"]
        [stream.sinks.requests]
        url = "http://{address}/base"
        method = "{{{{ 'PUT' if severity == 'critical' else 'POST' }}}}"
        path = "/incidents/{{{{ incident_id }}}}"
        body = "{{{{ {{'kind': kind, 'at': start_time}}|tojson }}}}"
        credentials = {{ basic_env = "WHO" }}
        log_dataset = "traffic"
        [[stream.sinks]]
        name = "points"
        tables = ["infrastructure_metrics"]
        influx = {{ url = "http://{address}/api/v2/write?bucket=b", tags = ["host", "service"], credentials = {{ bearer_env = "WHO" }} }}
        "#,
        shop()
    );
    place.file("stream.toml", spec);
    let mut command = place.command(["stream", "run", "stream.toml", "--json"]);
    let answer = crate::program::answer(command.env("WHO", "me:secret").output().unwrap()).with_code(0);
    let stream: Value = serde_json::from_str(&answer.out).unwrap();
    let rows = |table: &str| {
        let found = stream["tables"].as_array().unwrap().iter().find(|found| found["table"] == table).unwrap();
        found["rows"].as_u64().unwrap()
    };
    let asked = asked.lock().unwrap();
    let (writes, calls): (Vec<_>, Vec<_>) = asked.iter().partition(|(line, ..)| line.contains("/api/v2/write"));
    assert_eq!(calls.len() as u64, rows("incidents"));
    assert!(calls.iter().all(|(line, body, who)| {
        (line.starts_with("PUT /base/incidents/") || line.starts_with("POST /base/incidents/"))
            && serde_json::from_str::<Value>(body).unwrap()["kind"].is_string()
            && who.as_deref() == Some("Basic bWU6c2VjcmV0")
    }));
    let points: usize = writes.iter().map(|(_, body, _)| body.lines().count()).sum();
    assert_eq!(points as u64, rows("infrastructure_metrics"));
    assert!(writes.iter().all(|(_, body, who)| {
        body.starts_with("infrastructure_metrics,host=") && who.as_deref() == Some("Token me:secret")
    }));
    let logged = place
        .sql("SELECT count(*) AS n, min(status) AS status, min(latency_ms) AS least FROM traffic.api_request_logs");
    assert_eq!((&logged[0]["n"], &logged[0]["status"]), (&rows("incidents").into(), &201.into()));
    assert!(logged[0]["least"].as_f64().unwrap() > 0.0);
}

/// A backend that says 201 to every request but the one of this number, from 0, which it lets go of without an answer; hands on key
/// and authorization of each.
fn backend(listener: TcpListener, unanswered: usize) -> Arc<Mutex<Vec<(String, String)>>> {
    let asked = Arc::<Mutex<Vec<(String, String)>>>::default();
    let kept = Arc::clone(&asked);
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let mut reader = BufReader::new(stream.unwrap());
            let mut head = BTreeMap::new();
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                let Some((name, value)) = line.split_once(": ") else { if line == "\r\n" { break } else { continue } };
                head.insert(name.to_ascii_lowercase(), value.trim().to_owned());
            }
            let mut body = vec![0; head.get("content-length").map_or(0, |length| length.parse().unwrap())];
            reader.read_exact(&mut body).unwrap();
            kept.lock().unwrap().push((head["idempotency-key"].clone(), head["authorization"].clone()));
            if number != unanswered {
                let answer = "HTTP/1.1 201 Created\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                reader.get_mut().write_all(answer.as_bytes()).unwrap();
            }
        }
    });
    asked
}

#[test]
fn a_call_that_gets_no_answer_is_made_again_and_those_that_got_one_are_not() {
    let away = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = away.local_addr().unwrap();
    drop(away);
    let place = Place::new();
    let spec = with_sinks(&format!(
        r#"[[stream.sinks]]
        name = "traffic"
        tables = ["incidents"]
        [stream.sinks.requests]
        url = "http://{address}"
        path = "/incidents/{{{{ incident_id }}}}"
        credentials = {{ bearer_env = "BACKEND" }}
        log_dataset = "traffic"
        "#
    ));
    place.file("stream.toml", spec);
    let mut command = place.command(["stream", "run", "stream.toml", "--json"]);
    let child: Running =
        command.env("BACKEND", "secret").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap().into();
    let silent = "SELECT request_id FROM traffic.api_request_logs WHERE status IS NULL AND error IS NOT NULL";
    wait_until("the log says that nobody answers", || {
        let asked = place.ask(["sql", silent, "--format", "json"]);
        asked.code == Some(0) && asked.out.contains("request_id")
    });
    let asked = backend(TcpListener::bind(address).unwrap(), 2);
    let stream: Value = serde_json::from_str(&child.answer().with_code(0).out).unwrap();
    let found = stream["tables"].as_array().unwrap().iter().find(|found| found["table"] == "incidents").unwrap();
    let rows = found["rows"].as_u64().unwrap() as usize;

    let asked = asked.lock().unwrap();
    assert!(asked.iter().all(|(_, who)| who == "Bearer secret"));
    let keys: Vec<&String> = asked.iter().map(|(key, _)| key).collect();
    let different: BTreeSet<&String> = keys.iter().copied().collect();
    assert!(rows > 3 && different.len() == rows, "{rows} rows: {keys:?}");
    assert_eq!((keys.len(), keys[3]), (rows + 1, keys[2]), "only what was not answered comes again");
    let logged = place.sql(
        "SELECT count(*) AS n, count(DISTINCT request_id) AS ids, count(status) AS answers,
             sum(CASE WHEN error LIKE '%refused%' THEN 1 ELSE 0 END) AS refused FROM traffic.api_request_logs",
    );
    let of = |name: &str| logged[0][name].as_u64().unwrap() as usize;
    assert_eq!((of("ids"), of("answers")), (of("n"), rows), "{logged:?}");
    assert!(of("refused") > 0 && of("n") == rows + of("refused") + 1, "{logged:?}");
}

/// A stream that ends while its sink is away, and the program with it, gives the rest when it is asked again: by the same
/// command, and by a server.
#[test]
fn what_a_stream_that_ended_could_not_deliver_is_delivered_later() {
    let runtime = Runtime::new().unwrap();
    for by_server in [false, true] {
        let place = Place::new();
        // Nobody listens there until the stream has ended.
        let away = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = away.local_addr().unwrap();
        drop(away);
        let spec = with_sinks(&format!(
            "[[stream.sinks]]\nname = \"backend\"\ntables = [\"incidents\"]\nhttp = {{ url = \"http://{address}/rows\" }}\n"
        ));
        let child = streaming(&place, &spec, &[]);
        wait_until("the stream has ended", || {
            newest(&place).is_some_and(|stream| stream.state == StreamState::Stopped)
        });
        child.kill();
        let stream = newest(&place).unwrap();
        let (rows, received) = (stream.tables["incidents"].rows, Arc::new(Mutex::new(BTreeMap::new())));
        let kept = Arc::clone(&received);
        let handler = move |headers: HeaderMap, body: Bytes| async move {
            let key = headers["idempotency-key"].to_str().unwrap().to_owned();
            kept.lock().unwrap().insert(key, body.iter().filter(|byte| **byte == b'\n').count() as u64);
        };
        let listener = runtime.block_on(tokio::net::TcpListener::bind(address)).unwrap();
        runtime.spawn(async move {
            axum::serve(listener, Router::new().route("/rows", post(handler))).await.unwrap();
        });
        let delivered = || received.lock().unwrap().values().sum::<u64>() == rows;
        if by_server {
            let server = place.serve([]);
            wait_until("everything is delivered", delivered);
            server.stop().with_code(0);
        } else {
            let again = ended(&place, &spec, &[]);
            assert_eq!((&again["id"], &again["state"]), (&stream.id.as_str().into(), &"stopped".into()));
            assert!(delivered());
            streaming(&place, &spec, &[]).answer().refused(&["rows"]);
        }
        assert!(rows > 0);
    }
}
