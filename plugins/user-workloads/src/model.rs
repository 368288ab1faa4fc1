//! All users of one shard, window by window.

use telemill_sdk::{Effects, Error, Marks, Output, Rows, Shard, Simulation, Window};

use crate::config::{Amounts, Config};
use crate::machines::{SOURCES, user_id};
use crate::phases::PHASES;
use crate::samples::{Counters, LABELS, Setting, User, UserMetrics};
use crate::signals;

/// One shard of the users.
#[derive(Debug)]
pub struct Workloads {
    setting: Setting,
    users: Vec<User>,
    rows: UserMetrics,
    marks: Marks,
    /// Whether rows show what was moved since the start, which is state.
    counts: bool,
}

/// What a configuration simulates.
pub fn plan(config: &Config) -> Simulation {
    Simulation {
        tables: vec![UserMetrics::table()],
        signals: signals::signals(),
        targets: signals::targets(config),
        inputs: Vec::new(),
        step_micros: config.step_micros() as u64,
        attributes: Vec::new(),
    }
}

impl Workloads {
    /// Opens a shard.
    pub fn new(config: &Config, shard: &Shard) -> Self {
        let mut rows = UserMetrics::default();
        rows.phase.set_values(PHASES);
        rows.user_id.set_values((0..config.users).map(user_id));
        rows.source.set_values(SOURCES);
        rows.label.set_values(LABELS);
        let setting = Setting::new(config, shard.seed);
        Self {
            users: (0..config.users)
                .filter(|index| shard.owns(u64::from(*index)))
                .map(|index| User::new(config, &setting, shard, index))
                .collect(),
            setting,
            rows,
            marks: Marks::default(),
            counts: config.disk_and_network == Amounts::SinceStart,
        }
    }

    /// The rows of a window: user by user, each in the order of time.
    ///
    /// # Errors
    /// Where columns do not fit together.
    pub fn advance(&mut self, window: Window, effects: &Effects, output: &mut Output) -> Result<(), Error> {
        for user in &mut self.users {
            user.sample(window, &self.setting, effects, &mut self.marks, &mut self.rows);
        }
        self.marks.finish(&mut self.rows.incident_id, effects);
        self.rows.finish(output)
    }

    /// What the users have moved so far, where rows show it.
    pub fn counters(&self) -> Option<Vec<Counters>> {
        self.counts.then(|| self.users.iter().map(|user| user.counters).collect())
    }

    /// Goes on from what [`Workloads::counters`] gave.
    ///
    /// # Errors
    /// `UnsupportedState` where it is of another number of users.
    pub fn with_counters(mut self, counters: &[Counters]) -> Result<Self, Error> {
        if counters.len() != self.users.len() {
            return Err(Error::UnsupportedState);
        }
        self.users.iter_mut().zip(counters).for_each(|(user, counters)| user.counters = *counters);
        Ok(self)
    }
}
