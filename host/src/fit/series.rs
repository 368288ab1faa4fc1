//! What one value tells of the next: correlation of ranks, texts that repeat, and how far two samples are apart.

use super::sample::MISSING;

/// Fewer pairs than this tell nothing.
const LEAST_PAIRS: usize = 30;
/// Most pairs that are looked at.
const MOST_PAIRS: usize = 400_000;
/// The strongest memory that the generator has.
const STRONGEST: f64 = 0.9999;
/// Points of the normal distribution over which repeats are counted.
const POINTS: usize = 400;

/// Pairs of rows that follow each other: of the same entity, in the order of time.
#[derive(Debug, Default)]
pub(super) struct Pairs(Vec<(u32, u32)>);

impl Pairs {
    /// Pairs of rows at `times`, apart by `entities` where rows have some.
    pub(super) fn new(times: &[f64], entities: Option<&[u32]>) -> Self {
        let entity = |row: u32| entities.and_then(|all| all.get(row as usize)).copied().unwrap_or(0);
        let order = order(times, entities);
        let pairs = order.windows(2).filter_map(|pair| match pair {
            [a, b] if entity(*a) == entity(*b) => Some((*a, *b)),
            _ => None,
        });
        Self(pairs.collect())
    }

    /// All pairs of values.
    pub(super) fn of<'a, T: Copy>(&'a self, values: &'a [T]) -> impl Iterator<Item = (T, T)> + 'a {
        self.0.iter().filter_map(|(a, b)| Some((*values.get(*a as usize)?, *values.get(*b as usize)?)))
    }
}

/// Rows by entity, and those of one by time.
pub(super) fn order(times: &[f64], entities: Option<&[u32]>) -> Vec<u32> {
    let mut rows: Vec<u32> = (0..times.len() as u32).collect();
    let key = |row: u32| {
        let entity = entities.and_then(|all| all.get(row as usize)).copied().unwrap_or(0);
        (entity, times.get(row as usize).copied().unwrap_or(0.0))
    };
    rows.sort_by(|a, b| {
        let (a, b) = (key(*a), key(*b));
        a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
    });
    rows
}

/// Ranks of values, those that are alike sharing theirs; NaN stays.
pub(super) fn ranks(values: &[f64]) -> Vec<f64> {
    let mut rows: Vec<(f64, u32)> = values.iter().copied().zip(0..).filter(|(x, _)| !x.is_nan()).collect();
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut ranks = vec![f64::NAN; values.len()];
    let mut before = 0;
    for alike in rows.chunk_by(|a, b| a.0 == b.0) {
        let rank = before as f64 + (alike.len() as f64 - 1.0) / 2.0;
        for (_, row) in alike {
            if let Some(slot) = ranks.get_mut(*row as usize) {
                *slot = rank;
            }
        }
        before += alike.len();
    }
    ranks
}

/// Pearson's correlation of pairs without missing values; none where there are too few, or one side never moves.
pub(super) fn correlation(pairs: impl Iterator<Item = (f64, f64)>) -> Option<f64> {
    let pairs: Vec<(f64, f64)> = pairs.filter(|(x, y)| !x.is_nan() && !y.is_nan()).take(MOST_PAIRS).collect();
    if pairs.len() < LEAST_PAIRS {
        return None;
    }
    let n = pairs.len() as f64;
    let (mx, my) = pairs.iter().fold((0.0, 0.0), |(x, y), pair| (x + pair.0 / n, y + pair.1 / n));
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for (x, y) in &pairs {
        let (x, y) = (x - mx, y - my);
        (xx, yy, xy) = (xx + x * x, yy + y * y, xy + x * y);
    }
    (xx > 0.0 && yy > 0.0).then(|| xy / (xx * yy).sqrt())
}

/// The correlation of the normal values behind ranks that correlate so: what is mapped to a distribution keeps its ranks.
pub(super) fn normal_of_ranks(spearman: f64) -> f64 {
    2.0 * (std::f64::consts::PI / 6.0 * spearman).sin()
}

/// Correlation of each value with the one before, on the scale on which the generator remembers.
pub(super) fn lag_1(values: &[f64], pairs: &Pairs) -> Option<f64> {
    correlation(pairs.of(&ranks(values))).map(normal_of_ranks)
}

/// The share of rows whose text (or whole number) is the one before's; none where there are too few.
pub(super) fn repeats(places: &[u32], pairs: &Pairs) -> Option<f64> {
    let known = pairs.of(places).filter(|(a, b)| *a != MISSING && *b != MISSING);
    let (count, same) = known.fold((0usize, 0usize), |(count, same), (a, b)| (count + 1, same + usize::from(a == b)));
    (count >= LEAST_PAIRS).then(|| same as f64 / count as f64)
}

/// The memory with which a choice by `weights` repeats itself so often; 0 where chance alone does it.
pub(super) fn memory_of_repeats(weights: &[f64], repeats: f64) -> f64 {
    let total: f64 = weights.iter().sum();
    let by_chance: f64 = weights.iter().map(|weight| (weight / total).powi(2)).sum();
    if weights.len() < 2 || repeats - by_chance < 0.02 * (1.0 - by_chance) {
        return 0.0;
    }
    let mut sum = 0.0;
    let ends = weights.iter().map(|weight| {
        sum += weight / total;
        normal_quantile(sum)
    });
    let ends: Vec<f64> = ends.collect();
    let values: Vec<f64> = (0..POINTS).map(|i| normal_quantile((i as f64 + 0.5) / POINTS as f64)).collect();
    let share = |memory: f64| {
        let spread = (1.0 - memory * memory).sqrt();
        let same = values.iter().map(|z| {
            let at = ends.partition_point(|end| end <= z);
            let below =
                |end: Option<&f64>, else_: f64| end.map_or(else_, |end| normal_share((end - memory * z) / spread));
            below(ends.get(at), 1.0) - at.checked_sub(1).map_or(0.0, |before| below(ends.get(before), 0.0))
        });
        same.sum::<f64>() / POINTS as f64
    };
    let (mut low, mut high) = (0.0, STRONGEST);
    for _ in 0..30 {
        let middle = (low + high) / 2.0;
        if share(middle) < repeats { low = middle } else { high = middle }
    }
    (low + high) / 2.0
}

