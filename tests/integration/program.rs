//! The built program as people use it: a working folder with a data folder of its own, what they type, what it answers.
//! Knows nothing of what the answers should be.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Once;
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use serde_json::Value;
use telemill_tests::{guest, telemill};
use tempfile::TempDir;

/// The longest that a test waits for something that must happen, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(240);
/// What the folder of every test is filled with, so that components are compiled once and not by every test.
const WARM: [&str; 2] = ["cache", "plugins"];

/// A folder to work in; the data folder is `data` below it.
pub(crate) struct Place {
    folder: TempDir,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Answer {
    /// None where a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(place.data()).unwrap();
        for part in WARM {
            copy(&warm().join(part), &place.data().join(part));
        }
        place
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    /// Writes a file into the folder and returns its path.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// The program with this command line, in this folder.
    pub(crate) fn command<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = program(self.path());
        command.arg("--data-dir").arg(self.data()).args(words);
        command
    }

    pub(crate) fn ask<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Answer {
        answer(self.command(words).output().unwrap())
    }

    /// Standard output of a command that must succeed.
    pub(crate) fn good<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> String {
        self.ask(words).with_code(0).out
    }

    /// The JSON that a command which must succeed prints.
    pub(crate) fn json<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Value {
        self.json_with_code(0, words)
    }

    /// The JSON that a command prints which ends with this code.
    pub(crate) fn json_with_code<'a>(&self, code: i32, words: impl IntoIterator<Item = &'a str>) -> Value {
        serde_json::from_str(&self.ask(words).with_code(code).out).unwrap()
    }

    /// The rows of a query.
    pub(crate) fn sql(&self, query: &str) -> Vec<Value> {
        match self.json(["sql", query, "--format", "json"]) {
            Value::Array(rows) => rows,
            other => panic!("no rows: {other}"),
        }
    }

    /// Starts a command without waiting for it.
    pub(crate) fn spawn<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Running {
        let child = self.command(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.into()
    }

    /// The runs, newest first.
    pub(crate) fn runs(&self) -> Vec<Value> {
        match self.json(["run", "list", "--json"]) {
            Value::Array(runs) => runs,
            other => panic!("no list: {other}"),
        }
    }

    /// The files of a table, by name.
    pub(crate) fn parquet(&self, dataset: &str, table: &str) -> Vec<PathBuf> {
        let folder = self.data().join("lake").join(dataset).join(table);
        let entries = fs::read_dir(folder).map(|entries| entries.map(|entry| entry.unwrap().path()).collect());
        let mut files: Vec<PathBuf> = entries.unwrap_or_default();
        files.retain(|path| path.extension().is_some_and(|extension| extension == "parquet"));
        files.sort();
        files
    }
}

impl Answer {
    /// The same, which must have ended so.
    pub(crate) fn with_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "standard output:\n{}\nstandard error:\n{}", self.out, self.err);
        self
    }

    /// A refusal: exit code 2, the reason with all `parts` on standard error, nothing on standard output.
    pub(crate) fn refused(self, parts: &[&str]) -> Self {
        let answer = self.with_code(2);
        assert_eq!(answer.out, "", "a refusal prints no data");
        for part in parts {
            assert!(answer.err.contains(part), "{part:?} is missing in: {}", answer.err);
        }
        answer
    }
}

/// A command that is still at work. It is killed when a test gives up on it.
pub(crate) struct Running {
    child: Option<Child>,
}

impl From<Child> for Running {
    fn from(child: Child) -> Self {
        Self { child: Some(child) }
    }
}

impl Running {
    fn child(&mut self) -> &mut Child {
        self.child.as_mut().unwrap()
    }

    /// The process, for signals.
    pub(crate) fn id(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child().try_wait().unwrap().is_some()
    }

    /// The most memory that it has had at once, in bytes; none when it has ended.
    pub(crate) fn peak_bytes(&mut self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child().id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
        Some(kib * 1024)
    }

    /// Processor time that it has had, in the system's ticks.
    pub(crate) fn cpu_ticks(&mut self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child().id())).unwrap();
        // Behind the name, which may hold anything: state is field 3, user and system time are 14 and 15.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }

    /// Ctrl-C.
    pub(crate) fn interrupt(&mut self) {
        let id = self.child().id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child().kill().unwrap();
        self.child().wait().unwrap();
    }

    pub(crate) fn answer(mut self) -> Answer {
        answer(self.child.take().unwrap().wait_with_output().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended by itself, which is as well.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A server at work on the data folder of a [`Place`].
pub(crate) struct Served {
    running: Running,
    /// `http://127.0.0.1:PORT`.
    pub(crate) url: String,
    /// What it printed when it listened.
    pub(crate) told: Value,
}

/// A server-sent event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) data: Value,
}

/// The events in lines as they come; comments that keep a connection open are passed over.
pub(crate) fn events(lines: impl Iterator<Item = String>) -> impl Iterator<Item = Event> {
    let (mut name, mut id, mut data) = (String::new(), String::new(), String::new());
    lines.filter_map(move |line| {
        if line.is_empty() && !data.is_empty() {
            let data = serde_json::from_str(&std::mem::take(&mut data)).unwrap();
            return Some(Event { name: std::mem::take(&mut name), id: std::mem::take(&mut id), data });
        }
        let (key, value) = line.split_once(':').unwrap_or((&line, ""));
        match key {
            "event" => value.trim_start().clone_into(&mut name),
            "id" => value.trim_start().clone_into(&mut id),
            "data" => value.trim_start().clone_into(&mut data),
            _ => {}
        }
        None
    })
}

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header's value; its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The same, which must have this status.
    pub(crate) fn with_status(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }
}

