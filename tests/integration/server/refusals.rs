//! Uploads that are refused, over and over: a server holds as much memory after the hundredth as after the twentieth, and has no
//! process left.

use telemill_tests::lying_guest;

use crate::harm::compiling;
use crate::harm::component::{Guest, World};
use crate::harm::memory::{children, resident};
use crate::program::{Place, wait_until};

/// What may stay in the server of a refused upload, on the average: its line of the audit table in SQLite's cache, and pages of
/// allocators of many threads.
const STAYS_BYTES: u64 = 32 << 10;
/// Uploads of each kind before it is measured, and until it is measured again.
const WARM_UP: usize = 20;
const MEASURED: usize = 100;
/// The same of those that cost seconds.
const DEAR_WARM_UP: usize = 4;
const DEAR_MEASURED: usize = 12;
/// The least of so many looks counts: what is on its way does not.
const LOOKS: usize = 4;
/// Rounds that are measured at most. What uploads leave behind grows in each of them; what a busy server's threads take for
/// themselves, once, does not.
const ROUNDS: usize = 4;

/// A kind of upload: what the refusal says, whether it takes seconds, and the components in turn.
struct Kind {
    said: &'static str,
    dear: bool,
    components: Vec<Vec<u8>>,
}

fn kinds() -> [Kind; 6] {
    let plan = |body: &str| Guest::new(World::Generator).body("plan", body).build();
    let kind = |said, components| Kind { said, dear: false, components };
    let start = Guest::new(World::Generator).extra("(func $begin (loop $again (br $again))) (start $begin)").build();
    // Cut in the middle of a section, each elsewhere.
    let whole = Guest::new(World::Generator).build();
    let cut = (0..10).map(|at| whole[..whole.len() / 2 + at].to_vec()).collect();
    [
        kind("no WebAssembly", vec![b"no component".to_vec()]),
        kind("descriptor", vec![lying_guest("bad-name").unwrap()]),
        kind("crashed", vec![plan("unreachable")]),
        kind("call_fuel", vec![start, plan("(loop $again (br $again)) unreachable")]),
        kind("can't be used as a plugin", cut),
        Kind { said: "compile_ms", dear: true, components: vec![compiling::BOMB.clone()] },
    ]
}

#[test]
fn uploads_that_are_refused_again_and_again_leave_nothing_behind() {
    let place = Place::new();
    let limits = ["limits.compile_ms=1500", "limits.call_ms=1000", "limits.call_fuel=20000000"];
    let mut server = place.serve(limits.iter().flat_map(|limit| ["--setting", *limit]));
    let id = server.running().id();
    for Kind { said, dear, components } in kinds() {
        let mut components = components.iter().cycle();
        let mut refused = |times: usize| {
            let used = (0..times).map(|_| {
                let body = components.next().unwrap();
                let reply = server.send("POST", "/api/v1/plugins", &[("content-type", "application/wasm")], body);
                assert!(reply.with_status(422).text().contains(said));
                resident(id)
            });
            let used: Vec<u64> = used.collect();
            used[times - LOOKS..].iter().copied().min().unwrap()
        };
        let (warm_up, measured) = if dear { (DEAR_WARM_UP, DEAR_MEASURED) } else { (WARM_UP, MEASURED) };
        let mut before = refused(warm_up);
        let mut stays = || {
            let after = refused(measured);
            eprintln!("{said}: {before} bytes, after {measured} uploads more {after}");
            after.saturating_sub(std::mem::replace(&mut before, after)) / measured as u64
        };
        let rounds: Vec<u64> = (0..ROUNDS).map(|_| stays()).take_while(|stays| *stays >= STAYS_BYTES).collect();
        assert!(rounds.len() < ROUNDS, "{rounds:?} bytes stay of each upload that is refused with {said:?}");
        wait_until("its workers are gone", || children(id).is_empty());
    }
    server.get("/api/v1/plugins").with_status(200);
    server.stop().with_code(0);
}
