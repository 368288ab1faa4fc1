//! Dead letters of a stream's sinks: looked at, sent again, dropped.

use super::error::StreamError;
use super::sinks::{BatchKey, Letter, SinkSpec, Target, Undelivered};
use super::spec::StreamSpec;
use super::streams::Streams;
use crate::batch::TableLayout;
use crate::core::id::StreamId;
use crate::core::problem;
use crate::core::time::Timestamp;
use crate::lake::LakeError;
use crate::run::{self, Host};
use crate::store::{self, StreamRecord};
use serde::{Deserialize, Serialize};
use std::sync::TryLockError;
use utoipa::ToSchema;

/// What is kept of a batch that was given up, without its body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeadLetter {
    /// Later letters have larger ones.
    pub number: i64,
    /// The batch's key: stream, commit, table, and how many rows of the commit come before it.
    #[schema(value_type = String, example = "s019a8f3c1d20f00d-58-transactions-0")]
    pub batch_key: BatchKey,
    /// When it was last refused.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
    /// How long the body is; empty where the rows were gone before they were sent.
    pub bytes: u64,
}

/// What came of sending dead letters again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SentAgain {
    /// Letters that arrived, and are kept no longer.
    pub sent: u64,
    /// Letters that are still kept.
    pub left: u64,
    /// Why it ended before all were tried; none where all were.
    pub stopped: Option<String>,
}

/// How many dead letters were dropped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DroppedLetters {
    /// Letters that are kept no longer.
    pub dropped: u64,
}

/// At most `limit` dead letters of a sink, newest first; with `before`, only those with a smaller number.
///
/// # Errors
/// There is no such stream or sink, or the database failed.
pub fn dead_letters(
    host: &Host,
    id: &StreamId,
    sink: &str,
    limit: u32,
    before: Option<i64>,
) -> Result<Vec<DeadLetter>, StreamError> {
    sink_of(&host.runtime.block_on(host.store.stream(id))?, sink)?;
    let heads = host.runtime.block_on(host.store.dead_letters(id, sink, limit, before))?;
    let letter = |head: store::DeadLetterHead| {
        let store::DeadLetterHead { number, batch_key, at, reason, bytes } = head;
        Ok(DeadLetter { number, batch_key: key_of(id, &batch_key)?, at, reason, bytes })
    };
    heads.into_iter().map(letter).collect()
}

/// What was sent of a batch that was given up.
///
/// # Errors
/// There is no such stream, sink or letter, or the database failed.
pub fn dead_letter_body(host: &Host, sink: &str, key: &BatchKey) -> Result<Vec<u8>, StreamError> {
    let id = &key.stream;
    sink_of(&host.runtime.block_on(host.store.stream(id))?, sink)?;
    let letter = host.runtime.block_on(host.store.dead_letter(id, sink, &key.to_string()))?;
    let none = || StreamError::NoLetter { sink: sink.to_owned(), key: key.to_string() };
    letter.map(|letter| letter.body).ok_or_else(none)
}

/// Drops all dead letters of a sink.
///
/// # Errors
/// There is no such stream or sink, or the database failed.
pub fn drop_dead_letters(host: &Host, id: &StreamId, sink: &str) -> Result<DroppedLetters, StreamError> {
    sink_of(&host.runtime.block_on(host.store.stream(id))?, sink)?;
    let dropped = host.runtime.block_on(async {
        let mut tx = host.store.write().await?;
        let dropped = tx.drop_dead_letters(id, sink).await?;
        tx.commit().await.map(|()| dropped)
    })?;
    Ok(DroppedLetters { dropped })
}

