//! What hours and weekdays do to a number.

use telemill_sdk::time::{HOUR, Local};

/// Factors and summands of the hour and the weekday.
#[derive(Clone, Debug, Default)]
pub struct Season {
    /// Factors: hourly and by weekday; none where empty.
    pub factors: (Vec<f64>, Vec<f64>),
    /// Summands: hourly and by weekday; none where empty.
    pub summands: (Vec<f64>, Vec<f64>),
}

impl Season {
    /// Whether it does nothing.
    pub fn is_none(&self) -> bool {
        let empty = |(hourly, weekday): &(Vec<f64>, Vec<f64>)| hourly.is_empty() && weekday.is_empty();
        empty(&self.factors) && empty(&self.summands)
    }

    /// The factor and the summand at a local time.
    pub fn at(&self, local: &Local) -> (f64, f64) {
        let weekday = usize::from(local.weekday);
        let of = |(hourly, weekdays): &(Vec<f64>, Vec<f64>), none: f64| {
            (curve(hourly, local.micros, none), weekdays.get(weekday).copied().unwrap_or(none))
        };
        let (hour_factor, day_factor) = of(&self.factors, 1.0);
        let (hour_summand, day_summand) = of(&self.summands, 0.0);
        (hour_factor * day_factor, hour_summand + day_summand)
    }
}

/// A curve through 24 hours of the day, straight between them and from the last to the first.
fn curve(hourly: &[f64], micros: i64, none: f64) -> f64 {
    let hour = (micros / HOUR) as usize;
    let (Some(from), Some(to)) = (hourly.get(hour), hourly.get((hour + 1) % 24)) else { return none };
    from + (to - from) * ((micros % HOUR) as f64 / HOUR as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_straight_lines_and_weekdays_steps() {
        let mut hourly = vec![0.0; 24];
        (hourly[6], hourly[7], hourly[23]) = (1.0, 3.0, 8.0);
        let season = Season { factors: (hourly.clone(), vec![1.0, 1.0, 1.0, 2.0]), summands: (hourly, Vec::new()) };
        let at = |weekday: u8, minutes: i64| season.at(&Local { day: 0, weekday, micros: minutes * HOUR / 60 });
        assert_eq!(at(0, 6 * 60), (1.0, 1.0));
        assert_eq!(at(3, 6 * 60 + 30), (4.0, 2.0));
        assert_eq!(at(6, 23 * 60 + 45), (2.0, 2.0));
        assert!(Season::default().is_none());
        assert_eq!(Season::default().at(&Local { day: 0, weekday: 0, micros: 0 }), (1.0, 0.0));
    }
}
