//! What plugins say of themselves: refused with all that is wrong, or sound. Each is a component of its own, since a descriptor
//! knows no configuration.

use std::collections::BTreeSet;

use telemill::plugin::{Descriptor, PluginError, Rejection};

use super::parrot::ROOTS;
use super::values::{CONTRACT, Writer};
use super::{Choices, ENGINE, Tally, is_shown_safely};
use crate::harm::component::{Guest, World};

/// Components that are compiled.
const DESCRIPTORS: usize = 250;

fn describing(input: &[u8]) -> Vec<u8> {
    let mut choices = Choices(input);
    let mut writer = Writer::new(&mut choices, ROOTS, 256);
    writer.root(0, &CONTRACT.result("about", "describe"));
    let data: String = writer.bytes().iter().map(|byte| format!("\\{byte:02x}")).collect();
    let guest = Guest::new(World::Generator).memory("48").extra(&format!("(data (i32.const {ROOTS}) \"{data}\")"));
    guest.body("describe", format!("(i32.const {ROOTS})")).build()
}

fn expect_sound(descriptor: &Descriptor) {
    let Descriptor { name, version, summary, documentation, config_schema, examples, attributes } = descriptor;
    assert!(
        !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'),
        "{name}"
    );
    assert_eq!(version.split('.').count(), 3, "{version}");
    assert!(
        is_shown_safely(summary) && documentation.lines().all(|line| is_shown_safely(&line.replace('\t', " "))),
        "{documentation:?}"
    );
    assert!(config_schema.is_object(), "{config_schema}");
    let names: BTreeSet<&str> = examples.iter().map(|example| example.name.as_str()).collect();
    assert!(names.iter().all(|name| is_shown_safely(name)) && names.len() <= 64, "{names:?}");
    assert!(attributes.len() <= 256);
    let stored = serde_json::to_string(descriptor).unwrap();
    assert_eq!(serde_json::from_str::<Descriptor>(&stored).unwrap(), *descriptor);
}

#[test]
fn descriptors_are_refused_or_sound() {
    let tally = Tally::default();
    bolero::check!().with_iterations(DESCRIPTORS).with_max_len(300).for_each(|input: &[u8]| {
        match ENGINE.load("parrot.wasm", &describing(input)) {
            Ok(plugin) => {
                expect_sound(plugin.descriptor());
                tally.accept();
            }
            Err(error) => {
                let text = error.to_string();
                assert!(is_shown_safely(&text) && text.contains("parrot.wasm"), "{text:?}");
                let descriptor = matches!(
                    &error,
                    PluginError::Rejected { reason: Rejection::BadDescriptor { .. }, .. }
                        | PluginError::BrokenContract { call: "describe", .. }
                );
                assert!(descriptor, "{error:?}");
                tally.refuse();
            }
        }
    });
    tally.expect_both("descriptors");
}
