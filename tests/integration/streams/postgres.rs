//! Rows of streams in a real PostgreSQL, the one of this machine's packages: once, whatever is killed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use telemill::store::{DATABASE_FILE, Store, StreamSink};
use telemill::stream::DeadLetter;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::{newest, shop};
use crate::program::{Place, Running, answer, wait_until};

/// Who the server runs as where the tests run as root, which it refuses.
const SOMEBODY: &str = "nobody";
const PASSWORD: &str = "it's a secret";

/// A server with a data folder of its own, on a socket of its own.
struct Server {
    folder: TempDir,
    programs: PathBuf,
}

impl Server {
    /// Makes and starts one; none where the machine has no PostgreSQL.
    fn start() -> Option<Self> {
        let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
        let programs = versions.map(|entry| entry.unwrap().path().join("bin")).find(|bin| bin.join("initdb").exists());
        let Some(programs) = programs else {
            println!("skipped: there is no PostgreSQL below /usr/lib/postgresql");
            return None;
        };
        let server = Self { folder: tempfile::tempdir().unwrap(), programs };
        fs::write(server.path().join("password"), PASSWORD).unwrap();
        if root() {
            let owned = Command::new("chown").args(["-R", SOMEBODY]).arg(server.path()).status().unwrap();
            assert!(owned.success());
        }
        let words = ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--username=telemill", "--no-sync"];
        let mut make = server.command("initdb");
        make.args(words).arg("--pwfile").arg(server.path().join("password")).arg("-D").arg(server.data());
        answer(make.output().unwrap()).with_code(0);
        server.up();
        Some(server)
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    /// One of its programs, as somebody who may run it.
    fn command(&self, program: &str) -> Command {
        let path = self.programs.join(program);
        let mut command = if root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid", SOMEBODY, "--clear-groups", "--"]).arg(path);
            command
        } else {
            Command::new(path)
        };
        command.current_dir(self.path()).env("PGPASSWORD", PASSWORD).stdin(Stdio::null());
        command
    }

    fn up(&self) {
        let options = format!("-c listen_addresses= -k {}", self.path().display());
        let mut start = self.command("pg_ctl");
        start.arg("-D").arg(self.data()).arg("-l").arg(self.path().join("log")).args(["-o", &options, "-w", "start"]);
        // The server keeps what it is given as its output, which must not be the test's.
        let started = start.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        assert!(started.success(), "{}", fs::read_to_string(self.path().join("log")).unwrap_or_default());
    }

    /// As if the machine had lost its power: nothing is written down.
    fn down(&self) -> bool {
        let mut stop = self.command("pg_ctl");
        stop.arg("-D").arg(self.data()).args(["-m", "immediate", "-w", "stop"]);
        stop.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    }

    /// What a query answers: lines of values between bars.
    fn ask(&self, query: &str) -> String {
        let mut command = self.command("psql");
        command.arg("-h").arg(self.path()).args(["-U", "telemill", "-d", "postgres", "-X", "-A", "-t", "-q"]);
        command.args(["-v", "ON_ERROR_STOP=1", "-c", query]);
        answer(command.output().unwrap()).with_code(0).out.trim().to_owned()
    }

    /// A sink into it.
    fn sink(&self, name: &str, tables: &[&str], more: &str) -> String {
        let url = format!("postgres://telemill@localhost/postgres?host={}", self.path().display());
        format!(
            "[[stream.sinks]]\nname = \"{name}\"\ntables = {tables:?}\npostgres = {{ url = \"{url}\", password_env = \"PG_SECRET\"{more} }}\n"
        )
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.down();
    }
}

/// Whether the tests run as root: their own files say so.
fn root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata("/proc/self").unwrap().uid() == 0
}

fn streaming(place: &Place, spec: &str, more: &[&str]) -> Running {
    place.file("stream.toml", spec);
    let mut command = place.command(["stream", "run", "stream.toml", "--json"].into_iter().chain(more.iter().copied()));
    command.env("PG_SECRET", PASSWORD).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap().into()
}

fn sinks(place: &Place) -> Vec<StreamSink> {
    let id = newest(place).unwrap().id;
    let path = place.data().join(DATABASE_FILE);
    Runtime::new().unwrap().block_on(async {
        let store = Store::open_read_only(&path).await.unwrap();
        let sinks = store.stream_sinks(&id).await.unwrap();
        store.close().await;
        sinks
    })
}

fn letters(place: &Place, sink: &str) -> Vec<DeadLetter> {
    let told = place.json(["stream", "dead-letters", "list", sink, "--limit", "10000", "--json"]);
    serde_json::from_value(told).unwrap()
}

