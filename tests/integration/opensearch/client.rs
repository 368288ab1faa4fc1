//! Our client: indices, chunks, every way in which a server can say no.

use super::receiver::{Fault, Receiver};
use super::{WINDOW, connect, guest, rows, settings, table};
use std::net::TcpListener;
use std::time::{Duration, Instant};
use telemill::batch::to_arrow;
use telemill::sink::SinkError;
use telemill::sink::mapping::index_body;
use telemill::sink::opensearch::{Credentials, LoadError, OpenSearch, Outcome, Settings};

fn load(server: &OpenSearch, count: i64) -> Result<Outcome, LoadError> {
    let tables = [table("transactions", true)];
    let rows = rows(count);
    let batches = rows.chunks(7).map(|rows| to_arrow(guest(0, rows), &tables, WINDOW).map(|(_, batch)| batch));
    server.load_batches("demo", &tables[0], batches, &mut |_| {})
}

fn stored(receiver: &Receiver) -> usize {
    receiver.cluster().indices.get("demo").map_or(0, |index| index.documents.len())
}

fn with_faults(faults: &[Fault]) -> Receiver {
    let receiver = Receiver::start();
    receiver.cluster().faults.extend(faults.iter().cloned());
    receiver
}

#[test]
fn documents_arrive_in_bounded_chunks_and_are_counted() {
    let receiver = Receiver::start();
    let server = connect(&receiver);
    assert_eq!(server.version(), "3.2.0");
    let layout = table("transactions", true);
    server.create_index("demo", &index_body(&layout), false).unwrap();
    let outcome = load(&server, 35).unwrap();
    assert_eq!((outcome.sent, outcome.accepted, outcome.refused, outcome.retried, outcome.requests), (35, 35, 0, 0, 4));
    assert_eq!(server.count("demo").unwrap(), 35);

    let cluster = receiver.cluster();
    assert!(
        cluster
            .seen
            .iter()
            .all(|seen| seen.content_type == "application/x-ndjson" && !seen.chunked && seen.documents <= 10)
    );
    assert_eq!(cluster.seen.iter().map(|seen| seen.bytes as u64).sum::<u64>(), outcome.bytes);
    let document = &cluster.indices["demo"].documents["8"];
    assert_eq!(
        document.to_string(),
        r#"{"@timestamp":"1970-01-01T00:00:01.000000Z","duration_ms":2.0,"event_id":8,"phase":"incident"}"#
    );
}

#[test]
fn a_limit_in_bytes_bounds_chunks_too() {
    let receiver = Receiver::start();
    let server = OpenSearch::connect(Settings { chunk_bytes: 400, ..settings(&receiver) }).unwrap();
    assert_eq!(load(&server, 35).unwrap().accepted, 35);
    let cluster = receiver.cluster();
    assert!(cluster.seen.len() > 4 && cluster.seen.iter().all(|seen| seen.bytes <= 400), "{:?}", cluster.seen);
}

#[test]
fn an_index_that_exists_is_kept_unless_told_otherwise() {
    let receiver = Receiver::start();
    let server = connect(&receiver);
    let body = index_body(&table("transactions", true));
    server.create_index("demo", &body, true).unwrap();
    load(&server, 5).unwrap();
    let error = server.create_index("demo", &body, false).expect_err("it exists");
    assert_eq!(error.to_string(), "the index demo exists already; --recreate deletes it first with all that is in it");
    assert_eq!(stored(&receiver), 5);
    server.create_index("demo", &body, true).unwrap();
    assert_eq!(stored(&receiver), 0);
    assert!(matches!(server.create_index("*", &body, true), Err(LoadError::BadIndex { .. })));
}

