//! The receiver is no invention of our client's: PyPI's opensearch-py finds it good, too.

use super::receiver::{Fault, Receiver};
use crate::python::{environment, run};
use std::process::Command;

/// The release whose helper is used.
const PACKAGE: &str = "opensearch-py==3.2.0";

const SCRIPT: &str = r#"
import sys
from opensearchpy import OpenSearch, helpers
client = OpenSearch([sys.argv[1]], max_retries=0)
assert client.info()["version"]["distribution"] == "opensearch"
mapping = {"mappings": {"properties": {"@timestamp": {"type": "date"}, "n": {"type": "long"}}}}
client.indices.create(index="py", body=mapping)
assert client.indices.exists(index="py") and not client.indices.exists(index="other")
documents = [{"_index": "py", "_id": str(n), "@timestamp": "2026-11-09T00:00:00.000001Z", "n": n} for n in range(1200)]
stored, failed = helpers.bulk(client, documents, chunk_size=500, max_retries=3, initial_backoff=0, raise_on_error=False)
assert (stored, failed) == (1200, []), (stored, failed)
client.indices.refresh(index="py")
assert client.count(index="py")["count"] == 1200
bad = [{"_index": "py", "_id": "a", "n": "many"}, {"_index": "py", "_id": "b", "n": 1}]
stored, failed = helpers.bulk(client, bad, raise_on_error=False)
assert stored == 1 and failed[0]["index"]["error"]["type"] == "mapper_parsing_exception", (stored, failed)
print("good")
"#;

#[test]
fn the_bulk_helper_of_opensearch_py_succeeds() {
    let receiver = Receiver::start();
    // The second chunk is told to wait for some of its items, as a busy server would.
    receiver.cluster().faults.extend([Fault::None, Fault::Items(4, 429)]);
    let python = environment("opensearch-py", &[PACKAGE]).unwrap();
    let output = run(Command::new(python).arg("-c").arg(SCRIPT).arg(format!("http://{}", receiver.address))).unwrap();
    assert_eq!(output.trim(), "good");
    assert_eq!(receiver.cluster().indices["py"].documents.len(), 1_201);
}
