//! Tokens of a server.

use super::target::Target;
use super::{RemoteError, Server};
use crate::api::{NewToken, NewTokenAnswer, TokenState};

impl Server {
    /// Makes a token; its secret is told this once.
    ///
    /// # Errors
    /// There is one of that name, or the server can't be asked.
    pub fn create_token(&self, token: &NewToken) -> Result<NewTokenAnswer, RemoteError> {
        self.post(Target::new(&["tokens"]), token)
    }

    /// All tokens, by name.
    ///
    /// # Errors
    /// The server can't be asked.
    pub fn tokens(&self) -> Result<Vec<TokenState>, RemoteError> {
        self.get(Target::new(&["tokens"]))
    }

    /// Takes a token back.
    ///
    /// # Errors
    /// There is none of that name in force, or the server can't be asked.
    pub fn revoke_token(&self, name: &str) -> Result<TokenState, RemoteError> {
        self.delete(Target::new(&["tokens", name]))
    }
}
