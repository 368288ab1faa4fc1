//! The incident model on the generator: causes act, consequences follow, rows say whose they are.

use link_degradation::LinkDegradation;
use telemill_sdk::native::{Run, plan, trigger};
use telemill_sdk::time::HOUR;
use telemill_sdk::{Incident, Window};
use transfer_compression::TransferCompression;

use crate::frame::{Frame, MONDAY};

const SPAN: Window = Window::new(MONDAY, MONDAY + 2 * HOUR);

fn by_hand(kind: &str, target: &str) -> Vec<Incident> {
    let targets = plan::<TransferCompression>("{}").unwrap().targets;
    trigger::<LinkDegradation>("{}", 42, SPAN, targets, kind, target, SPAN).unwrap()
}

/// Rows without and with an incident over the whole span; the same transfers in the same order.
fn before_and_after(kind: &str, target: &str) -> (Frame, Frame) {
    let run = Run::new(r#"{"transfers_per_hour": 6000}"#, SPAN).seed(42).windows(HOUR);
    (Frame::of(&run), Frame::of(&run.incidents(by_hand(kind, target))))
}

/// The rows of a link type.
fn of(frame: &Frame, link_type: f64) -> Frame {
    frame.only("link_type", |key| key == link_type)
}

#[test]
fn lost_packets_slow_transfers_down_on_the_links_that_lose_them() {
    let (before, after) = before_and_after("packet-loss", "wan");
    let (calm, hit) = (of(&before, 2.0), of(&after, 2.0));
    assert!(hit.mean("packet_loss_rate") > 8.0 * calm.mean("packet_loss_rate"));
    assert!(hit.quantile("hde_throughput_mbps", 0.5) < 0.3 * calm.quantile("hde_throughput_mbps", 0.5));
    assert!(hit.quantile("actual_transfer_time_ms", 0.5) > 1.5 * calm.quantile("actual_transfer_time_ms", 0.5));
    // Many streams get along, and the policy finds out.
    assert!(hit.share("current_compression", 1.0) > calm.share("current_compression", 1.0) + 0.1);
    assert!(hit.nulls("incident_id") < 0.01, "{}", hit.nulls("incident_id"));
    for elsewhere in [0.0, 1.0] {
        assert_eq!(of(&before, elsewhere)["actual_transfer_time_ms"], of(&after, elsewhere)["actual_transfer_time_ms"]);
        assert_eq!(of(&after, elsewhere).nulls("incident_id"), 1.0);
    }
}

#[test]
fn a_zone_a_region_and_a_rack_are_hit_as_a_whole_and_alone() {
    for (kind, target, column, members) in [
        ("latency-rise", "us-east-1a", "rtt_ms", ("az", 0.0)),
        ("bandwidth-loss", "eu-west-1", "available_bandwidth_mbps", ("region", 2.0)),
    ] {
        let (before, after) = before_and_after(kind, target);
        let inside = |frame: &Frame| frame.only(members.0, |key| key == members.1);
        let outside = |frame: &Frame| frame.only(members.0, |key| key != members.1);
        let factor = inside(&after).mean(column) / inside(&before).mean(column);
        assert!(!(0.5..2.0).contains(&factor), "{kind}: {factor}");
        assert_eq!(outside(&before)[column], outside(&after)[column]);
        assert!(outside(&after).nulls("incident_id") == 1.0 && inside(&after).nulls("incident_id") < 0.02);
    }
}

#[test]
fn starved_nodes_compress_slowly() {
    let (before, after) = before_and_after("cpu-starvation", "us-west-2b/rack-3");
    // Nodes are dealt to the nine zones in turn, and within a zone to its four racks.
    let starved = |node: f64| node as i64 % 9 == 4 && node as i64 / 9 % 4 == 2;
    let (calm, hit) = (before.only("node_id", starved), after.only("node_id", starved));
    assert!(hit.rows() > 200 && hit.mean("cpu_usage") > 0.85);
    for column in ["hde_compression_time_ms", "amst_compression_time_ms", "baseline_compression_time_ms"] {
        let factor = hit.quantile(column, 0.5) / calm.quantile(column, 0.5);
        assert!((3.0..8.1).contains(&factor), "{column}: {factor}");
    }
    assert_eq!(hit["rtt_ms"], calm["rtt_ms"]);
    assert!(hit.nulls("incident_id") < 0.02);
    let others = |frame: &Frame| frame.only("node_id", |node| !starved(node));
    assert_eq!(others(&before)["total_cpu_overhead_ms"], others(&after)["total_cpu_overhead_ms"]);
}

#[test]
fn a_backup_takes_bandwidth_and_marks_nothing() {
    let (before, after) = before_and_after("backup", "us-west-2c");
    let inside = |frame: &Frame| frame.only("az", |key| key == 5.0);
    let factor = inside(&after).mean("available_bandwidth_mbps") / inside(&before).mean("available_bandwidth_mbps");
    assert!((0.5..0.85).contains(&factor), "{factor}");
    assert_eq!(after.nulls("incident_id"), 1.0);
}