impl Place {
    /// Starts `telemill serve` on a port that the system chooses, with more words behind it, and waits until it listens.
    pub(crate) fn serve<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Served {
        self.served(["serve"].into_iter().chain(words))
    }

    /// Starts a command that serves, as [`Place::serve`] does.
    pub(crate) fn served<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Served {
        let all = words.into_iter().chain(["--listen", "127.0.0.1:0", "--json"]);
        let mut child = self.command(all).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut text = Vec::new();
        // The JSON document ends where it can be read.
        let told = loop {
            let mut byte = [0];
            let read = child.stdout.as_mut().unwrap().read(&mut byte).unwrap();
            assert_ne!(read, 0, "the server ended: {}", answer(child.wait_with_output().unwrap()).err);
            text.push(byte[0]);
            if let Ok(told) = serde_json::from_slice::<Value>(&text) {
                break told;
            }
        };
        let url = told["listening"].as_str().unwrap().to_owned();
        Served { running: Running { child: Some(child) }, url, told }
    }
}

impl Served {
    /// Sends a request; an answer of any status is one.
    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        send(&self.url, method, path, headers, body)
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[], &[])
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Reply {
        self.send("POST", path, &[("content-type", "application/json")], body.to_string().as_bytes())
    }

    /// The rows of a query.
    pub(crate) fn sql(&self, sql: &str) -> Vec<Value> {
        match self.post("/api/v1/query", &serde_json::json!({ "sql": sql })).with_status(200).json() {
            Value::Array(rows) => rows,
            other => panic!("no rows: {other}"),
        }
    }

    /// Server-sent events as they come, until the answer ends.
    pub(crate) fn events(&self, path: &str, last: Option<&str>) -> impl Iterator<Item = Event> + use<> {
        let mut stream = TcpStream::connect(self.url.strip_prefix("http://").unwrap()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let last = last.map(|last| format!("last-event-id: {last}\r\n")).unwrap_or_default();
        // HTTP 1.0 has no chunks between the lines.
        stream.write_all(format!("GET {path} HTTP/1.0\r\nhost: localhost\r\n{last}\r\n").as_bytes()).unwrap();
        let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
        let status = lines.next().unwrap();
        assert!(status.contains(" 200 "), "{status}");
        while !lines.next().unwrap().is_empty() {}
        events(lines)
    }

    /// The process.
    pub(crate) fn running(&mut self) -> &mut Running {
        &mut self.running
    }

    /// `kill -9`.
    pub(crate) fn kill(self) {
        self.running.kill();
    }

    /// SIGTERM, and what the process said.
    pub(crate) fn stop(mut self) -> Answer {
        let id = self.running.child().id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        self.running.answer()
    }
}

/// Sends a request to a server anywhere on this machine.
pub(crate) fn send(url: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .allow_non_standard_methods(true)
        .timeout_global(Some(PATIENCE))
        .build()
        .into();
    let mut request = ureq::http::Request::builder().method(method).uri(format!("{url}{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut response = agent.run(request.body(body).unwrap()).unwrap();
    let text = |value: &ureq::http::HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let headers = response.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    let status = response.status().as_u16();
    let body = response.body_mut().with_config().limit(1 << 30).read_to_vec().unwrap();
    Reply { status, headers, body }
}

/// Waits until something is so.
pub(crate) fn wait_until(what: &str, mut so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !so() {
        assert!(started.elapsed() < PATIENCE, "waited in vain until {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Processes that do `job` for the process `host`: their ids.
pub(crate) fn workers(host: u32, job: &str) -> Vec<u32> {
    let words = format!("worker\0{job}");
    let found = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
        let id: u32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let parent = stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse::<u32>().ok()?;
        let said = fs::read_to_string(entry.path().join("cmdline")).ok()?;
        (parent == host && said.contains(&words)).then_some(id)
    });
    found.collect()
}

/// Kills a process, which may have ended by itself.
pub(crate) fn kill(id: u32) {
    signal(id, 9);
}

/// Sends a signal to a process, which may have ended by itself.
pub(crate) fn signal(id: u32, number: u32) {
    drop(Command::new("kill").args([format!("-{number}"), id.to_string()]).output());
}

pub(crate) fn alive(id: u32) -> bool {
    fs::read_to_string(format!("/proc/{id}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// The program in `folder`, without what the tester's own environment says.
pub(crate) fn program(folder: &Path) -> Command {
    let mut command = Command::new(telemill().unwrap());
    let own = env::vars_os().map(|(name, _)| name).filter(|name| name.to_string_lossy().starts_with("TELEMILL_"));
    for name in own {
        command.env_remove(name);
    }
    command.current_dir(folder).env("NO_COLOR", "1").env("COLUMNS", "100").stdin(Stdio::null());
    command
}

pub(crate) fn answer(output: Output) -> Answer {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Answer { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// A data folder in which all components are compiled. It stays for the next tests, as a user's would: what is in it is
/// named by digest, and by what else compiled code depends on.
fn warm() -> PathBuf {
    static WARMED: Once = Once::new();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("warm");
    WARMED.call_once(|| {
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("hostile.wasm"), guest("hostile").unwrap()).unwrap();
        for words in [["plugin", "inspect", "hostile.wasm"].as_slice(), &["preview", "ecommerce", "--for", "1s"]] {
            answer(program(&folder).args(["--data-dir", "data"]).args(words).output().unwrap()).with_code(0);
        }
    });
    folder.join("data")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    fs::set_permissions(to, fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}
