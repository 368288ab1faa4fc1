//! How a table is sampled: how far samples are apart, and whether disk and network are counters. What the configuration leaves open is
//! read off the rows.

use telemill_sdk::{Batch, DataType};

use crate::config::Config;
use crate::model::{MOVED, USER, numbers};

/// Steps from one sample to the next that are looked at.
const MOST_STEPS: usize = 100_000;
/// So many changes tell counters from amounts.
const LEAST_CHANGES: u64 = 100;
/// Amounts fall about as often as they rise. Counters do not fall, but for one that is spoilt: at most once in so many rises.
const RISES_A_FALL: u64 = 20;

/// How a table is sampled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Seconds between two samples of a user.
    pub interval_seconds: f64,
    /// Whether disk and network are counters.
    pub counters: bool,
}

/// What rows tell of it, user by user in the order of time.
#[derive(Clone, Debug)]
pub struct Probe {
    /// The column of times.
    time: String,
    last: Option<Last>,
    /// Seconds from one sample of a user to the next.
    steps: Vec<f64>,
    rises: u64,
    falls: u64,
}

/// The row before.
#[derive(Clone, Debug)]
struct Last {
    user: String,
    seconds: f64,
    moved: [f64; 4],
}

impl Sampling {
    /// What a configuration says; one sample a second and amounts where it says nothing.
    pub fn of(config: &Config) -> Self {
        Self { interval_seconds: config.interval_seconds.unwrap_or(1.0), counters: config.counters.unwrap_or(false) }
    }
}

impl Probe {
    /// A probe of a table with times in this column.
    pub fn new(time: &str) -> Self {
        Self { time: time.to_owned(), last: None, steps: Vec::new(), rises: 0, falls: 0 }
    }

    /// Looks at rows.
    pub fn observe(&mut self, batch: &Batch) {
        let is_instant = batch.declaration().and_then(|table| table.field(&self.time)).map(|field| field.data_type)
            == Some(DataType::Timestamp);
        let per_second = if is_instant { 1e6 } else { 1.0 };
        let (Some(times), Some(users)) = (numbers(batch, &self.time), batch.named(USER)) else { return };
        let values = MOVED.map(|name| numbers(batch, name).unwrap_or_default());
        for (row, time) in times.into_iter().enumerate() {
            if self.steps.len() >= MOST_STEPS {
                return;
            }
            let user = users.text(row).unwrap_or_default();
            let seconds = time / per_second;
            let moved = values.each_ref().map(|column| column.get(row).copied().unwrap_or(f64::NAN));
            match &mut self.last {
                Some(last) if last.user == user => {
                    if seconds > last.seconds {
                        self.steps.push(seconds - last.seconds);
                    }
                    for (now, before) in moved.iter().zip(&last.moved) {
                        self.rises += u64::from(now > before);
                        self.falls += u64::from(now < before);
                    }
                    (last.seconds, last.moved) = (seconds, moved);
                }
                last => *last = Some(Last { user: user.to_owned(), seconds, moved }),
            }
        }
    }

    /// How the table is sampled, and what of that was read off the rows.
    pub fn finish(mut self, config: &Config) -> (Sampling, String) {
        let mut sampling = Sampling::of(config);
        let mut assumed = Vec::new();
        if config.interval_seconds.is_none() {
            self.steps.sort_unstable_by(f64::total_cmp);
            let median = self.steps.get(self.steps.len() / 2);
            sampling.interval_seconds = median.copied().unwrap_or(sampling.interval_seconds);
            assumed.push(match median {
                Some(seconds) => format!("a sample every {seconds} s (median of {} steps)", self.steps.len()),
                None => format!("a sample every {} s, since no rows tell", sampling.interval_seconds),
            });
        }
        if config.counters.is_none() {
            let (rises, falls) = (self.rises, self.falls);
            sampling.counters = rises + falls >= LEAST_CHANGES && falls * RISES_A_FALL <= rises;
            let what = if sampling.counters { "counters" } else { "amounts of each sample" };
            assumed.push(format!("disk and network as {what} (they rise {rises} times and fall {falls} times)"));
        }
        (sampling, assumed.join(", "))
    }
}
