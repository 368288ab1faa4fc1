//! Documents for a server as a step: sent, refused, and refused for want of credentials.

use super::states;
use crate::opensearch::receiver::{Fault, Receiver};
use crate::program::{Place, answer};
use serde_json::{Value, json};

#[test]
fn rows_become_documents_and_those_that_are_refused_fail_the_step() {
    let (place, receiver) = (Place::new(), Receiver::start());
    let rows: String = (0..100).map(|row| format!("{row},text\n")).collect();
    place.file("orders.csv", format!("id,text\n{rows}"));
    place.good(["ingest", "shop.orders", "orders.csv"]);
    place.file(
        "p.toml",
        format!(
            r#"
[pipeline]
name = "p"
retries = 2
retry_delay = "10ms"

[[step]]
name = "documents"
kind = "load"
host = "{}"
index = "orders"
source = "shop.orders"
recreate = true
verify = true
"#,
            receiver.address
        ),
    );
    receiver.cluster().authorization = Some("ApiKey k3y".into());
    let run = |key: Option<&str>, code: i32| -> Value {
        let mut command = place.command(["schedule", "run", "p.toml", "--once", "p", "--json"]);
        command.envs(key.map(|key| ("TELEMILL_OPENSEARCH_API_KEY", key)));
        let mut told: Value = serde_json::from_str(&answer(command.output().unwrap()).with_code(code).out).unwrap();
        told["steps"][0].take()
    };
    let refused = run(None, 1);
    assert!(refused["error"].as_str().unwrap().contains("401"), "{refused:#}");
    assert!(receiver.cluster().indices.is_empty());

    let step = run(Some("k3y"), 0);
    let wanted = json!({"index": "orders", "sent": 100, "accepted": 100, "retried": 0});
    assert_eq!((&step["result"], &step["tries"]), (&wanted, &json!(1)), "{step:#}");
    assert_eq!(receiver.cluster().indices["orders"].documents.len(), 100);

    receiver.cluster().faults.push_back(Fault::Items(2, 400));
    let step = run(Some("k3y"), 1);
    assert_eq!((&step["state"], &step["tries"]), (&"failed".into(), &json!(1)), "a verdict is final: {step:#}");
    assert!(step["error"].as_str().unwrap().contains("not all documents are in orders: 50 were refused"), "{step:#}");
    assert_eq!(receiver.cluster().indices["orders"].documents.len(), 50);
    let told = place.json(["schedule", "show", "p", "--json"]);
    assert_eq!(states(&told), [("documents".to_owned(), "failed".to_owned())]);
    assert!(!told.to_string().contains("k3y"), "secrets stay in the environment");
}
