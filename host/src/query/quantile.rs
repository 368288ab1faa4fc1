//! `quantile(value, share)`: the value below which a share of the values lies, between two values by linear
//! interpolation, to the last bit as NumPy and pandas have it; and `median(value)`, likewise. DataFusion's
//! `percentile_cont` rounds the weight of the interpolation to six digits and its `median` of whole numbers is a whole
//! number, so these take their names.

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Float64Type};
use datafusion::common::ScalarValue;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};
use std::sync::Arc;

/// The functions, under all of their names.
pub(super) fn functions() -> [AggregateUDF; 2] {
    let signature = |count| Signature::exact(vec![DataType::Float64; count], Volatility::Immutable);
    let aliases = ["percentile_cont", "quantile_cont"].map(str::to_owned).to_vec();
    [
        AggregateUDF::from(Quantile { name: "quantile", signature: signature(2), aliases }),
        AggregateUDF::from(Quantile { name: "median", signature: signature(1), aliases: Vec::new() }),
    ]
}

/// With one argument it is the median.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Quantile {
    name: &'static str,
    signature: Signature,
    aliases: Vec<String>,
}

impl AggregateUDFImpl for Quantile {
    fn name(&self) -> &str {
        self.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType, DataFusionError> {
        Ok(DataType::Float64)
    }

    fn supports_within_group_clause(&self) -> bool {
        !self.aliases.is_empty()
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>, DataFusionError> {
        let values = DataType::List(Arc::new(Field::new_list_field(DataType::Float64, true)));
        Ok(vec![
            Arc::new(Field::new(format_state_name(args.name, "values"), values, true)),
            Arc::new(Field::new(format_state_name(args.name, "share"), DataType::Float64, true)),
        ])
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>, DataFusionError> {
        if args.is_distinct {
            return Err(DataFusionError::Plan(format!("{} takes no DISTINCT", self.name)));
        }
        let descending = args.order_bys.first().is_some_and(|by| by.options.descending);
        let is_median = self.aliases.is_empty();
        Ok(Box::new(Values { values: Vec::new(), share: None, is_median, descending }))
    }
}

/// All values so far.
#[derive(Debug)]
struct Values {
    values: Vec<f64>,
    share: Option<f64>,
    is_median: bool,
    descending: bool,
}

impl Values {
    /// Takes values; those that are missing or no number count for nothing, as in pandas.
    fn add(&mut self, array: &dyn Array) {
        let values = array.as_primitive::<Float64Type>();
        self.values.extend(values.iter().flatten().filter(|value| !value.is_nan()));
    }

    fn set_share(&mut self, shares: &dyn Array) -> Result<(), DataFusionError> {
        let Some(share) = shares.as_primitive::<Float64Type>().iter().flatten().next() else { return Ok(()) };
        if !(0.0..=1.0).contains(&share) {
            return Err(DataFusionError::Plan(format!("the share of a quantile is between 0 and 1, not {share}")));
        }
        self.share = Some(share);
        Ok(())
    }
}

impl Accumulator for Values {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<(), DataFusionError> {
        match values {
            [values] => self.add(values),
            // The columns of an order follow, where one was given.
            [values, shares, ..] => {
                self.set_share(shares)?;
                self.add(values);
            }
            [] => {}
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue, DataFusionError> {
        let share = self.share.map(|share| if self.descending { 1.0 - share } else { share });
        let value = match share {
            None if self.is_median => median(&mut self.values),
            share => share.and_then(|share| quantile(&mut self.values, share)),
        };
        Ok(ScalarValue::Float64(value))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.values.capacity() * size_of::<f64>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>, DataFusionError> {
        let values: Vec<_> = self.values.iter().map(|value| ScalarValue::Float64(Some(*value))).collect();
        let list = ScalarValue::new_list_nullable(&values, &DataType::Float64);
        Ok(vec![ScalarValue::List(list), ScalarValue::Float64(self.share)])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<(), DataFusionError> {
        if let [lists, shares] = states {
            self.set_share(shares)?;
            lists.as_list::<i32>().iter().flatten().for_each(|list| self.add(&list));
        }
        Ok(())
    }
}

/// The quantile of `values`, which it reorders; none where there are none.
///
/// Interpolates from the nearer of the two values, as `numpy.percentile` does with its method "linear".
fn quantile(values: &mut [f64], share: f64) -> Option<f64> {
    let last = values.len().checked_sub(1)?;
    let place = last as f64 * share;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the last index")]
    let below = (place.floor() as usize).min(last);
    let weight = place - below as f64;
    let (_, low, above) = values.select_nth_unstable_by(below, f64::total_cmp);
    let low = *low;
    let Some(high) = above.iter().copied().min_by(f64::total_cmp).filter(|_| weight > 0.0) else { return Some(low) };
    let gap = high - low;
    Some(if weight >= 0.5 { high - gap * (1.0 - weight) } else { low + gap * weight })
}

/// The middle value, or the mean of the two in the middle; none where there are none.
fn median(values: &mut [f64]) -> Option<f64> {
    let middle = values.len() / 2;
    if values.is_empty() {
        return None;
    }
    let even = values.len().is_multiple_of(2);
    let (below, high, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    let low = below.iter().copied().max_by(f64::total_cmp).filter(|_| even);
    Some(low.map_or(*high, |low| f64::midpoint(low, *high)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `numpy.percentile(values, 100 * share)` gives.
    #[test]
    fn quantiles_are_those_of_numpy() {
        let values = [0.1, 0.7, 0.2, 2.3, 1.9, 5.5, 3.3];
        for (share, expected) in
            [(0.0, 0.1), (0.25, 0.44999999999999996), (0.5, 1.9), (0.75, 2.8), (0.9, 4.180000000000001), (1.0, 5.5)]
        {
            assert_eq!(quantile(&mut values.to_vec(), share), Some(expected), "{share}");
        }
        assert_eq!(quantile(&mut [1.0, 2.0], 0.3), Some(1.3));
        assert_eq!(quantile(&mut [], 0.5), None);
        assert_eq!(
            (median(&mut [3.0, 1.0, 2.0]), median(&mut [4.0, 1.0, 3.0, 2.0]), median(&mut [])),
            (Some(2.0), Some(2.5), None)
        );
    }
}
