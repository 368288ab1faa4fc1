//! Tokens that open the server.

use super::TaskError;
use crate::core::digest::Digest;
use crate::core::time::Timestamp;
use crate::lake::LakeError;
use crate::run::Host;
use crate::store::{Scope, StoreError, Token};
use rand::TryRng as _;
use rand::rngs::SysRng;

/// Words of randomness in a secret: 256 bits.
const SECRET_WORDS: usize = 4;
/// Longest name, in bytes: it stands in lists and in the audit table.
const MAX_NAME_BYTES: usize = 100;

/// A token with its secret, which is kept nowhere.
pub struct MadeToken {
    /// What people call it.
    pub name: String,
    /// What it allows.
    pub scope: Scope,
    /// What opens the server.
    pub secret: String,
}

/// Makes a token; `now` is its time.
///
/// # Errors
/// There is one of that name, the name can't be used, or the database failed.
pub fn create_token(host: &Host, name: String, scope: Scope, now: Timestamp) -> Result<MadeToken, TaskError> {
    if name.is_empty() || name.len() > MAX_NAME_BYTES || name.chars().any(char::is_control) {
        let message = format!("a token's name has 1 to {MAX_NAME_BYTES} bytes and no control characters");
        return Err(TaskError::Request(message));
    }
    let secret = secret()?;
    let digest = Digest::of(secret.as_bytes());
    let token = Token { name, scope, digest, created_at: now, revoked_at: None };
    host.runtime
        .block_on(async {
            let mut tx = host.store.write().await?;
            tx.insert_token(&token).await?;
            tx.commit().await
        })
        .map_err(store)?;
    Ok(MadeToken { name: token.name, scope, secret })
}

/// Takes a token back, at `now`; from then on it opens nothing.
///
/// # Errors
/// There is none of that name in force, or the database failed.
pub fn revoke_token(host: &Host, name: &str, now: Timestamp) -> Result<Token, TaskError> {
    let tokens = host.runtime.block_on(async {
        let mut tx = host.store.write().await?;
        tx.revoke_token(name, now).await?;
        tx.commit().await?;
        host.store.tokens().await
    });
    let found = tokens.map_err(store)?.into_iter().find(|token| token.name == name);
    found.ok_or_else(|| store(StoreError::NoToken(name.to_owned())))
}

fn store(error: StoreError) -> TaskError {
    LakeError::from(error).into()
}

/// A secret that nobody can guess.
fn secret() -> Result<String, TaskError> {
    let words = (0..SECRET_WORDS).map(|_| Ok(format!("{:016x}", SysRng.try_next_u64()?)));
    let words: Result<String, rand::rngs::SysError> = words.collect();
    let missing = |error| TaskError::Request(format!("the system has no randomness to give: {error}"));
    Ok(format!("tm_{}", words.map_err(missing)?))
}
