//! Which trouble strikes where and when. A day follows from seed and date alone.

use telemill_sdk::range::Range;
use telemill_sdk::time::{Local, MINUTE, SECOND};
use telemill_sdk::{Attribute, Effect, Error, Incident, Process, Role, Stream, Target, Timestamp, Window, hash};

use crate::config::Config;
use crate::kinds::Trouble;

const COUNT: Process = Process::named("link degradation count");
const INCIDENT: Process = Process::named("link degradation");
const DECOY: Process = Process::named("link backup");
const BY_HAND: Process = Process::named("link degradation by hand");
/// Share of an incident over which it sets in, and the longest that this takes.
const ONSET: f64 = 0.1;
const LONGEST_ONSET: i64 = 5 * MINUTE;

/// The incidents of one run.
#[derive(Clone, Debug)]
pub struct LinkDegradation {
    config: Config,
    seed: u64,
    targets: Vec<Target>,
    /// What can happen here, with where.
    possible: Vec<(Trouble, Vec<usize>)>,
}

impl LinkDegradation {
    /// Opens a run.
    pub fn new(config: Config, seed: u64, targets: Vec<Target>) -> Self {
        let possible = Trouble::ALL
            .into_iter()
            .map(|trouble| (trouble, trouble.candidates(&targets)))
            .filter(|(_, candidates)| !candidates.is_empty())
            .collect();
        Self { config, seed, targets, possible }
    }

    /// The incidents and decoys that start within one UTC day.
    pub fn day(&self, day: Window) -> Vec<Incident> {
        let number = day.start.div_euclid(day.micros().max(1));
        let (year, month, date) = Local { day: number, weekday: 0, micros: 0 }.date();
        let date = format!("{year:04}{month:02}{date:02}");
        let mut all = Vec::new();
        for (process, range, decoy) in
            [(INCIDENT, self.config.incidents_per_day, false), (DECOY, self.config.decoys_per_day, true)]
        {
            let able: Vec<&(Trouble, Vec<usize>)> =
                self.possible.iter().filter(|(trouble, _)| (*trouble == Trouble::Backup) == decoy).collect();
            let count = self.count(range, u64::from(decoy), number);
            for n in 0..count {
                let mut stream = Stream::of(self.seed, process, n, number);
                let minutes = self.config.duration_minutes.at(stream.unit());
                let window = part(day, n, count, minutes, &mut stream);
                let Some((trouble, candidates)) = able.get(stream.below(able.len() as u64) as usize) else { continue };
                let at = candidates.get(stream.below(candidates.len() as u64) as usize);
                let Some(target) = at.and_then(|at| self.targets.get(*at)) else { continue };
                let id = format!("{}-{date}-{}", if decoy { "DECOY" } else { "LINK" }, n + 1);
                all.push(self.strike(*trouble, &target.name, window, id, &mut stream));
            }
        }
        all
    }

    /// How many of something a day has: a number within the range, its fraction by chance.
    fn count(&self, range: Range, what: u64, day: i64) -> u64 {
        let mut stream = Stream::of(self.seed, COUNT, what, day);
        let whole = range.low().fract() == 0.0 && range.high().fract() == 0.0;
        // Of whole ends each number between them is as likely as the others.
        let wanted = if whole {
            (range.low() - 0.5 + (range.high() - range.low() + 1.0) * stream.unit()).round()
        } else {
            range.at(stream.unit())
        };
        let wanted = wanted.clamp(range.low(), range.high());
        wanted.floor() as u64 + u64::from(stream.chance(wanted.fract()))
    }

    /// One incident by hand.
    ///
    /// # Errors
    /// Where there is no such kind or target, or the kind does nothing to the target.
    pub fn by_hand(&self, kind: &str, target: &str, window: Window) -> Result<Vec<Incident>, Error> {
        let Some(trouble) = Trouble::ALL.into_iter().find(|trouble| trouble.name() == kind) else {
            let names = Trouble::ALL.map(Trouble::name).join(", ");
            return Err(Error::failed(format!("there is no kind {kind:?}; kinds are {names}")));
        };
        if !self.targets.iter().any(|known| known.name == target && trouble.fits(known)) {
            let fit = trouble.candidates(&self.targets).into_iter().filter_map(|at| self.targets.get(at));
            let names: Vec<&str> = fit.map(|target| target.name.as_str()).collect();
            return Err(Error::failed(format!("{kind} fits no target {target:?}; it fits {}", names.join(", "))));
        }
        if window.micros() < SECOND {
            return Err(Error::failed("an incident lasts a second at least"));
        }
        let key = hash(self.seed, Process::named(kind), hash(0, Process::named(target), 0, 0), window.start);
        let mut stream = Stream::of(key, BY_HAND, 0, window.end);
        Ok(vec![self.strike(trouble, target, window, format!("HAND-{:08x}", key as u32), &mut stream)])
    }

    fn strike(&self, trouble: Trouble, target: &str, window: Window, id: String, stream: &mut Stream) -> Incident {
        let onset = ((window.micros() as f64 * ONSET) as i64 / SECOND * SECOND).min(LONGEST_ONSET);
        let recovery = (self.config.recovery_minutes.at(stream.unit()) * MINUTE as f64) as i64 / SECOND * SECOND;
        let effects: Vec<Effect> = trouble
            .actions(stream)
            .into_iter()
            .map(|action| Effect {
                target: target.to_owned(),
                signal: action.signal.to_owned(),
                operation: action.operation,
                value: action.value,
                start: window.start,
                full: window.start + onset,
                release: window.end,
                end: window.end + recovery,
            })
            .collect();
        Incident {
            id,
            kind: trouble.name().to_owned(),
            role: if trouble == Trouble::Backup { Role::Decoy } else { Role::Incident },
            title: trouble.title(target),
            severity: trouble.severity(),
            cause: None,
            window,
            recovered: window.end + recovery,
            effects,
            attributes: vec![Attribute::new("target", target)],
        }
    }
}

/// A window of so many minutes that begins in the n-th of equal parts of a day, on whole seconds.
fn part(day: Window, n: u64, of: u64, minutes: f64, stream: &mut Stream) -> Window {
    let part = day.micros() / of.max(1) as i64;
    let length = (minutes * MINUTE as f64) as i64 / SECOND * SECOND;
    let free = (part - length).max(SECOND);
    let start: Timestamp = day.start + part * n as i64 + (free as f64 * stream.unit()) as i64 / SECOND * SECOND;
    Window::new(start, start + length)
}
