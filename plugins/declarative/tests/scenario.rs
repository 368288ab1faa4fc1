//! `scenario.toml`: its keys are known, its rules hold, its tables link, incidents show, and lost rows are found.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use declarative::Simulation;
use service_incidents::ServiceIncidents;
use table_rules::Rules;
use telemill_sdk::native::{Run, incidents, judge, plan};
use telemill_sdk::time::{DAY, HOUR, SECOND};
use telemill_sdk::{Batch, Severity, Window};

const START: i64 = 1_794_182_400 * SECOND;
const TWO_DAYS: Window = Window::new(START, START + 2 * DAY);

fn config(of: &str, at: usize) -> String {
    let spec: toml::Table = include_str!("../scenario.toml").parse().unwrap();
    let value = &spec[of];
    serde_json::to_string(&value.get(at).unwrap_or(value)["config"]).unwrap()
}

fn generated() -> Vec<Batch> {
    let generator = config("generator", 0);
    let targets = plan::<Simulation>(&generator).unwrap().targets;
    let all = incidents::<ServiceIncidents>(&config("incident_models", 0), 7, TWO_DAYS, targets).unwrap();
    assert!(!all.is_empty() && all.iter().all(|incident| !incident.effects.is_empty()));
    Run::new(generator, TWO_DAYS).seed(7).incidents(all).windows(6 * HOUR).rows::<Simulation>().unwrap()
}

fn broken(rows: &[Batch]) -> Vec<String> {
    let tables = plan::<Simulation>(&config("generator", 0)).unwrap().tables;
    let report = judge::<Rules>(&config("validators", 0), &tables, TWO_DAYS, rows).unwrap();
    assert!(report.findings.len() > 15, "every rule has a finding");
    let broken = report.findings.into_iter().filter(|finding| finding.severity >= Severity::High);
    broken.map(|finding| format!("{}: {}", finding.rule, finding.message)).collect()
}

fn texts(rows: &[Batch], table: &str, column: &str) -> Vec<String> {
    let of_table = rows.iter().filter(|batch| batch.declaration().unwrap().name == table);
    of_table.flat_map(|batch| (0..batch.rows()).map(|row| batch.text(column, row).unwrap_or("").to_owned())).collect()
}

#[test]
fn rules_hold_and_lost_rows_are_found() {
    let rows = generated();
    assert_eq!(broken(&rows), Vec::<String>::new());
    let without = |table: &str| -> Vec<Batch> {
        rows.iter().filter(|batch| batch.declaration().unwrap().name != table).cloned().collect()
    };
    assert!(broken(&without("calls"))[0].starts_with("calls of a day"));
    assert!(broken(&without("agent_states"))[0].starts_with("every agent every five minutes"));
    let twice: Vec<Batch> = rows.iter().chain(&rows).cloned().collect();
    assert!(broken(&twice).iter().any(|rule| rule.starts_with("primary-key")));
}

#[test]
fn tables_link_and_incidents_show() {
    let rows = generated();
    let known = |table: &str, column: &str| -> BTreeSet<String> { texts(&rows, table, column).into_iter().collect() };
    let calls = known("calls", "call_id");
    assert!(texts(&rows, "tickets", "call_id").iter().all(|id| calls.contains(id)));
    let agents = known("agents", "agent_id");
    assert_eq!(agents.len(), 60);
    assert!(texts(&rows, "calls", "agent_id").iter().all(|id| agents.contains(id)));
    assert_eq!(known("agent_states", "agent_id"), agents);
    let (mut usual, mut struck) = (Vec::new(), Vec::new());
    for batch in rows.iter().filter(|batch| batch.declaration().unwrap().name == "calls") {
        for row in 0..batch.rows() {
            let list = if batch.text("incident_id", row).is_some() { &mut struck } else { &mut usual };
            list.push(batch.f64("wait_s", row).unwrap());
        }
    }
    let mean = |list: &[f64]| list.iter().sum::<f64>() / list.len() as f64;
    assert!(
        struck.len() > 20 && mean(&struck) > 4.0 * mean(&usual),
        "{} {} {}",
        struck.len(),
        mean(&struck),
        mean(&usual)
    );
}

/// The first system of the README runs as it stands there.
#[test]
fn the_readme_is_right() {
    let readme = include_str!("../README.md");
    let from = readme.find("    dataset = \"shop\"").unwrap();
    let spec: toml::Table = readme[from..readme.find("\n## Entities").unwrap()]
        .lines()
        .take_while(|line| line.is_empty() || line.starts_with("    "))
        .map(|line| format!("{}\n", line.trim_start()))
        .collect::<String>()
        .parse()
        .unwrap();
    let generator = serde_json::to_string(&spec["generator"]["config"]).unwrap();
    let rows = Run::new(generator, TWO_DAYS).rows::<Simulation>().unwrap();
    let orders = texts(&rows, "orders", "order_id");
    assert!((orders.len() as f64 / (40.0 * 48.0) - 1.0).abs() < 0.1, "{}", orders.len());
}
