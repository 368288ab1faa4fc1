//! A setting that is one number or a range of them: 2, "2", "1-2" or [1, 2].

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Two ends, low <= high, both finite; alike where one number was given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    low: f64,
    high: f64,
}

impl Range {
    /// The range between two finite numbers in either order.
    pub const fn new(low: f64, high: f64) -> Self {
        if low <= high { Self { low, high } } else { Self { low: high, high: low } }
    }

    /// The lower end.
    pub const fn low(&self) -> f64 {
        self.low
    }

    /// The upper end.
    pub const fn high(&self) -> f64 {
        self.high
    }

    /// The number at a share of the way from the lower to the upper end.
    pub fn at(&self, share: f64) -> f64 {
        self.low + (self.high - self.low) * share
    }

    /// "1-2", "1 - 2 %" or "2"; a minus sign is not understood.
    fn parse(text: &str) -> Option<Self> {
        let number = |part: &str| part.trim().parse::<f64>().ok().filter(|value| value.is_finite());
        let text = text.trim().trim_end_matches('%');
        match text.split_once('-') {
            Some((low, high)) => {
                let (low, high) = (number(low.trim().trim_end_matches('%'))?, number(high)?);
                (low <= high).then_some(Self { low, high })
            }
            None => number(text).map(|value| Self { low: value, high: value }),
        }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.low == self.high { write!(f, "{}", self.low) } else { write!(f, "{}-{}", self.low, self.high) }
    }
}

impl Serialize for Range {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.low == self.high { serializer.serialize_f64(self.low) } else { serializer.collect_str(self) }
    }
}

impl<'de> Deserialize<'de> for Range {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Range;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, or a range such as \"1-2\"")
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Range, E> {
                Ok(Range { low: value, high: value })
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Range, E> {
                self.visit_f64(value as f64)
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Range, E> {
                self.visit_f64(value as f64)
            }

            fn visit_str<E: de::Error>(self, value: &str) -> Result<Range, E> {
                Range::parse(value).ok_or_else(|| E::invalid_value(de::Unexpected::Str(value), &self))
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<Range, A::Error> {
                match (items.next_element::<f64>()?, items.next_element::<f64>()?, items.next_element::<f64>()?) {
                    (Some(low), Some(high), None) if low <= high => Ok(Range { low, high }),
                    _ => Err(de::Error::custom("a range has two numbers, the lower one first")),
                }
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Range {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Range".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        const TEXT: &str = r"^\s*\d+(\.\d+)?\s*%?\s*(-\s*\d+(\.\d+)?\s*%?\s*)?$";
        json_schema!({
            "anyOf": [
                { "type": "number" },
                { "type": "string", "pattern": TEXT },
                { "type": "array", "items": { "type": "number" }, "minItems": 2, "maxItems": 2 }
            ]
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn numbers_texts_and_pairs_are_ranges() {
        let read = |json: &str| serde_json::from_str::<Range>(json);
        for (json, low, high) in [
            ("2", 2.0, 2.0),
            ("0.5", 0.5, 0.5),
            ("\"2\"", 2.0, 2.0),
            ("\"1-2\"", 1.0, 2.0),
            ("\"25 - 40 %\"", 25.0, 40.0),
            ("\"1%-2%\"", 1.0, 2.0),
            ("[2, 3]", 2.0, 3.0),
        ] {
            assert_eq!(read(json).unwrap(), Range { low, high }, "{json}");
        }
        for json in ["\"2-1\"", "\"many\"", "[3, 2]", "[1]", "[1, 2, 3]", "null", "\"\"", "\"-\""] {
            assert!(read(json).is_err(), "{json}");
        }
    }

    #[test]
    fn a_range_is_written_as_it_is_read() {
        for range in [Range::new(1.0, 2.0), Range::new(2.5, 2.5)] {
            let json = serde_json::to_string(&range).unwrap();
            assert_eq!(serde_json::from_str::<Range>(&json).unwrap(), range, "{json}");
        }
    }
}
