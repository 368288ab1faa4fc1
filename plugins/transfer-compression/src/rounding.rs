//! Rounding by addition, which is the same on every machine and costs no conversion.

/// 1.5 x 2^52: a sum with it has no room for fractions, and its lower bits are the whole number.
pub const WHOLE: f64 = 6_755_399_441_055_744.0;

/// Rounds to whole multiples of 1 / `per`, for numbers below 2^51 / `per`.
#[inline]
pub fn rounded(value: f64, per: f64) -> f64 {
    ((value * per + WHOLE) - WHOLE) / per
}

/// The whole number that `value` is; it is below 2^51.
#[inline]
pub fn whole(value: f64) -> i64 {
    (value + WHOLE).to_bits() as i64 - WHOLE.to_bits() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_to_the_nearest() {
        for (value, per, want) in
            [(12.34, 10.0, 12.3), (0.016, 1_000.0, 0.016), (0.995_1, 100.0, 1.0), (0.04, 10.0, 0.0)]
        {
            assert_eq!(rounded(value, per), want);
        }
        for value in [0i64, 1, -7, 123_456_789, 1 << 50] {
            assert_eq!(whole(value as f64), value);
        }
    }
}
