//! The example system's week, as the document tells it: the three incidents at their times, what they did to the rows, and
//! nothing of them where nothing happened.

use serde_json::{Value, json};
use telemill_tests::repository;

use crate::program::Place;

/// The three scenarios: kind, from and to, as the document says.
const SCENARIOS: [(&str, &str, &str); 3] = [
    ("memory-pressure", "2026-11-13T18:30:00Z", "2026-11-13T18:45:00Z"),
    ("database-pool-exhaustion", "2026-11-14T12:15:00Z", "2026-11-14T12:25:00Z"),
    ("payment-gateway-timeout", "2026-11-15T14:25:00Z", "2026-11-15T14:35:00Z"),
];

fn one(place: &Place, query: &str) -> Value {
    let mut rows = place.sql(query);
    assert_eq!(rows.len(), 1, "{query}");
    rows.remove(0)
}

fn count(place: &Place, condition: &str) -> u64 {
    one(place, &format!("SELECT count(*) AS rows FROM ecommerce.transactions WHERE {condition}"))["rows"]
        .as_u64()
        .unwrap()
}

/// One test, since the week is made once.
#[test]
fn the_week_has_the_facts_of_the_document() {
    let place = Place::new();
    let scenario = repository().join("plugins/ecommerce/scenario.toml");
    let told = place.json(["run", "start", scenario.to_str().unwrap(), "--json", "--quiet"]);
    assert_eq!(told["passed"], true, "all validators agree");
    let record = &told["run"];
    let rows = |table: &str| {
        let tables = record["tables"].as_array().unwrap();
        tables.iter().find(|total| total["table"] == table).unwrap()["rows"].as_u64().unwrap()
    };
    // Every host every ten seconds of seven days; about 16 million transactions.
    let hosts = one(&place, "SELECT count(DISTINCT host) AS n FROM ecommerce.infrastructure_metrics")["n"].as_u64();
    assert_eq!(rows("infrastructure_metrics"), hosts.unwrap() * 6 * 60 * 24 * 7);
    assert!((12_000_000..22_000_000).contains(&rows("transactions")), "{}", rows("transactions"));

    scenarios_take_place(&place);
    payments_time_out_and_are_refused_then(&place);
    labels_name_incidents_that_are_there(&place);
    normal_and_troubled_differ(&place);
}

fn scenarios_take_place(place: &Place) {
    for (kind, from, to) in SCENARIOS {
        let query = format!(
            "SELECT count(*) AS n FROM ecommerce.incidents WHERE kind = '{kind}' AND role = 'incident' \
             AND start_time = '{from}' AND end_time = '{to}'"
        );
        assert_eq!(one(place, &query)["n"], 1, "{kind} from {from}");
        let marked = format!(
            "phase = 'incident' AND timestamp >= '{from}' AND timestamp < '{to}' AND incident_id IN \
             (SELECT incident_id FROM ecommerce.incidents WHERE kind = '{kind}' AND start_time = '{from}')"
        );
        assert!(count(place, &marked) > 50, "{kind} marks the rows that it hits");
    }
    let days = place.sql(
        "SELECT date_part('day', start_time) AS day, count(*) AS n FROM ecommerce.incidents \
         WHERE role = 'incident' AND cause IS NULL GROUP BY 1 ORDER BY 1",
    );
    assert_eq!(days.len(), 7, "{days:?}");
    assert!(days.iter().all(|day| (2..=3).contains(&day["n"].as_u64().unwrap())), "{days:?}");
}

