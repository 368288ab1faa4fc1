//! What users do: sessions from login to logout or timeout, along a graph of pages.
//!
//! A session follows from its number alone. What happens in it is worked out when it begins, and logged when its time comes.

use telemill_sdk::quantile::QuantileTable;
use telemill_sdk::time::{MILLISECOND, MINUTE, SECOND};
use telemill_sdk::{Process, Stream, Timestamp, Weighted};

use crate::api::{Request, Source};
use crate::endpoints::{LOGIN, LOGOUT, NEW_JOB, SEARCH};
use crate::ids::{self, Lane};
use crate::inventory::Estate;

const SESSION: Process = Process::named("user session");

/// The pages, in the order of the links below.
pub const PAGES: [&str; 10] = [
    "dashboard",
    "sites",
    "devices",
    "device_detail",
    "search_results",
    "jobs",
    "new_job",
    "reports",
    "deliveries",
    "settings",
];
const DASHBOARD: usize = 0;
const DEVICE: usize = 3;
const RESULTS: usize = 4;
const JOBS: usize = 6;
const DELIVERIES: usize = 8;
/// Where people go from each page, in weights of the pages.
const LINKS: [[f64; 10]; 10] = [
    [0.0, 3.0, 4.0, 1.0, 0.0, 2.0, 0.5, 1.5, 0.5, 0.3],
    [1.0, 0.0, 5.0, 1.0, 0.0, 0.5, 0.0, 1.0, 0.5, 0.2],
    [1.0, 0.5, 0.0, 7.0, 0.0, 1.0, 0.5, 0.0, 0.0, 0.2],
    [0.5, 0.3, 3.0, 1.5, 0.0, 1.5, 2.5, 0.3, 0.0, 0.5],
    [0.3, 0.0, 0.7, 8.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    [1.0, 0.0, 1.5, 2.0, 0.0, 0.0, 2.0, 0.5, 0.0, 0.0],
    [0.5, 0.0, 0.5, 1.0, 0.0, 4.0, 0.0, 0.0, 0.0, 0.0],
    [2.0, 1.5, 0.5, 0.0, 0.0, 0.5, 0.0, 1.0, 0.5, 0.0],
    [1.5, 0.5, 0.5, 0.0, 0.0, 0.0, 0.0, 0.5, 3.0, 0.0],
    [2.0, 0.5, 1.0, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0],
];
/// The paths that each page calls when it is opened.
const PAGE_CALLS: [&[usize]; 10] = [&[2, 3], &[3], &[4], &[5, 7], &[], &[7], &[4], &[9], &[3], &[3]];
/// The path that a click on each page calls; none where it only unfolds something.
const CLICK_CALLS: [Option<usize>; 10] =
    [None, Some(3), Some(4), Some(5), Some(5), Some(7), Some(NEW_JOB), Some(9), Some(10), Some(11)];
/// What people search for, most often first.
pub const TERMS: [&str; 12] = [
    "offline",
    "printer",
    "till 1",
    "card reader",
    "update",
    "payment",
    "T200",
    "T100",
    "receipt",
    "error",
    "reboot",
    "drawer",
];

/// Things that a session consists of on average, measured over many.
pub const ACTIVITIES_PER_SESSION: f64 = 14.5;
/// Sessions of people at headquarters, who look at all sites.
const HEADQUARTERS: f64 = 0.25;
/// The first user's number; users at headquarters come first, then those of the sites.
pub const FIRST_USER: i64 = 1_000;
/// How many people at headquarters there are.
pub const HEADQUARTERS_USERS: usize = 20;
const SITE_USERS: usize = 8;
const SITE_USERS_ROOM: i64 = 16;
/// Think times are lognormal, in seconds.
const THINK_MEDIAN: f64 = 13.0;
const THINK_SPREAD: f64 = 0.95;
/// Chances at each step.
const LOGS_OUT: f64 = 0.06;
const WALKS_AWAY: f64 = 0.025;
const SEARCHES: f64 = 0.11;
const CLICKS: f64 = 0.3;
/// Without anything for so long, a session is over.
const TIMEOUT: i64 = 15 * MINUTE;
/// No session is longer, so that a shard knows all that live from the last hour.
pub const LONGEST: i64 = 60 * MINUTE;
const MOST_ACTIVITIES: u32 = 250;
/// Most calls of one activity.
const CALL_BITS: u32 = 4;

/// What a user does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Logs in.
    Login = 0,
    /// Opens a page.
    PageView = 1,
    /// Clicks on something.
    Click = 2,
    /// Searches.
    Search = 3,
    /// Logs out.
    Logout = 4,
}

/// One thing that a user does.
#[derive(Clone, Copy, Debug)]
pub struct Activity {
    /// Position in the session.
    pub number: u32,
    /// When.
    pub t: Timestamp,
    /// The session.
    pub session: i64,
    /// The user.
    pub user: i64,
    /// The site.
    pub site: usize,
    /// Whether the user sits at the site, behind its network.
    pub at_site: bool,
    /// What.
    pub action: Action,
    /// Where: the position of the page.
    pub page: usize,
    /// The terminal that it is about.
    pub terminal: Option<usize>,
    /// What was searched for: the position of the term.
    pub term: Option<u32>,
    /// Since what the user did before.
    pub think_ms: i64,
    /// The call that the user waits for.
    pub waits_for: Request,
}

