//! Who asks a server. Secrets stay in the environment: specs and pipelines are shown to whoever may read them.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

/// Where the secret is, if one is needed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Credentials {
    /// The environment variable that holds a bearer token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bearer_env: Option<String>,
    /// The environment variable that holds `USER:PASSWORD`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basic_env: Option<String>,
}

impl Credentials {
    /// Looks for what can't go together.
    ///
    /// # Errors
    /// Both kinds.
    pub fn check(&self) -> Result<(), String> {
        match (&self.bearer_env, &self.basic_env) {
            (Some(_), Some(_)) => Err("only one of bearer_env and basic_env can be used".to_owned()),
            _ => Ok(()),
        }
    }

    /// The value of the `Authorization` header; `bearer` is the scheme's word for a token.
    ///
    /// # Errors
    /// Both kinds, or a variable that is not set.
    pub fn header(&self, bearer: &str) -> Result<Option<String>, String> {
        self.check()?;
        let secret = |name: &String| std::env::var(name).map_err(|_| format!("the variable {name} is not set"));
        match (&self.bearer_env, &self.basic_env) {
            (Some(name), _) => Ok(Some(format!("{bearer} {}", secret(name)?))),
            (None, Some(name)) => Ok(Some(format!("Basic {}", BASE64_STANDARD.encode(secret(name)?)))),
            (None, None) => Ok(None),
        }
    }
}
