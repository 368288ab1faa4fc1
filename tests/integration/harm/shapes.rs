//! Components whose shape is the harm: what they make the host reserve, how they are put together, and answers that no
//! tool chain would write.

use std::sync::{LazyLock, OnceLock};

use telemill::plugin::Limit;

use super::component::{Guest, World, constant};
use super::{Case, Follows};
use Follows::{Breaks, Crashes, Fails, Over, Refused};

pub(super) fn cases() -> Vec<Case> {
    [beginnings(), growth(), answers(), reallocs(), logs(), nested()].into_iter().flatten().collect()
}

fn generator() -> Guest {
    Guest::new(World::Generator)
}

fn case(name: &str, call: &'static str, follows: Follows, guest: Guest) -> Case {
    Case::new(name, call, follows, guest.build())
}

/// Code that runs before anything is called.
fn beginnings() -> Vec<Case> {
    let start = |body: &str| generator().extra(&format!("(func $begin {body}) (start $begin)"));
    vec![
        case("start loops", "instantiate", Over(Limit::CallFuel), start("(loop $again (br $again))")),
        case("start traps", "instantiate", Crashes("without a word"), start("unreachable")),
        case("start grows", "instantiate", Over(Limit::MemoryBytes), start("(drop (memory.grow (i32.const 9999)))")),
        case("start recurs", "instantiate", Over(Limit::StackBytes), start("(call $begin)")),
    ]
}

fn growth() -> Vec<Case> {
    let recursion = generator().extra("(func $deep (result i32) (call $deep))").body("check", "(call $deep)");
    let table = generator()
        .extra("(table $t 1 funcref)")
        .body("check", "(drop (table.grow $t (ref.null func) (i32.const 2000000))) (i32.const 0)");
    vec![
        case("a memory of 256 MiB", "instantiate", Over(Limit::MemoryBytes), generator().memory("4096")),
        case("a memory of 4 GiB", "instantiate", Over(Limit::MemoryBytes), generator().memory("65536")),
        case(
            "a second memory takes the rest",
            "instantiate",
            Over(Limit::MemoryBytes),
            generator().extra("(memory 250)"),
        ),
        case(
            "a table of ten million",
            "instantiate",
            Over(Limit::TableElements),
            generator().extra("(table 10000000 funcref)"),
        ),
        case("a table that grows", "check", Over(Limit::TableElements), table),
        case("recursion", "check", Over(Limit::StackBytes), recursion),
        case(
            "memory bit by bit",
            "check",
            Over(Limit::MemoryBytes),
            generator()
                .body("check", "(loop $l (br_if $l (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) unreachable"),
        ),
    ]
}

