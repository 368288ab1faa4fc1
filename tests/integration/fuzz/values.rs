//! Values of the contract's types as a guest would write them into its memory: honest ones, and among them leaves that no
//! honest guest writes. The types are read from the contract itself, so that what it gains is tried as well.

use std::sync::LazyLock;

use telemill_tests::repository;
use wit_parser::{Enum, Int, Record, Resolve, Result_, SizeAlign, Type, TypeDefKind, TypeId, Variant};

use super::Choices;

/// Bytes of values, at most; lists are empty from there on.
const MOST_BYTES: usize = 24 << 10;
/// Times of an incident lie this far apart at most, in microseconds.
const STEP_US: i64 = 60_000_000;

/// Texts for people, none of which is wrong: how they are shown is the host's part.
const PROSE: [&str; 7] =
    ["", "what it is", "Größe", "x\u{1b}[2J\nERROR forged", "a\u{202e}b", "\u{9b}31m", "one\ttwo\r\nthree\u{7}"];
/// Texts that can be no name.
const BAD_NAMES: [&str; 9] =
    ["", "../etc", "a b", "Upper", "incidents", "information_schema", "x\u{1b}[2J", "a\nb", "a\u{202e}"];
/// Schemas of a configuration.
const SCHEMAS: [&str; 3] = [
    r#"{"type": "object"}"#,
    r#"{"type": "object", "properties": {"a": {"type": "integer", "default": 3}}}"#,
    r##"{"type": "object", "properties": {"a": {"$ref": "#/$defs/b"}}, "$defs": {"b": {"enum": ["x", "y"], "default": "x"}}}"##,
];
/// Texts that are no such schema.
const BAD_SCHEMAS: [&str; 6] = [
    "",
    "{",
    "[]",
    r#"{"type": "objekt"}"#,
    r#"{"type": "object", "properties": {"a": {"default": "x", "type": "integer"}}}"#,
    r#"{"type": "object", "$ref": "http://127.0.0.1:9/schema"}"#,
];

/// The contract, and how its types stand in memory.
pub(super) struct Contract {
    resolve: Resolve,
    sizes: SizeAlign,
}

pub(super) static CONTRACT: LazyLock<Contract> = LazyLock::new(|| {
    let mut resolve = Resolve::default();
    resolve.push_dir(repository().join("wit")).unwrap();
    let mut sizes = SizeAlign::default();
    sizes.fill(&resolve);
    Contract { resolve, sizes }
});

impl Contract {
    /// What a function of an interface returns.
    pub(super) fn result(&self, interface: &str, function: &str) -> Type {
        let mut interfaces = self.resolve.interfaces.iter();
        let (_, found) = interfaces.find(|(_, found)| found.name.as_deref() == Some(interface)).unwrap();
        found.functions[function].result.unwrap()
    }

    fn size(&self, ty: &Type) -> usize {
        self.sizes.size(ty).size_wasm32()
    }
}

/// Where a value stands: the record and field that it is, or is an element of, and its place in the innermost list.
#[derive(Debug, Clone, Copy)]
struct Place<'a> {
    record: &'a str,
    field: &'a str,
    index: usize,
}

/// Writes values from an address on.
pub(super) struct Writer<'c, 'i> {
    choices: &'c mut Choices<'i>,
    /// Of 256 leaves, how many are odd.
    odd: u8,
    base: u32,
    bytes: Vec<u8>,
    clock_us: i64,
}

impl<'c, 'i> Writer<'c, 'i> {
    /// Values from `base` on, behind `slots` bytes for their roots. Of every two inputs one is honest throughout.
    pub(super) fn new(choices: &'c mut Choices<'i>, base: u32, slots: usize) -> Self {
        let odd = [0, 0, 0, 0, 4, 16, 64, 128][choices.below(8)];
        Self { choices, odd, base, bytes: vec![0; slots], clock_us: 0 }
    }

    /// Writes a value of type `ty` at `offset` of the roots.
    pub(super) fn root(&mut self, offset: usize, ty: &Type) {
        self.store(ty, offset, Place { record: "", field: "", index: 0 });
    }

    /// Lines of a log at `offset` of the roots: how many, then level, address and length of each.
    pub(super) fn lines(&mut self, offset: usize, most: usize) {
        let count = self.choices.below(most + 1);
        self.put(offset, &(count as u32).to_le_bytes());
        for index in 0..count {
            let at = offset + 4 + 12 * index;
            let level = if self.is_odd() { self.choices.below(300) } else { self.choices.below(4) };
            self.put(at, &(level as u32).to_le_bytes());
            self.store(&Type::String, at + 4, Place { record: "line", field: "message", index });
        }
    }

