//! Which incidents happen when. Each day follows from seed and date alone, whatever the span.

use telemill_sdk::time::{DAY, Local, MINUTE, SECOND};
use telemill_sdk::{Error, Incident, Level, Process, Stream, Target, Timestamp, Weighted, Window, Zone, hash, log};

use crate::config::Config;
use crate::kinds::{Recipes, Trouble};
use crate::scenarios::{CLEARANCE, SCENARIOS};

const COUNT: Process = Process::named("incidents of a day");
const INCIDENT: Process = Process::named("incident");
const DECOY: Process = Process::named("decoy");
const SCENARIO: Process = Process::named("scenario");
const BY_HAND: Process = Process::named("incident by hand");

/// Shortest and longest load spike.
const SPIKE_MINUTES: (f64, f64) = (20.0, 40.0);

/// Plans what goes wrong on the targets of one run.
#[derive(Clone, Debug)]
pub struct ServiceIncidents {
    config: Config,
    seed: u64,
    targets: Vec<Target>,
    /// The kinds that the targets allow, with the targets of each.
    possible: Vec<(Trouble, Vec<usize>)>,
    scenarios: Vec<Planned>,
    begins: Timestamp,
}

/// A scenario with its time and place.
#[derive(Clone, Debug)]
struct Planned {
    number: usize,
    target: String,
    window: Window,
}

impl ServiceIncidents {
    /// Opens a run; says which scenarios its span leaves out.
    ///
    /// # Errors
    /// Where the time zone is unknown.
    pub fn new(config: Config, seed: u64, span: Window, targets: Vec<Target>) -> Result<Self, Error> {
        let zone = Zone::named(&config.time_zone)?;
        let possible: Vec<(Trouble, Vec<usize>)> = Trouble::ALL
            .into_iter()
            .map(|trouble| (trouble, trouble.candidates(&targets)))
            .filter(|(_, candidates)| !candidates.is_empty())
            .collect();
        let mut model = Self { config, seed, targets, possible, scenarios: Vec::new(), begins: span.start };
        if model.config.scenarios {
            let (placed, left_out) = model.place_scenarios(span, &zone);
            model.scenarios = placed;
            for message in left_out {
                log(Level::Warn, &message);
            }
        }
        Ok(model)
    }

    /// The scenarios that fit into a span, and why the others do not.
    fn place_scenarios(&self, span: Window, zone: &Zone) -> (Vec<Planned>, Vec<String>) {
        let (mut placed, mut left_out) = (Vec::new(), Vec::new());
        for (number, scenario) in SCENARIOS.iter().enumerate() {
            let target =
                self.candidates(scenario.trouble).iter().filter_map(|&at| self.targets.get(at)).collect::<Vec<_>>();
            let target = target.iter().find(|target| target.name.contains(scenario.target)).or(target.first());
            let window = scenario.window(span, zone);
            match (target, window) {
                (None, _) => left_out
                    .push(format!("scenario {} is left out: the system has no target for it", scenario.describe())),
                (Some(target), Some(window)) if span.contains(window.start) => {
                    if window.end > span.end {
                        left_out
                            .push(format!("scenario {} is cut off: the span ends before it does", scenario.describe()));
                    }
                    placed.push(Planned { number, target: target.name.clone(), window });
                }
                _ => left_out
                    .push(format!("scenario {} is left out: it does not lie within the span", scenario.describe())),
            }
        }
        (placed, left_out)
    }

    fn candidates(&self, trouble: Trouble) -> &[usize] {
        self.possible.iter().find(|(possible, _)| *possible == trouble).map_or(&[], |(_, targets)| targets)
    }

