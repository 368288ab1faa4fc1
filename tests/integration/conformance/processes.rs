//! What another process makes is compared with what this one made.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::json;
use telemill::plugin::Limits;
use telemill::plugin::check::Outcome;
use telemill::worker::Program;
use telemill_tests::{guest, telemill};

use super::laws::{Laws, options};
use super::{ENGINE, alone, checked_by, engine, failed};

/// Guests, what their worker processes are told in the place of what, and the law that finds it.
pub(super) const ALTERED: &[(&str, &str, &str, Laws)] = &[
    ("hostile", r#""seed":42"#, r#""seed":43"#, &["another process, same rows"]),
    ("hostile-incidents", r#""seed":42"#, r#""seed":43"#, &["another process, same incidents"]),
    ("hostile-validator", r#""fault":"none""#, r#""fault":"mute""#, &["another process, same report"]),
];

/// A program that is `telemill`, but for one thing: its workers see another text than they were given.
fn altering(folder: &Path, from: &str, to: &str) -> Program {
    assert_eq!(from.len(), to.len(), "a frame says its length");
    let script = folder.join("telemill");
    let text = format!(
        "#!/usr/bin/perl\nopen(my $to, '|-', '{}', @ARGV) or die;\nbinmode STDIN; binmode $to;\n\
         while (sysread(STDIN, my $bytes, 1 << 20)) {{ $bytes =~ s/\\Q{from}\\E/{to}/ if $ARGV[1] eq 'check'; syswrite($to, $bytes) }}\n",
        telemill().unwrap().display()
    );
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    Program::at(script)
}

#[test]
fn what_another_process_makes_is_compared() {
    let folder = tempfile::tempdir().unwrap();
    for (name, from, to, laws) in ALTERED {
        let check =
            |engine: &_| telemill::plugin::check::check(engine, name, &guest(name).unwrap(), &options(json!({})));
        let report = check(&ENGINE);
        assert!(report.passed(), "{:#?}", report.checks);
        let report = check(&engine(altering(folder.path(), from, to)));
        assert_eq!(failed(&report), *laws, "{:#?}", report.checks);
    }
}

/// A worker that can't make it says so, and one that can't be started is told of.
#[test]
fn a_process_that_makes_nothing_is_told_of() {
    let law = "another process, same rows";
    let folder = tempfile::tempdir().unwrap();
    let other_fault = engine(altering(folder.path(), r#""fault":"none""#, r#""fault":"nine""#));
    let report = checked_by(&other_fault, json!({ "meters": 7 }));
    let told = report.checks.iter().find(|check| check.name == law).unwrap();
    assert!(told.message.contains("in another process it failed: "), "{told:?}");
    let report = checked_by(&alone(Limits::default()), json!({ "meters": 7 }));
    assert!(report.checks.iter().any(|check| check.name == law && check.outcome == Outcome::Skipped));
}
