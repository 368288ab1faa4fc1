//! When a sample has rows: on a grid, of each entity, or at random with a rate that moves.

use super::FitError;
use super::config::{Events, Pace, all_short, short};
use super::sample::{MISSING, Sample, Texts};
use super::season::{self, Moment};
use super::series::order;
use crate::core::schema::DataType;
use std::collections::BTreeMap;

/// Microseconds of a second and of a day.
pub(super) const SECOND_US: f64 = 1e6;
pub(super) const DAY_US: f64 = 86_400e6;

/// Entities of a sample, at most.
const MOST_ENTITIES: usize = 1_000;
/// Share of the steps of one length, and of the grid's places that have a row, of which rows are regular.
const REGULAR: f64 = 0.9;
/// By how much a step may be longer or shorter and still be that length.
const JITTER: f64 = 0.1;
/// Longest step of the generator.
const LONGEST_STEP: u32 = 86_400;
/// Events of one step, at most: half of what the generator takes.
const MOST_EVENTS_A_STEP: usize = 50_000;
/// Part of an hour in which events are counted.
const BINS_AN_HOUR: usize = 4;
/// How long a sample must be for the hours and the weekdays to be told from it.
pub(super) const HOURS_FROM_DAYS: f64 = 2.0;
pub(super) const WEEKDAYS_FROM_DAYS: f64 = 14.0;
/// The start of a sample without times: any day serves.
pub(super) const NO_TIME: f64 = 1_767_225_600e6;

/// When there are rows.
#[derive(Debug)]
pub(super) struct Rows {
    /// The column of the row's time; none where the sample has no times.
    pub(super) time: Option<usize>,
    /// The column of the entity whose row it is.
    pub(super) entity: Option<usize>,
    /// Each row's time; all at the start where the sample has none.
    pub(super) times: Vec<f64>,
    /// Whether rows have times of their own.
    timed: bool,
    /// Microseconds since 1970.
    pub(super) start: i64,
    /// How long the sample is.
    pub(super) duration_us: u64,
    /// The generator's grid.
    pub(super) step_seconds: u32,
    /// A grid or a rate.
    pub(super) pace: Pace,
    /// What people should know.
    pub(super) notes: Vec<String>,
}

impl Rows {
    /// Of `sample`, whose time is in the column `time`, or in the first that has a time in every row; `entity` is a column that was
    /// named.
    ///
    /// # Errors
    /// An entity column that can't be one.
    pub(super) fn of(sample: &Sample, time: Option<usize>, entity: Option<&str>) -> Result<Self, FitError> {
        let named = entity.map(|name| entity_column(sample, name)).transpose()?;
        let mut notes = Vec::new();
        let time = time.or_else(|| {
            let whole = |column: &&super::sample::Column| {
                column.field.data_type == DataType::Timestamp && column.missing() == 0
            };
            let found = sample.columns.iter().find(whole).map(|column| column.field.name.clone())?;
            notes.push(format!("{found} was taken as the rows' time; --time-field names another"));
            sample.find(&found)
        });
        let Some((time, times)) = time.and_then(|time| Some((time, sample.numbers(time)?.to_vec()))) else {
            if let Some(rows) = Self::of_days(sample, named) {
                return Ok(rows);
            }
            return match entity {
                Some(name) => Err(FitError::Entity { column: name.to_owned(), reason: "rows have no time" }),
                None => Ok(Self::without_time(sample)),
            };
        };
        let mut rows = match regular(sample, &times, named) {
            Some((entity, grid)) => Self { entity, ..Self::on(&grid) },
            None => {
                if let Some(name) = entity {
                    notes.push(format!("rows of each {name} are not at regular times, so it is drawn for each row"));
                }
                Self::at_random(&times)
            }
        };
        (rows.time, rows.times, rows.timed) = (Some(time), times, true);
        notes.append(&mut rows.notes);
        notes.extend(rows.too_short());
        rows.notes = notes;
        Ok(rows)
    }

    /// Rows of regular days, told by a date.
    fn of_days(sample: &Sample, named: Option<usize>) -> Option<Self> {
        let whole = |column: &&super::sample::Column| column.field.data_type == DataType::Date && column.missing() == 0;
        let date = sample.columns.iter().find(whole).map(|column| column.field.name.as_str())?;
        let times: Vec<f64> = sample.numbers(sample.find(date)?)?.iter().map(|day| day * DAY_US).collect();
        let (entity, grid) = regular(sample, &times, named)?;
        let mut rows = Self { entity, times, timed: true, ..Self::on(&grid) };
        rows.notes.push(format!("rows are placed in time by {date}; the configuration adds a column of times"));
        Some(rows)
    }

