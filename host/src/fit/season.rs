//! Curves through the hours of the day, steps of the weekdays, and whether a grouping of values explains anything.

/// Times that the solver goes round; the error halves each time.
const ROUNDS: usize = 200;
/// Share of the weight that pulls hours of which nothing is known to the mean.
const PULL: f64 = 1e-4;

/// When a row is, as far as seasons go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Moment {
    /// Hours since midnight, UTC.
    pub(super) hour: f64,
    /// Days since Monday.
    pub(super) weekday: usize,
    /// Days since 1970.
    pub(super) day: i64,
}

impl Moment {
    /// The moment of microseconds since 1970.
    pub(super) fn of(us: f64) -> Self {
        let hours = us / 3.6e9;
        let day = (hours / 24.0).floor();
        // 1 January 1970 was a Thursday.
        let weekday = (day as i64 + 3).rem_euclid(7) as usize;
        Self { hour: hours - day * 24.0, weekday, day: day as i64 }
    }
}

/// The values at 24 hours whose connecting lines fit points of hour, value and weight best, by least squares.
pub(super) fn curve(points: impl Iterator<Item = (f64, f64, f64)>) -> Vec<f64> {
    // Each point lies between two hours, so the equations of one hour name itself and its two neighbours.
    let (mut own, mut next, mut right) = (vec![0.0; 24], vec![0.0; 24], vec![0.0; 24]);
    let (mut weights, mut sum) = (0.0, 0.0);
    let add = |list: &mut Vec<f64>, at: usize, value: f64| list.get_mut(at).into_iter().for_each(|slot| *slot += value);
    for (hour, value, weight) in points {
        let (at, rest) = ((hour.floor() as usize) % 24, hour.fract());
        let after = (at + 1) % 24;
        add(&mut own, at, weight * (1.0 - rest).powi(2));
        add(&mut own, after, weight * rest * rest);
        add(&mut next, at, weight * rest * (1.0 - rest));
        add(&mut right, at, weight * value * (1.0 - rest));
        add(&mut right, after, weight * value * rest);
        (weights, sum) = (weights + weight, sum + weight * value);
    }
    let mean = if weights > 0.0 { sum / weights } else { 0.0 };
    let pull = (weights * PULL).max(f64::MIN_POSITIVE);
    let mut found = vec![mean; 24];
    let of = |list: &[f64], at: usize| list.get(at % 24).copied().unwrap_or(0.0);
    for _ in 0..ROUNDS {
        for hour in 0..24 {
            let neighbours = of(&next, hour) * of(&found, hour + 1) + of(&next, hour + 23) * of(&found, hour + 23);
            let value = (of(&right, hour) + pull * mean - neighbours) / (of(&own, hour) + pull);
            found.get_mut(hour).into_iter().for_each(|slot| *slot = value);
        }
    }
    found
}

/// A curve's value at an hour, straight between two of its own.
pub(super) fn at(curve: &[f64], hour: f64) -> f64 {
    let place = hour.floor() as usize;
    let of = |at: usize| curve.get(at % 24).copied().unwrap_or(0.0);
    of(place) + (of(place + 1) - of(place)) * hour.fract()
}

/// How much of the values' variance groups explain, measured so that chance counts for nothing: what the groups' means in one half of
/// the rows have in common with those in the other. `rows` are value, group and half. None where that can't be told.
pub(super) fn explained(rows: impl Iterator<Item = (f64, usize, bool)>, groups: usize) -> Option<f64> {
    let mut sums = vec![[(0.0, 0.0); 2]; groups];
    let (mut n, mut sum, mut squares) = (0.0, 0.0, 0.0);
    for (value, group, half) in rows.filter(|(value, ..)| !value.is_nan()) {
        (n, sum, squares) = (n + 1.0, sum + value, squares + value * value);
        if let Some([first, second]) = sums.get_mut(group) {
            let slot = if half { second } else { first };
            *slot = (slot.0 + 1.0, slot.1 + value);
        }
    }
    let variance = squares / n - (sum / n).powi(2);
    let both: Vec<(f64, f64)> = sums
        .iter()
        .filter(|[first, second]| first.0 > 0.0 && second.0 > 0.0)
        .map(|[first, second]| (first.1 / first.0, second.1 / second.0))
        .collect();
    let groups = both.len() as f64;
    if both.len() < 2 || variance.is_nan() || variance <= 0.0 {
        return None;
    }
    let (mx, my) = both.iter().fold((0.0, 0.0), |(x, y), pair| (x + pair.0 / groups, y + pair.1 / groups));
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for (x, y) in &both {
        (xx, yy, xy) = (xx + (x - mx).powi(2), yy + (y - my).powi(2), xy + (x - mx) * (y - my));
    }
    // Halves that hardly agree explain nothing, however far groups are apart: a slow walk has such groups, too.
    let agree = xy > 0.0 && (both.len() < 4 || xy > 0.6 * (xx * yy).sqrt());
    // What remains by chance where n values without any pattern are cut into groups.
    let chance = 4.0 * groups.sqrt() / n;
    Some(if agree { (xy / groups / variance - chance).max(0.0) } else { 0.0 })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn moments() {
        // 9 November 2026 is a Monday.
        let moment = Moment::of(1_794_182_400e6 + 6.5 * 3.6e9);
        assert_eq!((moment.weekday, (moment.hour * 1e6).round()), (0, 6.5e6));
        assert_eq!(Moment::of(-1.0).weekday, 2);
    }

    #[test]
    fn a_curve_is_found_from_its_points() {
        let truth: Vec<f64> = (0..24).map(|hour| f64::from((hour * 7) % 24)).collect();
        for start in [0.0, 0.13] {
            let points = (0..240).map(|i| f64::from(i) * 0.1 + start).map(|hour| (hour, at(&truth, hour), 2.0));
            for (got, wanted) in curve(points).iter().zip(&truth) {
                assert!((got - wanted).abs() < 0.05, "{got} instead of {wanted}");
            }
        }
        // Of hours without points nothing is known.
        let some = curve([(8.0, 3.0, 1.0), (9.0, 5.0, 1.0)].into_iter());
        assert!((some[8] - 3.0).abs() < 0.01 && (some[20] - 4.0).abs() < 0.01, "{some:?}");
    }

    #[test]
    fn groups_explain_what_comes_back() {
        let noise = |i: u64| {
            let bits = (i + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            (bits >> 11) as f64 / (1u64 << 53) as f64 - 0.5
        };
        let rows = |level: f64| {
            (0..4800u64).map(move |i| {
                let hour = (i % 24) as usize;
                (noise(i) + level * hour as f64 / 24.0, hour, (i / 24) % 2 == 1)
            })
        };
        assert!(explained(rows(0.0), 24).unwrap() < 0.01);
        // Levels have a variance of 1/12, as the noise has.
        assert!((explained(rows(1.0), 24).unwrap() - 0.5).abs() < 0.03);
        assert_eq!(explained([(1.0, 0, true)].into_iter(), 24), None);
    }
}
