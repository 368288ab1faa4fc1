//! What can go wrong inside a plugin, as the host is told.

use std::fmt;

/// Where in a configuration or a table (a JSON Pointer or a column's name), and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// A JSON Pointer such as `/hosts/0`, or a column's name; empty for the whole.
    pub path: String,
    /// What is wrong, for a person.
    pub message: String,
}

impl Problem {
    /// A problem at a place.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into() }
    }
}

/// Why a call did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The configuration can't be used; the problems say where.
    InvalidConfig(Vec<Problem>),
    /// A saved state of another version; the host opens afresh and says so.
    UnsupportedState,
    /// The plugin can't go on; the text says why.
    Failed(String),
}

impl Error {
    /// The plugin can't go on.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::Failed(message.into())
    }

    /// One problem with the configuration.
    pub fn invalid(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self::InvalidConfig(vec![Problem::new(path, message)])
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidConfig(problems) => {
                f.write_str("invalid configuration")?;
                for (i, problem) in problems.iter().enumerate() {
                    let at = if problem.path.is_empty() { "the whole" } else { problem.path.as_str() };
                    write!(f, "{} {at}: {}", if i == 0 { ":" } else { ";" }, problem.message)?;
                }
                Ok(())
            }
            Self::UnsupportedState => f.write_str("the saved state is of another version"),
            Self::Failed(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Error {}
