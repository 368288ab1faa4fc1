//! Components from the text of one core module: memory with encoded answers in it, and functions that return where these
//! stand. Everything is honest but what a case replaces.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use telemill_tests::repository;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// Where the answers start in memory.
const BASE: u32 = 1_024;

/// The three worlds of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum World {
    Generator,
    IncidentModel,
    Validator,
}

impl World {
    pub(crate) const ALL: [Self; 3] = [Self::Generator, Self::IncidentModel, Self::Validator];

    pub(crate) fn interface(self) -> &'static str {
        match self {
            Self::Generator => "generator",
            Self::IncidentModel => "incident-model",
            Self::Validator => "validator",
        }
    }

    /// Its functions beside those of `about`, with the parameters of the canonical form.
    pub(crate) fn functions(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Generator => &[
                ("plan", "i32 i32"),
                ("open", "i32 i32 i64 i32 i32 i64 i64"),
                ("feed", "i32 i32 i32 i32"),
                ("inject", "i32 i32"),
                ("advance", "i64 i64"),
                ("save", ""),
                ("restore", "i32 i32 i64 i32 i32 i64 i64 i32 i32"),
            ],
            Self::IncidentModel => &[
                ("kinds", ""),
                ("open", "i32 i32 i64 i64 i64 i32 i32"),
                ("plan", "i64 i64"),
                ("trigger", "i32 i32 i32 i32 i64 i64"),
            ],
            Self::Validator => &[("open", "i32 i32 i32 i32 i64 i64"), ("observe", "i32 i32 i32 i32"), ("finish", "")],
        }
    }
}

/// The functions that every plugin has.
pub(crate) const ABOUT: [(&str, &str); 2] = [("describe", ""), ("check", "i32 i32")];

/// Bytes of memory with values of the contract in them.
pub(crate) struct Image(Vec<u8>);

impl Image {
    fn new() -> Self {
        Self(Vec::new())
    }

    /// Puts bytes down and says where.
    pub(crate) fn put(&mut self, bytes: &[u8]) -> u32 {
        self.0.resize(self.0.len().next_multiple_of(8), 0);
        let at = BASE + u32::try_from(self.0.len()).unwrap();
        self.0.extend_from_slice(bytes);
        at
    }

    /// Words of four bytes, little-endian.
    pub(crate) fn words(&mut self, words: &[u32]) -> u32 {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.put(&bytes)
    }

    /// A string, as address and length.
    pub(crate) fn text(&mut self, text: &str) -> [u32; 2] {
        [self.put(text.as_bytes()), u32::try_from(text.len()).unwrap()]
    }

    /// A descriptor's seven pairs.
    pub(crate) fn descriptor(&mut self, texts: Texts<'_>) -> u32 {
        let mut words = Vec::new();
        for text in [texts.name, texts.version, texts.summary, texts.documentation, texts.schema] {
            words.extend(self.text(text));
        }
        let mut examples = Vec::new();
        for (name, config) in texts.examples {
            examples.extend(self.text(name));
            examples.extend(self.text(config));
        }
        let list = self.words(&examples);
        words.extend([list, u32::try_from(texts.examples.len()).unwrap(), 0, 0]);
        self.words(&words)
    }

    /// `ok` of a simulation of one table `readings` whose one column is its time.
    pub(crate) fn simulation(&mut self) -> Simulation {
        let mut field = self.text("at").to_vec();
        // A timestamp (7) that is never null, without a unit; an empty summary; no attributes.
        field.extend([7, 0, 0, 0, 0, 0, 0, 0]);
        let field = self.words(&field);
        let (name, time) = (self.text("readings"), self.text("at"));
        let table = self.words(&[name[0], name[1], 0, 0, 0, field, 1, 0, 0, 1, time[0], time[1], 0, 0]);
        // Step: a second, as two words.
        let result = self.words(&[0, 0, table, 1, 0, 0, 0, 0, 0, 0, 1_000_000, 0, 0, 0]);
        Simulation { result, table, field }
    }
}

/// Where the parts of a simulation stand.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Simulation {
    pub(crate) result: u32,
    pub(crate) table: u32,
    pub(crate) field: u32,
}

/// A function that returns an address.
pub(crate) struct Function {
    /// Its name as an export of the module.
    pub(crate) name: String,
    pub(crate) params: Vec<u8>,
    pub(crate) address: u32,
}

/// What a descriptor says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Texts<'a> {
    pub(crate) name: &'a str,
    pub(crate) version: &'a str,
    pub(crate) summary: &'a str,
    pub(crate) documentation: &'a str,
    pub(crate) schema: &'a str,
    pub(crate) examples: &'a [(&'a str, &'a str)],
}

pub(crate) const HONEST: Texts<'static> = Texts {
    name: "case",
    version: "1.0.0",
    summary: "a case of the catalogue",
    documentation: "",
    schema: r#"{"type": "object", "additionalProperties": false, "properties": {}}"#,
    examples: &[],
};

/// A component in the making.
pub(crate) struct Guest {
    world: World,
    pub(crate) image: Image,
    pub(crate) simulation: Simulation,
    bodies: BTreeMap<&'static str, String>,
    realloc: String,
    /// What stands in the module besides: a start function, tables, data.
    extra: String,
    memory: String,
}

impl Guest {
    /// An honest plugin that does nothing.
    pub(crate) fn new(world: World) -> Self {
        Self::saying(world, HONEST)
    }

