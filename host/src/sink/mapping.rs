//! OpenSearch mappings, derived from the declaration of a table.
//!
//! The body that `PUT /index` takes. It has no settings, so that shards and replicas stay what the cluster's owner
//! chose as its defaults.

use super::bulk::{TIME_NAME, document_columns};
use crate::batch::TableLayout;
use crate::core::schema::{DataType, Field};
use serde_json::{Map, Value, json};

/// The attribute of a field that chooses another OpenSearch type, such as `text` for text analysis.
pub const TYPE_ATTRIBUTE: &str = "opensearch.type";

/// Types that the attribute may choose; others are ignored, since the mapping would be refused.
const CHOOSABLE: [&str; 14] = [
    "keyword",
    "text",
    "wildcard",
    "ip",
    "long",
    "integer",
    "short",
    "byte",
    "double",
    "float",
    "half_float",
    "boolean",
    "date",
    "date_nanos",
];

/// The longest keyword that is indexed, in characters of up to four bytes: Lucene takes 32,766 bytes a term and the
/// server would refuse the whole document for a longer one.
const MAX_KEYWORD_CHARS: u32 = 8_191;

/// The body that creates an index for the documents of a table.
pub fn index_body(layout: &TableLayout) -> Value {
    let columns = document_columns(layout);
    let mut properties = Map::new();
    for name in columns.names() {
        let source = if name == TIME_NAME { layout.table.time_field.as_deref().unwrap_or(name) } else { name };
        if let Some(field) = layout.table.fields.iter().find(|field| field.name == source) {
            properties.insert(name.to_owned(), field_mapping(field));
        }
    }
    json!({ "mappings": { "properties": properties } })
}

fn field_mapping(field: &Field) -> Value {
    let chosen = field.attributes.iter().find(|attribute| attribute.name == TYPE_ATTRIBUTE);
    let chosen = chosen.map(|attribute| attribute.value.as_str()).filter(|value| CHOOSABLE.contains(value));
    let name = chosen.unwrap_or(match field.data_type {
        DataType::Boolean => "boolean",
        DataType::Int32 => "integer",
        DataType::Int64 => "long",
        DataType::Float32 => "float",
        DataType::Float64 => "double",
        DataType::Utf8 => "keyword",
        DataType::Date | DataType::Timestamp => "date",
    });
    match name {
        "keyword" => json!({ "type": name, "ignore_above": MAX_KEYWORD_CHARS }),
        _ => json!({ "type": name }),
    }
}