#[test]
fn a_busy_server_gets_the_same_documents_again() {
    let receiver =
        with_faults(&[Fault::Status(429, None), Fault::Status(503, None), Fault::Items(3, 429), Fault::Items(2, 503)]);
    let outcome = load(&connect(&receiver), 10).unwrap();
    // 10 twice over, then the 4 that were told to wait, then 2 of them.
    assert_eq!((outcome.sent, outcome.accepted, outcome.refused, outcome.retried), (10, 10, 0, 26));
    let documents: Vec<_> = receiver.cluster().seen.iter().map(|seen| seen.documents).collect();
    assert_eq!(documents, [10, 10, 10, 4, 2]);
    assert_eq!(stored(&receiver), 10);
}

#[test]
fn a_lost_answer_does_not_double_documents() {
    let receiver = with_faults(&[Fault::LostAnswer]);
    let outcome = load(&connect(&receiver), 10).unwrap();
    assert_eq!((outcome.accepted, outcome.retried), (10, 10));
    assert_eq!(stored(&receiver), 10);
}

#[test]
fn the_server_says_how_long_to_wait() {
    let receiver = with_faults(&[Fault::Status(429, Some(1))]);
    let started = Instant::now();
    assert_eq!(load(&connect(&receiver), 3).unwrap().accepted, 3);
    assert!(started.elapsed() >= Duration::from_secs(1), "{:?}", started.elapsed());
}

#[test]
fn a_server_that_stays_down_ends_the_load_and_what_was_stored_is_told() {
    let mut faults = vec![Fault::None];
    faults.extend(vec![Fault::Status(503, None); 5]);
    let receiver = with_faults(&faults);
    let error = load(&connect(&receiver), 20).expect_err("503 from the second chunk on");
    assert!(matches!(&error, LoadError::GaveUp { attempts: 5, outcome, .. } if outcome.accepted == 10), "{error}");
    assert!(
        error.to_string().contains("(status 503, cluster_block_exception: told to); 10 documents were accepted before"),
        "{error}"
    );
    assert_eq!(stored(&receiver), 10);
}

#[test]
fn items_that_stay_refused_are_counted_with_their_reasons() {
    let receiver = with_faults(&vec![Fault::Items(1, 429); 5]);
    let outcome = load(&connect(&receiver), 2).unwrap();
    assert_eq!((outcome.sent, outcome.accepted, outcome.refused, outcome.retried), (2, 0, 2, 8));
    assert_eq!(
        (outcome.refusals[0].status, outcome.refusals[0].reason.as_str()),
        (429, "rejected_execution_exception: told to")
    );
}