    /// A plugin that describes itself so.
    pub(crate) fn saying(world: World, texts: Texts<'_>) -> Self {
        let mut image = Image::new();
        let mut bodies = BTreeMap::new();
        let descriptor = image.descriptor(texts);
        let simulation = image.simulation();
        // `ok` without a value, `ok` of empty lists, `ok(none)`, and an empty list: zeroes.
        let nothing = image.words(&[0; 16]);
        bodies.insert("describe", constant(descriptor));
        bodies.insert("check", constant(nothing));
        for (name, _) in world.functions() {
            let planned = world == World::Generator && *name == "plan";
            bodies.insert(name, constant(if planned { simulation.result } else { nothing }));
        }
        let realloc = "(call $grow (local.get 2) (local.get 3))".to_owned();
        Self { world, image, simulation, bodies, realloc, extra: String::new(), memory: "17".to_owned() }
    }

    /// Replaces the body of an export.
    pub(crate) fn body(mut self, name: &'static str, body: impl Into<String>) -> Self {
        assert!(self.bodies.insert(name, body.into()).is_some(), "{name} is no export of {:?}", self.world);
        self
    }

    /// An export returns the address of these words.
    pub(crate) fn answers(mut self, name: &'static str, words: &[u32]) -> Self {
        let at = self.image.words(words);
        self.body(name, constant(at))
    }

    /// Puts another byte at an address of the image.
    pub(crate) fn poke(mut self, address: u32, byte: u8) -> Self {
        self.image.0[(address - BASE) as usize] = byte;
        self
    }

    /// Replaces what gives the host memory for arguments.
    pub(crate) fn realloc(mut self, body: &str) -> Self {
        self.realloc = body.to_owned();
        self
    }

    /// Adds fields to the module.
    pub(crate) fn extra(mut self, fields: &str) -> Self {
        self.extra.push_str(fields);
        self
    }

    /// The limits of its memory, in pages.
    pub(crate) fn memory(mut self, limits: &str) -> Self {
        self.memory = limits.to_owned();
        self
    }

    /// The component.
    pub(crate) fn build(self) -> Vec<u8> {
        encode(self.world, self.module())
    }

    /// What stands in memory, and from which address on.
    pub(crate) fn memory_image(&self) -> (u32, &[u8]) {
        (BASE, &self.image.0)
    }

    /// Its exports that return the same address each time; their parameters as the bytes of `i32` and `i64`.
    pub(crate) fn constants(&self, types: &[u8; 2]) -> Vec<Function> {
        let address = |body: &String| body.strip_prefix("(i32.const ")?.strip_suffix(')')?.parse().ok();
        let constant = |(name, function, params): (String, &str, &str)| {
            let params = params.split_whitespace().map(|ty| types[usize::from(ty == "i64")]).collect();
            Some(Function { name, params, address: address(&self.bodies[function])? })
        };
        self.exports().filter_map(constant).collect()
    }

    /// Its exported functions: the name in the module, that in the contract, and the parameters.
    fn exports(&self) -> impl Iterator<Item = (String, &'static str, &'static str)> + use<> {
        let own = self.world.interface();
        let about = ABOUT.iter().map(|function| ("about", function));
        let all = about.chain(self.world.functions().iter().map(move |function| (own, function)));
        all.map(|(interface, (name, params))| (format!("telemill:plugin/{interface}@0.1.0#{name}"), *name, *params))
    }

    /// The core module.
    pub(crate) fn module(self) -> Vec<u8> {
        let mut text = String::from("(module\n");
        text.push_str("(import \"telemill:plugin/host@0.1.0\" \"log\" (func $log (param i32 i32 i32)))\n");
        writeln!(text, "(memory (export \"memory\") {})", self.memory).unwrap();
        let top = (BASE as usize + self.image.0.len()).next_multiple_of(16);
        writeln!(text, "(global $top (mut i32) (i32.const {top}))").unwrap();
        let data: String = self.image.0.iter().map(|byte| format!("\\{byte:02x}")).collect();
        writeln!(text, "(data (i32.const {BASE}) \"{data}\")").unwrap();
        text.push_str(GROW);
        let realloc = &self.realloc;
        writeln!(text, "(func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) {realloc})").unwrap();
        for (export, name, params) in self.exports() {
            let body = &self.bodies[name];
            writeln!(text, "(func (export \"{export}\") (param {params}) (result i32) {body})").unwrap();
        }
        text.push_str(&self.extra);
        text.push(')');
        wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text:.2000}"))
    }
}

/// A bump allocator that asks for more memory where it has to: alignment and size give an address.
const GROW: &str = "(func $grow (param i32 i32) (result i32) (local i32)
    (global.set $top (i32.and (i32.add (global.get $top) (i32.const 15)) (i32.const -16)))
    (local.set 2 (global.get $top))
    (global.set $top (i32.add (global.get $top) (local.get 1)))
    (if (i32.gt_u (global.get $top) (i32.mul (memory.size) (i32.const 65536)))
        (then (drop (memory.grow (i32.add (i32.shr_u (local.get 1) (i32.const 16)) (i32.const 1))))))
    (local.get 2))
";

/// The body that returns an address.
pub(crate) fn constant(address: u32) -> String {
    format!("(i32.const {address})")
}

/// The component of a core module that has a world's imports and exports.
pub(crate) fn encode(world: World, mut module: Vec<u8>) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(repository().join("wit")).unwrap();
    let name = format!("{}-plugin", world.interface());
    let id = resolve.select_world(&[package], Some(&name)).unwrap();
    embed_component_metadata(&mut module, &resolve, id, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().module(&module).unwrap().encode().unwrap()
}
