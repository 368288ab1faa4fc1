//! Configurations against a plugin's JSON Schema: defaults filled in, every fault with a JSON Pointer. The schema comes
//! from the plugin and is not trusted: nothing is fetched for it, its patterns run in linear time, and what its defaults
//! add is bounded.

use super::fault;
use crate::core::printable::printable;
use crate::core::problem::Problem;
use serde_json::{Map, Value};
use std::cell::Cell;
use std::collections::BTreeMap;

/// Most bytes of a configuration as JSON: large ones carry services, hosts and message templates.
const MAX_CONFIG_BYTES: usize = 16 << 20;
/// Most nodes and bytes of text that defaults may add to one configuration.
const MAX_DEFAULTS_WEIGHT: usize = 1 << 20;
/// Most schemas that one value may have to fit at once, through references and combinations: checking takes that long.
const MAX_EXPANSION: u64 = 1_000;
/// Steps of looking for defaults in one configuration.
const MAX_STEPS: usize = 1_000_000;
/// How deep schemas are followed; deeper parts keep what the configuration says.
const MAX_DEPTH: u32 = 64;
/// Most faults that are reported at once.
const MAX_PROBLEMS: usize = 20;

/// A schema, ready to check with.
pub(super) struct ConfigSchema {
    schema: Value,
    validator: jsonschema::Validator,
}

impl ConfigSchema {
    /// Reads a schema.
    ///
    /// # Errors
    /// It is no JSON Schema, or refers to something outside itself.
    pub(super) fn compile(text: &str) -> Result<Self, Vec<Problem>> {
        let wrong = |message: String| vec![Problem::new("config-schema", message)];
        let schema: Value = serde_json::from_str(text).map_err(|error| wrong(format!("is no JSON: {error}")))?;
        if !schema.is_object() {
            return Err(wrong("must be an object".into()));
        }
        Expansion { root: &schema, known: BTreeMap::new() }
            .check_all(&schema, 0)
            .map_err(|message| wrong(message.to_owned()))?;
        let options = jsonschema::options().offline().with_pattern_options(jsonschema::PatternOptions::regex());
        let validator = options
            .build(&schema)
            .map_err(|error| wrong(format!("is no JSON Schema: {}", printable(&error.to_string()))))?;
        Ok(Self { schema, validator })
    }

    /// The schema.
    pub(super) fn json(&self) -> &Value {
        &self.schema
    }

    /// `config` with the defaults of everything that it leaves out.
    ///
    /// # Errors
    /// What does not fit the schema, at most 20 faults.
    pub(super) fn effective(&self, config: &Value) -> Result<Value, Vec<Problem>> {
        if !config.is_object() {
            return Err(vec![Problem::new("", "a configuration is a table of keys and values")]);
        }
        let mut effective = config.clone();
        let mut filler = Filler { root: &self.schema, budget: MAX_DEFAULTS_WEIGHT, steps: Cell::new(MAX_STEPS) };
        filler.fill(&self.schema, &mut effective, 0);
        if weight(&effective) > MAX_CONFIG_BYTES {
            return Err(vec![Problem::new("", format!("larger than {MAX_CONFIG_BYTES} bytes"))]);
        }
        let faults = self.validator.iter_errors(&effective);
        let problems: Vec<_> = faults.flat_map(|fault| fault::problems(&fault)).take(MAX_PROBLEMS).collect();
        if problems.is_empty() { Ok(effective) } else { Err(problems) }
    }
}

/// Puts in defaults where a configuration has nothing.
struct Filler<'a> {
    root: &'a Value,
    budget: usize,
    steps: Cell<usize>,
}

impl<'a> Filler<'a> {
    /// Whether to go on: neither too deep nor for too long.
    fn may_step(&self, depth: u32) -> bool {
        let left = self.steps.get();
        self.steps.set(left.saturating_sub(1));
        left > 0 && depth <= MAX_DEPTH
    }

    fn fill(&mut self, schema: &'a Value, value: &mut Value, depth: u32) {
        if !self.may_step(depth) {
            return;
        }
        if let Some(target) = self.referred(schema) {
            self.fill(target, value, depth + 1);
        }
        for part in list(schema, "allOf") {
            self.fill(part, value, depth + 1);
        }
        for key in ["anyOf", "oneOf"] {
            // Which alternative is meant must be certain; a guess would put in another's defaults.
            let mut fitting = list(schema, key).iter().filter(|part| self.plausible(part, value, depth + 1));
            if let (Some(part), None) = (fitting.next(), fitting.next()) {
                self.fill(part, value, depth + 1);
            }
        }
        match value {
            Value::Object(object) => self.fill_object(schema, object, depth),
            Value::Array(items) => {
                let item_schema = schema.get("items").filter(|items| items.is_object());
                for item in items {
                    if let Some(item_schema) = item_schema {
                        self.fill(item_schema, item, depth + 1);
                    }
                }
            }
            _ => {}
        }
    }