    /// All that was written.
    pub(super) fn bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Never where the input is used up.
    fn is_odd(&mut self) -> bool {
        self.odd > 0 && self.choices.byte() > u8::MAX - self.odd
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn room(&mut self, bytes: usize) -> usize {
        let at = self.bytes.len().next_multiple_of(8);
        self.bytes.resize(at + bytes, 0);
        at
    }

    /// An address and a count, which now and then are anything.
    fn slice(&mut self, at: usize, start: usize, count: usize) {
        let mut words = [self.base + start as u32, count as u32];
        if self.is_odd() {
            words[self.choices.below(2)] = [u32::MAX, 0xffff_fff0, 1 << 30, 3, 0, 400][self.choices.below(6)];
        }
        self.put(at, &words[0].to_le_bytes());
        self.put(at + 4, &words[1].to_le_bytes());
    }

    fn store(&mut self, ty: &Type, at: usize, place: Place<'_>) {
        match ty {
            Type::Id(id) => self.store_defined(*id, at, place),
            Type::String => {
                let text = self.text(place);
                let start = self.room(text.len());
                self.put(start, &text);
                self.slice(at, start, text.len());
            }
            Type::Bool | Type::U8 => {
                let value =
                    if self.is_odd() || place.field == "packed" { self.choices.byte() } else { self.flag(place) };
                self.put(at, &[value]);
            }
            Type::U32 => {
                let honest = if place.field == "rows" { 3 } else { 0 };
                let value = if self.is_odd() { [1, 2, 4, u32::MAX][self.choices.below(4)] } else { honest };
                self.put(at, &value.to_le_bytes());
            }
            Type::U64 => {
                let honest = if place.field == "step" { 1_000_000 } else { self.choices.below(1_000) as u64 };
                let value = if self.is_odd() { [0, u64::MAX, 1 << 63][self.choices.below(3)] } else { honest };
                self.put(at, &value.to_le_bytes());
            }
            Type::S64 => {
                let honest = self.whole(place);
                let value = if self.is_odd() { [i64::MIN, -1, 0, i64::MAX][self.choices.below(4)] } else { honest };
                self.put(at, &value.to_le_bytes());
            }
            Type::F64 => {
                let honest = self.choices.below(1_000) as f64 / 8.0;
                let odd = [f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, f64::MAX, 5e-324];
                let value = if self.is_odd() { odd[self.choices.below(odd.len())] } else { honest };
                self.put(at, &value.to_le_bytes());
            }
            other => panic!("the contract has {other:?} now: it is written here, too"),
        }
    }

    fn store_defined(&mut self, id: TypeId, at: usize, place: Place<'_>) {
        let defined = &CONTRACT.resolve.types[id];
        match &defined.kind {
            TypeDefKind::Type(ty) => self.store(ty, at, place),
            TypeDefKind::Record(record) => self.record(record, defined.name.as_deref().unwrap_or(""), at, place.index),
            TypeDefKind::List(ty) => self.list(ty, at, place),
            TypeDefKind::Option(ty) => {
                let present =
                    if place.field == "validity" { self.is_odd() } else { self.choices.byte().is_multiple_of(2) };
                self.case(Int::U8, [Some(ty), None], u8::from(present), at, present.then_some(ty), place);
            }
            TypeDefKind::Result(Result_ { ok, err }) => {
                let failed = self.choices.byte() > 240;
                let payload = if failed { err } else { ok };
                self.case(Int::U8, [ok.as_ref(), err.as_ref()], u8::from(failed), at, payload.as_ref(), place);
            }
            TypeDefKind::Variant(variant) => self.variant(variant, at, place),
            TypeDefKind::Enum(Enum { cases }) => {
                let is_time = (place.record, place.field, place.index) == ("field", "data-type", 0);
                let honest = if is_time { 7 } else { self.choices.below(cases.len()) as u8 };
                let value = if self.is_odd() { self.choices.byte() } else { honest };
                self.put(at, &[value]);
            }
            other => panic!("the contract has {} now: it is written here, too", other.as_str()),
        }
    }

    fn record(&mut self, record: &Record, name: &str, at: usize, index: usize) {
        if name == "incident" {
            self.clock_us = self.choices.below(3_600) as i64 * 1_000_000;
        }
        let types = record.fields.iter().map(|field| &field.ty);
        for (field, (offset, ty)) in record.fields.iter().zip(CONTRACT.sizes.field_offsets(types)) {
            self.store(ty, at + offset.size_wasm32(), Place { record: name, field: &field.name, index });
        }
    }

    fn list(&mut self, ty: &Type, at: usize, place: Place<'_>) {
        let mut count = match (place.record, place.field) {
            _ if self.bytes.len() > MOST_BYTES => 0,
            ("table", "primary-key") | ("target", "parents") => self.choices.below(2),
            ("finding", "samples") => self.choices.below(150),
            ("batch", "columns") => 2,
            ("column", "values") => 3,
            _ => 1 + self.choices.below(3),
        };
        if self.is_odd() {
            count = [0, count + 1, 40, 300][self.choices.below(4)];
        }
        let size = CONTRACT.size(ty);
        let start = self.room(size * count);
        for index in 0..count {
            self.store(ty, start + index * size, Place { index, ..place });
        }
        self.slice(at, start, count);
    }

    fn variant(&mut self, variant: &Variant, at: usize, place: Place<'_>) {
        let cases = &variant.cases;
        let honest = |case: &wit_parser::Case| place.field != "values" || case.name == "int64s";
        let honest: Vec<usize> = (0..cases.len()).filter(|at| honest(&cases[*at])).collect();
        let mut number = honest[self.choices.below(honest.len())];
        if self.is_odd() {
            number = self.choices.below(cases.len());
        }
        let types: Vec<_> = cases.iter().map(|case| case.ty.as_ref()).collect();
        self.case(variant.tag(), types, number as u8, at, cases[number].ty.as_ref(), place);
    }

    /// A tag, which now and then is anything, and what stands behind it.
    fn case<'t>(
        &mut self,
        tag: Int,
        types: impl IntoIterator<Item = Option<&'t Type>>,
        number: u8,
        at: usize,
        payload: Option<&Type>,
        place: Place<'_>,
    ) {
        let offset = CONTRACT.sizes.payload_offset(tag, types).size_wasm32();
        if let Some(payload) = payload {
            self.store(payload, at + offset, place);
        }
        let number = if self.is_odd() { self.choices.byte() } else { number };
        self.put(at, &[number]);
    }

