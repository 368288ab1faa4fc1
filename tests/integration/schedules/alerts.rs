//! Alerts on their way: to a log file, a webhook and a mail server that are really there.

use super::pipeline;
use crate::program::{Place, wait_until};
use crate::python::environment;
use crate::tidy::files_in;
use serde_json::Value;
use std::fmt::Display;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use telemill_tests::repository;

/// Ends a process when a test is over.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server that answers each POST with the next of `statuses`, and hands its body on.
fn webhook<S: Display + Send + 'static>(statuses: Vec<S>) -> (String, Receiver<(String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/alerts", listener.local_addr().unwrap());
    let (sender, bodies) = channel();
    std::thread::spawn(move || {
        for status in statuses {
            let (stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream);
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
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            reader.get_mut().write_all(answer.as_bytes()).unwrap();
            let _ = sender.send((head, serde_json::from_slice(&body).unwrap()));
        }
    });
    (url, bodies)
}

#[test]
fn a_pipeline_that_fails_is_told_to_all_channels_and_resolved_when_it_succeeds() {
    let place = Place::new();
    let python = environment("smtp", &["aiosmtpd==1.4.6"]).unwrap();
    let mails = place.path().join("mails");
    fs::create_dir(&mails).unwrap();
    let script = repository().join("tests/python/smtp_receiver.py");
    let mut receiver = Ended(Command::new(python).arg(script).arg(&mails).stdout(Stdio::piped()).spawn().unwrap());
    let mut port = String::new();
    BufReader::new(receiver.0.stdout.take().unwrap()).read_line(&mut port).unwrap();
    let (url, calls) = webhook(vec!["503 Busy", "204 No Content", "204 No Content"]);
    place.file(
        "telemill.toml",
        format!(
            "[alert]\nlog_file = \"logs/alerts.log\"\nwebhook = \"{url}\"\nwebhook_private = true\nwebhook_token = \"t0ken\"\n\
             mail_to = \"Ada <ada@example.org>, bob@example.org\"\nmail_from = \"telemill@example.org\"\n\
             smtp = \"127.0.0.1:{}\"\nsmtp_security = \"none\"\n",
            port.trim()
        ),
    );
    place.file("p.toml", pipeline("", &[("a", &[], "test -e mended")]));
    let running = place.spawn(["schedule", "run", "p.toml"]);
    wait_until("the pipeline is known", || place.ask(["schedule", "list"]).out.contains("when asked"));
    place.good(["schedule", "trigger", "p"]);
    wait_until("a mail came", || !files_in(&mails, "eml").is_empty());
    let (head, refused) = calls.recv().unwrap();
    let (_, raised) = calls.recv().unwrap();
    assert_eq!(refused, raised, "a webhook that is busy is told again");
    assert!(head.contains("uthorization: Bearer t0ken"), "{head}");
    assert_eq!((&raised["event"], &raised["alert"]["source"]), (&"raised".into(), &"pipeline p".into()));

    let open = place.json(["alert", "list", "--state", "open", "--json"]);
    assert_eq!((&open[0]["rule"], &open[0]["severity"]), (&"succeeds".into(), &"high".into()), "{open:#}");
    let id = open[0]["id"].to_string();
    place.good(["alert", "ack", &id, "--by", "ada", "--note", "it is mended soon"]);
    place.ask(["alert", "ack", &id]).refused(&["no open alert", "telemill alert list"]);
    let shown = place.good(["alert", "show", &id]);
    assert!(shown.contains("acknowledged") && shown.contains("it is mended soon"), "{shown}");

    place.file("mended", "");
    place.good(["schedule", "trigger", "p"]);
    let (_, acknowledged) = calls.recv().unwrap();
    assert_eq!(acknowledged["event"], "acknowledged");
    wait_until("it is resolved", || place.json(["alert", "list", "--json"])[0]["state"] == "resolved");
    wait_until("three mails came", || files_in(&mails, "eml").len() == 3);
    let log = || fs::read_to_string(place.path().join("logs/alerts.log")).unwrap();
    wait_until("the log has three lines", || log().lines().count() == 3);
    let log = log();
    let words: Vec<&str> = log.lines().map(|line| line.split(' ').nth(1).unwrap()).collect();
    assert_eq!(words, ["ALERT", "ACKNOWLEDGED", "RESOLVED"], "{log}");
    let mail = fs::read_to_string(mails.join("1.eml")).unwrap();
    assert!(mail.starts_with("to ada@example.org,bob@example.org from telemill@example.org\n"), "{mail}");
    assert!(mail.contains("Subject: [telemill] raised high: pipeline p succeeds"), "{mail}");
    drop(running);
}

