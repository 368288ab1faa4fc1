//! A registry of images for tests: Debian's `docker-registry`, on loopback, with a store of its own.

use std::env;
use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result};

use crate::program::wait_until;
use crate::python::run;

/// A running registry; it goes with the value.
pub(crate) struct Registry {
    child: Child,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Registry {
    /// Where there is no program for it, says so on standard error, and what it would have been for is not tested.
    pub(crate) fn start() -> Option<Self> {
        match program() {
            Ok(program) => Some(Self::with(&program)),
            Err(error) => {
                eprintln!("NOT TESTED: there is no docker-registry, and apt-get gets none: {error:#}");
                None
            }
        }
    }

    fn with(program: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let config = format!(
            "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: {address}\n",
            folder.path().join("store").display()
        );
        let file = folder.path().join("config.yml");
        fs::write(&file, config).unwrap();
        let mut command = Command::new(program);
        let child = command.arg("serve").arg(file).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        wait_until("the registry listens", || TcpStream::connect(address).is_ok());
        Self { child, address, _folder: folder }
    }

    /// Host and port.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The registry's program: the machine's own, or the package's, unpacked below Cargo's target folder.
fn program() -> Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut own = env::split_paths(&path).map(|folder| folder.join("docker-registry"));
    if let Some(found) = own.find(|path| path.is_file()) {
        return Ok(found);
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("docker-registry");
    let found = folder.join("usr/bin/docker-registry");
    if !found.is_file() {
        fs::create_dir_all(&folder)?;
        run(Command::new("apt-get").args(["download", "docker-registry"]).current_dir(&folder))?;
        let mut packages = fs::read_dir(&folder)?.flatten().map(|entry| entry.path());
        let package = packages.find(|path| path.extension().is_some_and(|ending| ending == "deb"));
        run(Command::new("dpkg-deb").arg("-x").arg(package.context("apt-get downloaded nothing")?).arg(&folder))?;
    }
    Ok(found)
}