fn payments_time_out_and_are_refused_then(place: &Place) {
    let scenario = "timestamp >= '2026-11-15T14:25:00Z' AND timestamp < '2026-11-15T14:35:00Z'";
    let payments = "service = 'payment-service'";
    let timeouts = count(place, &format!("{scenario} AND error_type = 'PAYMENT_GATEWAY_TIMEOUT'"));
    assert!((45..=90).contains(&timeouts), "{timeouts} timeouts");
    let slow = format!("{scenario} AND {payments} AND response_time_ms > 25000");
    assert!(count(place, &slow) > 10, "payments took up to 30 seconds");

    let refusals = one(
        place,
        "SELECT count(*) AS n, max(response_time_ms) AS slowest, \
         CAST(min(timestamp) > (SELECT min(timestamp) FROM ecommerce.transactions \
           WHERE error_type = 'PAYMENT_GATEWAY_TIMEOUT' AND timestamp >= '2026-11-15T14:25:00Z') AS BOOLEAN) AS later \
         FROM ecommerce.transactions WHERE error_type = 'CIRCUIT_BREAKER_OPEN' \
         AND timestamp >= '2026-11-15T14:25:00Z' AND timestamp < '2026-11-15T15:00:00Z'",
    );
    assert!(refusals["n"].as_u64() > Some(20), "{refusals}");
    assert_eq!(refusals["later"], true, "the breaker opens after the first timeouts");
    assert!(refusals["slowest"].as_u64() < Some(1000), "it fails fast: {refusals}");
    let code = place.sql(
        "SELECT DISTINCT error_type, http_status FROM ecommerce.transactions \
         WHERE error_type IN ('CIRCUIT_BREAKER_OPEN', 'PAYMENT_GATEWAY_TIMEOUT') ORDER BY 1",
    );
    let expected = json!([
        { "error_type": "CIRCUIT_BREAKER_OPEN", "http_status": 503 },
        { "error_type": "PAYMENT_GATEWAY_TIMEOUT", "http_status": 504 },
    ]);
    assert_eq!(Value::from(code), expected);
}

fn labels_name_incidents_that_are_there(place: &Place) {
    for table in ["transactions", "infrastructure_metrics", "incident_effects"] {
        let query = format!(
            "SELECT count(*) AS n FROM ecommerce.{table} t LEFT JOIN ecommerce.incidents i \
             ON t.incident_id = i.incident_id WHERE t.incident_id IS NOT NULL AND i.incident_id IS NULL"
        );
        assert_eq!(one(place, &query)["n"], 0, "{table} names an incident that is not there");
        let decoys = format!(
            "SELECT count(*) AS n FROM ecommerce.{table} t JOIN ecommerce.incidents i \
             ON t.incident_id = i.incident_id WHERE i.role = 'decoy'"
        );
        if table != "incident_effects" {
            assert_eq!(one(place, &decoys)["n"], 0, "a decoy marks rows of {table}");
        }
    }
    let decoys = one(place, "SELECT count(*) AS n FROM ecommerce.incidents WHERE role = 'decoy'");
    assert!(decoys["n"].as_u64() > Some(0), "a week without a decoy tests nothing");
    for (condition, what) in [
        ("phase = 'normal' AND incident_id IS NOT NULL", "normal rows that blame somebody"),
        ("phase <> 'normal' AND incident_id IS NULL", "rows in trouble that blame nobody"),
        ("status = 'error' AND error_type IS NULL", "errors without a reason"),
        ("status = 'success' AND error_type IS NOT NULL", "successes with an error"),
    ] {
        assert_eq!(count(place, condition), 0, "{what}");
    }
    // A row is marked within its incident or the recovery from it.
    let strays = one(
        place,
        "SELECT count(*) AS n FROM ecommerce.transactions t JOIN ecommerce.incidents i ON t.incident_id = i.incident_id \
         WHERE t.timestamp < i.start_time OR t.timestamp >= i.recovered_time",
    );
    assert_eq!(strays["n"], 0, "rows are marked outside of their incident");
}

fn normal_and_troubled_differ(place: &Place) {
    let phases = place.sql(
        "SELECT phase, count(*) AS n, avg(CASE WHEN status = 'error' THEN 1.0 ELSE 0.0 END) AS errors, \
         approx_percentile_cont(0.5) WITHIN GROUP (ORDER BY response_time_ms) AS median \
         FROM ecommerce.transactions GROUP BY phase ORDER BY phase",
    );
    let of = |phase: &str, key: &str| phases.iter().find(|row| row["phase"] == phase).unwrap()[key].as_f64().unwrap();
    assert!((0.01..0.02).contains(&of("normal", "errors")), "{phases:?}");
    assert!((200.0..800.0).contains(&of("normal", "median")), "{phases:?}");
    assert!((0.12..0.45).contains(&of("incident", "errors")), "{phases:?}");
    assert!(of("incident", "median") > 2.0 * of("normal", "median"), "{phases:?}");
}
