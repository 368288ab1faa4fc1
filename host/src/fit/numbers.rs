//! A column of numbers: what entities, hours and weekdays explain, the quantiles of what is left, and how it remembers.

use super::config::{Attribute, Column, Scalar, Term, Value, all_short, short};
use super::dependence::{self, Other};
use super::rows::{HOURS_FROM_DAYS, Rows, WEEKDAYS_FROM_DAYS};
use super::season::{self, Moment};
use super::series::{self, Pairs};

/// Hundredths of the rows that quantiles are written of.
const HUNDREDTHS: usize = 100;
/// Shares of the rows below the first hundredth, and above the last, that are written as well where there are rows enough: a long
/// tail is no straight line.
const TAIL: [f64; 4] = [0.0005, 0.001, 0.002, 0.005];
const TAIL_FROM: usize = 1_000;
/// Most decimals that numbers are told to have.
const MOST_DECIMALS: u32 = 6;
/// Share of the variance that something must explain to be written.
const LEAST_EXPLAINED: f64 = 0.02;
/// Weaker memory is none.
const LEAST_LAG: f64 = 0.05;
/// Where levels and quantiles of what is left do not add up to the sample's distribution, by this distance, there are no levels.
const WORST: f64 = 0.08;
/// Least factor of an hour or an entity, in relation to the mean.
const LEAST_FACTOR: f64 = 1e-3;

/// A column that is written, and what there is to say of it.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// As it stands in the configuration.
    pub(super) column: Column,
    /// In a few words.
    pub(super) what: String,
    /// What each entity has of its own.
    pub(super) attribute: Option<Attribute>,
    /// What it does no justice to.
    pub(super) notes: Vec<String>,
}

impl Written {
    /// Whether it is drawn from its quantiles.
    pub(super) fn is_measured(&self) -> bool {
        matches!(self.column.value, Value::Quantiles(_) | Value::Empirical { .. })
    }

    /// Whether it is a number that is drawn.
    pub(super) fn is_number(&self) -> bool {
        self.is_measured() || matches!(self.column.value, Value::Numbers { .. })
    }
}

/// What rows are about, for the numbers of one column.
pub(super) struct Setting<'a> {
    /// When there are rows.
    pub(super) rows: &'a Rows,
    /// Each row's entity, and how many there are.
    pub(super) entities: Option<(&'a [u32], usize)>,
    /// The name of the entities' kind.
    pub(super) kind: &'a str,
    /// Rows that follow each other; none where they are at random.
    pub(super) pairs: Option<&'a Pairs>,
}

/// Levels that numbers have beside what is drawn: of entities, hours and weekdays.
#[derive(Debug, Clone, Default)]
struct Levels {
    /// Whether they are factors rather than summands.
    factors: bool,
    entities: Vec<f64>,
    hourly: Vec<f64>,
    weekday: Vec<f64>,
}

impl Levels {
    fn is_none(&self) -> bool {
        self.entities.is_empty() && self.hourly.is_empty() && self.weekday.is_empty()
    }

    /// What levels make of a row: a factor or a summand.
    fn at(&self, moment: &Moment, entity: usize) -> f64 {
        let none = f64::from(u8::from(self.factors));
        let hour = if self.hourly.is_empty() { none } else { season::at(&self.hourly, moment.hour) };
        let own = self.entities.get(entity).copied().unwrap_or(none);
        let weekday = self.weekday.get(moment.weekday).copied().unwrap_or(none);
        if self.factors { hour * own * weekday } else { hour + own + weekday }
    }

    fn without(&self, value: f64, level: f64) -> f64 {
        if self.factors { value / level } else { value - level }
    }

    fn with(&self, value: f64, level: f64) -> f64 {
        if self.factors { value * level } else { value + level }
    }
}

/// Which levels explain something.
#[derive(Debug, Clone, Copy, Default)]
struct Wanted {
    entities: bool,
    hours: bool,
    weekdays: bool,
}

