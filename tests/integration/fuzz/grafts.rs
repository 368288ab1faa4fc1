//! Plugins of arbitrary code: a module by wasm-smith, onto which the functions of a world are grafted. Some of these do what an
//! honest guest does, others go through code of the module first. So each describes itself, and then does anything.

use arbitrary::Unstructured;
use wasm_smith::Module;

use crate::harm::component::{Function, Guest, World, encode};
use crate::harm::shapes::section;

/// Sections of a module that change.
const TYPES: u8 = 1;
const FUNCTIONS: u8 = 3;
const MEMORIES: u8 = 5;
const EXPORTS: u8 = 7;
const CODE: u8 = 10;
const DATA_COUNT: u8 = 12;
const DATA: u8 = 11;
/// The order in which sections stand.
const ORDER: [u8; 12] = [TYPES, 2, FUNCTIONS, 4, MEMORIES, 6, EXPORTS, 8, 9, DATA_COUNT, CODE, DATA];
/// Pages of memory 0.
const PAGES: u64 = 48;
/// Where the host's arguments go: nothing honest stands there.
const ARGUMENTS: u32 = 1 << 19;

/// Types of values, and instructions.
const I32: u8 = 0x7f;
const I64: u8 = 0x7e;
const FUNC: u8 = 0x60;
const I32_CONST: u8 = 0x41;
const CALL: u8 = 0x10;
const RETURN: u8 = 0x0f;
const END: u8 = 0x0b;

/// Parameters and results of a function.
type Signature = (Vec<u8>, Vec<u8>);

/// A function of the module that can be called with zeroes.
struct Callable {
    index: u64,
    signature: Signature,
}

/// A plugin of `world`, of which `input` decides; none where that is too little for a module.
pub(super) fn plugin(world: World, input: &[u8]) -> Option<Vec<u8>> {
    let (wild, input) = input.split_first_chunk::<9>()?;
    let mut config = super::components::closed();
    (config.max_funcs, config.max_instructions, config.min_memories) = (30, 60, 1);
    let module = Module::new(config, &mut Unstructured::new(input)).ok()?.to_bytes();
    Some(encode(world, grafted(&module, Guest::new(world), wild)))
}

/// The module with the exports of a guest, and what stands in its memory. Of `wild`, a byte of each export says whether code of
/// the module runs first, and which.
fn grafted(module: &[u8], guest: Guest, wild: &[u8]) -> Vec<u8> {
    let mut sections = sections(&module[8..]);
    let mut types = entries(content(&sections, TYPES), signature);
    let mut functions = entries(content(&sections, FUNCTIONS), number);
    let callable = (0..).zip(&functions).map(|(index, ty)| Callable { index, signature: types[*ty as usize].clone() });
    let callable: Vec<_> = callable.filter(|found| found.signature.0.iter().all(|ty| zero(*ty).is_some())).collect();
    let mut exports = vec![export("memory", 2, 0)];
    let mut bodies = Vec::new();
    let realloc = Function { name: "cabi_realloc".into(), params: vec![I32; 4], address: ARGUMENTS };
    for (at, Function { name, params, address }) in
        guest.constants(&[I32, I64]).into_iter().chain([realloc]).enumerate()
    {
        exports.push(export(&name, 0, functions.len() as u64));
        functions.push(types.len() as u64);
        types.push((params, vec![I32]));
        // What every plugin is asked before anything else stays honest, or there would be nothing more to ask.
        let honest = name.contains("about@") || name == "cabi_realloc" || callable.is_empty();
        let wild = wild[at % wild.len()];
        let called = (!honest && !wild.is_multiple_of(4)).then(|| &callable[usize::from(wild) % callable.len()]);
        bodies.push(body(called, address));
    }
    set(&mut sections, TYPES, list(types.iter().map(typed)));
    set(&mut sections, FUNCTIONS, list(functions.iter().map(|ty| unsigned(*ty))));
    set(&mut sections, MEMORIES, list([[vec![0], unsigned(PAGES)].concat()]));
    set(&mut sections, EXPORTS, list(exports));
    let code = appended(content(&sections, CODE), &bodies);
    set(&mut sections, CODE, code);
    // Active in memory 0, behind all others.
    let (address, image) = guest.memory_image();
    let data = [vec![0, I32_CONST], signed(address), vec![END], unsigned(image.len() as u64), image.to_vec()].concat();
    let segments = appended(content(&sections, DATA), &[data]);
    set(&mut sections, DATA, segments);
    if !content(&sections, DATA_COUNT).is_empty() {
        let segments = number(&mut content(&sections, DATA));
        set(&mut sections, DATA_COUNT, unsigned(segments));
    }
    let sections = sections.iter().flat_map(|(id, content)| section(*id, content));
    module[..8].iter().copied().chain(sections).collect()
}

