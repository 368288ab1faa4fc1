//! Machine code of components on disk, so that a component is compiled once a machine and not once a process.
//!
//! An entry's name says which component, which wasmtime and which configuration it is for. Entries are checked against a
//! hash before they are used, because wasmtime believes what it is given.

use super::files;
use crate::core::digest::Digest;
use std::hash::{Hash as _, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use wasmtime::component::Component;
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

/// How an entry starts; the last byte is the version of this layout.
const MAGIC: [u8; 16] = *b"telemill code \0\x01";
/// Magic and hash.
const HEADER_BYTES: usize = 32;
/// How entries are named.
const SUFFIX: &str = ".code";
/// Most bytes of all entries; the oldest go when there are more. A Python guest has some 60 MB of machine code.
const MAX_CACHE_BYTES: u64 = 2 << 30;

/// A folder of compiled code.
#[derive(Debug)]
pub(super) struct CodeCache {
    dir: PathBuf,
    configuration: Digest,
}

impl CodeCache {
    /// The cache of `engine` in `dir`, which is made where it is missing.
    pub(super) fn open(dir: &Path, engine: &wasmtime::Engine) -> io::Result<Self> {
        files::private_dir(dir)?;
        // Covers the version of wasmtime, the target and all settings that shape the code.
        let mut hasher = Fields(Vec::new());
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Ok(Self { dir: dir.to_owned(), configuration: Digest::of(&hasher.0) })
    }

    /// Where entries are.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The code of the component `digest`; none where there is no entry, or one that is damaged or foreign.
    pub(super) fn load(&self, engine: &wasmtime::Engine, digest: Digest) -> Option<Component> {
        let path = self.path(digest);
        let entry = std::fs::read(&path).ok()?;
        let (header, code) = entry.split_at_checked(HEADER_BYTES)?;
        if header != Self::header(code) {
            tracing::warn!(path = %path.display(), "compiled code is damaged and is made again");
            return None;
        }
        match deserialize(engine, code) {
            Ok(component) => Some(component),
            Err(error) => {
                tracing::warn!(path = %path.display(), "compiled code can't be used and is made again: {error:#}");
                None
            }
        }
    }

    /// Keeps the code of a component.
    pub(super) fn store(&self, digest: Digest, code: &[u8]) -> io::Result<()> {
        files::write_whole(&self.path(digest), &[&Self::header(code), code])?;
        files::sweep(&self.dir, SUFFIX, MAX_CACHE_BYTES)
    }

    fn path(&self, digest: Digest) -> PathBuf {
        self.dir.join(format!("{digest}-{}{SUFFIX}", self.configuration.short()))
    }

    fn header(code: &[u8]) -> [u8; HEADER_BYTES] {
        let mut header = [0; HEADER_BYTES];
        let (magic, hash) = header.split_at_mut(MAGIC.len());
        magic.copy_from_slice(&MAGIC);
        hash.copy_from_slice(&xxh3_128(code).to_le_bytes());
        header
    }
}

/// The one place where bytes become machine code without wasmtime having compiled them in this process.
#[expect(unsafe_code, reason = "compiled code is trusted: it comes from this program, or from this user's own folder")]
pub(super) fn deserialize(engine: &wasmtime::Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: `deserialize` wants bytes that `Component::serialize` made. They come from a worker process of this very
    // program over a pipe (`vet::compile`), or from a file: only `CodeCache::store` writes entries, into a folder with mode
    // 0700 that belongs to this user (`files::private_dir`), and the hash in the header excludes damage. wasmtime itself
    // refuses other versions and configurations. The bytes are copied, so that no later change of the file reaches running
    // code.
    unsafe { Component::deserialize(engine, code) }
}

/// Collects what a value feeds into a hash, so that a hash that is stable between processes can be taken of it.
struct Fields(Vec<u8>);

impl Hasher for Fields {
    fn finish(&self) -> u64 {
        let mut hash = Xxh3::new();
        hash.write(&self.0);
        hash.finish()
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}