/// A column of numbers that are drawn from their quantiles. `values` are all rows', NaN where one is missing; `above` are the columns
/// that it may depend on.
pub(super) fn written(name: &str, values: &[f64], setting: &Setting<'_>, above: &[Other<'_>]) -> Written {
    let depends = dependence::linear(values, above);
    let noise: Option<Vec<f64>> =
        depends.map(|((_, others), factor)| values.iter().zip(others).map(|(y, x)| y - factor * x).collect());
    let rows: Vec<Row> = rows(noise.as_deref().unwrap_or(values), setting);
    let (levels, fits) = levels(&rows, setting, depends.is_none());
    let mut left = vec![f64::NAN; values.len()];
    for row in &rows {
        let level = levels.at(&row.moment, row.entity);
        left.get_mut(row.at).into_iter().for_each(|slot| *slot = levels.without(row.value, level));
    }
    let sorted = series::sorted(&left);
    let lag = setting.pairs.and_then(|pairs| series::lag_1(&left, pairs)).filter(|lag| *lag >= LEAST_LAG);
    let mut column = Column {
        name: name.to_owned(),
        value: distribution(&sorted),
        lag_1: lag.map_or(0.0, |lag| (lag.min(0.9999) * 1e4).round() / 1e4),
        decimals: decimals(values),
        ..Column::default()
    };
    let mut what = vec!["quantiles".to_owned()];
    let mut notes = Vec::new();
    if !fits {
        notes.push("hours or entities differ in more than their level, so they are left alike".to_owned());
    }
    if !levels.is_none() || depends.is_some() {
        let present = || values.iter().copied().filter(|value| !value.is_nan());
        (column.min, column.max) = (present().reduce(f64::min), present().reduce(f64::max));
    }
    if let Some(((of, _), factor)) = depends {
        column.plus.push(Term { of: of.to_owned(), factor });
        what.push(format!("{factor:.3} times {of}"));
    }
    let list = |levels: &[f64]| all_short(levels.iter().copied());
    let attribute = (!levels.entities.is_empty()).then(|| Attribute {
        name: name.to_owned(),
        value: Value::List(list(&levels.entities).into_iter().map(Scalar::Number).collect()),
    });
    if attribute.is_some() {
        let of = format!("{}.{name}", setting.kind);
        if levels.factors {
            column.times.push(of);
        } else {
            column.plus.push(Term { of, factor: 1.0 });
        }
        what.push(format!("level of each {}", setting.kind));
    }
    let (hourly, weekday) = (list(&levels.hourly), list(&levels.weekday));
    what.extend((!hourly.is_empty()).then(|| "hours".to_owned()));
    what.extend((!weekday.is_empty()).then(|| "weekdays".to_owned()));
    if levels.factors {
        (column.hourly, column.weekday) = (hourly, weekday);
    } else {
        (column.hourly_plus, column.weekday_plus) = (hourly, weekday);
    }
    if column.lag_1 > 0.0 {
        what.push(format!("lag-1 of {:.2}", column.lag_1));
    }
    Written { column, what: what.join(", "), attribute, notes }
}

/// A row that has a value.
#[derive(Debug, Clone, Copy)]
struct Row {
    at: usize,
    value: f64,
    moment: Moment,
    entity: usize,
}

fn rows(values: &[f64], setting: &Setting<'_>) -> Vec<Row> {
    let entity = |row: usize| setting.entities.and_then(|(all, _)| all.get(row)).map_or(0, |entity| *entity as usize);
    let row =
        |(at, value): (usize, &f64)| Row { at, value: *value, moment: setting.rows.moment(at), entity: entity(at) };
    values.iter().enumerate().filter(|(_, value)| !value.is_nan()).map(row).collect()
}

/// The levels that explain something, as factors or summands, whichever leads back to the sample's distribution better; and whether
/// it does: if neither does, there are none.
fn levels(rows: &[Row], setting: &Setting<'_>, factors_too: bool) -> (Levels, bool) {
    let wanted = wanted(rows, setting);
    if !(wanted.entities || wanted.hours || wanted.weekdays) {
        return (Levels::default(), true);
    }
    let entities = setting.entities.map_or(0, |(_, count)| count);
    let values: Vec<f64> = rows.iter().map(|row| row.value).collect();
    let sorted = series::sorted(&values);
    // The generator multiplies what was added, too, which is not what is meant where a column depends on another.
    let positive = factors_too && sorted.first().is_some_and(|least| *least >= 0.0);
    let mut best: Option<(f64, Levels)> = None;
    for factors in [false, true].into_iter().filter(|factors| !factors || positive) {
        let found = found(rows, wanted, entities, factors);
        let distance = series::kolmogorov_smirnov(&sorted, &shuffled(rows, &found, &sorted)).unwrap_or(1.0);
        if best.as_ref().is_none_or(|(least, _)| distance < *least) {
            best = Some((distance, found));
        }
    }
    match best {
        Some((distance, levels)) if distance <= WORST => (levels, true),
        _ => (Levels::default(), false),
    }
}

/// Which levels come back: of entities in both halves of the time, of hours on other days, of weekdays in other weeks.
fn wanted(rows: &[Row], setting: &Setting<'_>) -> Wanted {
    let days = setting.rows.days();
    let middle = setting.rows.start as f64 + setting.rows.duration_us as f64 / 2.0;
    let late = |row: &Row| setting.rows.times.get(row.at).is_some_and(|time| *time >= middle);
    let explains = |share: Option<f64>| share.is_some_and(|share| share >= LEAST_EXPLAINED);
    let count = setting.entities.map_or(0, |(_, count)| count);
    let entities = explains(season::explained(rows.iter().map(|row| (row.value, row.entity, late(row))), count));
    let hours =
        || season::explained(rows.iter().map(|row| (row.value, row.moment.hour as usize, row.moment.day % 2 == 0)), 24);
    let week = |row: &Row| (row.moment.day + 3).div_euclid(7) % 2 == 0;
    let weekdays = || season::explained(rows.iter().map(|row| (row.value, row.moment.weekday, week(row))), 7);
    Wanted {
        entities,
        hours: days >= HOURS_FROM_DAYS && explains(hours()),
        weekdays: days >= WEEKDAYS_FROM_DAYS && explains(weekdays()),
    }
}