    /// When a row is, as far as seasons go.
    pub(super) fn moment(&self, row: usize) -> Moment {
        Moment::of(self.times.get(row).copied().unwrap_or(self.start as f64))
    }

    /// What is said of a sample that is too short for its hours to be told.
    fn too_short(&self) -> Option<String> {
        let days = self.days();
        let span = if days < 1.0 { format!("{:.1} hours", days * 24.0) } else { format!("{days:.2} days") };
        (days < HOURS_FROM_DAYS).then(|| {
            format!("the sample spans {span}: a daily profile is told from {HOURS_FROM_DAYS} days on, so the configuration has none")
        })
    }

    /// How many days the sample spans.
    pub(super) fn days(&self) -> f64 {
        if self.timed { self.duration_us as f64 / DAY_US } else { 0.0 }
    }

    /// Whether rows are on a grid.
    pub(super) fn on_grid(&self) -> bool {
        matches!(self.pace, Pace::Every(_))
    }

    fn new(start: f64, duration_us: f64, step_seconds: u32, pace: Pace) -> Self {
        Self {
            time: None,
            entity: None,
            times: Vec::new(),
            timed: false,
            start: start as i64,
            duration_us: duration_us as u64,
            step_seconds,
            pace,
            notes: Vec::new(),
        }
    }

    fn without_time(sample: &Sample) -> Self {
        // Dates are days after the row's, so the earliest is a good day to be on.
        let dates = (0..sample.columns.len())
            .filter(|at| sample.columns.get(*at).is_some_and(|column| column.field.data_type == DataType::Date));
        let first = dates.filter_map(|at| sample.numbers(at)).flatten().copied().filter(|day| !day.is_nan());
        let first = first.reduce(f64::min).map_or(NO_TIME, |day| day * DAY_US);
        let events = Events { per_hour: short(sample.rows as f64 / 24.0), ..Events::default() };
        let mut rows = Self::new(first, DAY_US, 60, Pace::Events(events));
        rows.times = vec![first; sample.rows];
        rows.notes.push("no column has times, so rows are spread evenly over a day".to_owned());
        rows
    }

    fn on(grid: &Grid) -> Self {
        let every = f64::from(grid.every) * SECOND_US;
        let divisor =
            (1..).find(|parts| grid.every.is_multiple_of(*parts) && grid.every / parts <= LONGEST_STEP).unwrap_or(1);
        let start = (grid.first / every).round() * every;
        let mut rows = Self::new(start, grid.places as f64 * every, grid.every / divisor, Pace::Every(grid.every));
        if grid.off > 0 {
            rows.notes.push(format!(
                "{} of {} steps between rows are not {} s; the configuration's all are",
                grid.off, grid.steps, grid.every
            ));
        }
        if grid.gaps > 0 {
            rows.notes
                .push(format!("{} of the grid's places have no row; the configuration gives each one", grid.gaps));
        }
        rows
    }

    fn at_random(times: &[f64]) -> Self {
        let (first, last) =
            times.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), t| (low.min(*t), high.max(*t)));
        let span = last - first;
        let step_seconds = match span {
            span if span < 3600.0 * SECOND_US => 1,
            span if span > 400.0 * DAY_US => 3600,
            _ => 60,
        };
        let step = f64::from(step_seconds) * SECOND_US;
        let start = (first / step).floor() * step;
        let least = times.len().div_ceil(MOST_EVENTS_A_STEP);
        let steps = (((last + 1.0 - start) / step).ceil() as usize).max(least);
        let duration = steps as f64 * step;
        let events = rate(times, start, start + duration);
        Self::new(start, duration, step_seconds, Pace::Events(events))
    }
}

/// Rows of each entity every so many seconds.
#[derive(Debug, PartialEq)]
struct Grid {
    every: u32,
    first: f64,
    /// Places of one entity.
    places: u64,
    /// Steps from row to row, and those of another length.
    steps: usize,
    off: usize,
    /// Places of all entities without a row.
    gaps: u64,
}

