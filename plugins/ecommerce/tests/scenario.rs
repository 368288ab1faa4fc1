//! `scenario.toml`: its keys are known, and its rules hold for parts of the week as well.

#![expect(clippy::unwrap_used, reason = "tests")]

use ecommerce::Shop;
use service_incidents::ServiceIncidents;
use service_levels::Levels;
use table_rules::Rules;
use telemill_sdk::native::{Run, incidents, judge, plan};
use telemill_sdk::time::{DAY, HOUR, SECOND};
use telemill_sdk::{Severity, Window};

const START: i64 = 1_794_182_400 * SECOND;

fn spec() -> toml::Table {
    include_str!("../scenario.toml").parse().unwrap()
}

fn config(of: &toml::Value) -> String {
    serde_json::to_string(&of["config"]).unwrap()
}

/// The broken rules of a span, and how many incidents it has.
fn broken(span: Window, seed: u64) -> (Vec<String>, usize) {
    let spec = spec();
    let generator = config(&spec["generator"]);
    let simulation = plan::<Shop>(&generator).unwrap();
    let model = config(&spec["incident_models"][0]);
    let all = incidents::<ServiceIncidents>(&model, seed, span, simulation.targets.clone()).unwrap();
    let rows = Run::new(&generator, span).seed(seed).incidents(all.clone()).windows(HOUR / 2).rows::<Shop>().unwrap();
    let rules = judge::<Rules>(&config(&spec["validators"][0]), &simulation.tables, span, &rows).unwrap();
    let levels = judge::<Levels>(&config(&spec["validators"][1]), &simulation.tables, span, &rows).unwrap();
    assert!(rules.findings.len() > 20 && levels.findings.len() > 5, "every rule has a finding");
    let findings = rules.findings.into_iter().chain(levels.findings);
    let broken = findings.filter(|finding| finding.severity >= Severity::High && finding.failed > 0);
    (broken.map(|finding| format!("{}: {}", finding.rule, finding.message)).collect(), all.len())
}

#[test]
fn rules_hold_for_a_day_and_for_hours() {
    let mut seen = 0;
    for (seed, span) in [
        (42, Window::new(START, START + 6 * HOUR)),
        (42, Window::new(START + 12 * HOUR, START + 19 * HOUR)),
        (1, Window::new(START + 3 * DAY, START + 3 * DAY + 9 * HOUR)),
    ] {
        let (broken, incidents) = broken(span, seed);
        assert!(broken.is_empty(), "{span:?}: {broken:#?}");
        seen += incidents;
    }
    assert!(seen > 0);
}

#[test]
#[ignore = "takes half a minute and half a gigabyte"]
fn rules_hold_for_each_day_of_the_week_and_for_other_seeds() {
    for (day, seed) in (0..7).map(|day| (day, 42)).chain([(0, 1), (0, 2), (6, 3)]) {
        let (broken, incidents) = broken(Window::new(START + day * DAY, START + (day + 1) * DAY), seed);
        eprintln!("day {day}, seed {seed}: {incidents} incidents, {broken:?}");
        assert!(broken.is_empty(), "day {day}, seed {seed}: {broken:#?}");
    }
}
