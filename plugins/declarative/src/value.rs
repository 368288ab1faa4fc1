//! What a column or an attribute can be, as it is written down.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A value of any type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Scalar {
    /// True or false.
    Boolean(bool),
    /// A number.
    Number(f64),
    /// Text.
    Text(String),
}

/// What is drawn, or where a value comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Value {
    /// The row's time.
    Time,
    /// The id of the row's entity.
    Entity,
    /// The id of the entity of this kind that the row's entity belongs to.
    EntityOf(String),
    /// The name of the state that the row's entity is in.
    State,
    /// Always the same.
    Constant(Scalar),
    /// For attributes: the first is the first entity's, and so on; round again where there are fewer.
    List(Vec<Scalar>),
    /// Even between two ends.
    Uniform {
        /// The least.
        low: f64,
        /// The greatest.
        high: f64,
    },
    /// Normal.
    Normal {
        /// Mean.
        mean: f64,
        /// Standard deviation.
        deviation: f64,
    },
    /// Lognormal.
    Lognormal {
        /// Median.
        median: f64,
        /// Standard deviation of the logarithm.
        sigma: f64,
    },
    /// Gamma, with the mean shape x scale.
    Gamma {
        /// Shape, 0.5 to 10,000.
        shape: f64,
        /// Scale.
        scale: f64,
    },
    /// Exponential.
    Exponential {
        /// Mean.
        mean: f64,
    },
    /// Beta between 0 and 1, or between `low` and `high`.
    Beta {
        /// First shape, 0.5 to 1,000.
        a: f64,
        /// Second shape, 0.5 to 1,000.
        b: f64,
        /// The least.
        #[serde(default)]
        low: f64,
        /// The greatest.
        #[serde(default = "one")]
        high: f64,
    },
    /// Poisson counts.
    Poisson {
        /// Mean.
        mean: f64,
    },
    /// As measured: values at evenly spaced quantiles from the least to the greatest, straight between them.
    Quantiles(Vec<f64>),
    /// As measured, with quantiles where one likes them: close together in the tails.
    Empirical {
        /// Shares of rows, rising from 0 to 1.
        shares: Vec<f64>,
        /// The value that each share of rows lies below.
        values: Vec<f64>,
    },
    /// One of some numbers, by weight.
    Numbers {
        /// The numbers.
        values: Vec<f64>,
        /// Their weights; alike where they are left out.
        #[serde(default)]
        weights: Vec<f64>,
    },
    /// One of some texts, by weight.
    Categories {
        /// The texts.
        values: Vec<String>,
        /// Their weights; alike where they are left out.
        #[serde(default)]
        weights: Vec<f64>,
        /// Instead of weights: the i-th has a weight of 1 / i^zipf.
        #[serde(default)]
        zipf: Option<f64>,
    },
    /// True with this probability.
    Chance(f64),
    /// A number that rises with every sample.
    Sequence {
        /// The first one.
        start: i64,
        /// From one to the next.
        #[serde(default = "one_whole")]
        increment: i64,
    },
    /// An id that no other row has: a prefix and 16 hexadecimal digits.
    Id {
        /// The prefix.
        #[serde(default)]
        prefix: String,
    },
    /// The id of an entity of a kind, drawn for each row.
    Link {
        /// The kind.
        to: String,
        /// How unequal they are: the i-th has a weight of 1 / i^zipf.
        #[serde(default)]
        zipf: f64,
    },
    /// KIND.ATTRIBUTE of the row's entity or of one that it belongs to.
    Attribute(String),
    /// A column of the row that this row belongs to, in tables with rows for each of another table.
    From(String),
}

fn one() -> f64 {
    1.0
}

fn one_whole() -> i64 {
    1
}

impl Value {
    /// Whether it is drawn from a distribution; the others come from elsewhere.
    pub fn is_drawn(&self) -> bool {
        let fixed = matches!(self, Self::Time | Self::Entity | Self::EntityOf(_) | Self::State | Self::List(_));
        let numbered = matches!(self, Self::Sequence { .. } | Self::Id { .. });
        let referred = matches!(self, Self::Link { .. } | Self::Attribute(_) | Self::From(_));
        !(fixed || numbered || referred)
    }
}

impl Default for Value {
    fn default() -> Self {
        Self::Constant(Scalar::Number(0.0))
    }
}
