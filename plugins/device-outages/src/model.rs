//! Which incidents happen when. Each day follows from seed and date alone, whatever the span.

use telemill_sdk::range::Range;
use telemill_sdk::time::{DAY, HOUR, Local, MINUTE, SECOND};
use telemill_sdk::{Error, Incident, Process, Stream, Target, Timestamp, Weighted, Window, Zone, hash};

use crate::config::Config;
use crate::kinds::{Outage, Recipes, attribute};

const COUNT: Process = Process::named("outages of a day");
const OUTAGE: Process = Process::named("outage");
const BY_HAND: Process = Process::named("outage by hand");

/// A disk takes so many times as long as other incidents last.
const FILLS_SLOWLY: f64 = 4.0;
/// What is rolled out shows its faults so long after the roll-out began.
const SHOWS_AFTER: i64 = 20 * MINUTE;

/// Plans what goes wrong on the targets of one run.
#[derive(Clone, Debug)]
pub struct DeviceOutages {
    config: Config,
    seed: u64,
    targets: Vec<Target>,
    /// The kinds that the targets allow, with the targets of each.
    possible: Vec<(Outage, Vec<usize>)>,
    begins: Timestamp,
}

impl DeviceOutages {
    /// Opens a run.
    pub fn new(config: Config, seed: u64, span: Window, targets: Vec<Target>) -> Self {
        let possible = Outage::ALL
            .into_iter()
            .map(|outage| (outage, outage.candidates(&targets)))
            .filter(|(_, candidates)| !candidates.is_empty())
            .collect();
        Self { config, seed, targets, possible, begins: span.start }
    }

    fn candidates(&self, outage: Outage) -> &[usize] {
        self.possible.iter().find(|(possible, _)| *possible == outage).map_or(&[], |(_, targets)| targets)
    }

    fn recipes(&self) -> Recipes<'_> {
        Recipes { config: &self.config, targets: &self.targets }
    }

    /// The incidents that start within one UTC day, those among them that one of the day before brought about.
    pub fn day(&self, day: Window) -> Vec<Incident> {
        let mut all = self.begun(Window::new(day.start - DAY, day.start));
        all.extend(self.begun(day));
        all.retain(|incident| day.contains(incident.window.start));
        all
    }

    /// The incidents of a UTC day with all that they bring about, be it on the next one.
    fn begun(&self, day: Window) -> Vec<Incident> {
        let number = day.start.div_euclid(DAY);
        let (year, month, date) = Local { day: number, weekday: 0, micros: 0 }.date();
        let incidents = self.count(self.config.incidents_per_day, number);
        let kinds = Weighted::new(&self.possible.iter().map(|(outage, _)| outage.weight()).collect::<Vec<_>>());
        let (mut all, mut rolled_out) = (Vec::new(), false);
        for n in 0..incidents {
            let mut stream = Stream::of(self.seed, OUTAGE, n, number);
            let Some((outage, candidates)) = self.possible.get(kinds.draw(&mut stream)) else { continue };
            let slowly = if *outage == Outage::DiskFilling { FILLS_SLOWLY } else { 1.0 };
            let minutes = self.config.duration_minutes.at(stream.unit()) * slowly;
            let mut window = place(day, n, incidents, minutes, &mut stream);
            let any = candidates.get(stream.below(candidates.len() as u64) as usize);
            let Some(mut target) = any.and_then(|&at| self.targets.get(at)) else { continue };
            if *outage == Outage::FailedRollout
                && !std::mem::replace(&mut rolled_out, true)
                && let Some((group, begins)) = self.rollout(day)
            {
                target = group;
                let start = begins + SHOWS_AFTER;
                window = Window::new(start, start + window.micros());
            }
            // Nothing has a cause that the run does not show.
            if window.start >= self.begins {
                let id = format!("OUT-{year:04}{month:02}{date:02}-{}", n + 1);
                all.extend(self.recipes().write(*outage, &target.name, window, (&id, None), &mut stream));
            }
        }
        all
    }

    /// The group of devices that gets new software within a UTC day, and when, where the targets tell it: by `rollout_hour` in
    /// `time_zone` on the local days d since 1970 with d % `rollout_every` = `rollout_day`.
    fn rollout(&self, day: Window) -> Option<(&Target, Timestamp)> {
        let groups = self.candidates(Outage::FailedRollout).iter().filter_map(|&at| self.targets.get(at));
        groups.into_iter().find_map(|group| {
            let number = |name: &str| attribute(group, name)?.parse::<f64>().ok();
            let zone = Zone::named(attribute(group, "time_zone")?).ok()?;
            let (every, turn, hour) =
                (number("rollout_every")? as i64, number("rollout_day")? as i64, number("rollout_hour")?);
            // The local days that touch the UTC day.
            [day.start, day.end - 1].into_iter().find_map(|t| {
                let local = zone.clock().at(t);
                let (year, month, date) = local.date();
                let begins = zone.at(year, month, date, (hour * 3_600.0) as u32)?;
                let mine = local.day.rem_euclid(every.max(1)) == turn;
                let shows = Window::new(day.start, day.end - SHOWS_AFTER - HOUR);
                (mine && shows.contains(begins)).then_some((group, begins))
            })
        })
    }

    /// How many of something a day has: a whole number within the range, a fraction by chance.
    fn count(&self, range: Range, day: i64) -> u64 {
        let mut stream = Stream::of(self.seed, COUNT, 0, day);
        let (low, high) = (range.low(), range.high());
        if low.fract() == 0.0 && high.fract() == 0.0 {
            low as u64 + stream.below((high - low) as u64 + 1)
        } else {
            let wanted = range.at(stream.unit());
            wanted.floor() as u64 + u64::from(stream.chance(wanted.fract()))
        }
    }

    /// One incident by hand, with what follows from it.
    ///
    /// # Errors
    /// Where there is no such kind or target, or the target has none of the kind's signals.
    pub fn by_hand(&self, kind: &str, target: &str, window: Window) -> Result<Vec<Incident>, Error> {
        let outage = Outage::named(kind).ok_or_else(|| {
            Error::failed(format!("there is no kind {kind:?}; kinds are {}", Outage::ALL.map(Outage::name).join(", ")))
        })?;
        let fit = self.candidates(outage);
        if !fit.iter().filter_map(|&at| self.targets.get(at)).any(|known| known.name == target) {
            let names: Vec<&str> =
                fit.iter().take(10).filter_map(|&at| self.targets.get(at)).map(|t| t.name.as_str()).collect();
            return Err(Error::failed(format!("{kind} does not fit {target:?}; it fits {}", names.join(", "))));
        }
        if window.micros() < SECOND {
            return Err(Error::failed("an incident lasts a second at least"));
        }
        let what = hash(0, Process::named(kind), 0, 0) ^ hash(0, Process::named(target), 1, 0);
        let key = hash(self.seed, BY_HAND, what, window.start);
        let mut stream = Stream::of(key, BY_HAND, 0, window.end);
        let id = format!("HAND-{:08x}", key as u32);
        Ok(self.recipes().write(outage, target, window, (&id, None), &mut stream))
    }
}

/// A window of so many minutes in the n-th of equal parts of a day, on whole seconds.
fn place(day: Window, n: u64, of: u64, minutes: f64, stream: &mut Stream) -> Window {
    let part = day.micros() / of.max(1) as i64;
    let length = (minutes * MINUTE as f64) as i64 / SECOND * SECOND;
    let free = (part - length).max(0);
    let start: Timestamp = day.start + part * n as i64 + (free as f64 * stream.unit()) as i64;
    let start = start.div_euclid(SECOND) * SECOND;
    Window::new(start, start + length)
}
