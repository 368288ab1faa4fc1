//! What a machine of the fleet can be: states, types, models, suppliers, operating systems. Constants alone.

/// A Brazilian state or the Federal District.
#[derive(Clone, Copy, Debug)]
pub struct State {
    /// Its two letters.
    pub code: &'static str,
    /// Its inhabitants in the census of 2022 (IBGE), in thousands.
    pub population: f64,
    /// Hours that its clocks are off UTC, the same all year since 2019.
    pub utc_offset_hours: i64,
}

const fn state(code: &'static str, population: f64, utc_offset_hours: i64) -> State {
    State { code, population, utc_offset_hours }
}

/// All of them; where most people live counts for the clock.
pub const STATES: [State; 27] = [
    state("AC", 830.0, -5),
    state("AL", 3127.7, -3),
    state("AM", 3941.6, -4),
    state("AP", 733.8, -3),
    state("BA", 14141.6, -3),
    state("CE", 8795.0, -3),
    state("DF", 2817.4, -3),
    state("ES", 3833.7, -3),
    state("GO", 7056.5, -3),
    state("MA", 6776.7, -3),
    state("MG", 20540.0, -3),
    state("MS", 2757.0, -4),
    state("MT", 3658.6, -4),
    state("PA", 8120.1, -3),
    state("PB", 3974.7, -3),
    state("PE", 9058.9, -3),
    state("PI", 3271.2, -3),
    state("PR", 11444.4, -3),
    state("RJ", 16055.2, -3),
    state("RN", 3302.7, -3),
    state("RO", 1581.2, -4),
    state("RR", 636.7, -4),
    state("RS", 10883.0, -3),
    state("SC", 7610.4, -3),
    state("SE", 2210.0, -3),
    state("SP", 44411.2, -3),
    state("TO", 1511.5, -3),
];

/// A category of machines.
#[derive(Clone, Copy, Debug)]
pub struct MachineType {
    /// Its name.
    pub name: &'static str,
    /// What the codes of its machines begin with.
    pub prefix: &'static str,
    /// Its share of the fleet.
    pub share: f64,
    /// Share of its machines that run Windows.
    pub windows: f64,
    /// Share of its machines that are never switched off.
    pub always_on: f64,
    /// Whether the others stand in a lobby that is open from six to ten, and do not follow a branch's hours.
    pub lobby: bool,
}

/// All types.
pub const TYPES: [MachineType; 4] = [
    MachineType { name: "ATM", prefix: "AT", share: 0.40, windows: 0.7, always_on: 0.85, lobby: true },
    MachineType { name: "CC", prefix: "CC", share: 0.15, windows: 0.2, always_on: 0.35, lobby: false },
    MachineType { name: "PD", prefix: "PD", share: 0.15, windows: 0.35, always_on: 0.5, lobby: false },
    MachineType { name: "PC", prefix: "PC", share: 0.30, windows: 0.85, always_on: 0.5, lobby: false },
];

/// Who makes machines.
pub const SUPPLIERS: [&str; 6] = ["Autotec", "Bell", "Cedro", "Itaqui", "Moeda", "Norte"];

/// A model of one type and one supplier.
#[derive(Clone, Copy, Debug)]
pub struct Model {
    /// Its name.
    pub name: &'static str,
    /// Position of its type.
    pub machine_type: u8,
    /// Position of its supplier.
    pub supplier: u8,
    /// First year in which it is sold.
    pub from_year: i16,
    /// Last year in which it is sold.
    pub until_year: i16,
}

const fn model(name: &'static str, machine_type: u8, supplier: u8, from_year: i16, until_year: i16) -> Model {
    Model { name, machine_type, supplier, from_year, until_year }
}

/// All models. Of each type, one at least is sold in every year from 2015 on.
pub const MODELS: [Model; 17] = [
    model("ATMv14", 0, 2, 2014, 2018),
    model("ATMv16", 0, 0, 2016, 2020),
    model("ATMv18", 0, 2, 2018, 2023),
    model("ATMv21", 0, 0, 2021, i16::MAX),
    model("ATMv23", 0, 5, 2023, i16::MAX),
    model("CCx100", 1, 4, 2013, 2019),
    model("CCx200", 1, 4, 2018, i16::MAX),
    model("CountPro19", 1, 0, 2019, i16::MAX),
    model("PDv15", 2, 5, 2015, 2020),
    model("PDv17", 2, 2, 2017, 2022),
    model("PDv20", 2, 5, 2020, i16::MAX),
    model("Atlas7", 3, 3, 2014, 2019),
    model("Atlas9", 3, 3, 2019, i16::MAX),
    model("Bell2015", 3, 1, 2015, 2017),
    model("Bell2018", 3, 1, 2018, 2020),
    model("Bell2021", 3, 1, 2021, 2023),
    model("Bell2024", 3, 1, 2024, i16::MAX),
];

