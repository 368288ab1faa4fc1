//! `scenario.toml`: its keys are known, its rules hold, and spoilt rows break the right ones. The profile names columns that are there.

#![expect(clippy::unwrap_used, reason = "tests")]

use phase_signatures::Signatures;
use resource_anomalies::ResourceAnomalies;
use table_rules::Rules;
use telemill_sdk::batch::Values;
use telemill_sdk::native::{Run, incidents, judge, plan};
use telemill_sdk::time::{DAY, HOUR, SECOND};
use telemill_sdk::{Batch, Severity, Window};
use user_workloads::Workloads;

const START: i64 = 1_794_182_400 * SECOND;
const DAY_ONE: Window = Window::new(START, START + DAY);

fn spec() -> toml::Table {
    include_str!("../scenario.toml").parse().unwrap()
}

fn config(of: &toml::Value) -> String {
    of.get("config").map_or_else(|| "{}".to_owned(), |config| serde_json::to_string(config).unwrap())
}

fn generated(span: Window) -> Vec<Batch> {
    let spec = spec();
    let generator = config(&spec["generator"]);
    let targets = plan::<Workloads>(&generator).unwrap().targets;
    let model = config(&spec["incident_models"][0]);
    let all = incidents::<ResourceAnomalies>(&model, 7, span, targets).unwrap();
    Run::new(&generator, span).seed(7).incidents(all).windows(HOUR).rows::<Workloads>().unwrap()
}

/// The broken rules of both validators.
fn broken(span: Window, rows: &[Batch]) -> Vec<String> {
    let spec = spec();
    let tables = plan::<Workloads>("{}").unwrap().tables;
    let rules = judge::<Rules>(&config(&spec["validators"][0]), &tables, span, rows).unwrap();
    let phases = judge::<Signatures>(&config(&spec["validators"][1]), &tables, span, rows).unwrap();
    assert!(rules.findings.len() > 20 && phases.findings.len() > 20, "every rule has a finding");
    let findings = rules.findings.into_iter().chain(phases.findings);
    findings.filter(|f| f.severity >= Severity::High).map(|f| format!("{}: {}", f.rule, f.message)).collect()
}

/// Rows whose column of numbers went through `change`.
fn spoil(rows: &[Batch], column: &str, change: impl Fn(usize, f64) -> f64) -> Vec<Batch> {
    let tables = plan::<Workloads>("{}").unwrap().tables;
    let at = tables[0].position(column).unwrap();
    let mut row = 0;
    rows.iter()
        .map(|batch| {
            let mut columns = batch.columns().to_vec();
            if let Values::Packed(bytes) = &mut columns[at].values {
                for value in bytes.as_chunks_mut::<8>().0 {
                    *value = change(row, f64::from_le_bytes(*value)).to_le_bytes();
                    row += 1;
                }
            }
            Batch::new(0, batch.rows() as u32, columns, tables.clone().into())
        })
        .collect()
}

/// Rows of which every phase is shifted to the next one.
fn with_wrong_phases(rows: &[Batch]) -> Vec<Batch> {
    let tables = plan::<Workloads>("{}").unwrap().tables;
    let at = tables[0].position("phase").unwrap();
    let shift = |batch: &Batch| {
        let mut columns = batch.columns().to_vec();
        if let Values::Dictionary { keys, .. } = &mut columns[at].values {
            for key in keys.as_chunks_mut::<4>().0 {
                *key = ((u32::from_le_bytes(*key) + 1) % 5).to_le_bytes();
            }
        }
        Batch::new(0, batch.rows() as u32, columns, tables.clone().into())
    };
    rows.iter().map(shift).collect()
}