    fn fill_object(&mut self, schema: &'a Value, object: &mut Map<String, Value>, depth: u32) {
        let properties = schema.get("properties").and_then(Value::as_object);
        for (name, property) in properties.into_iter().flatten() {
            if !object.contains_key(name)
                && let Some(default) = self.default_of(property, 0)
            {
                let added = name.len() + weight(default);
                if added > self.budget {
                    continue;
                }
                self.budget -= added;
                object.insert(name.clone(), default.clone());
            }
            if let Some(value) = object.get_mut(name) {
                self.fill(property, value, depth + 1);
            }
        }
        if let Some(rest) = schema.get("additionalProperties").filter(|rest| rest.is_object()) {
            for (_, value) in
                object.iter_mut().filter(|(name, _)| !properties.is_some_and(|known| known.contains_key(*name)))
            {
                self.fill(rest, value, depth + 1);
            }
        }
    }

    fn default_of(&self, schema: &'a Value, depth: u32) -> Option<&'a Value> {
        if !self.may_step(depth) {
            return None;
        }
        schema.get("default").or_else(|| self.default_of(self.referred(schema)?, depth + 1))
    }

    /// What a reference within the schema leads to; there are no others.
    fn referred(&self, schema: &'a Value) -> Option<&'a Value> {
        referred(self.root, schema)
    }

    /// Whether a value may be meant for `schema`: the right type, the constants of a tag, and all that is required.
    fn plausible(&self, schema: &'a Value, value: &Value, depth: u32) -> bool {
        if !self.may_step(depth) {
            return false;
        }
        if let Some(target) = self.referred(schema)
            && !self.plausible(target, value, depth + 1)
        {
            return false;
        }
        if !has_type(schema, value) || schema.get("const").is_some_and(|constant| constant != value) {
            return false;
        }
        let Value::Object(object) = value else { return true };
        let properties = schema.get("properties").and_then(Value::as_object);
        let tags_fit = properties.into_iter().flatten().all(|(name, property)| {
            object.get(name).is_none_or(|value| property.get("const").is_none_or(|constant| constant == value))
        });
        let defaulted = |name: &str| {
            properties.and_then(|known| known.get(name)).is_some_and(|property| self.default_of(property, 0).is_some())
        };
        tags_fit
            && list(schema, "required")
                .iter()
                .filter_map(Value::as_str)
                .all(|name| object.contains_key(name) || defaulted(name))
    }
}

/// Counts, before a schema is used, how many schemas one value would have to fit: one that refers to itself for the same
/// value would never come to an end, and one whose combinations double at every step nearly never.
struct Expansion<'a> {
    root: &'a Value,
    /// By the address of a schema; none while it is being counted.
    known: BTreeMap<*const Value, Option<u64>>,
}

impl<'a> Expansion<'a> {
    fn check_all(&mut self, node: &'a Value, depth: u32) -> Result<(), &'static str> {
        if depth > MAX_DEPTH {
            return Err("is nested too deeply");
        }
        match node {
            Value::Object(object) => {
                // They lead where this can't follow; schemas that are made from types do without.
                let elsewhere = ["$dynamicRef", "$recursiveRef", "$anchor", "$dynamicAnchor"];
                if depth > 0 && object.get("$id").is_some_and(Value::is_string)
                    || elsewhere.iter().any(|key| object.get(*key).is_some_and(Value::is_string))
                {
                    return Err("may refer to its own parts by $ref and a JSON Pointer only");
                }
                self.count(node, 0)?;
                object.values().try_for_each(|part| self.check_all(part, depth + 1))
            }
            Value::Array(parts) => parts.iter().try_for_each(|part| self.check_all(part, depth + 1)),
            _ => Ok(()),
        }
    }

    fn count(&mut self, schema: &'a Value, depth: u32) -> Result<u64, &'static str> {
        let key: *const Value = schema;
        match self.known.get(&key) {
            Some(Some(count)) => return Ok(*count),
            Some(None) => return Err("refers to itself for the same value"),
            None => {}
        }
        if depth > MAX_DEPTH {
            return Err("follows references too deeply");
        }
        if schema.get("$ref").is_some_and(Value::is_string) && referred(self.root, schema).is_none() {
            return Err("refers to something that is not in it; a reference is # and a JSON Pointer");
        }
        self.known.insert(key, None);
        let mut count = 1_u64;
        let lists = ["allOf", "anyOf", "oneOf"].into_iter().flat_map(|key| list(schema, key));
        let single = ["not", "if", "then", "else"].into_iter().filter_map(|key| schema.get(key));
        let dependent =
            schema.get("dependentSchemas").and_then(Value::as_object).into_iter().flatten().map(|(_, part)| part);
        for part in lists.chain(single).chain(dependent).chain(referred(self.root, schema)) {
            count = count.saturating_add(self.count(part, depth + 1)?);
        }
        if count > MAX_EXPANSION {
            return Err("combines too many schemas for one value");
        }
        self.known.insert(key, Some(count));
        Ok(count)
    }
}

/// What a reference within the schema leads to.
fn referred<'a>(root: &'a Value, schema: &'a Value) -> Option<&'a Value> {
    root.pointer(schema.get("$ref")?.as_str()?.strip_prefix('#')?)
}

fn has_type(schema: &Value, value: &Value) -> bool {
    let is = |name: &str| match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" | "integer" => value.is_number(),
        _ => false,
    };
    match schema.get("type") {
        Some(Value::String(name)) => is(name),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).any(is),
        _ => true,
    }
}

fn list<'a>(schema: &'a Value, key: &str) -> &'a [Value] {
    schema.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Nodes and bytes of text: about the bytes of the JSON.