/// The share of the standard normal distribution below `z`, to seven digits (Abramowitz and Stegun, 26.2.17).
fn normal_share(z: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * z.abs());
    let factors = [1.330_274_429, -1.821_255_978, 1.781_477_937, -0.356_563_782, 0.319_381_530];
    let sum = factors.iter().fold(0.0, |sum, factor| (sum + factor) * t);
    let tail = (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt() * sum;
    if z < 0.0 { tail } else { 1.0 - tail }
}

/// The value below which a share of the standard normal distribution lies, between -8 and 8.
fn normal_quantile(share: f64) -> f64 {
    let (mut low, mut high) = (-8.0, 8.0);
    for _ in 0..50 {
        let middle = (low + high) / 2.0;
        if normal_share(middle) < share { low = middle } else { high = middle }
    }
    (low + high) / 2.0
}

/// Kolmogorov and Smirnov's distance of two samples: the greatest difference of their shares below any value. None where one is
/// empty. Both are sorted.
pub(super) fn kolmogorov_smirnov(a: &[f64], b: &[f64]) -> Option<f64> {
    if a.is_empty() || b.is_empty() {
        return None;
    }
    let (mut at, mut bt, mut most) = (0, 0, 0.0f64);
    while let (Some(x), Some(y)) = (a.get(at), b.get(bt)) {
        let least = x.min(*y);
        at += a.iter().skip(at).take_while(|value| **value <= least).count();
        bt += b.iter().skip(bt).take_while(|value| **value <= least).count();
        most = most.max((at as f64 / a.len() as f64 - bt as f64 / b.len() as f64).abs());
    }
    Some(most)
}

/// The values that are not missing, in order.
pub(super) fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|x| !x.is_nan()).collect();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// The same values in an order in which none is where it was, nor beside its neighbours: by a stride near the golden section.
pub(super) fn mixed(values: &[f64]) -> impl Iterator<Item = f64> + '_ {
    let n = values.len();
    let divisor = |mut a: usize, mut b: usize| {
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    let stride = ((n as f64 * 0.618) as usize..=n + 1).find(|stride| divisor(*stride, n) == 1).unwrap_or(1);
    (0..n).filter_map(move |i| values.get((i * stride + n / 2) % n).copied())
}

/// The distance that two samples of one source have at most, but for one time in twenty; of rows that remember, as of fewer rows.
pub(super) fn by_chance(rows: usize, lag_1: f64) -> f64 {
    let independent = rows as f64 * (1.0 - lag_1) / (1.0 + lag_1);
    (1.36 * (2.0 / independent.max(1.0)).sqrt()).min(1.0)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn ranks_and_pairs() {
        assert_eq!(ranks(&[5.0, 1.0, 5.0])[..], [1.5, 0.0, 1.5]);
        let pairs = Pairs::new(&[3.0, 1.0, 2.0, 0.0], Some(&[0, 1, 0, 1]));
        assert_eq!(pairs.of(&['a', 'b', 'c', 'd']).collect::<Vec<_>>(), [('c', 'a'), ('d', 'b')]);
    }

    #[test]
    fn distances() {
        assert_eq!(kolmogorov_smirnov(&[1.0, 2.0], &[1.0, 2.0]), Some(0.0));
        assert_eq!(kolmogorov_smirnov(&[1.0, 2.0], &[3.0]), Some(1.0));
        assert_eq!(kolmogorov_smirnov(&[0.0, 0.0, 0.0, 1.0], &[0.0, 1.0]), Some(0.25));
        assert_eq!(kolmogorov_smirnov(&[], &[3.0]), None);
    }

    #[test]
    fn the_normal_distribution() {
        for (z, share) in [(0.0, 0.5), (1.0, 0.841_344_7), (-1.959_964, 0.025)] {
            assert!((normal_share(z) - share).abs() < 1e-6, "{z}");
            assert!((normal_quantile(share) - z).abs() < 1e-4, "{share}");
        }
    }

    #[test]
    fn repeats_tell_the_memory() {
        // Two halves: the same side with a probability of 1/2 + asin(memory) / pi.
        for memory in [0.3f64, 0.7, 0.95] {
            let repeats = 0.5 + memory.asin() / std::f64::consts::PI;
            let got = memory_of_repeats(&[1.0, 1.0], repeats);
            assert!((got - memory).abs() < 0.01, "{got} instead of {memory}");
        }
        assert_eq!(memory_of_repeats(&[1.0, 1.0], 0.505), 0.0);
        assert_eq!(memory_of_repeats(&[1.0], 1.0), 0.0);
        let places: Vec<u32> = (0..100).map(|i| i / 10).collect();
        let times: Vec<f64> = (0..100).map(f64::from).collect();
        assert!((repeats(&places, &Pairs::new(&times, None)).unwrap() - 90.0 / 99.0).abs() < 1e-12);
    }
}