/// Calls a function, and returns what it returned last where that can be an address, else `address`.
fn body(called: Option<&Callable>, address: u32) -> Vec<u8> {
    // No locals.
    let mut code = vec![0];
    let mut answered = false;
    if let Some(Callable { index, signature: (params, results) }) = called {
        code.extend(params.iter().filter_map(|ty| zero(*ty)).flatten());
        code.push(CALL);
        code.extend(unsigned(*index));
        answered = results.last() == Some(&I32);
    }
    if !answered {
        code.push(I32_CONST);
        code.extend(signed(address));
    }
    // What else is on the stack goes with it.
    code.extend([RETURN, END]);
    [unsigned(code.len() as u64), code].concat()
}

/// An argument of a type; none of one that is not known.
fn zero(ty: u8) -> Option<Vec<u8>> {
    Some(match ty {
        I32 => vec![I32_CONST, 0x10],
        I64 => vec![0x42, 0],
        0x7d => vec![0x43, 0, 0, 0, 0],
        0x7c => vec![0x44, 0, 0, 0, 0, 0, 0, 0, 0],
        0x7b => [vec![0xfd, 12], vec![0; 16]].concat(),
        0x70 | 0x6f => vec![0xd0, ty],
        _ => return None,
    })
}

fn export(name: &str, kind: u8, index: u64) -> Vec<u8> {
    [unsigned(name.len() as u64), name.as_bytes().to_vec(), vec![kind], unsigned(index)].concat()
}

/// Parameters and results of a function's type.
fn signature(bytes: &mut &[u8]) -> Signature {
    assert_eq!(take(bytes), FUNC);
    let mut types = || (0..number(bytes)).map(|_| take(bytes)).collect();
    (types(), types())
}

fn typed((params, results): &Signature) -> Vec<u8> {
    let types = |types: &[u8]| [unsigned(types.len() as u64), types.to_vec()].concat();
    [vec![FUNC], types(params), types(results)].concat()
}

fn sections(mut rest: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut found = Vec::new();
    while let Some((id, behind)) = rest.split_first() {
        rest = behind;
        let length = number(&mut rest) as usize;
        let (content, behind) = rest.split_at(length);
        found.push((*id, content.to_vec()));
        rest = behind;
    }
    found
}

/// What stands in a section; nothing where there is none.
fn content(sections: &[(u8, Vec<u8>)], id: u8) -> &[u8] {
    sections.iter().find(|(found, _)| *found == id).map_or(&[], |(_, content)| content)
}

/// Gives a section other content, in its place.
fn set(sections: &mut Vec<(u8, Vec<u8>)>, id: u8, content: Vec<u8>) {
    let place = |id: u8| ORDER.iter().position(|known| *known == id).unwrap();
    sections.retain(|(found, _)| *found != id);
    let before = sections.iter().take_while(|(found, _)| place(*found) < place(id)).count();
    sections.insert(before, (id, content));
}

/// What a section lists.
fn entries<T>(mut content: &[u8], entry: impl Fn(&mut &[u8]) -> T) -> Vec<T> {
    if content.is_empty() { Vec::new() } else { (0..number(&mut content)).map(|_| entry(&mut content)).collect() }
}

fn list(things: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    let things: Vec<_> = things.into_iter().collect();
    [unsigned(things.len() as u64), things.concat()].concat()
}

/// The content of a section that is a list, with more at its end.
fn appended(content: &[u8], things: &[Vec<u8>]) -> Vec<u8> {
    let mut rest = content;
    let count = if content.is_empty() { 0 } else { number(&mut rest) };
    [unsigned(count + things.len() as u64), rest.to_vec(), things.concat()].concat()
}

fn take(bytes: &mut &[u8]) -> u8 {
    let (byte, behind) = bytes.split_first().unwrap();
    *bytes = behind;
    *byte
}

/// A number of WebAssembly's at the start of `bytes`, which go on behind it.
fn number(bytes: &mut &[u8]) -> u64 {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = take(bytes);
        value |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            return value;
        }
    }
}

fn unsigned(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 0x7f {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// The same where the highest bit of the last byte would be a sign.
fn signed(value: u32) -> Vec<u8> {
    let mut bytes = unsigned(u64::from(value));
    if let Some(last) = bytes.last_mut().filter(|last| **last & 0x40 != 0) {
        *last |= 0x80;
        bytes.push(0);
    }
    bytes
}
