//! Where components come from: files, folders, URLs and registries of images; always bounded in size and time.

use super::error::VersionsError;
use super::image::Image;
use crate::core::digest::Digest;
use crate::core::problem::chain;
use crate::plugin::Limits;
use crate::project::{MANIFEST, Manifest};
use std::fs;
use std::io::Read as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::runtime::Handle;
use ureq::Agent;
use ureq::http::Uri;

/// The run spec that may lie beside a component.
pub(super) const SCENARIO_FILE: &str = "scenario.toml";
/// Largest spec that is taken.
pub(super) const MAX_SCENARIO_BYTES: u64 = 1 << 20;
/// Where builds leave components, below a folder that does not say it.
const BUILD_FOLDERS: [&str; 4] = ["", "dist", "build", "target/wasm32-unknown-unknown/release"];
/// Most time that a download may take: the largest component at some 200 kB a second.
pub(super) const DOWNLOAD_TIME: Duration = Duration::from_secs(300);
/// Most redirects of a download.
const MAX_REDIRECTS: u32 = 5;

/// What a person names to be installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A `.wasm` file.
    File(PathBuf),
    /// A folder with one, such as a project that was built.
    Folder(PathBuf),
    /// A `http://` or `https://` address.
    Url(String),
    /// `oci://HOST/REPOSITORY:TAG`.
    Image(Image),
}

/// A component with what came beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What messages and records call its source.
    pub origin: String,
    /// The component.
    pub bytes: Vec<u8>,
    /// The run spec, in TOML.
    pub scenario: Option<String>,
}

impl Source {
    /// Reads what a person wrote.
    ///
    /// # Errors
    /// An image's name that is none.
    pub fn parse(text: &str) -> Result<Self, VersionsError> {
        if text.starts_with("oci://") {
            return Ok(Self::Image(Image::parse(text)?));
        }
        if text.starts_with("http://") || text.starts_with("https://") {
            return Ok(Self::Url(text.to_owned()));
        }
        let path = PathBuf::from(text);
        Ok(if path.is_dir() { Self::Folder(path) } else { Self::File(path) })
    }

    /// Fetches the component. With `pin`, nothing but the component of that digest is taken, and it may come over a
    /// connection that anybody could change.
    ///
    /// # Errors
    /// Nothing there, too much of it, or another digest.
    pub fn fetch(&self, limits: &Limits, runtime: &Handle, pin: Option<Digest>) -> Result<Found, VersionsError> {
        let found = match self {
            Self::File(path) => file(path, limits)?,
            Self::Folder(path) => folder(path, limits)?,
            Self::Url(url) => download(url, limits, pin.is_some())?,
            Self::Image(image) => image.pull(limits, runtime)?,
        };
        let digest = Digest::of(&found.bytes);
        match pin.filter(|wanted| *wanted != digest) {
            Some(wanted) => Err(VersionsError::Pin { origin: found.origin, wanted, found: digest }),
            None => Ok(found),
        }
    }
}

fn file(path: &Path, limits: &Limits) -> Result<Found, VersionsError> {
    let bytes = read(path, limits.component_bytes)?;
    let beside = path.with_file_name(SCENARIO_FILE);
    Ok(Found { origin: path.display().to_string(), bytes, scenario: scenario(&beside)? })
}

fn folder(folder: &Path, limits: &Limits) -> Result<Found, VersionsError> {
    let path = built(folder)?;
    let bytes = read(&path, limits.component_bytes)?;
    let scenario = scenario(&folder.join(SCENARIO_FILE))?;
    Ok(Found { origin: path.display().to_string(), bytes, scenario })
}

/// The component of a project, which may have others as steps on the way to it, or the only one of any folder.
fn built(folder: &Path) -> Result<PathBuf, VersionsError> {
    let source = |message: String| VersionsError::Source { origin: folder.display().to_string(), message };
    let nothing = || source("it has no .wasm file; build the project first, with `telemill plugin build`".to_owned());
    if folder.join(MANIFEST).is_file() {
        let manifest = Manifest::read(folder).map_err(|error| source(chain(&error)))?;
        return Some(folder.join(manifest.component)).filter(|path| path.is_file()).ok_or_else(nothing);
    }
    for below in BUILD_FOLDERS {
        let mut components = components(&folder.join(below));
        match (components.pop(), components.is_empty()) {
            (Some(path), true) => return Ok(path),
            (Some(path), false) => {
                components.push(path);
                let names: Vec<_> = components.iter().map(|path| path.display().to_string()).collect();
                return Err(source(format!("it has several components: name one of {}", names.join(", "))));
            }
            (None, _) => {}
        }
    }
    Err(nothing())
}

/// The components of a folder, by name.
pub(super) fn components(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<_> = entries.flatten().map(|entry| entry.path()).filter(|path| is_component(path)).collect();
    found.sort();
    found
}

fn is_component(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "wasm") && path.is_file()
}

fn scenario(path: &Path) -> Result<Option<String>, VersionsError> {
    if !path.is_file() {
        return Ok(None);
    }
    let bytes = read(path, MAX_SCENARIO_BYTES)?;
    let text = String::from_utf8(bytes).map_err(|_| VersionsError::Source {
        origin: path.display().to_string(),
        message: "it is no text in UTF-8".to_owned(),
    })?;
    Ok(Some(text))
}

