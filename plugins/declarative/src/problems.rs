//! What is wrong with a configuration, gathered while it is read.

use telemill_sdk::Problem;

/// Problems so far, each at its JSON Pointer.
#[derive(Clone, Debug, Default)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// Adds one.
    pub fn add(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.0.push(Problem::new(path, message));
    }

    /// Adds one unless all is well.
    pub fn require(&mut self, good: bool, path: impl Into<String>, message: &str) {
        if !good {
            self.add(path, message);
        }
    }

    /// A list that is empty or has so many finite numbers.
    pub fn list(&mut self, values: &[f64], len: usize, path: String) {
        let good = (values.is_empty() || values.len() == len) && values.iter().all(|value| value.is_finite());
        self.require(good, path, &format!("must have {len} numbers, or none"));
    }

    /// Like [`Problems::list`], and none is below 0: factors on a rate.
    pub fn factors(&mut self, values: &[f64], len: usize, path: String) {
        self.require(values.iter().all(|value| *value >= 0.0), path.clone(), "must not be below 0");
        self.list(values, len, path);
    }

    /// A name that tables and columns may have.
    pub fn name(&mut self, name: &str, path: String) {
        let start = name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
        let rest = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        self.require(
            start && rest && name.len() <= 63,
            path,
            "must be lower-case letters, digits and underscores, a letter first, at most 63",
        );
    }
}
