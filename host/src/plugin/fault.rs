//! Faults of a configuration in words that help: of a value that none of a schema's alternatives takes, which was meant and
//! what is wrong with it, or which alternatives there are.

use crate::core::printable::printable;
use crate::core::problem::Problem;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{JsonType, ValidationError};
use serde_json::Value;

/// Most that is shown of a value.
const MAX_SHOWN_CHARS: usize = 80;

/// What is wrong with one alternative.
type Branch = [ValidationError<'static>];

/// The problems that a fault is told as.
pub(super) fn problems(fault: &ValidationError<'_>) -> Vec<Problem> {
    let mut alternatives = Vec::new();
    alternatives_of(fault, &mut alternatives);
    let at = fault.instance_path().to_string();
    let answers: Vec<Answer<'_>> = alternatives.into_iter().map(|branch| Answer::of(branch, &at)).collect();
    if let Some(meant) = meant(&answers) {
        return meant.iter().flat_map(problems).collect();
    }
    let message = wanted(&answers).map_or_else(
        || fault.to_string(),
        |wanted| format!("must be {wanted}, not {}", shown(fault.instance().as_ref())),
    );
    vec![Problem::new(at, printable(&message))]
}

/// The alternatives of a fault, with those that stand behind one of them; none where it is of another kind.
fn alternatives_of<'f>(fault: &'f ValidationError<'_>, found: &mut Vec<&'f Branch>) {
    for branch in context(fault).unwrap_or_default() {
        match branch.as_slice() {
            [inner] if context(inner).is_some() && inner.instance_path() == fault.instance_path() => {
                alternatives_of(inner, found);
            }
            branch => found.push(branch),
        }
    }
}

fn context<'f>(fault: &'f ValidationError<'_>) -> Option<&'f [Vec<ValidationError<'static>>]> {
    match fault.kind() {
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => Some(context),
        _ => None,
    }
}

/// How an alternative looks at the value.
enum Answer<'f> {
    /// It takes these values alone.
    Values(Vec<String>),
    /// It takes values of these types.
    Types(Vec<JsonType>),
    /// It takes tables in which this key has this value.
    Tagged(String, String, &'f Branch),
    /// It takes tables with this key.
    Keyed(String, &'f Branch),
    /// It takes such values, but for these faults.
    Faults(&'f Branch),
}

impl<'f> Answer<'f> {
    fn of(branch: &'f Branch, at: &str) -> Self {
        let below = |error: &ValidationError<'_>| {
            let path = error.instance_path().to_string();
            path.strip_prefix(at).map(str::to_owned)
        };
        let here = || branch.iter().filter(|error| below(error).is_some_and(|rest| rest.is_empty()));
        let values: Vec<String> = here().flat_map(|error| values(error.kind())).collect();
        if !values.is_empty() {
            return Self::Values(values);
        }
        if let Some(types) = here().find_map(|error| types(error.kind())) {
            return Self::Types(types);
        }
        let tag = branch.iter().find_map(|error| match error.kind() {
            ValidationErrorKind::Constant { expected_value } => {
                let key = below(error)?.strip_prefix('/')?.to_owned();
                (!key.contains('/')).then(|| (key, expected_value.to_string()))
            }
            _ => None,
        });
        let key = here().find_map(|error| match error.kind() {
            ValidationErrorKind::Required { property } => property.as_str().map(str::to_owned),
            _ => None,
        });
        match (tag, key) {
            (Some((key, value)), _) => Self::Tagged(key, value, branch),
            (None, Some(key)) => Self::Keyed(key, branch),
            (None, None) => Self::Faults(branch),
        }
    }
}

fn values(kind: &ValidationErrorKind) -> Vec<String> {
    match kind {
        ValidationErrorKind::Constant { expected_value } => vec![expected_value.to_string()],
        ValidationErrorKind::Enum { options } => {
            options.as_array().into_iter().flatten().map(Value::to_string).collect()
        }
        _ => Vec::new(),
    }
}

fn types(kind: &ValidationErrorKind) -> Option<Vec<JsonType>> {
    match kind {
        ValidationErrorKind::Type { kind: TypeKind::Single(one) } => Some(vec![*one]),
        ValidationErrorKind::Type { kind: TypeKind::Multiple(many) } => Some(many.iter().collect()),
        _ => None,
    }
}

/// The faults of the alternative that was meant, where that is certain: the only one that takes such values, or the only one
/// whose tag or key is there.
fn meant<'f>(answers: &[Answer<'f>]) -> Option<&'f Branch> {
    let (mut tagged, mut keyed, mut fitting) = (Vec::new(), Vec::new(), Vec::new());
    for answer in answers {
        match answer {
            Answer::Tagged(_, _, branch) => tagged.push(*branch),
            Answer::Keyed(_, branch) => keyed.push(*branch),
            Answer::Faults(branch) => fitting.push(*branch),
            Answer::Values(_) | Answer::Types(_) => {}
        }
    }
    match (fitting.as_slice(), keyed.as_slice(), tagged.as_slice()) {
        ([only], _, _) | ([], [only], _) | ([], [], [only]) => Some(only),
        _ => None,
    }
}