/// Families of operating systems.
pub const SYSTEMS: [&str; 2] = ["Ubuntu", "Windows"];
/// Position of the family that [`MachineType::windows`] speaks of.
pub const WINDOWS: u8 = 1;

/// A release of an operating system.
#[derive(Clone, Copy, Debug)]
pub struct Release {
    /// Position of its family.
    pub system: u8,
    /// Its version with one decimal: of Ubuntu, year and month.
    pub version: &'static str,
    /// Day of its release, counted from 1970.
    pub released: i64,
    /// Last year in which machines are bought with it: before its maintenance ends, and some years after the next one is out.
    pub until_year: i16,
}

const fn release(system: u8, version: &'static str, released: i64, until_year: i16) -> Release {
    Release { system, version, released, until_year }
}

impl Release {
    /// Whether machines are bought with it on a day of a year.
    pub fn is_sold(&self, day: i64, year: i16) -> bool {
        self.released <= day && year <= self.until_year
    }
}

/// All releases, the older ones of a family first. Of either, one is sold on every day from 2015 on.
pub const RELEASES: [Release; 10] = [
    release(0, "14.4", 16_177, 2017),     // 2014-04-17
    release(0, "16.4", 16_912, 2019),     // 2016-04-21
    release(0, "18.4", 17_647, 2021),     // 2018-04-26
    release(0, "20.4", 18_375, 2023),     // 2020-04-23
    release(0, "22.4", 19_103, 2025),     // 2022-04-21
    release(0, "24.4", 19_838, i16::MAX), // 2024-04-25
    release(1, "7.0", 14_539, 2017),      // 2009-10-22
    release(1, "8.1", 15_995, 2017),      // 2013-10-17
    release(1, "10.0", 16_645, 2024),     // 2015-07-29
    release(1, "11.0", 18_905, i16::MAX), // 2021-10-05
];

#[cfg(test)]
mod tests {
    use telemill_sdk::time::Local;

    use super::*;

    #[test]
    fn shares_add_up_and_every_type_is_sold_every_year() {
        assert!((TYPES.iter().map(|t| t.share).sum::<f64>() - 1.0).abs() < 1e-12);
        let census: f64 = STATES.iter().map(|state| state.population).sum();
        assert!((census - 203_080.7).abs() < 10.0, "{census}");
        for machine_type in 0..TYPES.len() as u8 {
            for year in 2015..2040 {
                let sold = |model: &&Model| {
                    model.machine_type == machine_type && (model.from_year..=model.until_year).contains(&year)
                };
                assert!(MODELS.iter().find(sold).is_some(), "{machine_type} in {year}");
            }
        }
        assert!(MODELS.iter().all(|model| usize::from(model.supplier) < SUPPLIERS.len()));
    }

    #[test]
    fn every_day_has_a_release_of_each_family_and_none_is_sold_without_maintenance() {
        // 2015-01-01 to 2039-12-31.
        for day in 16_436..25_567 {
            let (year, ..) = Local { day, weekday: 0, micros: 0 }.date();
            for system in 0..SYSTEMS.len() as u8 {
                let sold = |release: &&Release| release.system == system && release.is_sold(day, year);
                assert!(RELEASES.iter().find(sold).is_some(), "{} in {year}", SYSTEMS[usize::from(system)]);
            }
        }
        // Years in which maintenance ended, of Windows the extended one.
        for (version, ended) in [
            ("14.4", 2019),
            ("16.4", 2021),
            ("18.4", 2023),
            ("20.4", 2025),
            ("7.0", 2020),
            ("8.1", 2023),
            ("10.0", 2025),
        ] {
            let release = RELEASES.iter().find(|release| release.version == version);
            assert!(release.is_some_and(|release| release.until_year < ended), "{version}");
        }
    }
}
