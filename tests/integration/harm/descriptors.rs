//! Components that lie about themselves: what they say is refused before anybody reads it.

use super::component::{Guest, HONEST, Texts, World};
use super::{Case, Follows};

const SCHEMA: &str = HONEST.schema;

pub(super) fn cases() -> Vec<Case> {
    let long = |length: usize| "x".repeat(length);
    let (summary, documentation) = (long(2 << 10), long(300 << 10));
    let schema = format!(r#"{{"type": "object", "properties": {{}}, "description": "{}"}}"#, long(1 << 20));
    let deep = format!("{}1{}", r#"{"not": "#.repeat(5_000), "}".repeat(5_000));
    let examples = vec![("e", "{}"); 65];
    let name = |name| Texts { name, ..HONEST };
    let of_schema = |schema| Texts { schema, ..HONEST };
    let of_examples = |examples| Texts { examples, ..HONEST };
    let lies: &[(&str, &str, Texts<'_>)] = &[
        ("a name that is a path", "name", name("../../etc/passwd")),
        ("a name with a separator", "name", name("a/b")),
        ("a name that clears the screen", "\\u{1b}", name("a\u{1b}[2J")),
        ("a name that turns text", "\\u{202e}", name("a\u{202e}b")),
        ("a name of a kibibyte", "name", name(&summary)),
        ("no name", "name", name("")),
        ("no version", "version", Texts { version: "", ..HONEST }),
        ("a version of two kibibytes", "version", Texts { version: &summary, ..HONEST }),
        ("a summary of two kibibytes", "summary", Texts { summary: &summary, ..HONEST }),
        ("documentation of 300 KiB", "documentation", Texts { documentation: &documentation, ..HONEST }),
        ("a schema of a mebibyte", "config-schema", of_schema(&schema)),
        ("a schema that is no JSON", "schema", of_schema("{")),
        ("a schema that is a list", "schema", of_schema("[]")),
        ("a schema five thousand deep", "schema", of_schema(&deep)),
        ("a schema from elsewhere", "schema", of_schema(r#"{"$ref": "http://127.0.0.1:9/schema.json"}"#)),
        ("a schema from a file", "schema", of_schema(r#"{"$ref": "file:///etc/hostname"}"#)),
        ("65 examples", "65 examples", of_examples(&examples)),
        ("an example that is no JSON", "examples/e", of_examples(&[("e", "{")])),
        ("an example against the schema", "examples/e", of_examples(&[("e", r#"{"a": 1}"#)])),
        ("an example that clears the screen", "\\u{1b}", of_examples(&[("\u{1b}[2J", "{")])),
    ];
    assert!(SCHEMA.contains("additionalProperties"));
    let case = |(name, said, texts): &(&str, &'static str, Texts<'_>)| {
        Case::new(*name, "", Follows::Refused(said), Guest::saying(World::Generator, *texts).build())
    };
    lies.iter().map(case).collect()
}