/// The levels: one after the other, each of what is left by those before.
fn found(rows: &[Row], wanted: Wanted, entities: usize, factors: bool) -> Levels {
    let mut levels = Levels { factors, ..Levels::default() };
    let mean = rows.iter().map(|row| row.value).sum::<f64>() / rows.len().max(1) as f64;
    let left = |levels: &Levels, row: &Row| levels.without(row.value, levels.at(&row.moment, row.entity));
    let relative = |level: f64| if factors { (level / mean).max(LEAST_FACTOR) } else { level - mean };
    if wanted.entities {
        let groups = rows.iter().map(|row| (row.entity, row.value));
        levels.entities = means(groups, entities, mean).into_iter().map(relative).collect();
    }
    if wanted.hours {
        let points = rows.iter().map(|row| (row.moment.hour, left(&levels, row), 1.0));
        levels.hourly = season::curve(points).into_iter().map(relative).collect();
    }
    if wanted.weekdays {
        let groups = rows.iter().map(|row| (row.moment.weekday, left(&levels, row)));
        levels.weekday = means(groups, 7, mean).into_iter().map(relative).collect();
    }
    levels
}

/// The mean of each group; `none` for groups without values.
fn means(values: impl Iterator<Item = (usize, f64)>, groups: usize, none: f64) -> Vec<f64> {
    let mut sums = vec![(0.0, 0.0); groups];
    for (group, value) in values {
        sums.get_mut(group).into_iter().for_each(|slot: &mut (f64, f64)| *slot = (slot.0 + 1.0, slot.1 + value));
    }
    sums.into_iter().map(|(count, sum)| if count > 0.0 { sum / count } else { none }).collect()
}

/// What the generator would make of these levels: each row's level with what is left of another row, in order.
fn shuffled(rows: &[Row], levels: &Levels, sorted: &[f64]) -> Vec<f64> {
    let row_level = |row: &Row| levels.at(&row.moment, row.entity);
    let left: Vec<f64> = rows.iter().map(|row| levels.without(row.value, row_level(row))).collect();
    let (least, most) = (sorted.first().copied().unwrap_or(0.0), sorted.last().copied().unwrap_or(0.0));
    let mixed = rows.iter().zip(series::mixed(&left));
    let made = mixed.map(|(row, other)| levels.with(other, row_level(row)).clamp(least, most));
    series::sorted(&made.collect::<Vec<f64>>())
}

/// The distribution of sorted values by their quantiles: the least first, the greatest last.
fn distribution(sorted: &[f64]) -> Value {
    let whole = HUNDREDTHS as f64;
    let mut shares: Vec<f64> = (0..=HUNDREDTHS).map(|hundredth| hundredth as f64 / whole).collect();
    if sorted.len() < TAIL_FROM {
        return Value::Quantiles(quantiles(sorted, &shares));
    }
    shares.extend(TAIL.iter().flat_map(|share| [*share, 1.0 - share]));
    shares.sort_by(f64::total_cmp);
    Value::Empirical { values: quantiles(sorted, &shares), shares }
}

/// Values below which shares of sorted values lie, in seven digits of the distance between the quartiles.
fn quantiles(sorted: &[f64], shares: &[f64]) -> Vec<f64> {
    let last = sorted.len().saturating_sub(1) as f64;
    let at = |share: f64| {
        let place = share * last;
        let low = sorted.get(place as usize).copied().unwrap_or(0.0);
        let high = sorted.get(place as usize + 1).copied().unwrap_or(low);
        low + (high - low) * place.fract()
    };
    let between = [(0.25, 0.75), (0.0, 1.0)].map(|(low, high)| at(high) - at(low));
    let between = between.into_iter().find(|distance| *distance > 0.0).unwrap_or(f64::MIN_POSITIVE);
    let places = (6.0 - between.log10().floor()).clamp(0.0, 17.0) as usize;
    shares.iter().map(|share| at(*share)).map(|value| format!("{value:.places$}").parse().unwrap_or(value)).collect()
}

/// Places behind the point that no value goes beyond; none where there are more than six.
pub(super) fn decimals(values: &[f64]) -> Option<u32> {
    let mut places = 0;
    for value in values.iter().filter(|value| !value.is_nan()) {
        let whole = |places: u32| {
            let scaled = value * 10f64.powi(places as i32);
            (scaled - scaled.round()).abs() <= 1e-9 * scaled.abs().max(1.0)
        };
        places = (places..=MOST_DECIMALS).find(|places| whole(*places))?;
    }
    Some(places)
}

/// One of few numbers, each with its count; in order.
pub(super) fn few(values: &[f64], most: usize) -> Option<Vec<(f64, u64)>> {
    let sorted = series::sorted(values);
    let mut few: Vec<(f64, u64)> = Vec::new();
    for alike in sorted.chunk_by(|a, b| a == b) {
        few.push((alike.first().copied()?, alike.len() as u64));
        if few.len() > most {
            return None;
        }
    }
    Some(few)
}

/// A share in few digits.
pub(super) fn share(part: usize, whole: usize) -> f64 {
    short(part as f64 / whole.max(1) as f64)
}