/// How a session begins.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// The minute.
    pub minute: i64,
    /// Its number within the minute.
    pub number: u32,
    /// Whether it receives a delivery.
    pub receives: bool,
}

/// Works out sessions.
#[derive(Debug)]
pub struct Sessions {
    seed: u64,
    think: QuantileTable,
    links: Vec<Weighted>,
    terms: Weighted,
    staff: Weighted,
    operators: Weighted,
}

impl Sessions {
    /// The sessions of a run.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            think: QuantileTable::lognormal(THINK_SPREAD),
            links: LINKS.iter().map(|weights| Weighted::new(weights)).collect(),
            terms: Weighted::zipf(TERMS.len(), 0.9),
            staff: Weighted::zipf(SITE_USERS, 0.8),
            operators: Weighted::zipf(HEADQUARTERS_USERS, 0.8),
        }
    }

    /// Hands out all that happens in a session at a site: what the user does, and the calls that it makes.
    pub fn run(
        &self,
        start: Start,
        site: usize,
        estate: &Estate,
        mut activity: impl FnMut(Activity),
        mut call: impl FnMut(Request),
    ) {
        let session = ids::begun(start.minute, start.number);
        let mut draw = Stream::of(self.seed, SESSION, session as u64, 0);
        let at_site = start.receives || !draw.chance(HEADQUARTERS);
        let user = if at_site {
            let room = HEADQUARTERS_USERS as i64 + site as i64 * SITE_USERS_ROOM;
            FIRST_USER + room + self.staff.draw(&mut draw) as i64
        } else {
            FIRST_USER + self.operators.draw(&mut draw) as i64
        };
        let terminals = estate.sites.get(site).map_or(&[] as &[usize], |site| &site.terminals);
        let any_terminal = |draw: &mut Stream| terminals.get(draw.below(terminals.len() as u64) as usize).copied();
        let begin = start.minute * MINUTE + (draw.below(60_000) as i64) * MILLISECOND;
        let (mut t, mut page, mut terminal) = (begin, DASHBOARD, None);
        let (mut action, mut think_ms) = (Action::Login, 0);
        for number in 0..MOST_ACTIVITIES {
            if action == Action::PageView && page == DEVICE && terminal.is_none() || page == JOBS {
                terminal = terminal.or_else(|| any_terminal(&mut draw));
            }
            let about = if matches!(page, DEVICE | JOBS) { terminal } else { None };
            let request = |part: u32, endpoint: usize| Request {
                id: ids::of(t, Lane::Session, ids::part(start.minute, start.number, CALL_BITS, part)),
                t: t + (20 + 35 * i64::from(part)) * MILLISECOND,
                endpoint,
                source: Source::User { user, session },
                site,
                terminal: about,
            };
            let calls: &[usize] = match action {
                Action::Login => &[LOGIN],
                Action::Logout => &[LOGOUT],
                Action::Search => &[SEARCH],
                Action::PageView => PAGE_CALLS.get(page).copied().unwrap_or_default(),
                Action::Click => CLICK_CALLS.get(page).and_then(Option::as_ref).map_or(&[], std::slice::from_ref),
            };
            let waits_for = request(0, calls.first().copied().unwrap_or(LOGOUT));
            let term = (action == Action::Search).then(|| self.terms.draw(&mut draw) as u32);
            activity(Activity {
                number,
                t,
                session,
                user,
                site,
                at_site,
                action,
                page,
                terminal: about,
                term,
                think_ms,
                waits_for,
            });
            for (part, endpoint) in calls.iter().enumerate() {
                call(request(part as u32, *endpoint));
            }
            // What comes next, and when.
            let mut think = (THINK_MEDIAN * f64::from(self.think.draw((draw.next() >> 32) as u32))).max(1.2);
            let dice = draw.unit();
            action = match action {
                Action::Logout => return,
                Action::Login => {
                    think = draw.between(1.2, 4.0);
                    page = if start.receives { DELIVERIES } else { DASHBOARD };
                    Action::PageView
                }
                Action::Search => {
                    think = draw.between(1.2, 3.0);
                    page = RESULTS;
                    Action::PageView
                }
                _ if dice < LOGS_OUT => Action::Logout,
                _ if dice < LOGS_OUT + WALKS_AWAY => return,
                _ if dice < LOGS_OUT + WALKS_AWAY + SEARCHES => Action::Search,
                _ if dice < LOGS_OUT + WALKS_AWAY + SEARCHES + CLICKS => Action::Click,
                _ => {
                    page = self.links.get(page).map_or(DASHBOARD, |links| links.draw(&mut draw));
                    if page == DEVICE {
                        terminal = any_terminal(&mut draw);
                    }
                    Action::PageView
                }
            };
            think_ms = (think * 1_000.0) as i64;
            t += think_ms * MILLISECOND;
            if think_ms * MILLISECOND > TIMEOUT || t - begin > LONGEST - 2 * SECOND {
                return;
            }
        }
    }
}