/// Results that can't be read, or should not be.
fn answers() -> Vec<Case> {
    let unread = Breaks("can't be read");
    let poked = |offset: fn(&Guest) -> u32, byte: u8| {
        let guest = generator();
        let at = offset(&guest);
        guest.poke(at, byte)
    };
    let host_bytes = Over(Limit::HostBytes);
    // Half a million problems of two empty strings each: zeroes of the guest, 24 bytes a string of the host.
    let empties = generator().memory("200").answers("check", &[65_536, 500_000]);
    // Two hundred thousand problems that share one long text.
    let mut shared = generator().memory("200");
    let text = shared.image.put(&[b'x'; 4_096]);
    let problems = shared.image.words(&[text, 4_096, text, 4_096].repeat(2_000));
    let shared = shared.answers("check", &[problems, 2_000]);
    let mut utf8 = generator();
    let bad = utf8.image.put(&[0xff, 0xfe, 0xfd, b'x']);
    let utf8 = utf8.answers("check", &[bad, 1]);
    // One metric: its name, NaN, no unit and no time.
    let mut odd = Guest::new(World::Validator);
    let name = odd.image.text("mean_age");
    let metric = odd.image.words(&[name[0], name[1], 0, 0x7ff8_0000, 0, 0, 0, 0, 0, 0, 0, 0]);
    let odd = odd.answers("finish", &[0, 0, 0, metric, 1]);
    let mut said = generator();
    let words = said.image.text("no\u{1b}[2Jway\nERROR forged");
    let said = said.answers("open", &[1, 2, words[0], words[1]]);
    vec![
        case("an address that is not aligned", "describe", unread, generator().body("describe", constant(1_025))),
        case("a list without end", "check", unread, generator().answers("check", &[8, u32::MAX])),
        case("a list beyond memory", "check", unread, generator().answers("check", &[0xfff0_0000, 16])),
        case("a list of unaligned records", "check", unread, generator().answers("check", &[1_025, 1])),
        case("a million empty strings", "check", host_bytes, empties),
        case("one text two thousand times", "check", host_bytes, shared),
        case("text that is no UTF-8", "check", unread, utf8.answers("check", &[bad, 1])),
        case("no such case of a result", "plan", unread, poked(|guest| guest.simulation.result, 9)),
        case("no such kind of table", "plan", unread, poked(|guest| guest.simulation.table + 16, 7)),
        case("no such case of an option", "plan", unread, poked(|guest| guest.simulation.table + 36, 3)),
        case("no such type of data", "plan", unread, poked(|guest| guest.simulation.field + 8, 200)),
        case("no such case of an error", "open", unread, generator().answers("open", &[1, 9, 0, 0])),
        case("batches without end", "advance", unread, generator().answers("advance", &[0, 8, u32::MAX])),
        case(
            "a million batches",
            "advance",
            host_bytes,
            generator().memory("200").answers("advance", &[0, 65_536, 700_000]),
        ),
        case(
            "five thousand batches",
            "advance",
            Breaks("5000 batches"),
            generator().memory("30").answers("advance", &[0, 1 << 20, 5_000]),
        ),
        case("a state without end", "save", unread, generator().answers("save", &[0, 1, 8, u32::MAX])),
        case(
            "a state of two mebibytes",
            "save",
            Over(Limit::OutputBytes),
            generator().memory("64").answers("save", &[0, 1, 0, 2 << 20]),
        ),
        case("a metric that is no number", "finish", Breaks("metric mean_age: has the value NaN"), odd),
        case("an error that forges lines", "open", Fails("no\\u{1b}[2Jway\\nERROR"), said),
        case(
            "twenty thousand incidents",
            "plan",
            Breaks("20000 incidents"),
            Guest::new(World::IncidentModel).memory("60").answers("plan", &[0, 1 << 20, 20_000]),
        ),
        case(
            "a thousand kinds",
            "kinds",
            Breaks("1000 kinds"),
            Guest::new(World::IncidentModel).memory("60").answers("kinds", &[1 << 20, 1_000]),
        ),
        case(
            "a thousand selections",
            "open",
            Breaks("1000"),
            Guest::new(World::Validator).memory("60").answers("open", &[0, 1 << 20, 1_000]),
        ),
        case(
            "twenty thousand findings",
            "finish",
            Breaks("20000 findings"),
            Guest::new(World::Validator).memory("60").answers("finish", &[0, 1 << 20, 20_000, 0, 0]),
        ),
    ]
}

/// What gives the host memory for a call's arguments is the guest's code, too.
fn reallocs() -> Vec<Case> {
    vec![
        case("arguments go beyond memory", "check", Breaks("can't be read"), generator().realloc("(i32.const -16)")),
        case("memory for arguments traps", "check", Crashes("without a word"), generator().realloc("unreachable")),
        case(
            "memory for arguments takes forever",
            "check",
            Over(Limit::CallFuel),
            generator().realloc("(loop $again (br $again)) unreachable"),
        ),
        case(
            "a word while memory is asked for",
            "check",
            Crashes("cannot leave component instance"),
            generator().realloc("(call $log (i32.const 1) (i32.const 1024) (i32.const 4)) (i32.const 1024)"),
        ),
    ]
}

fn logs() -> Vec<Case> {
    let logging = |arguments: &str| generator().body("check", format!("(call $log {arguments}) (i32.const 1024)"));
    let forever = |length: u32| {
        let line =
            format!("(loop $l (call $log (i32.const 3) (i32.const 524288) (i32.const {length})) (br $l)) unreachable");
        generator().body("check", line)
    };
    vec![
        case("lines without end", "check", Over(Limit::LogLines), forever(0)),
        case("long lines without end", "check", Over(Limit::LogBytes), forever(8_192)),
        case(
            "a line from beyond memory",
            "check",
            Breaks("can't be read"),
            logging("(i32.const 1) (i32.const -16) (i32.const 8)"),
        ),
        case(
            "a line of 4 GiB",
            "check",
            Breaks("can't be read"),
            logging("(i32.const 1) (i32.const 8) (i32.const -1)"),
        ),
        case(
            "no such level",
            "check",
            Breaks("can't be read"),
            logging("(i32.const 77) (i32.const 1024) (i32.const 4)"),
        ),
    ]
}

