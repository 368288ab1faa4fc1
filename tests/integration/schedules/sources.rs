//! Sources that ask who asks, an InfluxDB of version 2, the real one of version 1.6, and one that sends elsewhere.

use super::states;
use crate::program::{Place, answer, send};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::Command;
use std::thread::JoinHandle;
use telemill_tests::influxd::{Influxd, installed};

/// What a source was asked: request line and headers, and the body.
type Asked = (String, String);

/// A server that gives each of `answers` once: what follows `HTTP/1.1 `, and a body.
fn serve(answers: Vec<(&'static str, &'static str)>) -> (String, JoinHandle<Vec<Asked>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = std::thread::spawn(move || {
        let answer = |(status, body): (&str, &str)| {
            let mut reader = BufReader::new(listener.accept().unwrap().0);
            let (mut head, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                if line == "\r\n" {
                    break;
                }
                head.push_str(&line);
            }
            let mut sent = vec![0; length];
            reader.read_exact(&mut sent).unwrap();
            let head_back = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close", body.len());
            write!(reader.get_mut(), "{head_back}\r\n\r\n{body}").unwrap();
            (head, String::from_utf8(sent).unwrap())
        };
        answers.into_iter().map(answer).collect()
    });
    (url, asked)
}

/// A pipeline with one step that collects.
fn pipeline(place: &Place, keys: &str) {
    place.file(
        "p.toml",
        format!(
            "[pipeline]\nname = \"p\"\nretries = 1\nretry_delay = \"10ms\"\n[[step]]\nname = \"collect\"\nkind = \"collect\"\n\
             table = \"cpu\"\noutput_dir = \"out\"\ndataset = \"collected\"\nkey = [\"time\", \"host\"]\n{keys}\n"
        ),
    );
}

/// Runs it with `SECRET` in the environment; gives the step.
fn run(place: &Place, secret: Option<&str>, code: i32) -> Value {
    let mut command = place.command(["schedule", "run", "p.toml", "--once", "p", "--json"]);
    command.envs(secret.map(|secret| ("SECRET", secret)));
    let mut told: Value = serde_json::from_str(&answer(command.output().unwrap()).with_code(code).out).unwrap();
    assert!(!told.to_string().contains("s3cret"), "{told:#}");
    told["steps"][0].take()
}

#[test]
fn a_source_is_told_who_asks_by_a_variable_of_the_environment() {
    let place = Place::new();
    let rows = r#"[{"time": 1, "host": "a", "usage": 1.5}]"#;
    let influx = r#"{"results":[{"series":[{"name":"cpu","columns":["time","host","usage"],"values":[[2,"a",2]]}]}]}"#;
    let (url, asked) = serve(vec![("200 OK", rows), ("200 OK", influx), ("200 OK", rows)]);
    pipeline(&place, &format!("url = \"{url}/rows\"\ncredentials = {{ bearer_env = \"SECRET\" }}"));
    let step = run(&place, None, 1);
    assert_eq!(step["tries"], 1, "another try would lack it as well: {step:#}");
    assert!(step["error"].as_str().unwrap().contains("the variable SECRET is not set"), "{step:#}");
    assert_eq!(run(&place, Some("s3cret"), 0)["result"]["lake_rows"], 1);
    let query = "influx = { database = \"d\", query = \"SELECT usage FROM cpu\" }";
    pipeline(&place, &format!("url = \"{url}\"\n{query}\ncredentials = {{ basic_env = \"SECRET\" }}"));
    assert_eq!(run(&place, Some("ada:s3cret"), 0)["result"]["lake_rows"], 1);
    let words = ["collect", "--api-url", &url, "--table", "cpu", "--bearer-env", "SECRET"];
    let mut command = place.command(words);
    answer(command.env("SECRET", "s3cret").output().unwrap()).with_code(0);
    let asked = asked.join().unwrap();
    let authorization = |place: usize| {
        let head: &str = &asked[place].0;
        let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with("authorization: "));
        line.unwrap().split_once(": ").unwrap().1
    };
    assert_eq!([0, 1, 2].map(authorization), ["Bearer s3cret", "Basic YWRhOnMzY3JldA==", "Bearer s3cret"]);

    for (keys, part) in [
        ("credentials = { bearer_env = \"A\", basic_env = \"B\" }", "step[0].credentials"),
        ("credentials = { token = \"s3cret\" }", "step[0].credentials"),
        ("influx = { query = \"q\" }", "step[0].influx"),
        ("influx = { database = \"d\", org = \"o\", query = \"q\" }", "step[0].influx"),
    ] {
        pipeline(&place, &format!("url = \"{url}\"\n{keys}"));
        place.ask(["schedule", "run", "p.toml", "--once", "p"]).refused(&[part]);
    }
}