/// Reads a file of at most `most` bytes; of a larger one a byte more, which the checks refuse.
fn read(path: &Path, most: u64) -> Result<Vec<u8>, VersionsError> {
    let io = |source| VersionsError::File { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    fs::File::open(path).map_err(io)?.take(most + 1).read_to_end(&mut bytes).map_err(io)?;
    Ok(bytes)
}

/// Downloads a component. Without encryption only from this machine, or where a digest holds it.
fn download(url: &str, limits: &Limits, pinned: bool) -> Result<Found, VersionsError> {
    let source = |message: String| VersionsError::Source { origin: url.to_owned(), message };
    let uri: Uri = url.parse().map_err(|error| source(format!("it is no URL: {error}")))?;
    let host = uri.host().unwrap_or_default();
    let (here, plain) = (is_loopback(host), uri.scheme_str() == Some("http"));
    if plain && !here && !pinned {
        return Err(source("it is not encrypted: name the component's digest with --digest, or use https".to_owned()));
    }
    let mut config = Agent::config_builder()
        .max_redirects(if here { 0 } else { MAX_REDIRECTS })
        // A redirect must not leave encryption behind.
        .https_only(!plain)
        .timeout_connect(Some(Duration::from_secs(10)))
        .timeout_global(Some(DOWNLOAD_TIME))
        .user_agent(concat!("telemill/", env!("CARGO_PKG_VERSION")));
    if here {
        config = config.proxy(None);
    }
    let agent: Agent = config.build().into();
    let mut response = agent.get(url).call().map_err(|error| source(error.to_string()))?;
    let body = response.body_mut().with_config().limit(limits.component_bytes + 1).read_to_vec();
    let bytes = body.map_err(|error| match error {
        ureq::Error::BodyExceedsLimit(_) => {
            source(format!("it has more bytes than the limit component_bytes = {}", limits.component_bytes))
        }
        error => source(error.to_string()),
    })?;
    Ok(Found { origin: url.to_owned(), bytes, scenario: None })
}

/// Whether a host is this machine.
pub(super) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn fetch(text: &str, pin: Option<Digest>) -> Result<Found, VersionsError> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let limits = Limits { component_bytes: 8, ..Limits::default() };
        Source::parse(text).unwrap().fetch(&limits, runtime.handle(), pin)
    }

    #[test]
    fn folders_are_searched_where_builds_leave_components() {
        let folder = tempfile::tempdir().unwrap();
        let name = folder.path().to_str().unwrap();
        let nothing = fetch(name, None).unwrap_err().to_string();
        assert!(nothing.contains("plugin build"), "{nothing}");
        let built = folder.path().join("target/wasm32-unknown-unknown/release");
        fs::create_dir_all(&built).unwrap();
        fs::write(built.join("a.wasm"), "a").unwrap();
        fs::write(folder.path().join(SCENARIO_FILE), "x = 1").unwrap();
        let found = fetch(name, None).unwrap();
        assert_eq!((found.bytes.as_slice(), found.scenario.as_deref()), (b"a".as_slice(), Some("x = 1")));
        fs::write(built.join("b.wasm"), "b").unwrap();
        let several = fetch(name, None).unwrap_err().to_string();
        assert!(several.contains("a.wasm") && several.contains("b.wasm"), "{several}");
    }

    #[test]
    fn a_project_says_which_of_its_components_is_meant() {
        let folder = tempfile::tempdir().unwrap();
        let name = folder.path().to_str().unwrap();
        let manifest = "name = \"a\"\nkind = \"generator\"\nlanguage = \"c\"\ncomponent = \"build/a.wasm\"\nwatch = []\n\
                        [[build]]\nrun = [\"true\"]\n";
        fs::write(folder.path().join(MANIFEST), manifest).unwrap();
        fs::create_dir(folder.path().join("build")).unwrap();
        fs::write(folder.path().join("build/core.wasm"), "c").unwrap();
        let unbuilt = fetch(name, None).unwrap_err().to_string();
        assert!(unbuilt.contains("plugin build"), "{unbuilt}");
        fs::write(folder.path().join("build/a.wasm"), "a").unwrap();
        assert_eq!(fetch(name, None).unwrap().bytes, b"a");
        fs::write(folder.path().join(MANIFEST), "name = 1").unwrap();
        let broken = fetch(name, None).unwrap_err().to_string();
        assert!(broken.contains(MANIFEST), "{broken}");
    }

    #[test]
    fn a_pin_holds_what_comes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wasm");
        fs::write(&path, "a").unwrap();
        let path = path.to_str().unwrap();
        assert!(fetch(path, Some(Digest::of(b"a"))).is_ok());
        let other = fetch(path, Some(Digest::of(b"b"))).unwrap_err();
        assert!(matches!(other, VersionsError::Pin { .. }), "{other}");
        assert_eq!(fs::write(path, [0; 99]).and_then(|()| fs::read(path)).unwrap().len(), 99);
        assert_eq!(fetch(path, None).unwrap().bytes.len(), 9, "one more than allowed, and no more");
    }

    #[test]
    fn plain_http_from_elsewhere_needs_a_pin() {
        let refused = fetch("http://plugins.example/a.wasm", None).unwrap_err().to_string();
        assert!(refused.contains("--digest"), "{refused}");
        assert!(is_loopback("127.0.0.2") && is_loopback("[::1]") && is_loopback("localhost"));
        assert!(!is_loopback("127.0.0.1.example") && !is_loopback("10.0.0.1"));
    }
}
