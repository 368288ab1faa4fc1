//! What makes the hosts' metrics realistic, and the user's own templates.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};

use ecommerce::Shop;
use telemill_sdk::native::{Run, plan};
use telemill_sdk::time::{DAY, HOUR, MINUTE, SECOND};
use telemill_sdk::{DataType, Window};

const MONDAY: i64 = 1_794_182_400 * SECOND;

/// The series of each host and metric over a span.
fn series(span: Window) -> BTreeMap<(String, String), Vec<f64>> {
    let mut all: BTreeMap<(String, String), Vec<f64>> = BTreeMap::new();
    Run::new("{}", span)
        .seed(9)
        .windows(HOUR)
        .each::<Shop>(|batch| {
            if batch.table() == 1 {
                for row in 0..batch.rows() {
                    let host = batch.text("host", row).unwrap();
                    for field in &batch.declaration().unwrap().fields {
                        let value = match field.data_type {
                            DataType::Float64 => batch.f64(&field.name, row).unwrap(),
                            DataType::Int32 => f64::from(batch.i32(&field.name, row).unwrap()),
                            _ => continue,
                        };
                        all.entry((host.to_owned(), field.name.clone())).or_default().push(value);
                    }
                }
            }
        })
        .unwrap();
    all
}

fn correlation(x: &[f64], y: &[f64]) -> f64 {
    let n = x.len().min(y.len());
    let mean = |v: &[f64]| v[..n].iter().sum::<f64>() / n as f64;
    let (mx, my) = (mean(x), mean(y));
    let sum = |f: &dyn Fn(usize) -> f64| (0..n).map(f).sum::<f64>();
    let cov = sum(&|i| (x[i] - mx) * (y[i] - my));
    cov / (sum(&|i| (x[i] - mx).powi(2)) * sum(&|i| (y[i] - my).powi(2))).sqrt()
}

#[test]
fn hosts_have_sticky_and_spiky_metrics_that_follow_the_load() {
    let all = series(Window::new(MONDAY, MONDAY + DAY));
    let of = |host: &str, metric: &str| all[&(host.to_owned(), metric.to_owned())].as_slice();
    let lag_1 = |values: &[f64]| correlation(values, &values[1..]);
    for host in ["catalog-01", "checkout-02", "payment-01"] {
        let (memory, network, disk) =
            (lag_1(of(host, "memory_used_pct")), lag_1(of(host, "network_mbps")), lag_1(of(host, "disk_write_mbps")));
        let load = correlation(of(host, "cpu_pct"), of(host, "request_rate_rps"));
        let heap = of(host, "heap_used_mib");
        let collections = heap.windows(2).filter(|pair| pair[1] < 0.75 * pair[0]).count();
        let mean_pause = |after: bool| {
            let pauses: Vec<f64> = heap
                .windows(2)
                .zip(&of(host, "gc_pause_ms")[1..])
                .filter(|(pair, _)| (pair[1] < 0.75 * pair[0]) == after)
                .map(|(_, pause)| *pause)
                .collect();
            pauses.iter().sum::<f64>() / pauses.len() as f64
        };
        eprintln!(
            "{host}: lag-1 memory {memory:.3}, network {network:.3}, disk {disk:.3}; cpu and load {load:.3}; {collections} collections of {:.0} ms, else {:.0} ms",
            mean_pause(true),
            mean_pause(false)
        );
        assert!((0.94..=0.995).contains(&memory), "{memory}");
        let hourly = |metric: &str| of(host, metric).chunks(360).map(|hour| hour.iter().sum()).collect::<Vec<f64>>();
        for metric in ["latency_p50_ms", "latency_p99_ms", "error_rate_pct", "retry_rate_pct", "threads_active"] {
            let follows = correlation(&hourly(metric), &hourly("request_rate_rps"));
            assert!(follows > 0.8, "{metric} of {host} goes with the load: {follows}");
        }
        assert!(disk < 0.4 && network < 0.5, "{disk} {network}");
        assert!(load > 0.85, "{load}");
        assert!((40..=160).contains(&collections), "{collections}");
        assert!(mean_pause(true) > 3.0 * mean_pause(false));
        assert!(
            of(host, "db_connections_used").iter().zip(of(host, "db_connections_max")).all(|(used, most)| used <= most)
        );
    }
}