impl Grid {
    /// None where rows are not on one.
    fn of(sample: &Sample, times: &[f64], entity: Option<usize>) -> Option<Self> {
        let texts = entity.and_then(|column| sample.texts(column));
        let places = texts.map(|texts| texts.places.as_slice());
        let entities = texts.map_or(1, |texts| texts.words.len()).max(1);
        let order = order(times, places);
        let of = |row: u32| places.and_then(|all| all.get(row as usize)).copied().unwrap_or(0);
        let time = |row: u32| times.get(row as usize).copied().unwrap_or(0.0);
        let mut steps: Vec<f64> = order
            .windows(2)
            .filter_map(|pair| match pair {
                [a, b] if of(*a) == of(*b) => Some(time(*b) - time(*a)),
                _ => None,
            })
            .collect();
        steps.sort_by(f64::total_cmp);
        let middle = *steps.get(steps.len() / 2)?;
        let every = (middle / SECOND_US).round();
        let within = |step: &f64| (step - every * SECOND_US).abs() <= JITTER * every * SECOND_US;
        let first = times.iter().copied().reduce(f64::min)?;
        let last = times.iter().copied().reduce(f64::max)?;
        if !(1.0..=f64::from(u32::MAX)).contains(&every) || *steps.first()? <= 0.0 || !within(&middle) {
            return None;
        }
        let off = steps.iter().filter(|step| !within(step)).count();
        let places = ((last - first) / (every * SECOND_US)).round() as u64 + 1;
        let all = places.saturating_mul(entities as u64);
        let gaps = all.saturating_sub(times.len() as u64);
        let regular = off as f64 <= (1.0 - REGULAR) * steps.len() as f64;
        let covered = times.len() as f64 >= REGULAR * all as f64;
        (regular && covered && steps.len() > 1).then_some(Self {
            every: every as u32,
            first,
            places,
            steps: steps.len(),
            off,
            gaps,
        })
    }
}

fn entity_column(sample: &Sample, name: &str) -> Result<usize, FitError> {
    let bad = |reason| FitError::Entity { column: name.to_owned(), reason };
    let column = sample.find(name).ok_or_else(|| bad("there is no such column"))?;
    let texts = sample.texts(column).ok_or_else(|| bad("it is no column of text"))?;
    if !is_whole(texts) {
        return Err(bad("some row has none"));
    }
    if texts.words.len() > MOST_ENTITIES { Err(bad("it has more than 1,000 different values")) } else { Ok(column) }
}

/// The grid that rows are on, of each entity where there are some: `named`, or the first that makes rows regular.
fn regular(sample: &Sample, times: &[f64], named: Option<usize>) -> Option<(Option<usize>, Grid)> {
    let all = named.is_none().then(|| Grid::of(sample, times, None)).flatten().map(|grid| (None, grid));
    all.or_else(|| {
        let columns = named.map_or_else(|| candidates(sample), |named| vec![named]);
        columns.into_iter().find_map(|column| Some((Some(column), Grid::of(sample, times, Some(column))?)))
    })
}

/// Columns that can be what rows are about.
fn candidates(sample: &Sample) -> Vec<usize> {
    let can = |column: &usize| {
        let texts = sample.texts(*column);
        texts.is_some_and(|texts| (2..=MOST_ENTITIES).contains(&texts.words.len()) && is_whole(texts))
    };
    (0..sample.columns.len()).filter(can).collect()
}

/// Whether each row has a text that can be a name.
fn is_whole(texts: &Texts) -> bool {
    !texts.places.contains(&MISSING) && texts.words.iter().all(|word| !word.is_empty())
}

