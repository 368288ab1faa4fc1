//! The table `compression_metrics`, and rows on their way to its columns.

use telemill_sdk::column::{NULL_KEY, NULL_NUMBER};
use telemill_sdk::{DictionaryColumn, F64Column, I64Column, Nullable, Stream, TimestampColumn, table};

table! {
    /// Every transfer between two nodes: its link, its data, what each algorithm made of it, which one was selected, what came of it.
    #[derive(Debug)]
    pub struct CompressionMetrics("compression_metrics") {
        /// When the transfer was asked for, to the second.
        timestamp: TimestampColumn,
        /// Region of the node that sends.
        region: DictionaryColumn,
        /// Its availability zone.
        az: DictionaryColumn,
        /// dc (within a zone), metro (within a region) or wan.
        link_type: DictionaryColumn,
        /// The node that sends.
        node_id: DictionaryColumn,
        /// The node that receives.
        peer_id: DictionaryColumn,
        /// Size of the data.
        data_size_bytes: I64Column => "By",
        /// vm_memory, vm_disk or database.
        data_type: DictionaryColumn,
        /// Entropy of the data, 0 to 1.
        entropy: Nullable<F64Column>,
        /// 1 - entropy.
        compressibility_score: Nullable<F64Column>,
        /// Round trip of the link.
        rtt_ms: Nullable<F64Column> => "ms",
        /// How much the round trip varies.
        jitter_ms: Nullable<F64Column> => "ms",
        /// What the link has to give.
        available_bandwidth_mbps: Nullable<F64Column> => "Mbit/s",
        /// Share of packets that get lost.
        packet_loss_rate: Nullable<F64Column>,
        /// Busy share of the node's processors.
        cpu_usage: Nullable<F64Column>,
        /// Free memory of the node.
        memory_available_mb: Nullable<I64Column> => "MBy",
        /// Transfers of the node that are under way.
        active_transfers: Nullable<I64Column>,
        /// HDE: size before over size after.
        hde_compression_ratio: Nullable<F64Column>,
        /// HDE: share of blocks found in the base version.
        hde_delta_hit_rate: Nullable<F64Column> => "%",
        /// HDE: how long compression took.
        hde_compression_time_ms: Nullable<F64Column> => "ms",
        /// HDE: size after.
        hde_compressed_size_bytes: Nullable<I64Column> => "By",
        /// HDE: what its one stream gets of the link.
        hde_throughput_mbps: Nullable<F64Column> => "Mbit/s",
        /// AMST: how many streams it opens.
        amst_streams: Nullable<I64Column>,
        /// AMST: rate of its streams together, without loss.
        amst_transfer_rate_mbps: Nullable<F64Column> => "Mbit/s",
        /// AMST: how long compression took.
        amst_compression_time_ms: Nullable<F64Column> => "ms",
        /// AMST: size after.
        amst_compressed_size_bytes: Nullable<I64Column> => "By",
        /// Baseline: size before over size after.
        baseline_compression_ratio: Nullable<F64Column>,
        /// Baseline: how long compression took.
        baseline_compression_time_ms: Nullable<F64Column> => "ms",
        /// Baseline: size after.
        baseline_compressed_size_bytes: Nullable<I64Column> => "By",
        /// The selected algorithm: hde, amst or baseline.
        current_compression: DictionaryColumn,
        /// From the selection to the last byte.
        actual_transfer_time_ms: Nullable<F64Column> => "ms",
        /// Size of the data over that time.
        actual_throughput_mbps: Nullable<F64Column> => "Mbit/s",
        /// Processor time of the selected algorithm and the baseline.
        total_cpu_overhead_ms: Nullable<F64Column> => "ms",
        /// The incident that changed the transfer's circumstances most.
        incident_id: Nullable<DictionaryColumn>,
    }
    time_field: "timestamp",
    primary_key: [],
}

/// Rows are gathered in arrays of this length and moved to the columns together; small enough for the first-level cache.
const CHUNK: usize = 128;

