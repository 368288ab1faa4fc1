//! Who is online when: the document's parameters, day and night, weekends, and drops that stay below an alert.

use std::collections::BTreeMap;

use device_fleet::DeviceFleet;
use telemill_sdk::Window;
use telemill_sdk::time::{DAY, HOUR, MINUTE};

use super::{DEVICES, MONDAY, SEGMENTS, online, run};

/// Machines whose last connection lies within the window before an instant, and what segment "Type" counts then.
fn by_devices_and_by_segments(config: &str, window_minutes: i64, at: i64) -> (i64, i64) {
    let (mut devices, mut segments) = (0, 0);
    run(config, Window::new(at, at + 15 * MINUTE))
        .seed(11)
        .each::<DeviceFleet>(|batch| {
            for row in 0..batch.rows() {
                match batch.table() {
                    DEVICES => {
                        let heard_of = batch.i64("last_connection_ts", row).unwrap();
                        devices += i64::from(heard_of > at - window_minutes * MINUTE);
                    }
                    SEGMENTS if batch.text("segment", row) == Some("Type") => {
                        segments += batch.i64("count", row).unwrap()
                    }
                    _ => {}
                }
            }
        })
        .unwrap();
    (devices, segments)
}

#[test]
fn counts_are_the_machines_heard_of_within_the_window() {
    for (window, hour) in [(60, 15), (30, 3), (5, 20), (240, 110)] {
        let config = format!(r#"{{"window_minutes": {window}}}"#);
        let (devices, segments) = by_devices_and_by_segments(&config, window, MONDAY + hour * HOUR);
        assert_eq!(devices, segments, "window of {window} minutes");
        assert!(segments > 0);
    }
}

#[test]
fn the_probability_of_an_update_does_what_it_says() {
    // At noon in Brazil; all machines but those in trouble are on.
    let at = MONDAY + 15 * HOUR;
    let share = |window: u32, frequency: u32, probability: f64| {
        let config = format!(
            r#"{{"devices": 20000, "window_minutes": {window}, "frequency_minutes": {frequency}, "update_probability": {probability}, "fault_share": 0, "segments": ["Type"]}}"#
        );
        by_devices_and_by_segments(&config, i64::from(window), at).1 as f64 / 20_000.0
    };
    // The links let 95.7 % of the reports through on average.
    for (window, frequency, probability, ticks) in
        [(60, 15, 0.7, 4), (60, 60, 0.5, 1), (30, 15, 0.3, 2), (60, 10, 0.2, 6)]
    {
        let want = 1.0 - (1.0 - probability * 0.957_f64).powi(ticks);
        let got = share(window, frequency, probability);
        assert!((got - want).abs() < 0.012, "{window} {frequency} {probability}: {got:.4} instead of {want:.4}");
    }
    assert_eq!(share(60, 15, 0.0), 0.0);
    assert!(share(60, 15, 1.0) > 0.995);
}

#[test]
fn days_are_busier_than_nights_and_weekends() {
    let week = online("{}", 7, Window::new(MONDAY, MONDAY + 7 * DAY), "Type", &[]);
    let share = |day: i64, hour: i64| week[&(MONDAY + day * DAY + hour * HOUR)] as f64 / 4000.0;
    for day in 0..5 {
        assert!((0.93..=0.99).contains(&share(day, 16)), "{}", share(day, 16));
        assert!((0.55..=0.65).contains(&share(day, 6)), "{}", share(day, 6));
    }
    // Lobbies are open on Saturday and Sunday, branches are not.
    for day in [5, 6] {
        assert!((0.62..=0.72).contains(&share(day, 16)), "{}", share(day, 16));
    }
}

#[test]
fn states_in_the_west_open_later() {
    // 12:15 UTC: 9:15 in São Paulo, 7:15 in Acre and 8:15 in Amazonas.
    let at = MONDAY + 12 * HOUR + 15 * MINUTE;
    let noon = at + 4 * HOUR;
    let mut counts: BTreeMap<(i64, String), f64> = BTreeMap::new();
    run(r#"{"devices": 40000, "segments": ["State"]}"#, Window::new(at, noon + 15 * MINUTE))
        .each::<DeviceFleet>(|batch| {
            for row in (0..batch.rows()).filter(|_| batch.table() == SEGMENTS) {
                let key = (batch.i64("ts", row).unwrap(), batch.text("dim1_value", row).unwrap().to_owned());
                counts.insert(key, batch.i64("count", row).unwrap() as f64);
            }
        })
        .unwrap();
    let open = |state: &str| counts[&(at, state.to_owned())] / counts[&(noon, state.to_owned())];
    let (east, west, far_west) = (open("SP"), open("AM"), open("AC"));
    assert!(east > west + 0.08 && west > far_west + 0.04, "{east} {west} {far_west}");
}

#[test]
fn nothing_drops_by_nature_as_far_as_an_alert() {
    let mut worst: f64 = 0.0;
    for seed in [1, 7, 42] {
        let counts: Vec<f64> = online("{}", seed, Window::new(MONDAY, MONDAY + 8 * DAY), "Type", &[])
            .into_values()
            .map(|count| count as f64)
            .collect();
        for five in counts.windows(5) {
            let baseline = five[..4].iter().sum::<f64>() / 4.0;
            worst = worst.max((baseline - five[4]) / baseline);
        }
    }
    eprintln!("the largest drop below the mean of four snapshots: {:.1} %", 100.0 * worst);
    assert!((0.03..=0.10).contains(&worst), "{worst}");
}
