//! The laws that every run relies on.

use proptest::prelude::*;
use telemill_sdk::native::{Run, plan, trouble};
use telemill_sdk::time::{DAY, HOUR, MINUTE, SECOND};
use telemill_sdk::{Incident, Window};
use transfer_compression::TransferCompression;
use transfer_compression::network::STEP;

use crate::frame::{Frame, MONDAY};

const BUSY: &str =
    r#"{"transfers_per_hour": 7200, "missing_share": 0.05, "duplicate_share": 0.05, "executed": "selected"}"#;

fn span(from_hour: i64, micros: i64) -> Window {
    Window::new(MONDAY + from_hour * HOUR, MONDAY + from_hour * HOUR + micros)
}

/// Every row of a run as text, sorted.
fn rows(run: &Run) -> Vec<String> {
    run.texts::<TransferCompression>().unwrap().remove(&0).unwrap_or_default()
}

fn troubled(span: Window) -> Vec<Incident> {
    let third = span.micros() / 3;
    let middle = Window::new(span.start + third + 3 * SECOND, span.end - third + 4 * SECOND);
    vec![
        trouble("us-east-1", "latency", 5.0, middle),
        trouble("wan", "packet_loss", 20.0, Window::new(span.start, middle.end)),
        trouble("eu-west-1b", "bandwidth", 0.2, middle),
        trouble("us-west-2a/rack-2", "cpu", 3.0, middle),
    ]
}

#[test]
fn partitions_windows_and_segments_change_nothing() {
    let span = span(12, 31 * MINUTE);
    let run = |seed: u64| Run::new(BUSY, span).seed(seed).incidents(troubled(span));
    let whole = rows(&run(7));
    assert!((2_500..6_500).contains(&whole.len()), "{}", whole.len());
    assert!(whole.iter().any(|row| row.contains("T-wan")) && whole.iter().any(|row| row.contains("rack-2")));
    assert_eq!(whole, rows(&run(7)), "same seed, same rows");
    assert_ne!(whole, rows(&run(8)), "another seed, other rows");
    for partitions in [2, 3, 8] {
        assert!(whole == rows(&run(7).partitions(partitions)), "{partitions} partitions");
    }
    for window in [STEP, 13 * STEP, HOUR] {
        assert!(whole == rows(&run(7).windows(window)), "windows of {window}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// However a run is cut, dealt and restored, in whichever mode, its rows are the same; and a later part needs nothing of what came before.
    #[test]
    fn a_run_cut_anywhere_is_the_run(
        seed in any::<u64>(),
        hour in 0i64..24,
        cut in 1i64..60,
        window in 1i64..40,
        partitions in 1u32..9,
        random in any::<bool>(),
        share in 0.0f64..0.3,
    ) {
        let selection = if random { "random" } else { "policy" };
        let config = format!(
            r#"{{"transfers_per_hour": 1500, "selection": "{selection}", "missing_share": {share}, "duplicate_share": {share}}}"#
        );
        let whole = span(hour, 60 * 6 * STEP / 6);
        let run = |of: Window| Run::new(config.clone(), of).seed(seed).incidents(troubled(whole));
        let expected = rows(&run(whole));
        let cut = whole.start + cut * STEP;
        let pieces = run(whole).windows(window * STEP).segments(cut - whole.start).partitions(partitions);
        prop_assert!(expected == rows(&pieces));
        let mut parts = rows(&run(Window::new(whole.start, cut)));
        parts.extend(rows(&run(Window::new(cut, whole.end))));
        parts.sort();
        prop_assert!(expected == parts);
    }
}

#[test]
fn windows_off_the_grid_are_refused() {
    let off = Window::new(MONDAY + SECOND, MONDAY + MINUTE);
    let refused = Run::new("{}", off).rows::<TransferCompression>().unwrap_err();
    assert!(refused.to_string().contains("steps of ten seconds"), "{refused}");
}

#[test]
fn every_signal_of_every_target_moves_its_column() {
    let always = span(0, HOUR);
    let simulation = plan::<TransferCompression>("{}").unwrap();
    let run = Run::new(r#"{"transfers_per_hour": 3600}"#, always).seed(5).windows(HOUR);
    let base = Frame::of(&run);
    for target in &simulation.targets {
        for name in &target.signals {
            let signal = simulation.signals.iter().find(|signal| signal.name == *name).unwrap();
            let bent = Frame::of(&run.clone().incidents(vec![trouble(&target.name, name, 3.0, always)]));
            let moved = bent.mean(&signal.column) - base.mean(&signal.column);
            assert!(moved > 0.0, "{name} of {}: {moved}", target.name);
            assert!(bent.nulls("incident_id") < 1.0, "{name} of {} marks its rows", target.name);
        }
    }
    assert_eq!(base.nulls("incident_id"), 1.0);
}

#[test]
fn links_are_between_places_and_bounds_hold_whatever_happens() {
    let span = span(0, DAY);
    let worst: Vec<Incident> = ["us-east-1", "wan", "dc"]
        .into_iter()
        .flat_map(|target| {
            [("latency", 1e6), ("packet_loss", 1e6), ("bandwidth", 0.0), ("cpu", 1e6)]
                .map(|(signal, value)| trouble(target, signal, value, span))
        })
        .collect();
    let frame = Frame::of(&Run::new("{}", span).seed(2).incidents(worst).windows(HOUR));
    let all = |column: &str, low: f64, high: f64| {
        assert!(frame[column].iter().all(|value| (low..=high).contains(value)), "{column}");
    };
    all("rtt_ms", 0.0, 999.9);
    all("available_bandwidth_mbps", 0.1, 10_000.0);
    all("packet_loss_rate", 0.0, 1.0);
    all("cpu_usage", 0.0, 1.0);
    all("hde_compression_ratio", 1.0, 41.0);
    all("entropy", 0.0, 1.0);
    all("data_size_bytes", 1.0, 1e12);
    all("actual_transfer_time_ms", 0.0, f64::MAX);
    all("total_cpu_overhead_ms", 0.0, f64::MAX);
    for row in 0..frame.rows() {
        let [node, peer] = ["node_id", "peer_id"].map(|name| frame[name][row] as i64 % 9);
        let [zone, region, link_type] = ["az", "region", "link_type"].map(|name| frame[name][row] as i64);
        assert_eq!((zone, region), (node, node / 3));
        assert_eq!(link_type, if peer == zone { 0 } else { 1 + i64::from(peer / 3 != region) });
    }
}