/// Declares the arrays once: keys, whole numbers and fractions, the latter two with what stands for none.
macro_rules! chunk {
    (keys: $($key:ident)+; wholes: $($whole:ident)+; reals: $($real:ident)+;) => {
        /// Rows on their way to the columns. A fraction that is no number is a null.
        #[derive(Debug)]
        pub struct Chunk {
            rows: usize,
            timestamp: [i64; CHUNK],
            data_size_bytes: [i64; CHUNK],
            incident_id: [u32; CHUNK],
            $($key: [u32; CHUNK],)+
            $($whole: [i64; CHUNK],)+
            $($real: [f64; CHUNK],)+
        }

        impl Default for Chunk {
            fn default() -> Self {
                Self {
                    rows: 0,
                    timestamp: [0; CHUNK],
                    data_size_bytes: [0; CHUNK],
                    incident_id: [NULL_KEY; CHUNK],
                    $($key: [0; CHUNK],)+
                    $($whole: [0; CHUNK],)+
                    $($real: [0.0; CHUNK],)+
                }
            }
        }

        /// One row: keys into the dictionaries, and figures rounded as they are shown.
        #[derive(Clone, Copy, Debug)]
        #[expect(missing_docs, reason = "the table documents its columns")]
        pub struct Row {
            pub timestamp: i64,
            pub data_size_bytes: i64,
            pub incident_id: u32,
            $(pub $key: u32,)+
            $(pub $whole: i64,)+
            $(pub $real: f64,)+
        }

        impl Row {
            /// Loses each measured value with a probability of `below` in 2^32.
            #[cold]
            pub fn lose(&mut self, below: u32, stream: &mut Stream) {
                $(if (stream.next() as u32) < below { self.$whole = NULL_NUMBER; })+
                $(if (stream.next() as u32) < below { self.$real = f64::NAN; })+
            }
        }

        impl Chunk {
            /// Adds a row; a full chunk is moved to the columns first.
            #[inline]
            pub fn push(&mut self, row: &Row, to: &mut CompressionMetrics) {
                if self.rows >= CHUNK {
                    self.flush(to);
                }
                let n = self.rows % CHUNK;
                self.rows += 1;
                self.timestamp[n] = row.timestamp;
                self.data_size_bytes[n] = row.data_size_bytes;
                self.incident_id[n] = row.incident_id;
                $(self.$key[n] = row.$key;)+
                $(self.$whole[n] = row.$whole;)+
                $(self.$real[n] = row.$real;)+
            }

            /// Moves the rows to the columns.
            pub fn flush(&mut self, to: &mut CompressionMetrics) {
                let n = self.rows.min(CHUNK);
                to.timestamp.push_slice(&self.timestamp[..n]);
                to.data_size_bytes.push_slice(&self.data_size_bytes[..n]);
                to.incident_id.push_keys(&self.incident_id[..n]);
                $(to.$key.push_keys(&self.$key[..n]);)+
                $(to.$whole.push_numbers(&self.$whole[..n]);)+
                $(to.$real.push_numbers(&self.$real[..n]);)+
                self.rows = 0;
            }
        }
    };
}

chunk! {
    keys: region az link_type node_id peer_id data_type current_compression;
    wholes: memory_available_mb active_transfers hde_compressed_size_bytes amst_streams amst_compressed_size_bytes
        baseline_compressed_size_bytes;
    reals: entropy compressibility_score rtt_ms jitter_ms available_bandwidth_mbps packet_loss_rate cpu_usage
        hde_compression_ratio hde_delta_hit_rate hde_compression_time_ms hde_throughput_mbps amst_transfer_rate_mbps
        amst_compression_time_ms baseline_compression_ratio baseline_compression_time_ms actual_transfer_time_ms
        actual_throughput_mbps total_cpu_overhead_ms;
}

impl Row {
    /// Leaves out what HDE did.
    pub fn without_hde(&mut self) {
        self.hde_compression_ratio = f64::NAN;
        self.hde_delta_hit_rate = f64::NAN;
        self.hde_compression_time_ms = f64::NAN;
        self.hde_throughput_mbps = f64::NAN;
        self.hde_compressed_size_bytes = NULL_NUMBER;
    }

    /// Leaves out what AMST did.
    pub fn without_amst(&mut self) {
        self.amst_streams = NULL_NUMBER;
        self.amst_transfer_rate_mbps = f64::NAN;
        self.amst_compression_time_ms = f64::NAN;
        self.amst_compressed_size_bytes = NULL_NUMBER;
    }
}
