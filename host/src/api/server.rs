//! Lists, problems, tokens, and whether all is well.

use crate::core::problem::Problem;
use crate::core::time::Timestamp;
use crate::store::{Scope, Token};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A page of a list.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The items, newest first.
    pub items: Vec<T>,
    /// The cursor of the next page; none where this is the last.
    pub next: Option<String>,
}

/// What went wrong, as RFC 9457 has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemDocument {
    /// Always `about:blank`: the status says the kind.
    pub r#type: String,
    /// The status in words.
    pub title: String,
    /// The status.
    pub status: u16,
    /// What went wrong, and what to do next.
    pub detail: String,
    /// Each fault of the request with its place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Problem>,
    /// How many faults there are, where only the first are among `errors`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}

/// That all is well.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// `ok`.
    pub status: String,
    /// The server's version.
    pub version: String,
}

/// A token that is wanted.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// What to call it.
    pub name: String,
    /// What it allows.
    pub scope: Scope,
}

/// A token that was made.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct NewTokenAnswer {
    /// What it is called.
    pub name: String,
    /// What it allows.
    pub scope: Scope,
    /// The secret, which is told this once.
    pub secret: String,
}

/// A token, without what its secret is known by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenState {
    /// What people call it.
    pub name: String,
    /// What it allows.
    pub scope: Scope,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was taken back, if it was.
    pub revoked_at: Option<Timestamp>,
}

impl From<Token> for TokenState {
    fn from(token: Token) -> Self {
        let Token { name, scope, created_at, revoked_at, .. } = token;
        Self { name, scope, created_at, revoked_at }
    }
}