#[test]
fn a_document_that_does_not_fit_the_mapping_is_refused_alone() {
    let receiver = Receiver::start();
    let server = connect(&receiver);
    let mut body = index_body(&table("transactions", true));
    body["mappings"]["properties"]["phase"]["type"] = "long".into();
    server.create_index("demo", &body, false).unwrap();
    let tables = [table("transactions", true)];
    let (_, mixed) =
        to_arrow(guest(0, &[(1, "12", 0.5), (2, "normal", 0.5), (3, "13", 0.5)]), &tables, WINDOW).unwrap();
    let mut calls = 0;
    let outcome = server.load_batches("demo", &tables[0], [Ok::<_, SinkError>(mixed)], &mut |_| calls += 1).unwrap();
    assert_eq!((outcome.accepted, outcome.refused, outcome.retried, calls), (2, 1, 0, 1));
    let refusal = &outcome.refusals[0];
    assert_eq!(refusal.action, r#"{"index":{"_id":"2"}}"#);
    assert_eq!(
        refusal.reason,
        "mapper_parsing_exception: failed to parse field [phase] of type [long] in document with id '2'"
    );
}

#[test]
fn only_the_first_reasons_are_kept() {
    let receiver = with_faults(&vec![Fault::Items(1, 400); 10]);
    let server = OpenSearch::connect(Settings { max_refusals: 3, ..settings(&receiver) }).unwrap();
    let outcome = load(&server, 100).unwrap();
    assert_eq!((outcome.refused, outcome.refusals.len()), (100, 3));
}

#[test]
fn refused_documents_are_kept_whole_up_to_a_bound_and_those_over_it_are_counted() {
    let receiver = with_faults(&vec![Fault::Items(1, 400); 4]);
    let server = OpenSearch::connect(Settings { max_refused_bytes: 1_000, ..settings(&receiver) }).unwrap();
    let outcome = load(&server, 35).unwrap();
    let kept = outcome.documents.iter().filter(|byte| **byte == b'\n').count() as u64 / 2;
    assert!(outcome.documents.len() <= 1_000 && outcome.documents.ends_with(b"}\n"), "{}", outcome.documents.len());
    assert_eq!((outcome.refused, outcome.busy, kept > 3, kept + outcome.unkept), (35, 0, true, 35));
    // What was kept can be sent as it is.
    let again = server.load_lines("demo", &outcome.documents).unwrap();
    assert_eq!((again.accepted, stored(&receiver) as u64), (kept, kept));
}

#[test]
fn requests_that_are_too_large_are_halved() {
    let receiver = Receiver::start();
    receiver.cluster().max_content_bytes = 500;
    let outcome = load(&connect(&receiver), 40).unwrap();
    assert_eq!((outcome.sent, outcome.accepted, outcome.refused), (40, 40, 0));
    assert_eq!(stored(&receiver), 40);
    // What one chunk learned holds for the next: the limit is hit a few times, not for every chunk.
    let too_large = receiver.cluster().seen.iter().filter(|seen| seen.bytes > 500).count();
    assert!((1..=3).contains(&too_large), "{too_large}");

    receiver.cluster().max_content_bytes = 20;
    let outcome = load(&connect(&receiver), 3).unwrap();
    assert_eq!((outcome.accepted, outcome.refused, outcome.refusals[0].status), (0, 3, 413));
}

#[test]
fn answers_that_are_none_end_the_load() {
    for answer in ["", "<html>", "{}", r#"{"items":[]}"#, r#"{"errors":false,"items":[{"index":{"status":"ok"}}]}"#] {
        let receiver = with_faults(&[Fault::Answer(answer)]);
        let error = load(&connect(&receiver), 1).expect_err("no bulk answer");
        assert!(matches!(&error, LoadError::Malformed { .. }), "{error}");
        assert!(error.to_string().contains("/demo/_bulk did not answer as OpenSearch does"), "{error}");
    }
    let receiver = with_faults(&[Fault::Status(400, None)]);
    let error = load(&connect(&receiver), 1).expect_err("the whole request is refused");
    assert!(matches!(&error, LoadError::Rejected { status: 400, .. }), "{error}");
}

#[test]
fn nobody_there_is_said_with_what_to_check() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = OpenSearch::connect(Settings::new(address.to_string())).expect_err("nobody listens");
    let text = error.to_string();
    assert!(text.starts_with(&format!("no OpenSearch server answers at http://{address} (")), "{text}");
    assert!(text.contains("Connection refused") && text.ends_with(&format!("try: curl http://{address}")), "{text}");
}

#[test]
fn credentials_open_the_door() {
    let receiver = Receiver::start();
    receiver.cluster().authorization = Some("Basic bWU6c2VjcmV0".into());
    let error = OpenSearch::connect(settings(&receiver)).expect_err("no credentials");
    assert!(matches!(&error, LoadError::Denied { status: 401, .. }), "{error}");
    let basic = Credentials::Basic { user: "me".into(), password: "secret".into() };
    let server = OpenSearch::connect(Settings { credentials: Some(basic), ..settings(&receiver) }).unwrap();
    assert_eq!(load(&server, 3).unwrap().accepted, 3);
    receiver.cluster().authorization = Some("ApiKey key".into());
    assert!(matches!(load(&server, 3), Err(LoadError::Denied { .. })));
    let key = Credentials::ApiKey("key".into());
    let server = OpenSearch::connect(Settings { credentials: Some(key), ..settings(&receiver) }).unwrap();
    assert_eq!(load(&server, 3).unwrap().accepted, 3);
}
