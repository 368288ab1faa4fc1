//! Floats that were rounded to three decimals or fewer, written by way of a whole number: what most columns of telemetry hold, at a
//! third of the price of looking for the shortest text, which is the same text.

/// A float as a whole number of thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Thousandths(i64);

/// Twelve digits before the last three make fifteen, and no two decimals of fifteen digits are the same float: a text with
/// so many that reads back as the value is the shortest there is.
const MOST: f64 = 1e12;

impl Thousandths {
    /// The value, where that is exactly what it is.
    #[inline]
    pub(super) fn of(value: f64) -> Option<Self> {
        let scaled = value * 1000.0;
        // Also where it is no number.
        if !(-MOST..MOST).contains(&scaled) {
            return None;
        }
        let whole = scaled.round_ties_even() as i64;
        let exact = (whole as f64 / 1000.0).to_bits() == value.to_bits();
        exact.then_some(Self(whole))
    }

    /// Appends it after `prefix`, with one decimal at least.
    #[inline]
    pub(super) fn write(self, prefix: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(prefix);
        if self.0 < 0 {
            out.push(b'-');
        }
        let magnitude = self.0.unsigned_abs();
        out.extend_from_slice(itoa::Buffer::new().format(magnitude / 1000).as_bytes());
        let decimals = (magnitude % 1000) as u32;
        let digit = |place: u32| b'0' + (decimals / place % 10) as u8;
        let text = [b'.', digit(100), digit(10), digit(1)];
        let length = match decimals {
            decimals if decimals % 100 == 0 => 2,
            decimals if decimals % 10 == 0 => 3,
            _ => 4,
        };
        out.extend_from_slice(text.get(..length).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: f64) -> Option<String> {
        let mut out = Vec::new();
        Thousandths::of(value)?.write(b"", &mut out);
        Some(String::from_utf8_lossy(&out).into_owned())
    }

    #[test]
    fn the_text_is_the_shortest() {
        let mut shown = 0;
        let steps = (0..200_000).map(|i| (i * 7_919 - 600_000_000) as f64);
        for value in steps.flat_map(|n| [n / 1000.0, n / 100.0, n / 10.0, n, n * 1e4, n / 7.0]) {
            if let Some(text) = written(value) {
                assert_eq!(text, zmij::Buffer::new().format(value));
                shown += 1;
            }
        }
        assert!(shown > 900_000, "only {shown} took the short way");
    }

    #[test]
    fn what_has_more_decimals_takes_the_long_way() {
        for value in [0.1 + 0.2, 1.0 / 3.0, 1e-4, 1e12, -0.0, f64::NAN, f64::INFINITY, 5e-324] {
            assert_eq!(written(value), None, "{value}");
        }
        assert_eq!(written(0.0).as_deref(), Some("0.0"));
        assert_eq!(written(-0.005).as_deref(), Some("-0.005"));
    }
}
