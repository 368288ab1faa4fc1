//! Server-sent events, read one by one.

use super::target::Target;
use super::{RemoteError, Server};
use serde::de::DeserializeOwned;
use std::io::{BufRead as _, BufReader, Read};
use std::marker::PhantomData;
use ureq::SendBody;
use ureq::http::{Method, StatusCode};

/// Longest line of an event: values of events are small.
const MAX_LINE_BYTES: u64 = 1 << 20;

/// The values of events as they come, until the server ends them.
pub struct Events<T> {
    url: String,
    lines: BufReader<Box<dyn Read>>,
    value: PhantomData<T>,
}

impl Server {
    pub(super) fn events<T: DeserializeOwned>(&self, target: Target) -> Result<Events<T>, RemoteError> {
        let response = self.send(&self.listener, Method::GET, target, &[], SendBody::none())?;
        let body: Box<dyn Read> = match response.status() {
            // There is nothing to come.
            StatusCode::NO_CONTENT => Box::new(std::io::empty()),
            _ => Box::new(self.body(response)),
        };
        Ok(Events { url: self.base.clone(), lines: BufReader::new(body), value: PhantomData })
    }
}

impl<T: DeserializeOwned> Iterator for Events<T> {
    type Item = Result<T, RemoteError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut data = String::new();
        loop {
            let mut line = String::new();
            match (&mut self.lines).take(MAX_LINE_BYTES).read_line(&mut line) {
                // An event that breaks off is none.
                Ok(0) => return None,
                Ok(_) => {}
                Err(source) => return Some(Err(RemoteError::Broken { url: self.url.clone(), source })),
            }
            let line = line.trim_end_matches(['\n', '\r']);
            if line.is_empty() && !data.is_empty() {
                let url = self.url.clone();
                let parsed = serde_json::from_str(&data);
                return Some(parsed.map_err(|error| RemoteError::Unreadable { url, source: error.into() }));
            }
            if let Some(piece) = line.strip_prefix("data:") {
                data.push_str(piece.strip_prefix(' ').unwrap_or(piece));
            }
        }
    }
}
