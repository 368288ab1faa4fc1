//! What a plugin tells about itself, checked before anybody reads it.

use super::bindings::about::exports::telemill::plugin::about as wit;
use super::config::ConfigSchema;
use super::convert;
use crate::core::id::{self, BadName};
use crate::core::printable::{printable, printable_lines};
use crate::core::problem::Problem;
use crate::core::schema::Attribute;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Most bytes of the summary.
const MAX_SUMMARY_BYTES: usize = 1 << 10;
/// Most bytes of the documentation.
const MAX_DOCUMENTATION_BYTES: usize = 256 << 10;
/// Most bytes of the configuration's schema.
const MAX_SCHEMA_BYTES: usize = 1 << 20;
/// Most examples.
const MAX_EXAMPLES: usize = 64;
/// Most attributes.
const MAX_ATTRIBUTES: usize = 256;

/// A configuration that must work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ConfigExample)]
pub struct Example {
    /// Its name.
    pub name: String,
    /// The configuration.
    pub config: Value,
}

/// What a plugin tells about itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = PluginDescriptor)]
pub struct Descriptor {
    /// Its name: lower-case words joined by hyphens.
    pub name: String,
    /// Its version.
    pub version: String,
    /// One line.
    pub summary: String,
    /// Markdown for the person who configures it.
    pub documentation: String,
    /// JSON Schema of its configuration.
    pub config_schema: Value,
    /// Configurations that must work.
    pub examples: Vec<Example>,
    /// What else it says.
    pub attributes: Vec<Attribute>,
}

/// Takes over a descriptor with its schema compiled.
///
/// # Errors
/// Everything that is wrong with it.
pub(super) fn accept(raw: wit::Descriptor) -> Result<(Descriptor, ConfigSchema), Vec<Problem>> {
    let mut problems = size_problems(&raw);
    if let Err(BadName { reason, .. }) = id::check_plugin_name(&raw.name) {
        problems.push(Problem::new("name", format!("{:?}: {reason}", printable(&raw.name))));
    }
    if let Err(error) = semver::Version::parse(&raw.version) {
        problems
            .push(Problem::new("version", format!("{:?} is no semantic version: {error}", printable(&raw.version))));
    }
    let schema = if problems.is_empty() { ConfigSchema::compile(&raw.config_schema) } else { Err(Vec::new()) };
    let examples: Vec<_> = raw.examples.into_iter().take(MAX_EXAMPLES).map(example).collect();
    let schema = match schema {
        Ok(schema) => schema,
        Err(found) => {
            problems.extend(found);
            return Err(problems);
        }
    };
    for example in &examples {
        let checked = example.as_ref().map_err(Clone::clone).and_then(|example| {
            let under =
                |problem: Problem| Problem::new(format!("examples/{}{}", example.name, problem.path), problem.message);
            schema.effective(&example.config).map_err(|found| found.into_iter().map(under).collect())
        });
        problems.extend(checked.err().unwrap_or_default());
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let descriptor = Descriptor {
        name: raw.name,
        version: raw.version,
        summary: printable(&raw.summary),
        documentation: printable_lines(&raw.documentation),
        config_schema: schema.json().clone(),
        examples: examples.into_iter().flatten().collect(),
        attributes: convert::list(raw.attributes, convert::attribute_from),
    };
    Ok((descriptor, schema))
}

fn example(raw: wit::Example) -> Result<Example, Vec<Problem>> {
    let name = printable(&raw.name);
    match serde_json::from_str(&raw.config) {
        Ok(config) => Ok(Example { name, config }),
        Err(error) => Err(vec![Problem::new(format!("examples/{name}"), format!("is no JSON: {error}"))]),
    }
}

fn size_problems(raw: &wit::Descriptor) -> Vec<Problem> {
    let sizes = [
        ("version", raw.version.len(), 100, "bytes"),
        ("summary", raw.summary.len(), MAX_SUMMARY_BYTES, "bytes"),
        ("documentation", raw.documentation.len(), MAX_DOCUMENTATION_BYTES, "bytes"),
        ("config-schema", raw.config_schema.len(), MAX_SCHEMA_BYTES, "bytes"),
        ("examples", raw.examples.len(), MAX_EXAMPLES, "examples"),
        ("attributes", raw.attributes.len(), MAX_ATTRIBUTES, "attributes"),
    ];
    let too_large = sizes.into_iter().filter(|(_, size, most, _)| size > most);
    too_large
        .map(|(path, size, most, unit)| Problem::new(path, format!("{size} {unit}; at most {most} are allowed")))
        .collect()
}
