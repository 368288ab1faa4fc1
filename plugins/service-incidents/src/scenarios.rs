//! The example system's three incidents, on civil days counted back from the span's last one.

use telemill_sdk::time::{Local, SECOND};
use telemill_sdk::{Timestamp, Window, Zone};

use crate::kinds::Trouble;

/// One of the three.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scenario {
    /// What happens.
    pub trouble: Trouble,
    /// A word in the name of the target that it strikes, where there is one.
    pub target: &'static str,
    /// Days before the span's last day.
    pub days_before: i64,
    /// From when on, in minutes after midnight.
    pub from_minute: u32,
    /// Until when.
    pub to_minute: u32,
    /// Whether it builds up until near its end.
    pub gradual: bool,
}

/// In the order of the document.
pub const SCENARIOS: [Scenario; 3] = [
    Scenario {
        trouble: Trouble::PaymentGatewayTimeout,
        target: "payment",
        days_before: 0,
        from_minute: 14 * 60 + 25,
        to_minute: 14 * 60 + 35,
        gradual: false,
    },
    Scenario {
        trouble: Trouble::DatabasePoolExhaustion,
        target: "order",
        days_before: 1,
        from_minute: 12 * 60 + 15,
        to_minute: 12 * 60 + 25,
        gradual: false,
    },
    Scenario {
        trouble: Trouble::MemoryPressure,
        target: "checkout",
        days_before: 2,
        from_minute: 18 * 60 + 30,
        to_minute: 18 * 60 + 45,
        gradual: true,
    },
];

impl Scenario {
    /// When it takes place for a span.
    pub fn window(&self, span: Window, zone: &Zone) -> Option<Window> {
        let last = zone.clock().at(span.end - 1);
        let (year, month, day) = Local { day: last.day - self.days_before, ..last }.date();
        let at = |minute: u32| -> Option<Timestamp> { zone.at(year, month, day, minute * 60) };
        Some(Window::new(at(self.from_minute)?, at(self.to_minute)?))
    }

    /// "memory-pressure (18:30 to 18:45, 2 days before the last)".
    pub fn describe(&self) -> String {
        let clock = |minute: u32| format!("{:02}:{:02}", minute / 60, minute % 60);
        let day = match self.days_before {
            0 => "on the last day".to_owned(),
            1 => "on the day before the last".to_owned(),
            days => format!("{days} days before the last"),
        };
        format!("{} ({} to {} {day})", self.trouble.name(), clock(self.from_minute), clock(self.to_minute))
    }
}

/// How far around a scenario nothing else happens.
pub const CLEARANCE: i64 = 45 * 60 * SECOND;