#[test]
fn rows_are_in_postgresql_once_whoever_is_killed() {
    let Some(server) = Server::start() else { return };
    let place = Place::new();
    // Somebody has made one of the tables, with a column of his own and not all of ours.
    server.ask("CREATE TABLE in_transactions (transaction_id bigint PRIMARY KEY, seen timestamptz DEFAULT now())");
    let spec = format!(
        "{}\n{}{}",
        // Slow, so that it is not over before it was killed often enough.
        shop().replace("speed = 3600", "speed = 60"),
        server.sink("rows", &["transactions", "infrastructure_metrics"], ", table_prefix = \"in_\""),
        // Nothing here is a whole number.
        server.sink("picky", &["infrastructure_metrics"], ", schema = \"picky\""),
    );
    server.ask("CREATE SCHEMA picky; CREATE TABLE picky.infrastructure_metrics (host integer)");
    let arrived = || server.ask("SELECT count(*) FROM in_transactions").parse::<u64>().unwrap();
    for round in 1..=4 {
        let before = arrived();
        let child = streaming(&place, &spec, &[]);
        wait_until("more rows arrive", || arrived() > before);
        if round % 2 == 0 {
            assert!(server.down());
            wait_until("the sink says why it waits", || {
                sinks(&place).iter().any(|sink| sink.name == "rows" && sink.error.is_some())
            });
            server.up();
            let came_back = arrived();
            wait_until("rows arrive again", || arrived() > came_back);
        }
        child.kill();
    }
    let told = streaming(&place, &spec, &["--speed", "86400"]).answer().with_code(0);
    let stream: Value = serde_json::from_str(&told.out).unwrap();
    for (table, key) in [("transactions", "transaction_id"), ("infrastructure_metrics", "timestamp")] {
        let found = stream["tables"].as_array().unwrap().iter().find(|found| found["table"] == table).unwrap();
        let rows = found["rows"].as_u64().unwrap();
        assert_eq!(server.ask(&format!("SELECT count(*) FROM in_{table}")), rows.to_string(), "{table}");
        let distinct = place.sql(&format!("SELECT count(DISTINCT {key}) AS n FROM shop.{table}"));
        assert_eq!(server.ask(&format!("SELECT count(DISTINCT {key}) FROM in_{table}")), distinct[0]["n"].to_string());
    }
    same_values(&place, &server);
    assert!(sinks(&place).iter().find(|sink| sink.name == "rows").unwrap().retries > 0);
    // What its table can't hold is kept, with the reason and the place that the server names, and nothing waits for it.
    let refused = letters(&place, "picky");
    assert!(!refused.is_empty());
    assert!(refused.iter().all(|letter| letter.reason.starts_with("22P02 ") && letter.reason.contains("column host")));
    assert_eq!(server.ask("SELECT count(*) FROM picky.infrastructure_metrics"), "0");
    // Once the column holds them, they are sent again: every row, once.
    let send = || {
        let mut command = place.command(["stream", "dead-letters", "send", "picky", "--json"]);
        answer(command.env("PG_SECRET", PASSWORD).output().unwrap())
    };
    let told: Value = serde_json::from_str(&send().with_code(1).out).unwrap();
    assert_eq!(told, json!({ "sent": 0, "left": refused.len(), "stopped": null }));
    server.ask("ALTER TABLE picky.infrastructure_metrics ALTER host TYPE text");
    let told: Value = serde_json::from_str(&send().with_code(0).out).unwrap();
    assert_eq!(told, json!({ "sent": refused.len(), "left": 0, "stopped": null }));
    let all = "SELECT count(*), count(DISTINCT (timestamp, host)) FROM ";
    let wanted = server.ask(&format!("{all} in_infrastructure_metrics"));
    assert_eq!(server.ask(&format!("{all} picky.infrastructure_metrics")), wanted);
}

/// Every value of every row, as both say it.
fn same_values(place: &Place, server: &Server) {
    let types = "SELECT string_agg(DISTINCT data_type, ',' ORDER BY data_type) FROM information_schema.columns WHERE table_name LIKE 'in\\_%'";
    let types = server.ask(types);
    for wanted in ["double precision", "text", "timestamp with time zone"] {
        assert!(types.contains(wanted), "{types}");
    }
    let columns = server.ask(
        "SELECT string_agg(column_name, ',' ORDER BY ordinal_position) FROM information_schema.columns
         WHERE table_name = 'in_transactions' AND column_name <> 'seen'",
    );
    let rows = server
        .ask(&format!("SELECT json_agg(r ORDER BY transaction_id) FROM (SELECT {columns} FROM in_transactions) r"));
    let rows: Vec<Value> = serde_json::from_str(&rows).unwrap();
    let ours = place.sql(&format!("SELECT {columns} FROM shop.transactions ORDER BY transaction_id"));
    assert_eq!(rows.len(), ours.len());
    for (row, own) in rows.iter().zip(&ours) {
        for (name, value) in own.as_object().unwrap() {
            assert!(same(value, &row[name]), "{name}: {value} became {}", row[name]);
        }
    }
}

fn same(own: &Value, theirs: &Value) -> bool {
    match (own, theirs) {
        (Value::Number(own), Value::Number(theirs)) => own.as_f64() == theirs.as_f64(),
        (Value::String(own), Value::String(theirs)) => {
            let time = |text: &str| text.replace("+00:00", "Z").parse::<telemill::core::time::Timestamp>();
            own == theirs || matches!((time(own), time(theirs)), (Ok(own), Ok(theirs)) if own == theirs)
        }
        (own, theirs) => own == theirs || own.is_null() && *theirs == json!(null),
    }
}

#[test]
fn an_address_that_can_t_be_used_is_refused_before_anything_is_made() {
    let place = Place::new();
    for (url, part) in
        [("postgres://me:secret@localhost/x", "password_env"), ("postgres://me@h/x?sslmode=require", "encrypted")]
    {
        let sink = format!("[[stream.sinks]]\nname = \"rows\"\npostgres = {{ url = \"{url}\" }}\n");
        place.file("stream.toml", format!("{}\n{sink}", shop()));
        place.ask(["stream", "run", "stream.toml"]).refused(&["stream.sinks.rows", part]);
        assert!(newest(&place).is_none());
    }
}