fn weight(value: &Value) -> usize {
    match value {
        Value::String(text) => 1 + text.len(),
        Value::Array(items) => 1 + items.iter().map(weight).sum::<usize>(),
        Value::Object(object) => 1 + object.iter().map(|(name, value)| name.len() + weight(value)).sum::<usize>(),
        _ => 1,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    fn schema(json: &Value) -> ConfigSchema {
        ConfigSchema::compile(&json.to_string()).unwrap()
    }

    #[test]
    fn defaults_are_filled_in_at_every_depth() {
        let schema = schema(&json!({
            "type": "object", "additionalProperties": false,
            "properties": {
                "base_tps": {"type": "number", "default": 20.0},
                "queue": {"$ref": "#/$defs/Queue", "default": {}},
                "hosts": {"type": "array", "items": {"$ref": "#/$defs/Host"}, "default": [{"name": "a"}]},
                "extra": {"anyOf": [{"$ref": "#/$defs/Host"}, {"type": "null"}], "default": null},
            },
            "$defs": {
                "Queue": {"type": "object", "properties": {"workers": {"type": "integer", "default": 4}}},
                "Host": {"type": "object", "required": ["name"],
                    "properties": {"name": {"type": "string"}, "cores": {"type": "integer", "default": 2}}},
            },
        }));
        let filled = schema.effective(&json!({"extra": {"name": "b"}})).unwrap();
        let expected = json!({"base_tps": 20.0, "queue": {"workers": 4}, "hosts": [{"name": "a", "cores": 2}], "extra": {"name": "b", "cores": 2}});
        assert_eq!(filled, expected);
        assert_eq!(schema.effective(&filled).unwrap(), filled, "filling in changes nothing the second time");
    }

    #[test]
    fn faults_have_pointers() {
        let schema = schema(&json!({
            "type": "object", "additionalProperties": false,
            "properties": {"rates": {"type": "array", "items": {"type": "number", "maximum": 1}}},
        }));
        let faults = schema.effective(&json!({"rates": [0.5, 2], "typo": 1})).unwrap_err();
        assert!(faults.iter().any(|fault| fault.path == "/rates/1"), "{faults:?}");
        assert!(faults.iter().any(|fault| fault.message.contains("typo")), "{faults:?}");
        assert!(schema.effective(&json!([])).is_err());
    }

    #[test]
    fn of_alternatives_the_one_that_was_meant_is_told() {
        let object = |key: &str, of: Value| json!({"type": "object", "required": [key], "additionalProperties": false, "properties": {key: of}});
        let lognormal = json!({
            "type": "object", "additionalProperties": false, "required": ["median"],
            "properties": {"median": {"type": "number"}, "sigma": {"type": "number"}},
        });
        let tagged = |kind: &str, field: &str| {
            json!({
                "type": "object", "required": ["kind"],
                "properties": {"kind": {"const": kind}, field: {"type": "number", "minimum": 0}},
            })
        };
        let schema = schema(&json!({
            "type": "object", "additionalProperties": false,
            "properties": {
                "value": {"oneOf": [
                    {"type": "string", "enum": ["time", "entity"]},
                    object("lognormal", json!({"$ref": "#/$defs/Lognormal"})),
                    object("constant", json!({"type": "number"})),
                ]},
                "selection": {"$ref": "#/$defs/Selection"},
                "maybe": {"anyOf": [{"$ref": "#/$defs/Selection"}, {"type": "null"}]},
                "shape": {"anyOf": [tagged("circle", "radius"), tagged("square", "side"), tagged("point", "z")]},
                "most": {"anyOf": [{"type": "number", "maximum": 1}, {"type": "null"}]},
            },
            "$defs": {
                "Lognormal": lognormal,
                "Selection": {"oneOf": [{"type": "string", "const": "policy"}, {"type": "string", "const": "random"}]},
            },
        }));
        let told = |config: Value| {
            let faults = schema.effective(&config).unwrap_err();
            faults.iter().map(Problem::to_string).collect::<Vec<_>>()
        };
        let typo = told(json!({"value": {"lognormal": {"median": 12, "sgma": 0.4}}}));
        assert_eq!(typo.len(), 1, "{typo:?}");
        assert!(typo[0].starts_with("/value/lognormal: ") && typo[0].contains("'sgma'"), "{typo:?}");
        let kinds = "a table with one of the keys constant, lognormal";
        for (config, expected) in [
            (json!({"selection": "best"}), r#"/selection: must be "policy" or "random", not "best""#.to_owned()),
            (json!({"maybe": "best"}), r#"/maybe: must be "policy" or "random", not "best""#.to_owned()),
            (
                json!({"value": {"lognorml": {"median": 1}}}),
                format!(r#"/value: must be "time", "entity" or {kinds}, not a table with lognorml"#),
            ),
            (json!({"value": "tme"}), r#"/value: must be "time", "entity" or a table, not "tme""#.to_owned()),
            (
                json!({"shape": {"kind": "star"}}),
                "/shape: must be a table with one of kind = \"circle\", kind = \"point\", kind = \"square\", not a table \
                 with kind = \"star\""
                    .to_owned(),
            ),
            (
                json!({"shape": {"kind": "square", "side": -1}}),
                "/shape/side: -1 is less than the minimum of 0".to_owned(),
            ),
            (json!({"most": 2}), "/most: 2 is greater than the maximum of 1".to_owned()),
        ] {
            assert_eq!(told(config), [expected]);
        }
    }

    #[test]
    fn schemas_that_reach_out_or_explode_are_held() {
        assert!(ConfigSchema::compile(r#"{"$ref": "https://example.com/schema.json"}"#).is_err());
        assert!(ConfigSchema::compile(r#"{"$ref": "file:///etc/passwd"}"#).is_err());
        assert!(ConfigSchema::compile(r#"{"type": 7}"#).is_err());
        assert!(ConfigSchema::compile(r##"{"$ref": "#"}"##).is_err());
        assert!(ConfigSchema::compile(r##"{"anyOf": [{"type": "null"}, {"not": {"$ref": "#"}}]}"##).is_err());
        assert!(ConfigSchema::compile(r##"{"$ref": "#/%24defs/A", "$defs": {"A": {}}}"##).is_err());
        let double = |n: u32| json!({"allOf": [{"$ref": format!("#/$defs/{n}")}, {"$ref": format!("#/$defs/{n}")}]});
        let doubling: Map<String, Value> =
            (0..40).map(|n| (n.to_string(), if n == 0 { json!({}) } else { double(n - 1) })).collect();
        assert!(ConfigSchema::compile(&json!({"$ref": "#/$defs/39", "$defs": doubling}).to_string()).is_err());
        for reference in ["$dynamicRef", "$recursiveRef", "$anchor", "$dynamicAnchor", "$id"] {
            assert!(
                ConfigSchema::compile(&json!({"$defs": {"A": {reference: "#A"}}}).to_string()).is_err(),
                "{reference}"
            );
        }
        let bomb = schema(&json!({"$ref": "#/$defs/A", "$defs": {"A": {"type": "object", "properties": {
            "a": {"$ref": "#/$defs/A", "default": {}}, "b": {"$ref": "#/$defs/A", "default": {}},
        }}}}));
        let filled = bomb.effective(&json!({}));
        assert!(filled.is_err() || filled.is_ok_and(|filled| weight(&filled) < 2 * MAX_DEFAULTS_WEIGHT));
    }
}
