//! Addresses: of the server, and of what is asked of it.

use super::RemoteError;
use std::fmt::{self, Display, Write as _};

/// What stands before the resources of this version of the API.
const API: [&str; 2] = ["api", "v1"];

/// A path with its query, each part escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    text: String,
    asks: bool,
}

impl Target {
    /// A path below the API's.
    pub(super) fn new(parts: &[&str]) -> Self {
        Self::root(&[&API, parts].concat())
    }

    /// A path below the server's address.
    pub(super) fn root(parts: &[&str]) -> Self {
        let mut text = String::new();
        for part in parts {
            text.push('/');
            escape(&mut text, part);
        }
        Self { text, asks: false }
    }

    /// The same with a parameter, where it has a value.
    pub(super) fn with(mut self, name: &str, value: Option<impl Display>) -> Self {
        if let Some(value) = value {
            self.text.push(if self.asks { '&' } else { '?' });
            self.asks = true;
            escape(&mut self.text, name);
            self.text.push('=');
            escape(&mut self.text, &value.to_string());
        }
        self
    }
}

impl Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Everything but what RFC 3986 calls unreserved, as percent and hex digits.
fn escape(text: &mut String, part: &str) {
    for byte in part.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
}

/// The address of a server, without a slash at its end.
///
/// # Errors
/// It can't be one.
pub(super) fn base(url: &str) -> Result<String, RemoteError> {
    let bad = |url: &str, reason: &str| RemoteError::BadUrl { url: url.to_owned(), reason: reason.to_owned() };
    let base = url.trim_end_matches('/');
    let uri: ureq::http::Uri = base.parse().map_err(|error| bad(url, &format!("{error}")))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(bad(url, "it must begin with http:// or https://"));
    }
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err(bad("…@…", "a token has an option of its own, --token"));
    }
    if uri.host().is_none_or(str::is_empty) {
        return Err(bad(url, "there is no host in it"));
    }
    if uri.query().is_some() {
        return Err(bad(url, "it must end before a question mark"));
    }
    Ok(base.to_owned())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn parts_can_not_leave_their_place() {
        let target = Target::new(&["datasets", "a/../b?c", "ü"]).with("order_by", Some("a&b=c")).with("x", None::<u8>);
        assert_eq!(target.to_string(), "/api/v1/datasets/a%2F..%2Fb%3Fc/%C3%BC?order_by=a%26b%3Dc");
        assert_eq!(Target::root(&["healthz"]).with("a", Some(1)).with("b", Some(2)).to_string(), "/healthz?a=1&b=2");
    }

    #[test]
    fn addresses_lose_their_slash_and_secrets_are_not_repeated() {
        assert_eq!(base("http://localhost:8080/").unwrap(), "http://localhost:8080");
        assert_eq!(base("https://example.org/telemill").unwrap(), "https://example.org/telemill");
        for url in ["", "localhost:8080", "ftp://x", "http://", "http://a b", "http://a/?b=c"] {
            assert!(matches!(base(url), Err(RemoteError::BadUrl { .. })), "{url}");
        }
        let error = base("https://me:secret@example.org").unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