#[test]
fn rules_hold_for_a_day_and_break_on_spoilt_rows() {
    let rows = generated(DAY_ONE);
    assert_eq!(broken(DAY_ONE, &rows), Vec::<String>::new());
    let rules = |rows: &[Batch]| -> Vec<String> {
        broken(DAY_ONE, rows).into_iter().map(|rule| rule.split(':').take(2).collect::<Vec<_>>().join(":")).collect()
    };
    let hot = rules(&spoil(&rows, "cpu_percent", |row, cpu| if row == 99 { 140.0 } else { cpu }));
    assert!(hot.contains(&"range:cpu_percent".to_owned()), "{hot:?}");
    let halved = rules(&spoil(&rows, "memory_used_gb", |row, gb| if row % 1000 == 0 { gb * 0.5 } else { gb }));
    assert_eq!(halved.iter().map(|rule| rule.split(':').next().unwrap()).collect::<Vec<_>>(), ["memory-agrees"]);
    let back = rules(&spoil(&rows, "timestamp", |row, at| if row == 5000 { 0.0 } else { at }));
    assert_eq!(back.iter().filter(|rule| rule.starts_with("a user's clock goes on")).count(), 1, "{back:?}");
    let wrong = rules(&with_wrong_phases(&rows));
    assert!(wrong.iter().filter(|rule| rule.starts_with("signature:")).count() == 5, "{wrong:?}");
    let lost = &rows[..rows.len() / 2];
    assert!(rules(lost).iter().any(|rule| rule.starts_with("twenty users")));
}

#[test]
fn rules_hold_for_hours() {
    let span = Window::new(START + 9 * HOUR, START + 12 * HOUR);
    assert_eq!(broken(span, &generated(span)), Vec::<String>::new());
}

/// `telemill validate --with phase-signatures` without a setting, for other intervals and for counters.
#[test]
fn phases_are_judged_without_a_setting_however_rows_are_sampled() {
    for (setting, message) in [
        (r#""interval_seconds": 5"#, "every 5 s"),
        (r#""interval_seconds": 60"#, "every 60 s"),
        (r#""interval_seconds": 10, "disk_and_network": "per_sample""#, "as amounts of each sample"),
        (r#""interval_seconds": 10, "disk_and_network": "since_start""#, "as counters"),
    ] {
        let run = Run::new(format!(r#"{{"users": 10, {setting}}}"#), DAY_ONE).seed(7).windows(HOUR);
        let rows = run.rows::<Workloads>().unwrap();
        let tables = plan::<Workloads>("{}").unwrap().tables;
        let report = judge::<Signatures>("{}", &tables, DAY_ONE, &rows).unwrap();
        assert!(!report.failed(), "{setting}: {:#?}", report.findings);
        let sampling = report.findings.iter().find(|finding| finding.rule == "sampling").unwrap();
        assert!(sampling.message.contains(message), "{setting}: {}", sampling.message);
    }
}

#[test]
fn anomalies_are_marked_and_normal_rows_are_not() {
    let rows = generated(DAY_ONE);
    let (mut anomalies, mut all) = (0, 0);
    for batch in &rows {
        for row in 0..batch.rows() {
            all += 1;
            let id = batch.text("incident_id", row);
            anomalies += usize::from(id.is_some());
            if let Some(id) = id {
                assert!(id.starts_with("ANO-") && id.contains(batch.text("user_id", row).unwrap()), "{id}");
            }
        }
    }
    let share = anomalies as f64 / all as f64;
    assert!((0.01..0.03).contains(&share), "{share}");
}

#[test]
fn the_profile_is_the_documents_header() {
    let profile: toml::Table = include_str!("../profiles/user_data.toml").parse().unwrap();
    let columns: Vec<&str> =
        profile["columns"].as_array().unwrap().iter().map(|column| column["name"].as_str().unwrap()).collect();
    let document = "timestamp,cpu_percent,memory_percent,memory_used_gb,disk_read_mb,disk_write_mb,network_sent_mb,\
                    network_recv_mb,phase,user_id,source,label";
    assert_eq!(columns.join(","), document);
    let table = &plan::<Workloads>("{}").unwrap().tables[0];
    assert_eq!(profile["table"].as_str(), Some(table.name.as_str()));
    assert!(columns.iter().all(|column| table.field(column).is_some()));
}
