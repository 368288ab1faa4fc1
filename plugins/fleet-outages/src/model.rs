//! Which outages happen when. Each day follows from seed and date alone, whatever the span.

use telemill_sdk::time::{DAY, Local, MINUTE, SECOND};
use telemill_sdk::{Error, Incident, Process, Stream, Target, Weighted, Window, hash};

use crate::config::Config;
use crate::kinds::Outage;

const COUNT: Process = Process::named("outages of a day");
const OUTAGE: Process = Process::named("outage");
const BY_HAND: Process = Process::named("outage by hand");

/// Plans what goes wrong on the targets of one run.
#[derive(Clone, Debug)]
pub struct FleetOutages {
    config: Config,
    seed: u64,
    targets: Vec<Target>,
    /// The kinds that the targets allow, with the targets of each.
    possible: Vec<(Outage, Vec<usize>)>,
    mix: Weighted,
}

impl FleetOutages {
    /// Opens a run.
    pub fn new(config: Config, seed: u64, targets: Vec<Target>) -> Self {
        let possible: Vec<(Outage, Vec<usize>)> = Outage::ALL
            .into_iter()
            .map(|outage| (outage, outage.candidates(&targets)))
            .filter(|(_, candidates)| !candidates.is_empty())
            .collect();
        let mix = Weighted::new(&possible.iter().map(|(outage, _)| outage.weight()).collect::<Vec<_>>());
        Self { config, seed, targets, possible, mix }
    }

    /// The outages that start within one UTC day.
    pub fn day(&self, day: Window) -> Vec<Incident> {
        let number = day.start.div_euclid(DAY);
        let (year, month, date) = Local { day: number, weekday: 0, micros: 0 }.date();
        let mut draw = Stream::of(self.seed, COUNT, 0, number);
        let range = self.config.outages_per_day;
        // Whole ends are counts that are equally likely; other ends are means.
        let count = if range.low().fract() == 0.0 && range.high().fract() == 0.0 {
            range.low() as u64 + draw.below((range.high() - range.low()) as u64 + 1)
        } else {
            let mean = range.at(draw.unit());
            mean as u64 + u64::from(draw.chance(mean.fract()))
        };
        (0..count)
            .filter_map(|n| {
                let mut draw = Stream::of(self.seed, OUTAGE, n, number);
                let start = day.start + draw.below((DAY / SECOND) as u64) as i64 * SECOND;
                let length = (self.config.duration_minutes.at(draw.unit()) * MINUTE as f64) as i64 / SECOND * SECOND;
                let (outage, candidates) = self.possible.get(self.mix.draw(&mut draw))?;
                let target = self.targets.get(*candidates.get(draw.below(candidates.len() as u64) as usize)?)?;
                let id = format!("OUT-{year:04}{month:02}{date:02}-{}", n + 1);
                let window = Window::new(start, start + length);
                Some(outage.strike(&self.config, target, window, id, &mut draw))
            })
            .collect()
    }

    /// One outage by hand.
    ///
    /// # Errors
    /// Where there is no such kind or target, or the kind does not fit the target.
    pub fn by_hand(&self, kind: &str, target: &str, window: Window) -> Result<Vec<Incident>, Error> {
        let outage = Outage::named(kind).ok_or_else(|| {
            Error::failed(format!("there is no kind {kind:?}; kinds are {}", Outage::ALL.map(Outage::name).join(", ")))
        })?;
        let candidates = outage.candidates(&self.targets);
        let fitting = || candidates.iter().filter_map(|&at| self.targets.get(at));
        let Some(found) = fitting().find(|candidate| candidate.name == target) else {
            let some: Vec<&str> = fitting().take(5).map(|candidate| candidate.name.as_str()).collect();
            return Err(Error::failed(format!("{kind} does not fit {target:?}; it fits such as {}", some.join(", "))));
        };
        if window.micros() < SECOND {
            return Err(Error::failed("an outage lasts a second at least"));
        }
        let place = hash(0, Process::named(kind), 0, 0) ^ hash(0, Process::named(target), 1, 0);
        let key = hash(self.seed, BY_HAND, place, window.start);
        let mut draw = Stream::of(key, BY_HAND, 0, window.end);
        Ok(vec![outage.strike(&self.config, found, window, format!("HAND-{:08x}", key as u32), &mut draw)])
    }
}
