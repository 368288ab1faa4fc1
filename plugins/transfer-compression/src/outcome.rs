//! How long a transfer takes with an algorithm, and what it costs: arithmetic on what a row says, and on nothing else.
//!
//! The recipe `oracle` does the same in SQL, and the README states it.

/// Values of the column `current_compression`.
pub const ALGORITHMS: [&str; 3] = ["hde", "amst", "baseline"];
/// Positions of the algorithms.
pub const HDE: usize = 0;
/// See [`HDE`].
pub const AMST: usize = 1;
/// See [`HDE`].
pub const BASELINE: usize = 2;

/// What a lost packet costs a stream: in itself, and for each millisecond of the round trip, which is how long it needs to fill the
/// link again.
const LOSS_COST: f64 = 10.0;
const LOSS_COST_PER_MS: f64 = 50.0;
/// Round trips before data flows: a base version is agreed upon, streams are joined, or a connection is opened.
const ROUND_TRIPS: [f64; 3] = [2.0, 2.0, 1.0];
/// Bits of a byte, of a megabit, in a millisecond: bytes times this over Mbit/s are milliseconds.
const MEGABIT_MS: f64 = 0.008;

/// What a link does to a transfer.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    /// Round trip in milliseconds.
    pub rtt_ms: f64,
    /// Mbit/s that are free.
    pub bandwidth_mbps: f64,
    /// Share of packets that get lost, 0 to 1.
    pub loss: f64,
}

/// What an algorithm made of the data.
#[derive(Clone, Copy, Debug, Default)]
pub struct Compressed {
    /// How long it took, in milliseconds.
    pub time_ms: f64,
    /// How large it is.
    pub bytes: f64,
}

impl Link {
    /// What one stream gets of the link, in Mbit/s. HDE and the baseline send over one.
    #[inline]
    pub fn single_stream_mbps(&self) -> f64 {
        self.bandwidth_mbps / (1.0 + self.cost_of_loss())
    }

    /// What AMST gets at its transfer rate: a loss stops one of its streams only.
    #[inline]
    pub fn streams_mbps(&self, rate_mbps: f64, streams: f64) -> f64 {
        rate_mbps / (1.0 + self.cost_of_loss() / streams)
    }

    #[inline]
    fn cost_of_loss(&self) -> f64 {
        self.loss * (LOSS_COST + LOSS_COST_PER_MS * self.rtt_ms)
    }

    /// Milliseconds from the decision to the last byte with one of the [`ALGORITHMS`], which gets `mbps` of the link.
    #[inline]
    pub fn transfer_ms(&self, algorithm: usize, data: Compressed, mbps: f64) -> f64 {
        data.time_ms + data.bytes * MEGABIT_MS / mbps + ROUND_TRIPS[algorithm] * self.rtt_ms
    }
}

/// Mbit/s of the original data over the whole transfer.
#[inline]
pub fn throughput_mbps(bytes: f64, transfer_ms: f64) -> f64 {
    let ms = if transfer_ms > 0.1 { transfer_ms } else { 0.1 };
    bytes * MEGABIT_MS / ms
}

/// Milliseconds of processor time: the baseline always runs beside the selected one. The example row has 12.3 + 5.8 = 18.1.
#[inline]
pub fn cpu_overhead_ms(algorithm: usize, selected: Compressed, baseline: Compressed) -> f64 {
    if algorithm == BASELINE { baseline.time_ms } else { selected.time_ms + baseline.time_ms }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The link and the figures of the document's example row.
    const LINK: Link = Link { rtt_ms: 8.5, bandwidth_mbps: 450.0, loss: 0.001 };
    const BY_HDE: Compressed = Compressed { time_ms: 12.3, bytes: 344_064.0 };
    const BY_BASELINE: Compressed = Compressed { time_ms: 5.8, bytes: 1_638_400.0 };

    #[test]
    fn the_example_rows_overhead_is_the_sum_of_two() {
        assert!((cpu_overhead_ms(HDE, BY_HDE, BY_BASELINE) - 18.1).abs() < 1e-9);
        assert_eq!(cpu_overhead_ms(BASELINE, BY_BASELINE, BY_BASELINE), 5.8);
    }

    #[test]
    fn loss_slows_one_stream_more_than_many_and_far_links_more_than_near_ones() {
        let single = LINK.single_stream_mbps();
        assert!((single - 450.0 / 1.435).abs() < 1e-9, "{single}");
        assert!(
            LINK.streams_mbps(450.0, 8.0) > LINK.streams_mbps(450.0, 2.0) && LINK.streams_mbps(450.0, 2.0) > single
        );
        let far = Link { rtt_ms: 80.0, ..LINK };
        assert!(far.single_stream_mbps() < 0.3 * single);
        let clean = Link { loss: 0.0, ..LINK };
        assert_eq!(clean.single_stream_mbps(), 450.0);
        assert!((clean.transfer_ms(HDE, BY_HDE, 450.0) - (12.3 + 344_064.0 * 8.0 / 450_000.0 + 17.0)).abs() < 1e-9);
    }
}
