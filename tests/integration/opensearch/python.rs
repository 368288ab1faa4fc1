//! The receiver is no invention of our client's: PyPI's opensearch-py finds it good, too.

use super::receiver::{Fault, Receiver};
use std::path::{Path, PathBuf};
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

/// A Python with the package, in a virtual environment below `target/` that is made once.
fn python() -> PathBuf {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("target");
    let environment = target.join("opensearch-py");
    let python = environment.join("bin/python");
    let good = || {
        Command::new(&python).args(["-c", "import opensearchpy"]).output().is_ok_and(|output| output.status.success())
    };
    if !good() {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment));
        run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", PACKAGE]));
        assert!(good(), "{PACKAGE} was installed and can't be imported");
    }
    python
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}", error.chars().take(4_000).collect::<String>());
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_bulk_helper_of_opensearch_py_succeeds() {
    let receiver = Receiver::start();
    // The second chunk is told to wait for some of its items, as a busy server would.
    receiver.cluster().faults.extend([Fault::None, Fault::Items(4, 429)]);
    let output = run(Command::new(python()).arg("-c").arg(SCRIPT).arg(format!("http://{}", receiver.address)));
    assert_eq!(output.trim(), "good");
    assert_eq!(receiver.cluster().indices["py"].documents.len(), 1_201);
}