#[test]
fn a_webhook_on_this_machine_is_not_called_unless_it_is_allowed() {
    let place = Place::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    for host in ["127.0.0.1", "localhost", "0.0.0.0", "[::ffff:127.0.0.1]"] {
        place.file("telemill.toml", format!("[alert]\nwebhook = \"http://{host}:{port}/\"\n"));
        place.file("p.toml", pipeline("", &[("a", &[], "exit 1")]));
        let answer = place.ask(["schedule", "run", "p.toml", "--once", "p"]).with_code(1);
        assert!(answer.err.contains("an alert was not taken") || answer.err.is_empty(), "{}", answer.err);
        assert!(listener.accept().is_err(), "{host} was called");
    }
}

#[test]
fn a_webhook_that_sends_elsewhere_is_not_followed() {
    let place = Place::new();
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let status = format!("307 Temporary Redirect\r\nlocation: http://{}/alerts", elsewhere.local_addr().unwrap());
    let (url, calls) = webhook(vec![status]);
    let settings = format!("[alert]\nwebhook = \"{url}\"\nwebhook_private = true\nwebhook_token = \"t0ken\"\n");
    place.file("telemill.toml", settings);
    place.file("p.toml", pipeline("", &[("a", &[], "exit 1")]));
    let answer = place.ask(["schedule", "run", "p.toml", "--once", "p"]).with_code(1);
    assert_eq!(calls.recv().unwrap().1["event"], "raised");
    assert!(answer.err.contains("status 307"), "it counts as not taken: {}", answer.err);
    assert!(elsewhere.accept().is_err(), "nobody else was told");
}

/// The document's monitor: a share of machines online that drops below the snapshots before, and is well again in the next.
#[test]
fn a_validator_that_fails_in_a_pipeline_is_an_alert_with_its_figures_until_it_passes() {
    let place = Place::new();
    place.file("telemill.toml", "[alert]\nlog_file = \"alerts.log\"\n");
    place.file(
        "p.toml",
        r#"
[pipeline]
name = "p"

[[step]]
name = "collect"
kind = "ingest"
table = "fleet.segment_timeseries"
file = "snapshots.csv"

[[step]]
name = "monitor"
kind = "validate"
needs = ["collect"]
retries = 2
dataset = "fleet"
with = "online-monitor"
config = { inventory = 200 }
"#,
    );
    let snapshots = |snapshots: &[(&str, u32)]| {
        // Two types of machines, and a segment that is none of the monitor's.
        let rows = snapshots.iter().map(|(clock, online)| {
            let ts = format!("2026-11-09T{clock}:00Z");
            format!("{ts},Type,{}\n{ts},Type,40\n{ts},State,7\n", online - 40)
        });
        place.file("snapshots.csv", format!("ts,segment,count\n{}", rows.collect::<String>()));
    };
    let run = |code: i32| place.json_with_code(code, ["schedule", "run", "p.toml", "--once", "p", "--json"]);
    snapshots(&[("10:00", 100), ("10:15", 110), ("10:30", 90), ("10:45", 100), ("11:00", 80)]);
    let told = run(1);
    assert_eq!(told["steps"][1]["tries"], 1, "a verdict is final: {told:#}");
    assert_eq!(told["steps"][1]["error"], "the rows did not pass online-monitor");
    let alerts = place.json(["alert", "list", "--json"]);
    let alerts: &Vec<Value> = alerts.as_array().unwrap();
    let alert = alerts.iter().find(|alert| alert["rule"] == "online-drop").unwrap();
    let told = ["source", "validator", "dataset", "severity", "state"].map(|key| alert[key].as_str().unwrap());
    assert_eq!(told, ["pipeline p/monitor", "online-monitor", "fleet", "high", "open"]);
    let figure = |name: &str| alert["details"][name].as_array().unwrap().last().unwrap()["value"].as_f64().unwrap();
    let figures = ["online_share", "baseline_share", "drop", "threshold", "inventory"].map(figure);
    assert_eq!(figures.map(|figure| (figure * 1e6).round() / 1e6), [0.4, 0.5, 0.2, 0.15, 200.0]);
    let mut rules: Vec<&str> = alerts.iter().map(|alert| alert["rule"].as_str().unwrap()).collect();
    rules.sort_unstable();
    assert_eq!(rules, ["online-drop", "succeeds"], "the pipeline failed, too");

    snapshots(&[("11:15", 98)]);
    run(0);
    let alerts = place.json(["alert", "list", "--json"]);
    assert!(alerts.as_array().unwrap().iter().all(|alert| alert["state"] == "resolved"), "{alerts:#}");
    let log = fs::read_to_string(place.path().join("alerts.log")).unwrap();
    let of_the_monitor: Vec<&str> = log.lines().filter(|line| line.contains("online-drop")).collect();
    let [raised, resolved] = of_the_monitor[..] else { panic!("{log}") };
    assert!(raised.contains("Z ALERT high online-monitor fleet online-drop: "), "{raised}");
    let figures = " baseline_share=0.5000 drop=0.2000 inventory=200.0000 online_share=0.4000 threshold=0.1500";
    assert!(raised.ends_with(figures), "{raised}");
    assert!(resolved.contains("Z RESOLVED high online-monitor fleet online-drop: "), "{resolved}");
}
