//! What people write for the host (specs, export profiles, recipes) as values, with errors that name the key.

use serde::de::DeserializeOwned;
use serde_json::Value;

/// Reads TOML.
///
/// # Errors
/// What is wrong, behind the path of the key that is at fault where there is one.
pub fn from_toml<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let table: toml::Table = toml::from_str(text).map_err(|error| error.to_string())?;
    from_value(json_of(toml::Value::Table(table)))
}

/// Reads JSON.
///
/// # Errors
/// As [`from_toml`].
pub fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    from_value(serde_json::from_str(text).map_err(|error| error.to_string())?)
}

/// Reads a document that was parsed before.
///
/// # Errors
/// As [`from_toml`].
pub fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    serde_path_to_error::deserialize(value).map_err(|error| match error.path().to_string().as_str() {
        "." => error.inner().to_string(),
        path => format!("{path}: {}", error.inner()),
    })
}

/// TOML as JSON: a date or time becomes its text.
fn json_of(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => Value::from(number),
        toml::Value::Float(number) => Value::from(number),
        toml::Value::Boolean(yes) => Value::Bool(yes),
        toml::Value::Datetime(time) => Value::String(time.to_string()),
        toml::Value::Array(list) => Value::Array(list.into_iter().map(json_of).collect()),
        toml::Value::Table(table) => {
            Value::Object(table.into_iter().map(|(key, value)| (key, json_of(value))).collect())
        }
    }
}

/// Numbers, booleans, lists and objects are themselves; everything else is text.
pub fn json_or_text(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}
