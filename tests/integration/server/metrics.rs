//! Figures for Prometheus.

use super::streams::{ask, comes_to, shop, show, started};
use crate::program::{Place, Served, wait_until};
use std::collections::BTreeMap;

const PIPELINE: &str = r#"
[pipeline]
name = "watcher"

[[watch]]
table = "ecommerce.transactions"
class = "status"

[[watch]]
table = "nobody.made_it"

[[step]]
name = "files"
kind = "export"
source = "ecommerce.transactions"
format = "csv"
output_dir = "out"

[[step]]
name = "breaks"
kind = "command"
command = ["false"]
"#;

/// Figures by name and labels.
pub(crate) fn figures(server: &Served) -> BTreeMap<String, f64> {
    let reply = server.get("/metrics").with_status(200);
    assert!(reply.header("content-type").unwrap().starts_with("application/openmetrics-text"));
    let text = reply.text();
    assert!(text.ends_with("# EOF\n") && text.matches("# EOF").count() == 1, "{text}");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.rsplit_once(' ').unwrap())
        .map(|(name, value)| (name.to_owned(), value.parse().unwrap()))
        .collect()
}

#[test]
fn metrics_tell_of_requests_steps_and_watched_tables() {
    let place = Place::new();
    place.good(["run", "start", "ecommerce", "--duration", "10m", "--quiet"]);
    let file = place.file("p.toml", PIPELINE);
    let server = place.serve(["--pipeline", file.to_str().unwrap()]);
    wait_until("the pipeline is known", || server.get("/api/v1/schedules/watcher").status == 200);
    server.post("/api/v1/schedules/watcher/runs", &serde_json::json!({})).with_status(202);
    let runs = || server.get("/api/v1/schedules/watcher/runs").json()["items"][0]["state"].clone();
    wait_until("it has failed", || runs() == "failed");
    wait_until("it is told", || figures(&server).get("telemill_alerts_unresolved{}") == Some(&1.0));
    server.get("/no/such/path").with_status(404);

    let found = figures(&server);
    let figure = |name: &str| *found.get(name).unwrap_or_else(|| panic!("{name} is missing in {found:#?}"));
    assert_eq!(
        figure("telemill_http_requests_total{method=\"POST\",route=\"/api/v1/schedules/{name}/runs\",status=\"202\"}"),
        1.0
    );
    assert_eq!(figure("telemill_http_requests_total{method=\"GET\",route=\"none\",status=\"404\"}"), 1.0);
    assert!(figure("telemill_http_request_seconds_count{route=\"/api/v1/schedules/{name}/runs\"}") >= 2.0);
    assert_eq!(figure("telemill_step_success_ratio{pipeline=\"watcher\",step=\"files\"}"), 1.0);
    assert_eq!(figure("telemill_step_success_ratio{pipeline=\"watcher\",step=\"breaks\"}"), 0.0);
    assert!(figure("telemill_export_seconds{pipeline=\"watcher\",step=\"files\"}") > 0.0);

    let table = "table=\"ecommerce.transactions\"";
    let rows = &server.sql(
        "SELECT count(*) AS total, count(*) FILTER (WHERE status = 'error') AS errors FROM ecommerce.transactions",
    )[0];
    let count = |name: &str| rows[name].as_f64().unwrap();
    assert_eq!(figure(&format!("telemill_table_rows_per_hour{{{table}}}")), count("total"));
    assert!(
        (figure(&format!("telemill_table_class_ratio{{{table},class=\"error\"}}")) - count("errors") / count("total"))
            .abs()
            < 1e-9
    );
    assert!((0.0..1.0).contains(&figure(&format!("telemill_table_missing_ratio{{{table}}}"))));
    assert!(figure(&format!("telemill_table_megabytes_per_day{{{table}}}")) > 0.0);
    assert!((0.0..1.0).contains(&figure(&format!("telemill_table_age_hours{{{table}}}"))));
    assert!(!found.keys().any(|name| name.contains("nobody")));
}

#[test]
fn metrics_tell_how_late_streams_are() {
    let place = Place::new();
    let server = place.serve([]);
    let path = started(&server, &shop());
    comes_to(&server, &path, "2026-11-09T20:00:00Z");
    wait_until("it has caught up", || show(&server, &format!("{path}/stats"))["mode"] == "live");
    ask(&server, &path, "pause");
    let stream = show(&server, &path);
    let id = stream["id"].as_str().unwrap();
    let found = figures(&server);
    let figure = |name: &str, more: &str| found[&format!("telemill_stream_{name}{{stream=\"{id}\"{more}}}")];
    let rows = stream["tables"].as_array().unwrap().iter().find(|table| table["table"] == "transactions").unwrap();
    assert_eq!(Some(figure("rows", ",table=\"transactions\"")), rows["rows"].as_f64());
    assert!(figure("table_rows_per_minute", ",table=\"transactions\"") > 0.0);
    assert!(figure("rows_per_minute", "") > 0.0 && figure("behind_seconds", "") >= 0.0);
    assert!(figure("drift_seconds", "") >= 0.0);
    assert_eq!(figure("undelivered_commits", ""), 0.0);
}
