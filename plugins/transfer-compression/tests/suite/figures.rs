//! The document's figures, on fixed seeds: distributions, decimals, rates, what must depend on what, and what must not.

use telemill_sdk::Window;
use telemill_sdk::native::Run;
use telemill_sdk::time::{DAY, HOUR};
use transfer_compression::outcome::{AMST, BASELINE, Compressed, HDE, Link, cpu_overhead_ms, throughput_mbps};

use crate::frame::{Frame, MONDAY};

const LINK_TYPES: [&str; 3] = ["dc", "metro", "wan"];

fn made(selection: &str) -> Frame {
    let config = format!(r#"{{"selection": "{selection}", "transfers_per_hour": 500}}"#);
    Frame::of(&Run::new(config, Window::new(MONDAY, MONDAY + 10 * DAY)).seed(17).windows(6 * HOUR))
}

fn close(what: &str, got: f64, want: f64, tolerance: f64) {
    assert!((got / want - 1.0).abs() < tolerance, "{what}: {got} instead of {want}");
}

#[test]
fn each_column_follows_its_law_under_both_ways_of_selecting() {
    for selection in ["policy", "random"] {
        let frame = made(selection);
        for (key, share) in [0.4, 0.3, 0.3].into_iter().enumerate() {
            close(LINK_TYPES[key], frame.share("link_type", key as f64), share, 0.02);
            close("data type", frame.share("data_type", key as f64), 1.0 / 3.0, 0.02);
            close("region", frame.share("region", key as f64), 1.0 / 3.0, 0.02);
            close("streams", frame.share("amst_streams", (2 << key) as f64), 1.0 / 3.0, 0.02);
            close("zone", frame.share("az", key as f64), 1.0 / 9.0, 0.04);
        }
        // Gamma of the document's shapes and scales; uniform bandwidth.
        for (key, (mean, variance), (least, most)) in [
            (0, (0.6, 0.18), (1_000.0, 10_000.0)),
            (1, (7.5, 18.75), (100.0, 1_000.0)),
            (2, (40.0, 320.0), (10.0, 200.0)),
        ] {
            let links = frame.only("link_type", |link_type| link_type == f64::from(key));
            close("round trip", links.mean("rtt_ms"), mean, 0.03);
            close("its variance", links.variance("rtt_ms"), variance, 0.08);
            close("bandwidth", links.mean("available_bandwidth_mbps"), f64::midpoint(least, most), 0.03);
            close("its quartile", links.quantile("available_bandwidth_mbps", 0.25), least + (most - least) / 4.0, 0.07);
            assert!(links["available_bandwidth_mbps"].iter().all(|mbps| (least..=most).contains(mbps)));
        }
        // Three decimals make 0.00096 of the mean of an exponential law of 0.001.
        close("loss", frame.mean("packet_loss_rate"), 0.000_96, 0.04);
        close("no loss", frame.share("packet_loss_rate", 0.0), 0.393, 0.03);
        close("median size", frame.quantile("data_size_bytes", 0.5).ln(), 15.0, 0.003);
        close("large size", frame.quantile("data_size_bytes", 0.977_25).ln(), 19.0, 0.005);
        close("small size", frame.quantile("data_size_bytes", 0.022_75).ln(), 11.0, 0.01);
        close("entropy", frame.mean("entropy"), 0.6, 0.01);
        close("its variance", frame.variance("entropy"), 0.04, 0.03);
        close("processors", frame.mean("cpu_usage"), 2.0 / 7.0, 0.02);
        close("their variance", frame.variance("cpu_usage"), 10.0 / 392.0, 0.04);
        close("memory", frame.mean("memory_available_mb"), 9_216.0, 0.02);
        close("transfers under way", frame.mean("active_transfers"), 3.0, 0.02);
        close("their variance", frame.variance("active_transfers"), 3.0, 0.04);
        close("baseline's ratio", frame.mean("baseline_compression_ratio"), 5.0, 0.01);
        // 1 + c x U(5, 40) and c x U(60, 95), where c has the mean 0.4.
        close("HDE's ratio", frame.mean("hde_compression_ratio"), 10.0, 0.02);
        close("HDE's hits", frame.mean("hde_delta_hit_rate"), 31.0, 0.02);
        for (column, low, high) in [("hde", 10.0, 30.0), ("amst", 5.0, 15.0), ("baseline", 3.0, 10.0)]
            .map(|(name, low, high)| (format!("{name}_compression_time_ms"), low, high))
        {
            let large = frame.only("data_size_bytes", |bytes| bytes > 1e6);
            let per_megabyte: Vec<f64> = large[column.as_str()]
                .iter()
                .zip(&large["data_size_bytes"])
                .map(|(ms, bytes)| ms / (bytes / 1e6))
                .collect();
            assert!(per_megabyte.iter().all(|ms| (low - 0.06..=high + 0.06).contains(ms)), "{column}");
            let mean = per_megabyte.iter().sum::<f64>() / per_megabyte.len() as f64;
            close(&column, mean, f64::midpoint(low, high), 0.02);
        }
    }
}

#[test]
fn numbers_have_the_decimals_of_the_example_row_and_agree_with_each_other() {
    let frame = made("policy");
    for (column, per) in [
        ("entropy", 100.0),
        ("compressibility_score", 100.0),
        ("rtt_ms", 10.0),
        ("jitter_ms", 10.0),
        ("available_bandwidth_mbps", 10.0),
        ("packet_loss_rate", 1_000.0),
        ("cpu_usage", 100.0),
        ("hde_compression_ratio", 10.0),
        ("hde_delta_hit_rate", 10.0),
        ("hde_compression_time_ms", 10.0),
        ("hde_throughput_mbps", 10.0),
        ("amst_transfer_rate_mbps", 10.0),
        ("amst_compression_time_ms", 10.0),
        ("baseline_compression_ratio", 10.0),
        ("baseline_compression_time_ms", 10.0),
        ("actual_transfer_time_ms", 10.0),
        ("actual_throughput_mbps", 10.0),
        ("total_cpu_overhead_ms", 10.0),
    ] {
        // The shortest text of a quotient of whole numbers has no more decimals than its divisor has zeros.
        assert!(frame[column].iter().all(|value| (value * per).round() / per == *value), "{column}");
    }
    for row in 0..frame.rows() {
        let at = |column: &str| frame[column][row];
        let whole = at("entropy") + at("compressibility_score");
        assert!((whole - 1.0).abs() < 1e-9);
        assert_eq!((at("data_size_bytes") / at("hde_compression_ratio")).floor(), at("hde_compressed_size_bytes"));
        let link =
            Link { rtt_ms: at("rtt_ms"), bandwidth_mbps: at("available_bandwidth_mbps"), loss: at("packet_loss_rate") };
        let made = ["hde", "amst", "baseline"].map(|name| Compressed {
            time_ms: at(&format!("{name}_compression_time_ms")),
            bytes: at(&format!("{name}_compressed_size_bytes")),
        });
        let single = link.single_stream_mbps();
        let rate = link.streams_mbps(at("amst_transfer_rate_mbps"), at("amst_streams"));
        let selected = at("current_compression") as usize;
        let mbps = [(HDE, single), (AMST, rate), (BASELINE, single)][selected].1;
        let time = at("actual_transfer_time_ms");
        assert!((link.transfer_ms(selected, made[selected], mbps) - time).abs() < 0.050_001, "row {row}");
        assert!((throughput_mbps(at("data_size_bytes"), time) - at("actual_throughput_mbps")).abs() < 0.050_001);
        assert!((single - at("hde_throughput_mbps")).abs() < 0.050_001);
        let overhead = cpu_overhead_ms(selected, made[selected], made[BASELINE]);
        assert!((overhead - at("total_cpu_overhead_ms")).abs() < 0.050_001);
    }
}

#[test]
fn under_a_policy_what_belongs_together_moves_together() {
    let frame = made("policy");
    let tied = |a: &str, b: &str, low: f64, high: f64| {
        let is = frame.correlation(a, b);
        assert!((low..high).contains(&is), "{a} and {b}: {is}");
    };
    tied("cpu_usage", "active_transfers", 0.25, 0.6);
    tied("packet_loss_rate", "active_transfers", 0.2, 0.6);
    tied("packet_loss_rate", "hde_throughput_mbps", -0.5, -0.1);
    tied("memory_available_mb", "active_transfers", -0.5, -0.1);
    // And what does not belong together does not.
    for (a, b) in [
        ("entropy", "rtt_ms"),
        ("data_size_bytes", "link_type"),
        ("data_size_bytes", "active_transfers"),
        ("entropy", "cpu_usage"),
        ("node_id", "data_type"),
        ("link_type", "region"),
    ] {
        tied(a, b, -0.015, 0.015);
    }
    for (key, throughput, latency) in [(0, -0.2, 0.1), (1, -0.2, 0.1), (2, -0.3, 0.1)] {
        let links = frame.only("link_type", |link_type| link_type == f64::from(key));
        let is = links.correlation("packet_loss_rate", "actual_throughput_mbps");
        assert!(is < throughput, "loss and throughput on {}: {is}", LINK_TYPES[key as usize]);
        let is = links.correlation("packet_loss_rate", "rtt_ms");
        assert!(is > latency, "loss and round trips on {}: {is}", LINK_TYPES[key as usize]);
    }
    // HDE likes memory, AMST disks, the baseline databases.
    for (column, kind) in
        [("hde_compression_ratio", 0.0), ("amst_compressed_size_bytes", 1.0), ("baseline_compression_ratio", 2.0)]
    {
        let (liked, others) = (frame.only("data_type", |k| k == kind), frame.only("data_type", |k| k != kind));
        let ratio = |frame: &Frame| match column {
            "amst_compressed_size_bytes" => frame.mean("data_size_bytes") / frame.mean(column),
            _ => frame.mean(column),
        };
        assert!(ratio(&liked) > 1.3 * ratio(&others), "{column}: {} {}", ratio(&liked), ratio(&others));
    }
}

#[test]
fn at_random_nothing_depends_on_anything() {
    let frame = made("random");
    for (key, share) in [0.5, 0.3, 0.2].into_iter().enumerate() {
        close("selection", frame.share("current_compression", key as f64), share, 0.02);
    }
    let independent = [
        "current_compression",
        "link_type",
        "data_type",
        "region",
        "data_size_bytes",
        "entropy",
        "packet_loss_rate",
        "cpu_usage",
        "memory_available_mb",
        "active_transfers",
        "amst_streams",
        "baseline_compression_ratio",
    ];
    for (i, a) in independent.iter().enumerate() {
        for b in &independent[i + 1..] {
            let is = frame.correlation(a, b);
            assert!(is.abs() < 0.015, "{a} and {b}: {is}");
        }
    }
    // Outcomes know nothing of the selection: their distribution is the same whichever algorithm the row names.
    for column in ["actual_transfer_time_ms", "actual_throughput_mbps", "total_cpu_overhead_ms"] {
        let is = frame.correlation("current_compression", column);
        assert!(is.abs() < 0.015, "{column}: {is}");
        let medians: Vec<f64> = (0..3)
            .map(|key| frame.only("current_compression", |k| k == f64::from(key)).quantile(column, 0.5))
            .collect();
        assert!(medians.iter().all(|median| (median / medians[0] - 1.0).abs() < 0.06), "{column}: {medians:?}");
    }
    let policy = made("policy");
    let is = policy.correlation("current_compression", "total_cpu_overhead_ms");
    assert!(is.abs() > 0.1, "under a policy they do know: {is}");
}

#[test]
fn a_policy_selects_all_algorithms_and_does_well() {
    let frame = made("policy");
    for key in 0..3 {
        let share = frame.share("current_compression", f64::from(key));
        assert!(share > 0.07, "{key}: {share}");
    }
    let far = frame.only("link_type", |link_type| link_type == 2.0);
    let (far, all) = (far.share("current_compression", 0.0), frame.share("current_compression", 0.0));
    assert!(far > 1.6 * all, "HDE is for far links: {far} of them, {all} of all");
    let exploring = Frame::of(
        &Run::new(r#"{"exploration_share": 1, "transfers_per_hour": 2000}"#, Window::new(MONDAY, MONDAY + DAY)).seed(3),
    );
    for key in 0..3 {
        close("explored", exploring.share("current_compression", f64::from(key)), 1.0 / 3.0, 0.03);
    }
}

#[test]
fn demand_and_load_move_over_the_day() {
    let frame = made("policy");
    close("transfers", frame.rows() as f64, 500.0 * 240.0, 0.03);
    let of_hours = |frame: &Frame, hours: std::ops::Range<i64>| {
        frame.only("timestamp", |t| hours.contains(&((t as i64).rem_euclid(DAY) / HOUR)))
    };
    // us-east-1 is busiest at 20:00 UTC, and idle at 8:00.
    let east = frame.only("region", |region| region == 0.0);
    let (day, night) = (of_hours(&east, 18..22), of_hours(&east, 6..10));
    assert!(day.rows() as f64 > 1.2 * night.rows() as f64, "{} {}", day.rows(), night.rows());
    for (column, factor) in [("active_transfers", 1.5), ("cpu_usage", 1.3), ("packet_loss_rate", 1.5)] {
        let is = day.mean(column) / night.mean(column);
        assert!(is > factor, "{column}: {is}");
    }
    let far = |frame: &Frame| frame.only("link_type", |key| key == 2.0).mean("available_bandwidth_mbps");
    assert!(far(&day) < 0.8 * far(&night), "{} {}", far(&day), far(&night));
}

#[test]
fn values_are_missing_and_rows_are_there_twice_when_asked() {
    let make = |config: &str| Frame::of(&Run::new(config, Window::new(MONDAY, MONDAY + DAY)).seed(8).windows(HOUR));
    let clean = make(r#"{"transfers_per_hour": 2000}"#);
    assert!(clean.names().filter(|name| *name != "incident_id").all(|name| clean.nulls(name) == 0.0));
    let dirty = make(r#"{"transfers_per_hour": 2000, "missing_share": 0.04, "duplicate_share": 0.1}"#);
    close("rows", dirty.rows() as f64, 1.1 * clean.rows() as f64, 0.01);
    let always =
        "timestamp region az link_type node_id peer_id data_size_bytes data_type current_compression incident_id";
    for name in dirty.names() {
        let share = dirty.nulls(name);
        if always.split(' ').any(|known| known == name) {
            assert_eq!(share, clean.nulls(name), "{name}");
        } else {
            close(name, share, 0.04, 0.15);
        }
    }
    let selected = make(r#"{"transfers_per_hour": 2000, "executed": "selected"}"#);
    for (columns, key) in [
        (
            "hde_compression_ratio hde_delta_hit_rate hde_compression_time_ms hde_compressed_size_bytes hde_throughput_mbps",
            0.0,
        ),
        ("amst_streams amst_transfer_rate_mbps amst_compression_time_ms amst_compressed_size_bytes", 1.0),
    ] {
        let (own, others) =
            (selected.only("current_compression", |k| k == key), selected.only("current_compression", |k| k != key));
        for name in columns.split(' ') {
            assert_eq!((own.nulls(name), others.nulls(name)), (0.0, 1.0), "{name}");
        }
    }
    assert!(selected.names().filter(|name| name.starts_with("baseline")).all(|name| selected.nulls(name) == 0.0));
}
