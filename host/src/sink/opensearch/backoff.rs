//! When to try again: exponential backoff with jitter, never sooner than the server asks for.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

/// Pauses between attempts.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    /// How often something is tried before giving up; at least once.
    pub attempts: u32,
    /// The first pause; each further one is twice as long.
    pub first: Duration,
    /// The longest pause, whatever the server asks for.
    pub longest: Duration,
}

impl Default for Backoff {
    /// Eight attempts within about a minute.
    fn default() -> Self {
        Self { attempts: 8, first: Duration::from_millis(500), longest: Duration::from_secs(60) }
    }
}

impl Backoff {
    /// How long to wait after attempt number `attempt` (from 1) failed; none after the last.
    ///
    /// Half of the pause is random, so that loaders that failed together do not come back together.
    pub(super) fn pause(&self, attempt: u32, asked_for: Option<Duration>) -> Option<Duration> {
        if attempt >= self.attempts.max(1) {
            return None;
        }
        let full = self.first.saturating_mul(2_u32.saturating_pow(attempt - 1)).min(self.longest);
        let jittered = full / 2 + (full / 2).mul_f64(random_share());
        Some(jittered.max(asked_for.unwrap_or_default().min(self.longest)))
    }
}

/// A number from 0 to 1 that differs from call to call; the standard library seeds each of its hashers.
fn random_share() -> f64 {
    RandomState::new().build_hasher().finish() as f64 / u64::MAX as f64
}

/// Reads a `Retry-After` header: seconds, or a date.
pub(super) fn retry_after(value: &str) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = jiff::fmt::rfc2822::parse(value).ok()?.timestamp();
    Duration::try_from(until.duration_since(jiff::Timestamp::now())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end() {
        let backoff = Backoff { attempts: 5, first: Duration::from_millis(100), longest: Duration::from_millis(500) };
        for (attempt, full) in [(1, 100), (2, 200), (3, 400), (4, 500)] {
            let pause = backoff.pause(attempt, None).unwrap_or_default().as_millis();
            assert!((full / 2..=full).contains(&pause), "attempt {attempt}: {pause} ms");
        }
        assert_eq!(backoff.pause(5, None), None);
        assert_eq!(backoff.pause(1, Some(Duration::from_millis(450))), Some(Duration::from_millis(450)));
        assert_eq!(backoff.pause(1, Some(Duration::from_secs(86_400))), Some(Duration::from_millis(500)));
    }

    #[test]
    fn servers_may_ask_in_seconds_or_with_a_date() {
        assert_eq!(retry_after("7"), Some(Duration::from_secs(7)));
        assert!(retry_after("Tue, 31 Dec 2999 23:59:59 GMT").is_some_and(|pause| pause > Duration::from_secs(86_400)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:37 GMT"), None);
        assert_eq!(retry_after("soon"), None);
    }
}
