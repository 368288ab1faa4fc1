//! InfluxDB 1.6 from Debian's package, unpacked below `target`, on loopback: somebody else's server, for benchmarks and tests.

use crate::repository;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Longest wait until it listens.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server at work; killed when it is dropped.
#[derive(Debug)]
pub struct Influxd {
    child: Child,
    url: String,
}

impl Influxd {
    /// Starts the program by `command` with its default settings over folders of its own: it syncs its log for every request. Whether
    /// it asks who asks is `auth`.
    ///
    /// # Errors
    /// It does not start, or not listen.
    pub fn start(mut command: Command, folder: &Path, auth: bool) -> Result<Self> {
        fs::create_dir_all(folder)?;
        // It can't be told to take any port and say which.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let path = |name: &str| folder.join(name).display().to_string();
        let config = format!(
            "reporting-disabled = true\nbind-address = \"127.0.0.1:0\"\n[meta]\ndir = {:?}\n[data]\ndir = {:?}\nwal-dir = {:?}\nwal-fsync-delay = \"0s\"\n[monitor]\nstore-enabled = false\n[http]\nbind-address = \"127.0.0.1:{port}\"\nlog-enabled = false\nauth-enabled = {auth}\n",
            path("meta"),
            path("data"),
            path("wal"),
        );
        let file = folder.join("influxdb.conf");
        fs::write(&file, config)?;
        command.arg("run").arg("-config").arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().context("influxd does not start")?;
        let influxd = Self { child, url: format!("http://127.0.0.1:{port}") };
        let began = Instant::now();
        while ureq::get(format!("{}/ping", influxd.url)).call().is_err() {
            ensure!(began.elapsed() < PATIENCE, "influxd does not listen");
            sleep(Duration::from_millis(50));
        }
        Ok(influxd)
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Makes a database.
    ///
    /// # Errors
    /// It does not answer.
    pub fn create(&self, name: &str) -> Result<()> {
        ureq::post(format!("{}/query?q=CREATE%20DATABASE%20{name}", self.url)).send_empty()?;
        Ok(())
    }
}

impl Drop for Influxd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program, where it is there already: installed, or unpacked before.
pub fn installed() -> Option<PathBuf> {
    [PathBuf::from("/usr/bin/influxd"), folder().join("usr/bin/influxd")].into_iter().find(|program| program.exists())
}

fn folder() -> PathBuf {
    repository().join("target/peers/influxdb")
}

/// The program from the package, which is neither installed nor run by its scripts; unpacked where it is not there yet.
///
/// # Errors
/// The package can't be had.
pub fn unpacked() -> Result<PathBuf> {
    let folder = folder();
    let program = folder.join("usr/bin/influxd");
    if program.exists() {
        return Ok(program);
    }
    fs::create_dir_all(&folder)?;
    eprintln!("unpacking Debian's influxdb into {}", folder.display());
    let run = |command: &mut Command| -> Result<()> {
        let status = command.current_dir(&folder).status().with_context(|| format!("{command:?} does not start"))?;
        ensure!(status.success(), "{command:?} failed ({status})");
        Ok(())
    };
    run(Command::new("apt-get").args(["download", "influxdb"]))?;
    let packages = fs::read_dir(&folder)?.filter_map(|entry| Some(entry.ok()?.path()));
    let mut packages = packages.filter(|path| path.extension().is_some_and(|extension| extension == "deb"));
    run(Command::new("dpkg").arg("-x").arg(packages.next().context("the package is not there")?).arg("."))?;
    Ok(program)
}
