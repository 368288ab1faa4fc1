//! The export macros, and (on WASM alone) the conversions between the generated types and ours.