    fn flag(&mut self, place: Place<'_>) -> u8 {
        match (place.record, place.field, place.index) {
            ("field", "nullable", 0) => 0,
            _ => self.choices.byte() % 2,
        }
    }

    fn whole(&mut self, place: Place<'_>) -> i64 {
        if place.record == "column" {
            return self.choices.below(200) as i64;
        }
        self.clock_us += 1 + self.choices.below(1_000) as i64 * (STEP_US / 1_000);
        self.clock_us
    }

    fn text(&mut self, place: Place<'_>) -> Vec<u8> {
        if self.is_odd() {
            return match self.choices.below(6) {
                0 => vec![0xff, 0xfe, b'x', 0xc3],
                1 => vec![b'n'; [64, 129, 5_000][self.choices.below(3)]],
                2 => BAD_SCHEMAS[self.choices.below(BAD_SCHEMAS.len())].into(),
                3 => self.honest(Place { index: 0, ..place }).into(),
                _ => BAD_NAMES[self.choices.below(BAD_NAMES.len())].into(),
            };
        }
        self.honest(place).into()
    }

    fn honest(&mut self, place: Place<'_>) -> String {
        let index = place.index;
        match (place.record, place.field) {
            ("table", "name") if index == 0 => "readings".into(),
            ("field", "name") if index == 0 => "at".into(),
            ("table", "primary-key" | "time-field") | ("signal", "column") => "at".into(),
            ("signal", "table") | ("selection", "table") => "readings".into(),
            ("selection", _) => ["at", "value"][self.choices.below(2)].into(),
            ("target", "signals") | ("effect", "signal") => "signal0".into(),
            ("target", "parents") => "all".into(),
            ("effect", "target") => ["target0", "all"][self.choices.below(2)].into(),
            ("incident", "cause") => "id0".into(),
            ("descriptor", "name") => "parrot".into(),
            ("descriptor", "version") => "1.2.3".into(),
            ("descriptor", "config-schema") => SCHEMAS[self.choices.below(SCHEMAS.len())].into(),
            ("example", "config") => "{}".into(),
            ("table" | "field" | "signal" | "target" | "kind", "name")
            | ("incident", "id" | "kind")
            | ("input", "table") => {
                format!("{}{index}", if place.record == "incident" { place.field } else { place.record })
            }
            _ => PROSE[self.choices.below(PROSE.len())].into(),
        }
    }
}
