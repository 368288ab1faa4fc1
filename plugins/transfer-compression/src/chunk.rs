//! Transfers on their way to the table's columns: gathered in arrays as whole numbers, then worked out array by array.
//!
//! What a transfer finds is drawn row by row and in whole numbers; what follows from it by arithmetic is computed here, in passes that a
//! compiler turns into vectors. Knows the columns, and nothing of how figures are drawn.

use telemill_sdk::column::NULL_NUMBER;
use telemill_sdk::{F64Column, I64Column, Nullable, Stream};

use crate::metrics::CompressionMetrics;
use crate::outcome::{AMST, BASELINE, Compressed, HDE, Link, cpu_overhead_ms, throughput_mbps};
use crate::rounding::{rounded, whole};

/// Rows are gathered in arrays of this length and moved to the columns together; small enough for the first-level cache.
const CHUNK: usize = 128;
/// Bits below the point of factors.
pub const FACTOR: u32 = 20;
/// How far the policy's estimates are off, either way.
const ESTIMATE_OFF: f64 = 0.3;

/// Declares the arrays once.
macro_rules! drafts {
    ($($(#[doc = $doc:literal])+ $name:ident: $type:ty,)+) => {
        /// One transfer as it was drawn. Figures are whole numbers of the decimals that are shown.
        #[derive(Clone, Copy, Debug)]
        pub struct Draft {
            $($(#[doc = $doc])+ pub $name: $type,)+
        }

        /// Transfers as they were drawn.
        #[derive(Debug)]
        struct Drafts {
            $($name: [$type; CHUNK],)+
        }

        impl Default for Drafts {
            fn default() -> Self {
                Self { $($name: [<$type>::default(); CHUNK],)+ }
            }
        }

        impl Drafts {
            #[inline]
            fn set(&mut self, at: usize, draft: &Draft) {
                $(self.$name[at % CHUNK] = draft.$name;)+
            }
        }
    };
}

drafts! {
    /// When, in microseconds.
    timestamp: i64,
    /// Key of the incident's id.
    incident_id: u32,
    /// Key of what missing values are drawn by.
    lost: u64,
    /// Keys of what has a dictionary.
    region: u32,
    /// See `region`.
    az: u32,
    /// See `region`.
    link_type: u32,
    /// See `region`.
    node_id: u32,
    /// See `region`.
    peer_id: u32,
    /// See `region`.
    data_type: u32,
    /// Size of the data in bytes.
    bytes: i64,
    /// MB.
    memory: i64,
    /// Transfers under way.
    active: i64,
    /// Hundredths.
    entropy: i32,
    /// Tenths of a millisecond.
    rtt: i32,
    /// Tenths of a millisecond.
    jitter: i32,
    /// Tenths of a Mbit/s.
    bandwidth: i32,
    /// Thousandths.
    loss: i32,
    /// Hundredths.
    cpu: i32,
    /// How much longer starved processors take than they should.
    slowdown: f64,
    /// Tenths.
    hde_ratio: i32,
    /// Tenths of a percent.
    hde_hits: i32,
    /// 2^-20 milliseconds a megabyte.
    hde_speed: i32,
    /// 2^-20 milliseconds a megabyte.
    amst_speed: i32,
    /// 2^-20 milliseconds a megabyte.
    baseline_speed: i32,
    /// 2^-20.
    amst_ratio: i32,
    /// Tenths.
    baseline_ratio: i32,
    /// How many.
    amst_streams: i32,
    /// Tenths of a Mbit/s.
    amst_rate: i32,
    /// The algorithm that is selected and the one whose outcome is shown, where the policy has no say.
    forced: u32,
    /// See `forced`.
    shown: u32,
    /// How far the policy's estimates are off, 16 bits an algorithm.
    off: u64,
}

/// In the place of an algorithm: the policy decides.
pub const BY_POLICY: u32 = u32::MAX;

/// Declares the columns that are worked out once: whole numbers and fractions that may be missing.
macro_rules! figures {
    (wholes: $($whole:ident)+; reals: $($real:ident)+;) => {
        /// Columns of a chunk.
        #[derive(Debug)]
        struct Figures {
            current_compression: [u32; CHUNK],
            $($whole: [i64; CHUNK],)+
            $($real: [f64; CHUNK],)+
        }

        impl Default for Figures {
            fn default() -> Self {
                Self {
                    current_compression: [0; CHUNK],
                    $($whole: [0; CHUNK],)+
                    $($real: [0.0; CHUNK],)+
                }
            }
        }

        impl Figures {
            /// Loses each measured value of a row with a probability of `below` in 2^32.
            fn lose(&mut self, at: usize, below: u32, stream: &mut Stream) {
                let at = at % CHUNK;
                $(if (stream.next() as u32) < below { self.$whole[at] = NULL_NUMBER; })+
                $(if (stream.next() as u32) < below { self.$real[at] = f64::NAN; })+
            }

            fn push(&self, rows: usize, missing: bool, to: &mut CompressionMetrics) {
                to.current_compression.push_keys(&self.current_compression[..rows]);
                $(push_wholes(&mut to.$whole, &self.$whole[..rows], missing);)+
                $(push_reals(&mut to.$real, &self.$real[..rows], missing);)+
            }
        }
    };
}

figures! {
    wholes: memory_available_mb active_transfers hde_compressed_size_bytes amst_streams amst_compressed_size_bytes
        baseline_compressed_size_bytes;
    reals: entropy compressibility_score rtt_ms jitter_ms available_bandwidth_mbps packet_loss_rate cpu_usage
        hde_compression_ratio hde_delta_hit_rate hde_compression_time_ms hde_throughput_mbps amst_transfer_rate_mbps
        amst_compression_time_ms baseline_compression_ratio baseline_compression_time_ms actual_transfer_time_ms
        actual_throughput_mbps total_cpu_overhead_ms;
}

fn push_wholes(to: &mut Nullable<I64Column>, values: &[i64], missing: bool) {
    if missing { to.push_numbers(values) } else { to.push_present(values) }
}

fn push_reals(to: &mut Nullable<F64Column>, values: &[f64], missing: bool) {
    if missing { to.push_numbers(values) } else { to.push_present(values) }
}

/// What becomes of the transfers of a run.
#[derive(Clone, Copy, Debug)]
pub struct Fate {
    /// What a millisecond of a wholly busy processor costs the policy, in milliseconds.
    pub cpu_weight: f64,
    /// Only the figures of the selected algorithm and the baseline are shown.
    pub selected_alone: bool,
    /// Each measured value is missing with this probability, in 2^32.
    pub missing_below: u32,
}

/// Numbers between two passes.
#[derive(Debug)]
struct Between {
    bytes: [f64; CHUNK],
    hde_bytes: [f64; CHUNK],
    amst_bytes: [f64; CHUNK],
    baseline_bytes: [f64; CHUNK],
    single: [f64; CHUNK],
    /// What each algorithm would take.
    times: [[f64; CHUNK]; 3],
    /// What the selected one takes to compress.
    own_ms: [f64; CHUNK],
}

/// A chunk of transfers.
#[derive(Debug)]
pub struct Chunk {
    fate: Fate,
    rows: usize,
    drafts: Drafts,
    figures: Figures,
    between: Between,
}

impl Chunk {
    /// An empty chunk.
    pub fn new(fate: Fate) -> Self {
        let zeros = [0.0; CHUNK];
        let between = Between {
            bytes: zeros,
            hde_bytes: zeros,
            amst_bytes: zeros,
            baseline_bytes: zeros,
            single: zeros,
            times: [zeros; 3],
            own_ms: zeros,
        };
        Self { fate, rows: 0, drafts: Drafts::default(), figures: Figures::default(), between }
    }

    /// Adds a transfer; a full chunk is moved to the columns first.
    #[inline]
    pub fn push(&mut self, draft: &Draft, to: &mut CompressionMetrics) {
        if self.rows >= CHUNK {
            self.flush(to);
        }
        self.drafts.set(self.rows, draft);
        self.rows += 1;
    }

    /// Works the transfers out and moves them to the columns.
    pub fn flush(&mut self, to: &mut CompressionMetrics) {
        let rows = self.rows.min(CHUNK);
        self.show();
        self.compress();
        self.transfer();
        self.select(rows);
        self.conclude();
        let Fate { selected_alone, missing_below, .. } = self.fate;
        if selected_alone {
            self.leave_out(rows);
        }
        if missing_below > 0 {
            for at in 0..rows {
                self.figures.lose(at, missing_below, &mut Stream::of(self.drafts.lost[at], crate::model::LOST, 0, 0));
            }
        }
        let drafts = &self.drafts;
        to.timestamp.push_slice(&drafts.timestamp[..rows]);
        to.data_size_bytes.push_slice(&drafts.bytes[..rows]);
        to.incident_id.push_keys(&drafts.incident_id[..rows]);
        to.region.push_keys(&drafts.region[..rows]);
        to.az.push_keys(&drafts.az[..rows]);
        to.link_type.push_keys(&drafts.link_type[..rows]);
        to.node_id.push_keys(&drafts.node_id[..rows]);
        to.peer_id.push_keys(&drafts.peer_id[..rows]);
        to.data_type.push_keys(&drafts.data_type[..rows]);
        self.figures.push(rows, selected_alone || missing_below > 0, to);
        self.rows = 0;
    }

    /// Figures that are shown as they were drawn. As the passes that follow it goes through whole arrays, since a length that is known
    /// makes a faster loop than one that stops earlier.
    fn show(&mut self) {
        let (from, to) = (&self.drafts, &mut self.figures);
        to.memory_available_mb = from.memory;
        to.active_transfers = from.active;
        for n in 0..CHUNK {
            to.amst_streams[n] = i64::from(from.amst_streams[n]);
            to.compressibility_score[n] = f64::from(100 - from.entropy[n]) / 100.0;
            self.between.bytes[n] = from.bytes[n] as f64;
        }
        for (to, from, per) in [
            (&mut to.entropy, &from.entropy, 100.0),
            (&mut to.rtt_ms, &from.rtt, 10.0),
            (&mut to.jitter_ms, &from.jitter, 10.0),
            (&mut to.available_bandwidth_mbps, &from.bandwidth, 10.0),
            (&mut to.packet_loss_rate, &from.loss, 1_000.0),
            (&mut to.cpu_usage, &from.cpu, 100.0),
            (&mut to.hde_compression_ratio, &from.hde_ratio, 10.0),
            (&mut to.hde_delta_hit_rate, &from.hde_hits, 10.0),
            (&mut to.baseline_compression_ratio, &from.baseline_ratio, 10.0),
            (&mut to.amst_transfer_rate_mbps, &from.amst_rate, 10.0),
        ] {
            for n in 0..CHUNK {
                to[n] = f64::from(from[n]) / per;
            }
        }
    }

    /// How long each algorithm takes, and how small it makes the data.
    fn compress(&mut self) {
        const PER_BYTE: f64 = 1e-6 / (1u64 << FACTOR) as f64;
        let (from, to, between) = (&self.drafts, &mut self.figures, &mut self.between);
        for (to, speed) in [
            (&mut to.hde_compression_time_ms, &from.hde_speed),
            (&mut to.amst_compression_time_ms, &from.amst_speed),
            (&mut to.baseline_compression_time_ms, &from.baseline_speed),
        ] {
            for n in 0..CHUNK {
                to[n] = rounded(between.bytes[n] * from.slowdown[n] * (f64::from(speed[n]) * PER_BYTE), 10.0);
            }
        }
        for n in 0..CHUNK {
            between.hde_bytes[n] = (between.bytes[n] / to.hde_compression_ratio[n]).floor();
            between.baseline_bytes[n] = (between.bytes[n] / to.baseline_compression_ratio[n]).floor();
            let ratio = f64::from(from.amst_ratio[n]) * (1.0 / (1u64 << FACTOR) as f64);
            between.amst_bytes[n] = (between.bytes[n] / ratio).floor();
        }
        for (to, bytes) in [
            (&mut to.hde_compressed_size_bytes, &between.hde_bytes),
            (&mut to.amst_compressed_size_bytes, &between.amst_bytes),
            (&mut to.baseline_compressed_size_bytes, &between.baseline_bytes),
        ] {
            for n in 0..CHUNK {
                to[n] = whole(bytes[n]);
            }
        }
    }

    /// What would come of each algorithm.
    fn transfer(&mut self) {
        let (from, figures, between) = (&self.drafts, &mut self.figures, &mut self.between);
        let [hde, amst, baseline] = &mut between.times;
        for n in 0..CHUNK {
            let link = Link {
                rtt_ms: figures.rtt_ms[n],
                bandwidth_mbps: figures.available_bandwidth_mbps[n],
                loss: figures.packet_loss_rate[n],
            };
            let single = link.single_stream_mbps();
            let many = link.streams_mbps(figures.amst_transfer_rate_mbps[n], f64::from(from.amst_streams[n]));
            between.single[n] = single;
            let made = |time_ms: f64, bytes: f64| Compressed { time_ms, bytes };
            hde[n] = link.transfer_ms(HDE, made(figures.hde_compression_time_ms[n], between.hde_bytes[n]), single);
            amst[n] = link.transfer_ms(AMST, made(figures.amst_compression_time_ms[n], between.amst_bytes[n]), many);
            let last = made(figures.baseline_compression_time_ms[n], between.baseline_bytes[n]);
            baseline[n] = link.transfer_ms(BASELINE, last, single);
        }
    }

    /// The algorithm that seems to cost least in time and processor, where none is forced.
    fn select(&mut self, rows: usize) {
        let (from, figures, between) = (&self.drafts, &mut self.figures, &mut self.between);
        for n in 0..rows.min(CHUNK) {
            let own = [
                figures.hde_compression_time_ms[n],
                figures.amst_compression_time_ms[n],
                figures.baseline_compression_time_ms[n],
            ];
            let times = between.times.each_ref().map(|times| times[n]);
            let (mut selected, mut shown) = (from.forced[n], from.shown[n]);
            if selected == BY_POLICY {
                let weight = self.fate.cpu_weight * figures.cpu_usage[n];
                let estimate = |algorithm: usize| {
                    let off = f64::from((from.off[n] >> (16 * algorithm)) as u16);
                    (times[algorithm] + weight * own[algorithm])
                        * (1.0 - ESTIMATE_OFF + 2.0 * ESTIMATE_OFF / 65_536.0 * off)
                };
                let [hde, amst, baseline] = [estimate(HDE), estimate(AMST), estimate(BASELINE)];
                selected = if hde <= amst && hde <= baseline {
                    HDE as u32
                } else if amst <= baseline {
                    AMST as u32
                } else {
                    BASELINE as u32
                };
                shown = selected;
            }
            let of = shown as usize % 3;
            figures.current_compression[n] = selected;
            figures.actual_transfer_time_ms[n] = times[of];
            between.own_ms[n] = cpu_overhead_ms(
                of,
                Compressed { time_ms: own[of], bytes: 0.0 },
                Compressed { time_ms: own[BASELINE], bytes: 0.0 },
            );
        }
    }

    /// What came of the transfers.
    fn conclude(&mut self) {
        let (to, between) = (&mut self.figures, &self.between);
        for n in 0..CHUNK {
            to.hde_throughput_mbps[n] = rounded(between.single[n], 10.0);
            to.actual_transfer_time_ms[n] = rounded(to.actual_transfer_time_ms[n], 10.0);
            to.total_cpu_overhead_ms[n] = rounded(between.own_ms[n], 10.0);
        }
        for n in 0..CHUNK {
            to.actual_throughput_mbps[n] =
                rounded(throughput_mbps(between.bytes[n], to.actual_transfer_time_ms[n]), 10.0);
        }
    }

    /// Leaves out what algorithms did that were not selected, but for the baseline, which always runs.
    fn leave_out(&mut self, rows: usize) {
        let figures = &mut self.figures;
        for n in 0..rows.min(CHUNK) {
            if figures.current_compression[n] != HDE as u32 {
                figures.hde_compression_ratio[n] = f64::NAN;
                figures.hde_delta_hit_rate[n] = f64::NAN;
                figures.hde_compression_time_ms[n] = f64::NAN;
                figures.hde_throughput_mbps[n] = f64::NAN;
                figures.hde_compressed_size_bytes[n] = NULL_NUMBER;
            }
            if figures.current_compression[n] != AMST as u32 {
                figures.amst_streams[n] = NULL_NUMBER;
                figures.amst_transfer_rate_mbps[n] = f64::NAN;
                figures.amst_compression_time_ms[n] = f64::NAN;
                figures.amst_compressed_size_bytes[n] = NULL_NUMBER;
            }
        }
    }
}
