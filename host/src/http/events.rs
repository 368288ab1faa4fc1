//! Server-sent events: how far something is, from now on, until it or the server ends.

use super::Shared;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::Stream;
use futures::StreamExt as _;
use serde::Serialize;
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::watch;

/// Comments that keep proxies from closing a quiet connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Least time between two events of one connection: nobody reads faster.
const PACE: Duration = Duration::from_millis(100);

/// The header with the last event that a client has seen.
pub(super) const LAST_EVENT_ID: &str = "last-event-id";

/// Events of a stream; the connection ends with it, or when the server stops.
pub(super) fn events<S>(services: &Shared, events: S) -> Sse<impl Stream<Item = Result<Event, Infallible>> + use<S>>
where
    S: Stream<Item = Event> + Send + 'static,
{
    let mut stopping = services.stopping.subscribe();
    let stopped = async move {
        // An error means that the server is gone, which is the same.
        drop(stopping.wait_for(|stopping| *stopping).await);
    };
    Sse::new(events.map(Ok).take_until(Box::pin(stopped))).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}

/// The values of a watched one, the present one first, not faster than people read; the last is never left out. `id`
/// numbers them.
pub(super) fn watched<T, F>(receiver: watch::Receiver<T>, name: &'static str, id: F) -> impl Stream<Item = Event>
where
    T: Clone + Serialize + Send + Sync + 'static,
    F: Fn(&T) -> String + Send + 'static,
{
    futures::stream::unfold((receiver, true, id), move |(mut receiver, first, id)| async move {
        if !first {
            tokio::time::sleep(PACE).await;
            receiver.changed().await.ok()?;
        }
        let value = receiver.borrow_and_update().clone();
        let event = event(name, &id(&value), &value);
        Some((event, (receiver, false, id)))
    })
}

/// One event with a JSON value.
pub(super) fn event<T: Serialize>(name: &str, id: &str, value: &T) -> Event {
    let event = Event::default().event(name).id(id);
    event.json_data(value).unwrap_or_else(|error| Event::default().event("error").data(error.to_string()))
}
