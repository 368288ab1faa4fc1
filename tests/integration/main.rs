//! The one integration-test program: linking the host once is what makes it quick. A module each
//! for what it tests.

mod conformance;
mod docs;
mod hostile;
mod layers;
mod tidy;