/// What there is to choose from; none where nothing is known of it.
fn wanted(answers: &[Answer<'_>]) -> Option<String> {
    let (mut choices, mut keys, mut tags, mut kinds) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for answer in answers {
        match answer {
            Answer::Values(values) => choices.extend(values.iter().cloned()),
            Answer::Types(types) => kinds.extend(types.iter().filter_map(|kind| kind_name(*kind)).map(str::to_owned)),
            Answer::Tagged(key, value, _) => tags.push(format!("{key} = {value}")),
            Answer::Keyed(key, _) => keys.push(key.clone()),
            Answer::Faults(_) => {}
        }
    }
    // Of a table, the keys say more than that it is one.
    if !keys.is_empty() || !tags.is_empty() {
        kinds.retain(|kind| Some(kind.as_str()) != kind_name(JsonType::Object));
    }
    choices.extend(table_with(keys, "the key ", "one of the keys "));
    choices.extend(table_with(tags, "", "one of "));
    choices.append(&mut kinds);
    let mut known = Vec::new();
    choices.retain(|choice| {
        let new = !known.contains(choice);
        known.push(choice.clone());
        new
    });
    match choices.split_last() {
        None => None,
        Some((last, [])) => Some(last.clone()),
        Some((last, first)) => Some(format!("{} or {last}", first.join(", "))),
    }
}

/// A table with one of `names`, of which there is one, or are many.
fn table_with(mut names: Vec<String>, one: &str, many: &str) -> Option<String> {
    names.sort();
    names.dedup();
    let what = if names.len() > 1 { many } else { one };
    (!names.is_empty()).then(|| format!("a table with {what}{}", names.join(", ")))
}

/// What people call a type; a null is nothing that they would write.
fn kind_name(kind: JsonType) -> Option<&'static str> {
    Some(match kind {
        JsonType::Null => return None,
        JsonType::Boolean => "true or false",
        JsonType::Integer => "a whole number",
        JsonType::Number => "a number",
        JsonType::String => "text",
        JsonType::Array => "a list",
        JsonType::Object => "a table",
    })
}

/// A value in short: of a table its keys, with what is text.
fn shown(value: &Value) -> String {
    let text = match value {
        Value::Object(object) if object.is_empty() => "an empty table".to_owned(),
        Value::Object(object) => {
            let named = |(key, value): (&String, &Value)| {
                if value.is_string() { format!("{key} = {value}") } else { key.clone() }
            };
            format!("a table with {}", object.iter().map(named).collect::<Vec<_>>().join(", "))
        }
        Value::Array(_) => "a list".to_owned(),
        other => other.to_string(),
    };
    let mut short: String = text.chars().take(MAX_SHOWN_CHARS).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
