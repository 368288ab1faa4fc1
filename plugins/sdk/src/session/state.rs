//! Saved states as bytes: postcard, which keeps every bit of a float, behind a checksum over the plugin's name and version,
//! so that a state of another version is told from one of this.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::random::hash_bytes;
use crate::{About, Error};

const SUM_BYTES: usize = 8;

fn checksum(about: &About, bytes: &[u8]) -> [u8; SUM_BYTES] {
    let plugin = hash_bytes(hash_bytes(0, about.name.as_bytes()), about.version.as_bytes());
    hash_bytes(plugin, bytes).to_le_bytes()
}

/// A state as bytes.
pub(super) fn pack<S: Serialize>(about: &About, state: &S) -> Result<Vec<u8>, Error> {
    let packed =
        postcard::to_stdvec(state).map_err(|error| Error::failed(format!("the state can't be saved: {error}")))?;
    let mut bytes = checksum(about, &packed).to_vec();
    bytes.extend_from_slice(&packed);
    Ok(bytes)
}

/// The state that [`pack`] wrote.
pub(super) fn unpack<S: DeserializeOwned>(about: &About, bytes: &[u8]) -> Result<S, Error> {
    match bytes.split_first_chunk::<SUM_BYTES>() {
        Some((sum, packed)) if *sum == checksum(about, packed) => {
            postcard::from_bytes(packed).map_err(|_| Error::UnsupportedState)
        }
        _ => Err(Error::UnsupportedState),
    }
}
