//! Components in a registry of images: Debian's `docker-registry`, on loopback, with a store of its own.

use std::env;
use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result};
use serde_json::Value;
use telemill_tests::guest;

use super::{kept, noted, spec};
use crate::program::{Place, wait_until};
use crate::python::run;

/// A running registry; it goes with the value.
struct Registry {
    child: Child,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Registry {
    fn start(program: &Path) -> Self {
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

    fn image(&self, name: &str) -> String {
        format!("oci://{}/{name}", self.address)
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

#[test]
fn a_component_goes_through_a_registry_and_a_pin_holds_it() {
    let program = match program() {
        Ok(program) => program,
        Err(error) => {
            eprintln!("NOT TESTED: there is no docker-registry, and apt-get gets none: {error:#}");
            return;
        }
    };
    let registry = Registry::start(&program);
    let place = Place::new();
    fs::create_dir(place.path().join("meters")).unwrap();
    place.file("meters/hostile.wasm", noted(guest("hostile").unwrap(), "one"));
    place.file("meters/scenario.toml", spec(&serde_json::json!({})));
    place.file("two.wasm", noted(guest("hostile").unwrap(), "two"));
    let push = |what: &str, image: &str| place.json(["plugin", "push", what, image, "--json"]);
    let manifest = |pushed: &Value| pushed["manifest"].as_str().unwrap().to_owned();
    let (name, latest) = (registry.image("plugins/hostile:1.0.0"), registry.image("plugins/hostile:2.0.0"));
    let one = push("meters", &name);
    assert_eq!(manifest(&push("meters", &name)), manifest(&one), "the same component gives the same image");
    let two = push("two.wasm", &latest);
    assert_ne!(manifest(&one), manifest(&two));

    let files = kept(&place.data());
    let pinned = format!("{name}@{}", manifest(&one));
    let unknown = format!("{name}@sha256:{}", "0".repeat(64));
    place.ask(["plugin", "install", &unknown]).refused(&["can't be pulled"]);
    let component = two["component"].as_str().unwrap();
    place.ask(["plugin", "install", &name, "--digest", component]).refused(&["is wanted"]);
    place
        .ask(["plugin", "install", &registry.image("plugins/unheard-of:1")])
        .refused(&["can't be pulled", "unheard-of"]);
    let few = ["--setting", "limits.component_bytes=1000", "plugin", "install", &name];
    place.ask(few).refused(&["at most 1000 are taken"]);
    assert_eq!(kept(&place.data()), files);

    // The tag is moved to another component; what was pinned comes as it was.
    assert_eq!(manifest(&push("two.wasm", &name)), manifest(&two));
    let installed = place.json(["plugin", "install", &pinned, "--enable", "--json"]);
    assert_eq!(installed["installed"]["digest"], one["component"]);
    assert!(installed["installed"]["source"].as_str().unwrap().ends_with(&manifest(&one)), "{installed}");
    assert!(place.good(["plugin", "inspect", "hostile", "--scenario"]).contains("dataset = \"meters\""));
    let installed = place.json(["plugin", "install", &latest, "--json"]);
    assert_eq!(installed["installed"]["digest"], two["component"]);
    // Where a tag stood for a manifest when it was pulled stays known.
    assert!(installed["installed"]["source"].as_str().unwrap().ends_with(&manifest(&two)), "{installed}");
}