/// The rate of events from `start` to `end`, and how it moves where that is long enough to tell and more than chance does.
fn rate(times: &[f64], start: f64, end: f64) -> Events {
    let days = (end - start) / DAY_US;
    let bin = 3600.0 * SECOND_US / BINS_AN_HOUR as f64;
    // Hours of exposure, and events, of each part of the day and each weekday.
    let mut hours = vec![(0.0, 0.0); 24 * BINS_AN_HOUR];
    let mut weekdays = vec![(0.0, 0.0); 7];
    let mut exposures: BTreeMap<(usize, usize), f64> = BTreeMap::new();
    let place = |moment: &Moment| ((moment.hour * BINS_AN_HOUR as f64) as usize).min(24 * BINS_AN_HOUR - 1);
    let mut from = start;
    while from < end {
        let to = (((from / bin).floor() + 1.0) * bin).min(end);
        let moment = Moment::of((from + to) / 2.0);
        let length = (to - from) / (3600.0 * SECOND_US);
        hours.get_mut(place(&moment)).into_iter().for_each(|slot| slot.0 += length);
        weekdays.get_mut(moment.weekday).into_iter().for_each(|slot| slot.0 += length);
        *exposures.entry((place(&moment), moment.weekday)).or_default() += length;
        from = to;
    }
    for time in times {
        let moment = Moment::of(*time);
        hours.get_mut(place(&moment)).into_iter().for_each(|slot| slot.1 += 1.0);
        weekdays.get_mut(moment.weekday).into_iter().for_each(|slot| slot.1 += 1.0);
    }
    let mut events = Events::default();
    if days >= WEEKDAYS_FROM_DAYS && moves(&weekdays) {
        let rates = weekdays.iter().map(|(length, count)| if *length > 0.0 { count / length } else { 0.0 });
        events.weekday = all_short(relative(rates.collect()));
    }
    let whole: Vec<(f64, f64)> = hours
        .chunks(BINS_AN_HOUR)
        .map(|parts| parts.iter().fold((0.0, 0.0), |(length, count), part| (length + part.0, count + part.1)))
        .collect();
    if days >= HOURS_FROM_DAYS && moves(&whole) {
        let points = hours
            .iter()
            .enumerate()
            .filter(|(_, (length, _))| *length > 0.0)
            .map(|(at, (length, count))| ((at as f64 + 0.5) / BINS_AN_HOUR as f64, count / length, *length));
        let curve = season::curve(points).into_iter().map(|rate| rate.max(0.0));
        events.hourly = all_short(relative(curve.collect()));
    }
    let factor = |place: usize, weekday: usize| {
        let hour = (place as f64 + 0.5) / BINS_AN_HOUR as f64;
        let hourly = if events.hourly.is_empty() { 1.0 } else { season::at(&events.hourly, hour) };
        hourly * events.weekday.get(weekday).copied().unwrap_or(1.0)
    };
    let exposure: f64 = exposures.iter().map(|((place, weekday), length)| length * factor(*place, *weekday)).sum();
    events.per_hour = short(times.len() as f64 / exposure.max(f64::MIN_POSITIVE));
    events
}

/// Whether counts differ by more than chance, by the chi-squared statistic; and by more than two percent, or nobody would see it.
fn moves(groups: &[(f64, f64)]) -> bool {
    let total = groups.iter().fold((0.0, 0.0), |(length, count), group| (length + group.0, count + group.1));
    let expected = |length: f64| total.1 * length / total.0;
    let terms = groups.iter().filter(|(length, _)| *length > 0.0);
    let chi: f64 = terms.map(|(length, count)| (count - expected(*length)).powi(2) / expected(*length)).sum();
    let free = groups.len() as f64 - 1.0;
    let bound = free + 4.0 * (2.0 * free).sqrt();
    chi > bound && (chi - free) / total.1 > 0.02 * 0.02
}

/// The same with the mean 1.
fn relative(rates: Vec<f64>) -> Vec<f64> {
    let mean = rates.iter().sum::<f64>() / rates.len() as f64;
    rates.into_iter().map(|rate| if mean > 0.0 { rate / mean } else { 1.0 }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MONDAY: f64 = 1_794_182_400e6;

    #[test]
    fn a_rate_is_found_with_its_hours_and_weekdays() {
        // Twenty an hour, sixty from 8 to 18, and half of it at the weekend, over four weeks.
        let mut times = Vec::new();
        for hour in 0..28 * 24 {
            let moment = Moment::of(MONDAY + f64::from(hour) * 3.6e9);
            let day = if (8.0..18.0).contains(&moment.hour) { 60.0 } else { 20.0 };
            let count = (day * if moment.weekday > 4 { 0.5 } else { 1.0 }) as i32;
            times.extend((0..count).map(|i| MONDAY + (f64::from(hour) + f64::from(i) / f64::from(count)) * 3.6e9));
        }
        let events = rate(&times, MONDAY, MONDAY + 28.0 * DAY_US);
        assert!((events.weekday[0] / events.weekday[6] - 2.0).abs() < 0.01, "{:?}", events.weekday);
        assert!((events.hourly[12] / events.hourly[3] - 3.0).abs() < 0.1, "{:?}", events.hourly);
        let mean = times.len() as f64 / (28.0 * 24.0);
        assert!((events.per_hour / mean - 1.0).abs() < 0.05, "{} at a mean of {mean}", events.per_hour);
        // Of a day, nothing but the rate is told.
        let day: Vec<f64> = times.iter().copied().filter(|t| *t < MONDAY + DAY_US).collect();
        let events = rate(&day, MONDAY, MONDAY + DAY_US);
        assert!(events.hourly.is_empty() && events.weekday.is_empty());
        assert!((events.per_hour - day.len() as f64 / 24.0).abs() < 1e-3);
    }

    #[test]
    fn counts_by_chance_do_not_move() {
        assert!(!moves(&[(10.0, 100.0), (10.0, 110.0), (10.0, 95.0)]));
        assert!(moves(&[(10.0, 100.0), (10.0, 200.0), (10.0, 95.0)]));
    }
}