#[test]
fn ones_own_templates_are_taken_in() {
    let config = r#"{
        "base_tps": 50,
        "normal_transaction": {
            "regions": ["here"],
            "dependencies": [{"name": "bank", "role": "payment"}],
            "services": [
                {"name": "till", "operations": [
                    {"name": "pay", "method": "POST", "path": "/pay", "weight": 3, "uses": ["bank"], "amount_median": 900},
                    {"name": "receipt", "path": "/receipts/{id}", "path_variants": 5}
                ]},
                {"name": "stock", "operations": [{"name": "count", "path": "/count", "weight": 2}]}
            ]
        },
        "error_templates": {"errors": [{"type": "E42", "message": "the till is stuck", "http_status": 418}]},
        "infrastructure_metrics": {"hosts": [{"name": "till-{n}", "service": "till", "count": 3, "region": "cellar"}]}
    }"#;
    let simulation = plan::<Shop>(config).unwrap();
    assert!(simulation.targets.iter().any(|target| target.name == "till/pay" && target.parents == ["till", "bank"]));
    let mut seen: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let columns = ["service", "operation", "http_path", "host", "region", "error_type", "error_message"];
    Run::new(config, Window::new(MONDAY + 10 * HOUR, MONDAY + 10 * HOUR + 5 * MINUTE))
        .each::<Shop>(|batch| {
            for row in 0..batch.rows() {
                for column in columns {
                    if let Some(text) = batch.text(column, row) {
                        seen.entry(column).or_default().insert(text.to_owned());
                    }
                }
            }
        })
        .unwrap();
    let has = |column: &str, values: &[&str]| seen[column].iter().map(String::as_str).collect::<Vec<_>>() == values;
    assert!(has("service", &["stock", "till"]) && has("operation", &["count", "pay", "receipt"]));
    assert!(has("host", &["stock-01", "stock-02", "till-01", "till-02", "till-03"]), "{seen:?}");
    assert!(has("region", &["cellar", "here"]));
    assert_eq!(seen["http_path"].len(), 7);
    assert!(seen["error_type"].contains("E42") && seen["error_message"].contains("the till is stuck"));
}

#[test]
fn wrong_templates_are_told_where_they_are_wrong() {
    let problem = |config: &str| plan::<Shop>(config).unwrap_err().to_string();
    let services = |operation: &str| {
        format!(r#"{{"normal_transaction": {{"services": [{{"name": "a", "operations": [{operation}]}}]}}}}"#)
    };
    assert!(
        problem(&services(r#"{"name": "b", "path": "/", "median_ms": -1}"#))
            .contains("/normal_transaction/services/0/operations/0/median_ms")
    );
    assert!(problem(&services(r#"{"name": "b", "path": "/", "uses": ["c"]}"#)).contains("none of the dependencies"));
    assert!(problem(&services("")).contains("/services/0/operations"));
    let caller = r#"{"normal_transaction": {"services": [{"name": "a", "calls": ["b"], "operations": [{"name": "c", "path": "/"}]}]}}"#;
    assert!(problem(caller).contains("/normal_transaction/services/0/calls/0"), "{}", problem(caller));
    assert!(
        problem(r#"{"infrastructure_metrics": {"hosts": [{"name": "x", "service": "nowhere"}]}}"#)
            .contains("none of the services")
    );
    assert!(
        problem(r#"{"infrastructure_metrics": {"hosts": [{"name": "x", "service": "web-frontend", "count": 2}]}}"#)
            .contains("{n}")
    );
    assert!(problem(r#"{"error_rate_normal": "2-1"}"#).contains("/error_rate_normal"));
    assert!(problem(r#"{"base_tsp": 1}"#).contains("base_tsp"));
}
