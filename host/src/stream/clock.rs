//! The simulated clock: a straight line through an anchor, so that it is the same after a restart.

use crate::core::time::Timestamp;
use crate::store::{ClockAnchor, StreamState};
use std::time::Duration;

/// Longest wait that is ever computed; a wall clock that was set is seen after it.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// What the clock shows at wall-clock time `now`.
pub(super) fn at(anchor: ClockAnchor, now: Timestamp) -> Timestamp {
    let passed = now.0.saturating_sub(anchor.wall.0) as f64 * anchor.speed;
    anchor.clock.plus_us(passed as i64)
}

/// What is shown of the clock of a stream in that state: it stands while the stream is paused, and once it has ended.
pub(super) fn shown(anchor: ClockAnchor, state: StreamState, now: Timestamp) -> Timestamp {
    match state {
        StreamState::Running | StreamState::Failed => at(anchor, now),
        StreamState::Paused | StreamState::Stopped => anchor.clock,
    }
}

/// When, by the wall's clock, it shows `clock`.
pub(super) fn wall_of(anchor: ClockAnchor, clock: Timestamp) -> Timestamp {
    let left = clock.0.saturating_sub(anchor.clock.0) as f64 / anchor.speed;
    // Rounded up, so that the clock has come there by then.
    anchor.wall.plus_us(left.ceil() as i64)
}

/// How long from `now` until the clock shows `clock`; held to a few seconds.
pub(super) fn wait_for(anchor: ClockAnchor, clock: Timestamp, now: Timestamp) -> Duration {
    let left = wall_of(anchor, clock).0.saturating_sub(now.0);
    Duration::from_micros(u64::try_from(left).unwrap_or(0)).min(MAX_WAIT)
}

/// The clock with another speed from `now` on, without a jump.
pub(super) fn with_speed(anchor: ClockAnchor, speed: f64, now: Timestamp) -> ClockAnchor {
    ClockAnchor { wall: now, clock: at(anchor, now), speed }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANCHOR: ClockAnchor = ClockAnchor { wall: Timestamp(1_000_000), clock: Timestamp(-5_000_000), speed: 60.0 };

    #[test]
    fn a_change_of_speed_makes_no_jump() {
        let now = Timestamp(2_500_000);
        assert_eq!(at(ANCHOR, now), Timestamp(85_000_000));
        let slower = with_speed(ANCHOR, 0.5, now);
        assert_eq!(at(slower, now), Timestamp(85_000_000));
        assert_eq!(at(slower, Timestamp(4_500_000)), Timestamp(86_000_000));
    }

    #[test]
    fn the_clock_has_come_there_when_the_wait_is_over() {
        for clock in [-4_999_999, 0, 7, 123_456_789] {
            let wall = wall_of(ANCHOR, Timestamp(clock));
            assert!(at(ANCHOR, wall) >= Timestamp(clock), "{clock}");
            assert!(at(ANCHOR, wall.plus_us(-1)) < Timestamp(clock), "{clock}");
        }
        assert_eq!(wait_for(ANCHOR, Timestamp(0), Timestamp(i64::MAX)), Duration::ZERO);
        assert_eq!(wait_for(ANCHOR, Timestamp(i64::MAX), Timestamp(0)), MAX_WAIT);
    }
}
