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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Serialize, Deserialize, JsonSchema, PartialEq)]
    #[serde(default, deny_unknown_fields)]
    struct Shop {
        /// Requests a second.
        base_tps: f64,
        hosts: Vec<Host>,
        anything: Value,
    }

    #[derive(Debug, Default, Serialize, Deserialize, JsonSchema, PartialEq)]
    #[serde(default, deny_unknown_fields)]
    struct Host {
        name: String,
        cores: u32,
    }

    impl Default for Shop {
        fn default() -> Self {
            Self { base_tps: 20.0, hosts: vec![Host { name: "a".into(), cores: 4 }], anything: Value::Null }
        }
    }

    #[test]
    fn every_property_has_its_default() {
        let schema: Value = serde_json::from_str(&schema::<Shop>()).unwrap();
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert_eq!(schema["properties"]["base_tps"]["default"], 20.0);
        assert_eq!(schema["properties"]["base_tps"]["description"], "Requests a second.");
        assert_eq!(schema["properties"]["hosts"]["default"][0]["cores"], 4);
        assert_eq!(schema["properties"]["anything"]["default"], Value::Null);
        assert_eq!(schema["$defs"]["Host"]["properties"]["cores"]["default"], 0);
        assert_eq!(schema["additionalProperties"], false);
    }

    #[test]
    fn a_bad_value_is_named_by_its_pointer() {
        let path = |json: &str| match parse::<Shop>(json) {
            Err(Error::InvalidConfig(problems)) => problems[0].path.clone(),
            other => format!("{other:?}"),
        };
        assert_eq!(path(r#"{"hosts": [{}, {"cores": "many"}]}"#), "/hosts/1/cores");
        assert_eq!(path(r#"{"base_tps": null}"#), "/base_tps");
        assert_eq!(path(r#"{"hosts": [{"core": 1}]}"#), "/hosts/0/core");
        assert_eq!(path("["), "");
        assert_eq!(parse::<Shop>("{}").unwrap(), Shop::default());
        assert_eq!(parse::<Shop>("").unwrap(), Shop::default());
    }
}
