//! A plugin's configuration: its JSON Schema with every default, and reading it with errors that say where.

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Error, Problem};

/// The JSON Schema (2020-12) of a configuration, with each property's default from [`Default`].
pub fn schema<C: JsonSchema + Serialize + Default>() -> String {
    let mut schema = schemars::generate::SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<C>();
    let defaults = serde_json::to_value(C::default()).unwrap_or(Value::Null);
    if let (Some(properties), Some(defaults)) =
        (schema.get_mut("properties").and_then(Value::as_object_mut), defaults.as_object())
    {
        for (name, property) in properties {
            // A property may be `true`, which allows everything and has no room for a default.
            if *property == Value::Bool(true) {
                *property = Value::Object(serde_json::Map::new());
            }
            if let (Some(property), Some(default)) = (property.as_object_mut(), defaults.get(name)) {
                property.insert("default".to_owned(), default.clone());
            }
        }
    }
    schema.to_value().to_string()
}

/// Reads a configuration.
///
/// # Errors
/// `InvalidConfig` with the JSON Pointer of the value that does not fit.
pub fn parse<C: DeserializeOwned>(json: &str) -> Result<C, Error> {
    let text = if json.trim().is_empty() { "{}" } else { json };
    let mut reader = serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = pointer(error.path());
        Error::InvalidConfig(vec![Problem::new(path, error.into_inner().to_string())])
    })
}

/// A path in serde's words as a JSON Pointer (RFC 6901).
fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => pointer.push_str(&format!("/{}", key.replace('~', "~0").replace('/', "~1"))),
            // The variant of an externally tagged enum is a key of the document as well.
            Segment::Enum { variant } => pointer.push_str(&format!("/{variant}")),
            Segment::Unknown => {}
        }
    }
    pointer
}
