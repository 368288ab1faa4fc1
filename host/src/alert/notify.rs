//! Tells channels what happened: each from a stored position on, so that a crash loses nothing; what fails is tried again, longer
//! and longer apart, and given up in the end, so that one event does not hold the others for ever.

use super::log_file::LogFile;
use super::mail::Mail;
use super::settings::Settings;
use super::webhook::Webhook;
use super::{AlertError, Alerts};
use crate::core::time::Timestamp;
use crate::run::{self, Cancel};
use crate::store::{AlertEvent, ChannelRecord, StoreError};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Events that are read at a time.
const BATCH: u32 = 100;
/// How often the store is looked at: another process may have acknowledged an alert.
const LOOK: Duration = Duration::from_millis(500);
/// After so many failures an event is given up: about a quarter of an hour.
const MAX_FAILURES: u32 = 10;
/// How long what is left is told when somebody stops it; what is not told then is told by the next process.
const LAST_PASS: Duration = Duration::from_secs(10);
/// The wait after the first failure; it doubles with each.
const FIRST_WAIT_US: i64 = 1_000_000;

enum Channel {
    LogFile(LogFile),
    Webhook(Webhook),
    Mail(Box<Mail>),
}

impl Channel {
    fn name(&self) -> &'static str {
        match self {
            Self::LogFile(_) => "log_file",
            Self::Webhook(_) => "webhook",
            Self::Mail(_) => "mail",
        }
    }

    fn tell(&self, event: &AlertEvent) -> Result<(), String> {
        match self {
            Self::LogFile(file) => file.tell(event),
            Self::Webhook(webhook) => webhook.tell(event),
            Self::Mail(mail) => mail.tell(event),
        }
    }
}

/// The channels of the settings.
pub struct Notifier {
    alerts: Alerts,
    channels: Vec<(Channel, Mutex<Option<Timestamp>>)>,
}

impl Notifier {
    /// Reads the settings. A channel that is new begins with what happens from here on.
    ///
    /// # Errors
    /// A setting that can't be used, or the database failed.
    pub fn new(alerts: Alerts, settings: &Settings) -> Result<Self, AlertError> {
        let log_file = settings.log_file.clone().map(|path| Channel::LogFile(LogFile::new(path)));
        let webhook = Webhook::of(settings)?.map(Channel::Webhook);
        let mail = Mail::of(settings)?.map(|mail| Channel::Mail(Box::new(mail)));
        let channels: Vec<_> =
            log_file.into_iter().chain(webhook).chain(mail).map(|channel| (channel, Mutex::new(None))).collect();
        let notifier = Self { alerts, channels };
        for (channel, _) in &notifier.channels {
            notifier.record(channel)?;
        }
        Ok(notifier)
    }

    /// Tells what happens until somebody sets `stop`, and then what is left, for some seconds, also where it failed before. To be called
    /// on a thread of its own.
    pub fn run(&self, stop: &Cancel) {
        while !stop.is_cancelled() {
            self.pass(run::now());
            std::thread::sleep(LOOK);
        }
        let end = Instant::now() + LAST_PASS;
        for (channel, _) in &self.channels {
            if let Err(error) = self.tell(channel, Some(end)) {
                tracing::error!(channel = channel.name(), %error, "alerts can't be read");
            }
        }
    }

    /// Tells every channel whose time has come what it has not heard.
    pub fn pass(&self, now: Timestamp) {
        for (channel, not_before) in &self.channels {
            let mut not_before = not_before.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            if not_before.is_some_and(|at| now < at) {
                continue;
            }
            match self.tell(channel, None) {
                Ok(None) => *not_before = None,
                Ok(Some(failures)) => {
                    let wait = FIRST_WAIT_US.saturating_mul(1 << failures.saturating_sub(1).min(MAX_FAILURES));
                    *not_before = Some(now.plus_us(wait));
                }
                Err(error) => tracing::error!(channel = channel.name(), %error, "alerts can't be read"),
            }
        }
    }

    /// Tells one channel, until `end` where there is one; how often the event failed that it could not be told.
    fn tell(&self, channel: &Channel, end: Option<Instant>) -> Result<Option<u32>, AlertError> {
        let mut record = self.record(channel)?;
        loop {
            let (store, runtime) = (&self.alerts.store, &self.alerts.runtime);
            let events = runtime.block_on(store.alert_events(record.position, BATCH))?;
            if events.is_empty() {
                return Ok(None);
            }
            for event in events {
                if end.is_some_and(|end| Instant::now() >= end) {
                    return Ok(None);
                }
                match channel.tell(&event) {
                    Ok(()) => self.keep(channel, &mut record, event.id, 0, None)?,
                    Err(error) if record.failures + 1 < MAX_FAILURES => {
                        tracing::warn!(channel = channel.name(), event = event.id, error, "an alert was not taken");
                        let (position, failures) = (record.position, record.failures + 1);
                        self.keep(channel, &mut record, position, failures, Some(&error))?;
                        return Ok(Some(failures));
                    }
                    Err(error) => {
                        tracing::error!(channel = channel.name(), event = event.id, error, "an alert is given up");
                        self.keep(channel, &mut record, event.id, 0, Some(&error))?;
                    }
                }
            }
        }
    }

    fn record(&self, channel: &Channel) -> Result<ChannelRecord, AlertError> {
        Ok(self.alerts.runtime.block_on(async {
            let mut tx = self.alerts.store.write().await?;
            let record = tx.alert_channel(channel.name()).await?;
            tx.commit().await?;
            Ok::<_, StoreError>(record)
        })?)
    }

    fn keep(
        &self,
        channel: &Channel,
        record: &mut ChannelRecord,
        position: i64,
        failures: u32,
        error: Option<&str>,
    ) -> Result<(), AlertError> {
        *record = ChannelRecord { position, failures };
        self.alerts.runtime.block_on(async {
            let mut tx = self.alerts.store.write().await?;
            tx.move_alert_channel(channel.name(), record, error).await?;
            tx.commit().await
        })?;
        Ok(())
    }
}
