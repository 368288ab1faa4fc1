//! The table `compression_metrics`.

use telemill_sdk::{DictionaryColumn, F64Column, I64Column, Nullable, TimestampColumn, table};

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
    // What is sent, and how well it can be compressed, is the data's own matter.
    moved_by: {
        "": [
            timestamp, region, az, link_type, node_id, peer_id, data_size_bytes, data_type, entropy, compressibility_score,
            memory_available_mb, active_transfers, hde_compression_ratio, hde_delta_hit_rate, hde_compressed_size_bytes,
            amst_streams, amst_compressed_size_bytes, baseline_compression_ratio, baseline_compressed_size_bytes,
        ],
        "latency": [rtt_ms, jitter_ms],
        "packet_loss": [packet_loss_rate],
        "bandwidth": [available_bandwidth_mbps, amst_transfer_rate_mbps],
        "cpu": [cpu_usage, hde_compression_time_ms, amst_compression_time_ms, baseline_compression_time_ms],
        "latency, packet_loss, bandwidth": [hde_throughput_mbps],
    },
}
