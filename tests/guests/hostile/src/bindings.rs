//! The contract as Rust, generated from `wit/`, and the component's exports.
#![cfg_attr(target_family = "wasm", expect(unsafe_code, reason = "generated from wit/"))]

wit_bindgen::generate!({ path: "../../../wit", world: "generator-plugin" });

// The exports' symbols are no names for a native linker.
#[cfg(target_family = "wasm")]
export!(Hostile with_types_in self);

#[cfg(target_family = "wasm")]
use crate::Hostile;
