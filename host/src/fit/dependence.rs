//! Whether a column of numbers is a linear function of another, and noise.

use super::config::short;
use super::series;

/// Share of the variance that the other column must explain.
const LEAST_EXPLAINED: f64 = 0.3;
/// Parts of the rows in each of which the slope must be like that of all, and by which factor it may differ: two slow walks are
/// parallel for a while, too.
const PARTS: usize = 4;
const LIKE: f64 = 1.7;
/// Fewer rows than this show nothing.
const LEAST_ROWS: usize = 60;
/// Where function and noise do not add up to the column's distribution, by this distance, the function is another.
const WORST: f64 = 0.05;

/// A column and its numbers.
pub(super) type Other<'a> = (&'a str, &'a [f64]);

/// The column that explains most of `values`, and by which factor; none where none explains enough.
pub(super) fn linear<'a>(values: &[f64], others: &[Other<'a>]) -> Option<(Other<'a>, f64)> {
    let mut best: Option<(f64, Other<'a>, f64)> = None;
    for other in others {
        let both = other.1.iter().copied().zip(values.iter().copied());
        let both: Vec<(f64, f64)> = both.filter(|(x, y)| !x.is_nan() && !y.is_nan()).collect();
        let Some((slope, explained)) = slope(&both).filter(|_| both.len() >= LEAST_ROWS) else { continue };
        let better = best.as_ref().is_none_or(|(most, ..)| explained > *most);
        if explained >= LEAST_EXPLAINED && better && steady(&both, slope) && adds_up(&both, slope) {
            best = Some((explained, *other, short(slope)));
        }
    }
    best.map(|(_, other, slope)| (other, slope))
}

/// The slope of the line through pairs, by least squares, and the share of the variance that it explains.
fn slope(pairs: &[(f64, f64)]) -> Option<(f64, f64)> {
    let n = pairs.len() as f64;
    let (mx, my) = pairs.iter().fold((0.0, 0.0), |(x, y), pair| (x + pair.0 / n, y + pair.1 / n));
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for (x, y) in pairs {
        let (x, y) = (x - mx, y - my);
        (xx, yy, xy) = (xx + x * x, yy + y * y, xy + x * y);
    }
    (xx > 0.0 && yy > 0.0).then(|| (xy / xx, xy * xy / (xx * yy)))
}

fn steady(pairs: &[(f64, f64)], all: f64) -> bool {
    pairs.chunks(pairs.len().div_ceil(PARTS)).all(|part| {
        let ratio = slope(part).map_or(0.0, |(slope, _)| slope / all);
        (1.0 / LIKE..=LIKE).contains(&ratio)
    })
}

/// Whether the function with the noise of other rows has the distribution of the values.
fn adds_up(pairs: &[(f64, f64)], slope: f64) -> bool {
    let noise: Vec<f64> = pairs.iter().map(|(x, y)| y - slope * x).collect();
    let values = series::sorted(&pairs.iter().map(|pair| pair.1).collect::<Vec<f64>>());
    let (least, most) = (values.first().copied().unwrap_or(0.0), values.last().copied().unwrap_or(0.0));
    let made = pairs.iter().zip(series::mixed(&noise)).map(|((x, _), noise)| (slope * x + noise).clamp(least, most));
    let made = series::sorted(&made.collect::<Vec<f64>>());
    series::kolmogorov_smirnov(&values, &made).is_some_and(|distance| distance <= WORST)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_line_with_noise_is_found_and_a_curve_is_not() {
        let mut state = 1u64;
        let mut even = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1u64 << 53) as f64
        };
        let x: Vec<f64> = (0..1000).map(|_| 100.0 * even()).collect();
        let other: Vec<f64> = (0..1000).map(|_| even()).collect();
        let line: Vec<f64> = x.iter().map(|x| 7.0 - 0.5 * x + 10.0 * even()).collect();
        let ((name, _), slope) = linear(&line, &[("other", &other), ("x", &x)]).unwrap();
        assert_eq!(name, "x");
        assert!((slope + 0.5).abs() < 0.02, "{slope}");
        assert!(linear(&line, &[("other", &other)]).is_none());
        let spread: Vec<f64> = x.iter().map(|x| (x / 12.0).exp() * (0.2 + even())).collect();
        assert!(linear(&spread, &[("x", &x)]).is_none());
        // Two walks that have nothing to do with each other.
        let mut walk = |rises: f64| {
            let mut at = 0.0;
            (0..1000)
                .map(|_| {
                    at += even() - rises;
                    at
                })
                .collect::<Vec<f64>>()
        };
        assert!(linear(&walk(0.5), &[("x", &walk(0.5))]).is_none());
    }
}