/// Components within the component.
fn nested() -> Vec<Case> {
    let many = |part: &str, count: usize| {
        format!("(component (core module $m {}) {})", part.repeat(90), "(core instance (instantiate $m))".repeat(count))
    };
    let instances = format!("(component (core module $m) {})", "(core instance (instantiate $m))".repeat(400));
    // Makes handles to a resource of its own and never drops one.
    let handles = r#"(component
        (type $r (resource (rep i32)))
        (core func $new (canon resource.new $r))
        (core module $m (import "" "new" (func $new (param i32) (result i32)))
            (func $begin (loop $again (drop (call $new (i32.const 1))) (br $again))) (start $begin))
        (core instance (instantiate $m (with "" (instance (export "new" (func $new)))))))"#;
    let memories = "(memory 0)";
    let tables = "(table 0 funcref)";
    let mut cases = vec![
        Case::new("memories by the hundred", "instantiate", Over(Limit::Memories), with_nested(&many(memories, 5))),
        Case::new("tables by the hundred", "instantiate", Over(Limit::Tables), with_nested(&many(tables, 5))),
        Case::new("instances by the hundred", "instantiate", Over(Limit::Instances), with_nested(&instances)),
        Case::new("handles without end", "instantiate", Over(Limit::Handles), with_nested(handles)),
    ];
    for (name, import) in [
        ("a clock", "(import \"wasi:clocks/wall-clock@0.2.6\" (instance))"),
        ("files", "(import \"wasi:filesystem/types@0.2.6\" (instance))"),
        ("the network", "(import \"wasi:sockets/tcp@0.2.6\" (instance))"),
        ("a function of anybody's", "(import \"run-command\" (func (param \"c\" string)))"),
        ("a module", "(import \"code\" (core module))"),
    ] {
        let component = wat::parse_str(format!("(component {import})")).unwrap();
        cases.push(Case::new(format!("asks for {name}"), "", Refused("no plugin may"), component));
    }
    cases
}

/// An honest component with another one inside, which is instantiated with it.
pub(super) fn with_nested(inner: &str) -> Vec<u8> {
    with_component(&wat::parse_str(inner).unwrap())
}

/// An honest component with a core module inside that imports nothing and is instantiated with it: its memories, tables and
/// segments are made, and its start function runs.
pub(crate) fn with_instance_of(module: &[u8]) -> Vec<u8> {
    let header = b"\0asm\x0d\0\x01\0".as_slice();
    with_component(&[header, &section(1, module), &section(2, &[1, 0, 0, 0])].concat())
}

fn with_component(inner: &[u8]) -> Vec<u8> {
    static HONEST: LazyLock<Vec<u8>> = LazyLock::new(|| generator().build());
    let nested =
        |inner: &[u8], index: u8| [HONEST.as_slice(), &section(4, inner), &section(5, &[1, 0, index, 0])].concat();
    // The inner one is the last component; how many the encoder made before it is found by trying.
    static INDEX: OnceLock<u8> = OnceLock::new();
    let index = INDEX.get_or_init(|| {
        let empty = wat::parse_str("(component)").unwrap();
        let fits = |index: &u8| super::drive(&super::ENGINE, &nested(&empty, *index)).is_ok();
        (0..16_u8).rfind(fits).unwrap_or_else(|| panic!("no index fits"))
    });
    nested(inner, *index)
}

pub(crate) fn section(id: u8, content: &[u8]) -> Vec<u8> {
    let (mut bytes, mut length) = (vec![id], content.len());
    while length >= 128 {
        bytes.push((length % 128) as u8 | 128);
        length /= 128;
    }
    bytes.push(length as u8);
    bytes.extend_from_slice(content);
    bytes
}
