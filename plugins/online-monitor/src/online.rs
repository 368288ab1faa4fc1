//! The share of machines online over time, and its drop below what it was before. Knows nothing of tables.

use std::collections::BTreeMap;

use telemill_sdk::Timestamp;

use crate::config::Scope;

/// Machines online at each snapshot.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Online {
    counts: BTreeMap<Timestamp, f64>,
}

/// A snapshot beside those before it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judgement {
    /// When the snapshot was taken.
    pub at: Timestamp,
    /// Machines online.
    pub online: f64,
    /// Mean of the snapshots before.
    pub baseline: f64,
    /// How many these were.
    pub history: usize,
}

impl Judgement {
    /// How far the count lies below the baseline, as a share of the baseline; below 0 where it lies above.
    pub fn drop(&self) -> f64 {
        if self.baseline > 0.0 { (self.baseline - self.online) / self.baseline } else { 0.0 }
    }
}

impl Online {
    /// Adds machines to a snapshot.
    pub fn add(&mut self, at: Timestamp, machines: f64) {
        *self.counts.entry(at).or_insert(0.0) += machines;
    }

    /// Each snapshot with its count, the oldest first.
    pub fn snapshots(&self) -> impl ExactSizeIterator<Item = (Timestamp, f64)> {
        self.counts.iter().map(|(at, count)| (*at, *count))
    }

    /// The snapshots of a scope that have others before them, each beside at most `history` of these.
    pub fn judge(&self, scope: Scope, history: usize) -> Vec<Judgement> {
        let all: Vec<(Timestamp, f64)> = self.snapshots().collect();
        let first = match scope {
            Scope::Latest => all.len().saturating_sub(1),
            Scope::Every => 0,
        };
        let judged = all.iter().enumerate().skip(first.max(1));
        judged
            .map(|(place, &(at, online))| {
                let before = all.get(place.saturating_sub(history)..place).unwrap_or_default();
                let sum: f64 = before.iter().map(|(_, count)| count).sum();
                Judgement { at, online, baseline: sum / before.len().max(1) as f64, history: before.len() }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn online(counts: &[f64]) -> Online {
        let mut online = Online::default();
        // In two parts and backwards: rows come in any order.
        for (at, count) in counts.iter().enumerate().rev() {
            online.add(at as i64, count / 2.0);
            online.add(at as i64, count / 2.0);
        }
        online
    }

    #[test]
    fn the_latest_is_held_against_the_mean_of_those_before() {
        let judged = online(&[0.0, 100.0, 110.0, 90.0, 100.0, 80.0]).judge(Scope::Latest, 4);
        assert_eq!(judged, [Judgement { at: 5, online: 80.0, baseline: 100.0, history: 4 }]);
        assert!((judged.first().map_or(0.0, Judgement::drop) - 0.2).abs() < 1e-12);
    }

    #[test]
    fn short_histories_are_judged_with_what_there_is() {
        assert_eq!(online(&[]).judge(Scope::Latest, 4), []);
        assert_eq!(online(&[5.0]).judge(Scope::Every, 4), []);
        let two = online(&[10.0, 5.0]).judge(Scope::Latest, 4);
        assert_eq!(two, [Judgement { at: 1, online: 5.0, baseline: 10.0, history: 1 }]);
        let every = online(&[10.0, 5.0, 30.0]).judge(Scope::Every, 1);
        assert_eq!(every.iter().map(|judgement| judgement.baseline).collect::<Vec<_>>(), [10.0, 5.0]);
        // Nobody was online, so nothing can drop.
        assert_eq!(online(&[0.0, 0.0]).judge(Scope::Latest, 4).first().map(Judgement::drop), Some(0.0));
    }
}