impl Streams {
    /// Sends the dead letters of a sink again, oldest first, each with its batch's key. Those that arrive are kept no longer;
    /// those that are refused once more stay with the new reason. A receiver that takes nothing for now ends it: the letters
    /// behind are not tried. A letter may arrive twice where the process is killed meanwhile.
    ///
    /// # Errors
    /// There is no such stream or sink, letters are being sent already, or the database failed.
    pub fn send_dead_letters(&self, id: &StreamId, sink: &str) -> Result<SentAgain, StreamError> {
        let (inner, record) = (&self.inner, self.record(id)?);
        let spec = sink_of(&record, sink)?;
        let _only = match inner.sending.try_lock() {
            Ok(held) => held,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Err(StreamError::Sending),
        };
        let (mut done, mut after) = (SentAgain::default(), 0);
        let mut target: Option<Box<dyn Target>> = None;
        while let Some((number, letter)) = self.next_letter(id, sink, after)? {
            after = number;
            // There is nothing to send of rows that were gone.
            if letter.body.is_empty() {
                continue;
            }
            if inner.cancel.is_cancelled() {
                done.stopped = Some("the server is ending".to_owned());
                break;
            }
            let opened = match target.take() {
                Some(target) => Ok(target),
                None => spec.open(&inner.out, &inner.host),
            };
            let sent = match opened {
                Ok(opened) => send(&inner.host, target.insert(opened).as_mut(), &record, &letter)?,
                Err(error) => Err(Undelivered::Later(problem::chain(&error))),
            };
            match sent {
                Ok(()) => {
                    self.settle(id, sink, &letter.batch_key, None)?;
                    done.sent += 1;
                }
                Err(Undelivered::Never { reason, body }) => {
                    let again = store::DeadLetter { at: run::now(), reason, body, ..letter };
                    self.settle(id, sink, &again.batch_key, Some(&again))?;
                }
                Err(Undelivered::Later(reason)) => {
                    let again = store::DeadLetter { at: run::now(), reason: reason.clone(), ..letter };
                    self.settle(id, sink, &again.batch_key, Some(&again))?;
                    done.stopped = Some(reason);
                    break;
                }
            }
        }
        let sinks = inner.host.runtime.block_on(inner.host.store.stream_sinks(id))?;
        done.left = sinks.iter().find(|found| found.name == sink).map_or(0, |sink| sink.letters);
        Ok(done)
    }

    fn next_letter(
        &self,
        id: &StreamId,
        sink: &str,
        after: i64,
    ) -> Result<Option<(i64, store::DeadLetter)>, StreamError> {
        let host = &self.inner.host;
        Ok(host.runtime.block_on(host.store.next_dead_letter(id, sink, after))?)
    }

    /// Takes a letter away, or keeps what is left of it.
    fn settle(
        &self,
        id: &StreamId,
        sink: &str,
        key: &str,
        left: Option<&store::DeadLetter>,
    ) -> Result<(), StreamError> {
        let host = &self.inner.host;
        host.runtime.block_on(async {
            let mut tx = host.store.write().await?;
            match left {
                Some(letter) => tx.put_dead_letter(id, sink, letter).await?,
                None => tx.remove_dead_letter(id, sink, key).await?,
            }
            tx.commit().await
        })?;
        Ok(())
    }
}

/// Sends one letter; its table as it is now goes along, where there is one.
fn send(
    host: &Host,
    target: &mut dyn Target,
    record: &StreamRecord,
    letter: &store::DeadLetter,
) -> Result<Result<(), Undelivered>, StreamError> {
    let key = key_of(&record.id, &letter.batch_key)?;
    let dataset = match host.runtime.block_on(host.lake.dataset(&record.dataset, None)) {
        Ok(dataset) => Some(dataset),
        Err(LakeError::NoDataset { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let table = key.rows.as_ref().map_or("", |(table, _)| table.as_str());
    let found = dataset.as_ref().and_then(|dataset| dataset.table(table));
    let layout = found.map(|found| TableLayout::new(found.table.clone()));
    Ok(target.send_again(&Letter { key: &letter.batch_key, table, layout: layout.as_ref(), body: &letter.body }))
}

fn key_of(id: &StreamId, text: &str) -> Result<BatchKey, StreamError> {
    text.parse().map_err(|message| StreamError::Record { id: id.clone(), message })
}

/// A sink by its name.
fn sink_of(record: &StreamRecord, name: &str) -> Result<SinkSpec, StreamError> {
    let sinks = StreamSpec::of_value(&record.spec)?.settings.sinks;
    let names: Vec<_> = sinks.iter().map(|sink| sink.name.clone()).collect();
    let found = sinks.into_iter().find(|sink| sink.name == name);
    found.ok_or_else(|| StreamError::NoSink { id: record.id.clone(), sink: name.to_owned(), sinks: names.join(", ") })
}