    fn recipes(&self) -> Recipes<'_> {
        Recipes { config: &self.config, targets: &self.targets }
    }

    /// The incidents that start within one UTC day, those among them that one of the day before brought about.
    pub fn day(&self, day: Window) -> Vec<Incident> {
        let before = Window::new(day.start - DAY, day.start);
        let mut all = self.begun(before);
        all.extend(self.begun(day));
        all.retain(|incident| day.contains(incident.window.start));
        all
    }

    /// The incidents of a UTC day with all that they bring about, be it on the next one.
    fn begun(&self, day: Window) -> Vec<Incident> {
        let number = day.start.div_euclid(DAY);
        let (year, month, date) = Local { day: number, weekday: 0, micros: 0 }.date();
        let date = format!("{year:04}{month:02}{date:02}");
        let mut all = Vec::new();
        let mut scripted = 0;
        for planned in &self.scenarios {
            if !day.contains(planned.window.start) {
                continue;
            }
            if let Some(scenario) = SCENARIOS.get(planned.number) {
                let mut stream = Stream::of(self.seed, SCENARIO, planned.number as u64, number);
                let id = format!("INC-{date}-S{}", planned.number + 1);
                let recipes = self.recipes();
                all.extend(recipes.write(
                    scenario.trouble,
                    &planned.target,
                    planned.window,
                    &id,
                    scenario.gradual,
                    &mut stream,
                ));
                scripted += 1;
            }
        }
        let incidents = self.count(self.config.incidents_per_day, 0, number).saturating_sub(scripted);
        let serious: Vec<(Trouble, f64)> =
            self.possible.iter().map(|(t, _)| (*t, t.weight())).filter(|(_, w)| *w > 0.0).collect();
        let draw = Weighted::new(&serious.iter().map(|(_, weight)| *weight).collect::<Vec<_>>());
        for n in 0..incidents {
            let mut stream = Stream::of(self.seed, INCIDENT, n, number);
            let minutes = self.config.duration_minutes.at(stream.unit());
            let window = place(day, n, incidents, minutes, &mut stream);
            if let Some((trouble, _)) = serious.get(draw.draw(&mut stream)) {
                all.extend(self.strike(*trouble, window, &format!("INC-{date}-{}", n + 1), &mut stream));
            }
        }
        let decoys = self.count(self.config.decoys_per_day, 1, number);
        for n in 0..decoys {
            let mut stream = Stream::of(self.seed, DECOY, n, number);
            let minutes = stream.between(SPIKE_MINUTES.0, SPIKE_MINUTES.1);
            let window = place(day, n, decoys, minutes, &mut stream);
            all.extend(self.strike(Trouble::LoadSpike, window, &format!("DECOY-{date}-{}", n + 1), &mut stream));
        }
        all
    }

    /// How many of something a day has: a whole number within the range, a fraction by chance.
    fn count(&self, range: telemill_sdk::range::Range, what: u64, day: i64) -> u64 {
        let mut stream = Stream::of(self.seed, COUNT, what, day);
        let (low, high) = (range.low(), range.high());
        if low.fract() == 0.0 && high.fract() == 0.0 {
            low as u64 + stream.below((high - low) as u64 + 1)
        } else {
            let wanted = range.at(stream.unit());
            wanted.floor() as u64 + u64::from(stream.chance(wanted.fract()))
        }
    }

    /// Lets a kind strike one of its targets, unless a scenario needs the time for itself or the run has not begun yet:
    /// nothing has a cause that the run does not show.
    fn strike(&self, trouble: Trouble, window: Window, id: &str, stream: &mut Stream) -> Vec<Incident> {
        let guarded = Window::new(window.start - CLEARANCE, window.end + CLEARANCE);
        if window.start < self.begins || self.scenarios.iter().any(|planned| planned.window.overlaps(&guarded)) {
            return Vec::new();
        }
        let candidates = self.candidates(trouble);
        let target =
            candidates.get(stream.below(candidates.len() as u64) as usize).and_then(|&at| self.targets.get(at));
        let gradual = trouble == Trouble::MemoryPressure && stream.chance(0.5);
        match target {
            Some(target) => self.recipes().write(trouble, &target.name, window, id, gradual, stream),
            None => Vec::new(),
        }
    }

    /// One incident by hand, with what follows from it.
    ///
    /// # Errors
    /// Where there is no such kind or target, or the target has none of the kind's signals.
    pub fn by_hand(&self, kind: &str, target: &str, window: Window) -> Result<Vec<Incident>, Error> {
        let names = |names: Vec<&str>| names.join(", ");
        let trouble = Trouble::named(kind).ok_or_else(|| {
            Error::failed(format!(
                "there is no kind {kind:?}; kinds are {}",
                names(Trouble::ALL.map(Trouble::name).to_vec())
            ))
        })?;
        if !self.targets.iter().any(|known| known.name == target) {
            let fit = self.candidates(trouble).iter().filter_map(|&at| self.targets.get(at)).map(|t| t.name.as_str());
            return Err(Error::failed(format!("there is no target {target:?}; {kind} fits {}", names(fit.collect()))));
        }
        if window.micros() < SECOND {
            return Err(Error::failed("an incident lasts a second at least"));
        }
        let key = hash(
            self.seed,
            BY_HAND,
            hash(0, Process::named(kind), 0, 0) ^ hash(0, Process::named(target), 1, 0),
            window.start,
        );
        let mut stream = Stream::of(key, BY_HAND, 0, window.end);
        let id = format!("HAND-{:08x}", key as u32);
        let incidents = self.recipes().write(trouble, target, window, &id, false, &mut stream);
        if incidents.is_empty() {
            return Err(Error::failed(format!("target {target:?} has none of the signals that {kind} bends")));
        }
        Ok(incidents)
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
