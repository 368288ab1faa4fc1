//! Collections from a real socket into real files and a real lake.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::core::time::Length;
use crate::sink::Credentials;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::time::Duration;

/// A server that answers each of `answers` once, and gives back what it was asked.
fn serve(answers: Vec<String>) -> (String, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = std::thread::spawn(move || {
        let answer = |answer: String| {
            let (stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut line, mut length) = (String::new(), 0);
            loop {
                line.clear();
                reader.read_line(&mut line).unwrap();
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                if line.trim().is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let mut stream = stream;
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{answer}", answer.len())
                .unwrap();
            String::from_utf8(body).unwrap()
        };
        answers.into_iter().map(answer).collect()
    });
    (url, asked)
}

fn source(url: String, question: Question) -> Source {
    Source { url, question, credentials: Credentials::default(), timeout: Duration::from_secs(10) }
}

fn collection(url: String, folder: &Path) -> Collection {
    let body = [("window_minutes".to_owned(), serde_json::json!(60))].into_iter().collect();
    Collection {
        source: source(url, Question::Endpoint(body)),
        output_dir: folder.to_owned(),
        table: "segment_timeseries".into(),
        key: Vec::new(),
        database: Some(folder.join("db/segments.db")),
        catalog: false,
        dataset: None,
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

const ROWS: &str = r#"{"at":"x","rows":[
    {"ts":"2026-11-09 14:25:00","segment":"State","count":COUNT,"dim1":{"name":"state","value":"SP"},"dim2":{"name":"","value":null}},
    {"ts":"2026-11-09 14:25:00","segment":"Type","count":7,"dim1":{"name":"machine_type","value":"ATM, big"},"dim2":{"name":"","value":null}}]}"#;

#[test]
fn an_instant_is_kept_raw_flat_and_by_key() {
    let folder = tempfile::tempdir().unwrap();
    let (url, asked) = serve(vec![ROWS.replace("COUNT", "5"), ROWS.replace("COUNT", "6")]);
    let collection = collection(url, folder.path());
    let runtime = runtime();
    let at = Timestamp(1_794_234_300_000_000);
    for _ in 0..2 {
        let collected = collect(&collection, None, runtime.handle(), at, at).unwrap();
        assert_eq!((collected.rows, collected.lake_rows), (2, 0));
    }
    let asked = asked.join().unwrap();
    assert_eq!(asked[0], r#"{"current_time":"2026-11-09T14:25:00Z","window_minutes":60}"#);
    let csv = std::fs::read_to_string(folder.path().join("csv/segment_timeseries_20261109_142500.csv")).unwrap();
    let mut lines = csv.lines();
    let header = lines.next().unwrap();
    for name in ["ts", "segment", "count", "dim1_name", "dim1_value", "dim2_name", "dim2_value"] {
        assert!(header.split(',').any(|found| found == name), "{header}");
    }
    assert!(csv.contains("\"ATM, big\""));
    let raw = std::fs::read_to_string(folder.path().join("json/segment_timeseries_20261109_142500.json")).unwrap();
    assert_eq!(raw, ROWS.replace("COUNT", "6"), "it is kept as it came");
    // The second answer replaced the first, by key.
    let output = std::process::Command::new("python3")
        .args(["-c", "import sqlite3,sys\nc=sqlite3.connect(sys.argv[1])\nprint(c.execute('select count(*), sum(count) from segment_timeseries').fetchone())"])
        .arg(folder.path().join("db/segments.db"))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "(2, 13)");
}

/// What the document says of `segment_timeseries`: name, type, place in the key.
const DECLARED: &str = "[('ts', 'TEXT', 1), ('segment', 'TEXT', 2), ('count', 'INTEGER', 0), ('dim1_name', 'TEXT', 3), \
    ('dim1_value', 'TEXT', 4), ('dim2_name', 'TEXT', 5), ('dim2_value', 'TEXT', 6), ('dim3_name', 'TEXT', 7), ('dim3_value', 'TEXT', 8)]";

#[test]
fn counts_by_segment_have_the_documents_table_whatever_their_rows_have() {
    let whole = ROWS.replace("COUNT", "5");
    let numbers = r#"[{"ts":"t","segment":"OS","count":1,"dim1":{"name":"os_version","value":22}}]"#;
    let bare = r#"[{"ts":"t","segment":"All","count":1,"dim1_name":null,"dim1_value":null}]"#;
    for answer in [whole.as_str(), numbers, bare] {
        let folder = tempfile::tempdir().unwrap();
        let (url, _asked) = serve(vec![answer.to_owned()]);
        let collection = collection(url, folder.path());
        collect(&collection, None, runtime().handle(), Timestamp(0), Timestamp(0)).unwrap();
        let script = "import sqlite3,sys\nc=sqlite3.connect(sys.argv[1])\nprint([(r[1],r[2],r[5]) for r in c.execute('pragma table_info(segment_timeseries)')])";
        let mut python = std::process::Command::new("python3");
        let output = python.args(["-c", script]).arg(folder.path().join("db/segments.db")).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), DECLARED, "{answer}");
    }
    // What is of another shape keeps its own.
    for other in [r#"[{"ts":"t","segment":"s","count":1,"share":0.5}]"#, r#"[{"ts":1,"segment":"s","count":1}]"#] {
        let rows = flat::rows(&serde_json::from_str(other).unwrap(), &collection(String::new(), Path::new("")));
        assert!(rows.unwrap().columns.len() < 9, "{other}");
    }
}