/// The form of the document's export: fields side by side, asked for by organisation and token.
#[test]
fn an_influxdb_of_version_2_is_asked_in_flux() {
    const ANSWER: &str = "#datatype,string,long,dateTime:RFC3339,dateTime:RFC3339,dateTime:RFC3339,string,double,long\r\n\
        #group,false,false,true,true,false,true,false,false\r\n#default,_result,,,,,,,\r\n\
        ,result,table,_start,_stop,_time,host,usage,threads\r\n\
        ,,0,2026-11-01T00:00:00Z,2026-12-01T00:00:00Z,2026-11-09T14:25:00Z,a,0.5,3\r\n\
        ,,1,2026-11-01T00:00:00Z,2026-12-01T00:00:00Z,2026-11-09T14:25:00Z,\"b, c\",1.25,\r\n\r\n";
    const FAILED: &str =
        "#datatype,string,string\n#group,true,true\n#default,,\n,error,reference\n,could not find bucket,\n";
    let place = Place::new();
    let unauthorized = r#"{"code":"unauthorized","message":"unauthorized access"}"#;
    let answers = [("200 OK", ANSWER), ("200 OK", ANSWER), ("200 OK", FAILED), ("401 Unauthorized", unauthorized)];
    let (url, asked) = serve(answers.to_vec());
    let flux = "from(bucket: \\\"dwcp_metrics\\\") |> range(start: -1h) |> pivot(rowKey: [\\\"_time\\\"], columnKey: [\\\"_field\\\"], valueColumn: \\\"_value\\\")";
    let keys = format!(
        "url = \"{url}/\"\ninflux = {{ org = \"my org\", query = \"{flux}\" }}\ncredentials = {{ bearer_env = \"SECRET\" }}"
    );
    pipeline(&place, &keys);
    assert_eq!(run(&place, Some("s3cret"), 0)["result"]["lake_rows"], 2);
    assert_eq!(run(&place, Some("s3cret"), 0)["result"]["lake_rows"], 0, "the same rows are the same");
    let rows = place.sql("SELECT * FROM collected.cpu ORDER BY host");
    let time = "2026-11-09T14:25:00Z";
    let wanted = [
        json!({"time": time, "host": "a", "usage": 0.5, "threads": 3}),
        json!({"time": time, "host": "b, c", "usage": 1.25, "threads": null}),
    ];
    assert_eq!(rows, wanted);
    let step = run(&place, Some("s3cret"), 1);
    assert!(step["error"].as_str().unwrap().contains("could not find bucket"), "{step:#}");
    let words = ["collect", "--api-url", &url, "--influx-org", "o", "--query", "buckets()", "--bearer-env", "SECRET"];
    let mut command = place.command(words);
    answer(command.env("SECRET", "s3cret").output().unwrap()).refused(&["401", "unauthorized access"]);
    place.ask(["collect", "--influx-org", "o"]).refused(&["--query"]);
    let asked = asked.join().unwrap();
    let head = &asked[0].0;
    assert!(head.starts_with("POST /api/v2/query?org=my+org HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("uthorization: Token s3cret"), "{head}");
    let body: Value = serde_json::from_str(&asked[0].1).unwrap();
    assert_eq!(body["query"], flux.replace('\\', ""));
    assert_eq!(body["dialect"]["annotations"], json!(["datatype", "group", "default"]));
}

#[test]
fn a_source_that_sends_elsewhere_is_not_followed() {
    let place = Place::new();
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let location: &'static str =
        format!("302 Found\r\nlocation: http://{}/rows", elsewhere.local_addr().unwrap()).leak();
    let (url, asked) = serve(vec![(location, ""), (location, "")]);
    pipeline(&place, &format!("url = \"{url}/rows\"\ncredentials = {{ bearer_env = \"SECRET\" }}"));
    let step = run(&place, Some("s3cret"), 1);
    assert!(step["error"].as_str().unwrap().contains("it answered 302"), "{step:#}");
    assert_eq!(asked.join().unwrap().len(), 2, "it may be another answer the next time");
    assert!(elsewhere.accept().is_err(), "nobody else was asked");
}

#[test]
fn a_refusal_is_final_and_trouble_is_not() {
    let place = Place::new();
    let (url, asked) = serve(vec![("503 Service Unavailable", "busy"), ("403 Forbidden", "not you")]);
    pipeline(&place, &format!("url = \"{url}/rows\""));
    let step = run(&place, None, 1);
    assert_eq!((&step["tries"], asked.join().unwrap().len()), (&json!(2), 2), "{step:#}");
    assert!(step["error"].as_str().unwrap().contains("not you"), "{step:#}");

    let (url, asked) = serve(vec![("403 Forbidden", "not you")]);
    pipeline(&place, &format!("url = \"{url}/rows\""));
    let step = run(&place, None, 1);
    assert_eq!((&step["tries"], asked.join().unwrap().len()), (&json!(1), 1), "{step:#}");
}

/// Debian's own, which asks who asks.
#[test]
fn the_real_influxdb_is_collected_from() {
    let Some(program) = installed() else {
        println!("skipped: there is no influxd; `cargo xtask bench --only ingest` unpacks Debian's");
        return;
    };
    let place = Place::new();
    let influxd = Influxd::start(Command::new(program), &place.path().join("influxd"), true).unwrap();
    let url = influxd.url();
    let user = "/query?q=CREATE%20USER%20ada%20WITH%20PASSWORD%20%27s3cret%27%20WITH%20ALL%20PRIVILEGES";
    let created = send(&url, "POST", user, &[], b"");
    assert_eq!(created.status, 200, "{created:?}");
    let basic = [("authorization", "Basic YWRhOnMzY3JldA==")];
    let created = send(&url, "POST", "/query?q=CREATE%20DATABASE%20d", &basic, b"");
    assert_eq!(created.status, 200, "{created:?}");
    let lines = b"cpu,host=a usage=0.5 1794234300000000000\ncpu,host=b usage=1.25 1794234300000000000\n";
    let written = send(&url, "POST", "/write?db=d", &basic, lines);
    assert_eq!(written.status, 204, "{written:?}");
    let query = "influx = { database = \"d\", query = \"SELECT usage FROM cpu GROUP BY host\" }";
    pipeline(&place, &format!("url = \"{url}\"\n{query}"));
    let step = run(&place, None, 1);
    assert!(step["error"].as_str().unwrap().contains("401"), "{step:#}");
    assert_eq!(step["tries"], 1, "a refusal is final: {step:#}");
    pipeline(&place, &format!("url = \"{url}\"\n{query}\ncredentials = {{ basic_env = \"SECRET\" }}"));
    assert_eq!(run(&place, Some("ada:s3cret"), 0)["result"]["lake_rows"], 2);
    assert_eq!(run(&place, Some("ada:s3cret"), 0)["result"]["lake_rows"], 0);
    let rows = place.sql("SELECT time, host, usage FROM collected.cpu ORDER BY host");
    let row = |host: &str, usage: f64| json!({"time": 1_794_234_300_000_000_i64, "host": host, "usage": usage});
    assert_eq!(rows, [row("a", 0.5), row("b", 1.25)]);
    let told = place.json(["schedule", "show", "p", "--json"]);
    assert_eq!(states(&told)[0].1, "succeeded");
}
