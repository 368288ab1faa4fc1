//! Progress of long work: a bar on a terminal, a line now and then elsewhere.

use super::output::{Output, grouped};
use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal as _;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How often a line is written where no bar can be shown.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Shows how far simulated time has come, with rows, rate and time left.
pub(super) struct RunProgress {
    bar: ProgressBar,
    started: Instant,
    last_line: Mutex<Instant>,
    lines: bool,
}

impl RunProgress {
    /// A bar over `total_us` of simulated time, summed over partitions.
    pub(super) fn new(out: &Output, total_us: u64) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let target =
            if out.quiet || !terminal { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr_with_hz(5) };
        let bar = ProgressBar::with_draw_target(Some(total_us.max(1)), target);
        if let Ok(style) = ProgressStyle::with_template("{percent:>3}% {wide_bar} {msg}, {eta} left") {
            bar.set_style(style);
        }
        let now = Instant::now();
        Self { bar, started: now, last_line: Mutex::new(now), lines: !out.quiet && !terminal }
    }

    /// How far it is: simulated time done and rows made by this process.
    pub(super) fn update(&self, done_us: u64, rows: u64) {
        let seconds = self.started.elapsed().as_secs_f64().max(0.001);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a rate to look at"
        )]
        let rate = (rows as f64 / seconds) as u64;
        let message = format!("{} rows, {} rows/s", grouped(rows), grouped(rate));
        self.bar.set_position(done_us);
        if self.lines
            && let Ok(mut last) = self.last_line.try_lock()
            && last.elapsed() >= LINE_EVERY
        {
            *last = Instant::now();
            tracing::info!("{}", line(done_us, self.bar.length().unwrap_or_default(), &message, self.bar.eta()));
        }
        self.bar.set_message(message);
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// What the bar shows, in a line.
fn line(done_us: u64, total_us: u64, message: &str, left: Duration) -> String {
    let percent = u128::from(done_us) * 100 / u128::from(total_us.max(1));
    format!("{percent}% {message}, {:#} left", HumanDuration(left))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_the_bar_shows() {
        let told = line(25, 100, "1,000 rows, 10 rows/s", Duration::from_secs(300));
        assert_eq!(told, "25% 1,000 rows, 10 rows/s, 5m left");
    }
}