#[test]
fn what_influx_answers_is_rows_and_what_is_none_is_told() {
    let influx = r#"{"results":[{"series":[{"name":"cpu","tags":{"host":"a"},"columns":["time","usage"],"values":[[1,0.5],[2,1]]}]}]}"#;
    let folder = tempfile::tempdir().unwrap();
    let (url, asked) =
        serve(vec![influx.to_owned(), r#"{"results":[{"error":"no such database"}]}"#.to_owned(), "[1]".to_owned()]);
    let question = Question::InfluxQl { database: "my db".into(), query: "SELECT usage FROM cpu".into() };
    let source = source(url.clone(), question);
    let collection = Collection { source, key: vec!["time".into(), "host".into()], ..collection(url, folder.path()) };
    let runtime = runtime();
    assert_eq!(collect(&collection, None, runtime.handle(), Timestamp(0), Timestamp(0)).unwrap().rows, 2);
    let error = collect(&collection, None, runtime.handle(), Timestamp(0), Timestamp(0)).unwrap_err().to_string();
    assert!(error.contains("no such database"), "{error}");
    assert!(matches!(
        collect(&collection, None, runtime.handle(), Timestamp(0), Timestamp(0)),
        Err(CollectError::Unfit { .. })
    ));
    assert_eq!(asked.join().unwrap()[0], "db=my+db&q=SELECT+usage+FROM+cpu&epoch=u");
    assert!(matches!(
        collect(&collection, None, runtime.handle(), Timestamp(0), Timestamp(0)),
        Err(CollectError::Source { .. })
    ));
}

#[test]
fn a_simulated_clock_goes_on_from_call_to_call() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock { current: None, simulate_minutes: Some(15), state_file: folder.path().join("new/state.json") };
    let start = Timestamp(1_794_234_300_000_000);
    let quarter: Length = "15m".parse().unwrap();
    let quarter = i64::try_from(quarter.us()).unwrap();
    assert_eq!(clock.at(start).unwrap(), start);
    clock.keep(start).unwrap();
    assert_eq!(clock.at(Timestamp(0)).unwrap(), start.plus_us(quarter));
    // What was not kept was not collected, and comes again.
    assert_eq!(clock.at(Timestamp(0)).unwrap(), start.plus_us(quarter));
    clock.keep(start.plus_us(quarter)).unwrap();
    assert_eq!(clock.at(Timestamp(0)).unwrap(), start.plus_us(2 * quarter));
    let named = Clock { current: Some(Timestamp(5)), ..clock.clone() };
    assert_eq!(named.at(start).unwrap(), Timestamp(5));
    let plain = Clock { simulate_minutes: None, ..clock.clone() };
    assert_eq!(plain.at(start).unwrap(), start);
    std::fs::write(&clock.state_file, "nonsense").unwrap();
    assert!(clock.at(start).unwrap_err().to_string().contains("state.json"));
}
