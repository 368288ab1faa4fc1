//! A guest that answers with what its configuration says: bytes for its memory, in which the values of all its answers stand.
//! What it returns so crosses the whole boundary: wasmtime reads it, the host's own types are made of it, and it is checked.

use serde_json::{Value, json};
use telemill::plugin::Plugin;

use super::values::{CONTRACT, Writer};
use super::{Choices, ENGINE};
use crate::harm::component::{ABOUT, Guest, HONEST, Texts, World};

/// Where the answers start in memory.
pub(super) const ROOTS: u32 = 1 << 20;
/// Bytes for the root of one answer: that of the largest record, and more.
const SLOT_BYTES: usize = 256;
/// Answers of the world with the most functions.
const SLOTS: usize = 8;
/// Where the lines of the log stand, behind all answers, and how many there are at most.
const LINES_AT: usize = SLOTS * SLOT_BYTES;
const LINES: usize = 20;

/// Reads a configuration `{"say":"0a1b…"}` into memory, and logs the lines that stand in it.
fn hear() -> String {
    let lines = ROOTS as usize + LINES_AT;
    format!(
        "(func $digit (param i32) (result i32)
            (select (i32.sub (local.get 0) (i32.const 48)) (i32.sub (local.get 0) (i32.const 87))
                (i32.lt_u (local.get 0) (i32.const 58))))
        (func $hear (param i32 i32) (local $at i32) (local $to i32) (local $end i32) (local $lines i32)
            (local.set $at (i32.add (local.get 0) (i32.const 8)))
            (local.set $end (i32.sub (i32.add (local.get 0) (local.get 1)) (i32.const 2)))
            (local.set $to (i32.const {ROOTS}))
            (block $done (loop $next
                (br_if $done (i32.ge_s (local.get $at) (local.get $end)))
                (i32.store8 (local.get $to) (i32.or
                    (i32.shl (call $digit (i32.load8_u (local.get $at))) (i32.const 4))
                    (call $digit (i32.load8_u offset=1 (local.get $at)))))
                (local.set $at (i32.add (local.get $at) (i32.const 2)))
                (local.set $to (i32.add (local.get $to) (i32.const 1)))
                (br $next)))
            (local.set $lines (i32.load (i32.const {lines})))
            (local.set $to (i32.const {lines}))
            (block $said (loop $line
                (br_if $said (i32.eqz (local.get $lines)))
                (call $log (i32.load offset=4 (local.get $to)) (i32.load offset=8 (local.get $to))
                    (i32.load offset=12 (local.get $to)))
                (local.set $to (i32.add (local.get $to) (i32.const 12)))
                (local.set $lines (i32.sub (local.get $lines) (i32.const 1)))
                (br $line))))"
    )
}

/// Where the root of a function's answer stands among the roots.
fn slot(world: World, function: &str) -> usize {
    let mut functions = world.functions().iter().map(|(name, _)| *name);
    SLOT_BYTES * functions.position(|name| name == function).map_or(0, |at| at + 1)
}

/// The guest of a world.
pub(super) fn parrot(world: World) -> Plugin {
    let texts = Texts { name: "parrot", schema: r#"{"type": "object"}"#, ..HONEST };
    let mut guest = Guest::saying(world, texts).memory("48").extra(&hear());
    for (name, params) in ABOUT.iter().skip(1).chain(world.functions()) {
        let root = format!("(i32.const {})", ROOTS as usize + slot(world, name));
        // A configuration comes first, as text.
        let hears = matches!(*name, "check" | "open" | "restore") || (*name, *params) == ("plan", "i32 i32");
        let heard = if hears { "(call $hear (local.get 0) (local.get 1)) " } else { "" };
        guest = guest.body(name, format!("{heard}{root}"));
    }
    ENGINE.load("parrot.wasm", &guest.build()).unwrap()
}

/// The configuration that makes the guest of `world` answer with values that follow from `input`, where one of `functions`
/// is asked, and with nothing elsewhere.
pub(super) fn said(world: World, input: &[u8], functions: &[&str]) -> Value {
    let mut choices = Choices(input);
    let mut writer = Writer::new(&mut choices, ROOTS, LINES_AT + SLOT_BYTES);
    for function in functions {
        let interface = if *function == "check" { "about" } else { world.interface() };
        writer.root(slot(world, function), &CONTRACT.result(interface, function));
    }
    saying(&writer.bytes())
}

/// The same for lines of the log.
pub(super) fn logging(input: &[u8]) -> Value {
    let mut choices = Choices(input);
    let mut writer = Writer::new(&mut choices, ROOTS, LINES_AT + SLOT_BYTES);
    writer.lines(LINES_AT, LINES);
    saying(&writer.bytes())
}

fn saying(bytes: &[u8]) -> Value {
    json!({ "say": bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>() })
}
