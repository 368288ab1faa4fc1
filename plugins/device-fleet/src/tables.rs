//! The two tables, with exactly the columns of the example system and the incident to blame after them.

use telemill_sdk::time::Local;
use telemill_sdk::{
    BoolColumn, DateColumn, DictionaryColumn, I64Column, Nullable, TextColumn, Timestamp, TimestampColumn, table,
};

use crate::catalogue::{MODELS, RELEASES, STATES, SUPPLIERS, SYSTEMS, TYPES};
use crate::fleet::Fleet;
use crate::segments::{Dimension, Group, MOST_DIMENSIONS, Segment};

table! {
    /// The inventory: a row a machine, as it was in the first step of the run, or when it was set up later.
    #[derive(Debug)]
    pub struct Devices("devices") {
        /// Prefix of the type and six digits, in the order of acquisition.
        device_code: TextColumn,
        /// Branch and date of acquisition (YYYYMMDD), one after the other.
        acquisition_sequence: TextColumn,
        /// Five digits of the branch.
        branch_id: DictionaryColumn,
        /// Two letters of the Brazilian state.
        state: DictionaryColumn,
        /// Whether the machine is in trouble.
        has_error: BoolColumn,
        /// ATM, CC, PD or PC.
        machine_type: DictionaryColumn,
        /// A model of that type.
        machine_model: DictionaryColumn,
        /// Who made it.
        supplier: DictionaryColumn,
        /// Private IPv4 address.
        network_address: TextColumn,
        /// Ubuntu or Windows.
        operating_system: DictionaryColumn,
        /// A version with one decimal that was out when the machine was acquired.
        os_version: DictionaryColumn,
        /// When it entered the fleet.
        acquisition_date: DateColumn,
        /// When it was last heard of.
        last_connection_ts: TimestampColumn,
        /// The incident to blame.
        incident_id: Nullable<DictionaryColumn>,
    }
    primary_key: ["device_code"],
    kind: Snapshot,
    moved_by: {
        "": [
            device_code, acquisition_sequence, branch_id, state, machine_type, machine_model, supplier, network_address,
            operating_system, os_version, acquisition_date,
        ],
        "faults": [has_error],
    },
}

table! {
    /// Machines online by segment: a row for each value that a machine online has, at each snapshot.
    #[derive(Debug)]
    pub struct SegmentTimeseries("segment_timeseries") {
        /// When the snapshot was taken.
        ts: TimestampColumn,
        /// What is counted by, such as "State" or "Type and OS and OS_version".
        segment: DictionaryColumn,
        /// Machines whose last connection lies within the window.
        count: I64Column,
        /// Column of the inventory.
        dim1_name: DictionaryColumn,
        /// Its value.
        dim1_value: DictionaryColumn,
        /// Second column; empty where the segment has one.
        dim2_name: DictionaryColumn,
        /// Its value; empty where there is none.
        dim2_value: DictionaryColumn,
        /// Third column; empty where the segment has two.
        dim3_name: DictionaryColumn,
        /// Its value; empty where there is none.
        dim3_value: DictionaryColumn,
        /// The incident to blame.
        incident_id: Nullable<DictionaryColumn>,
    }
    time_field: "ts",
    primary_key: [
        "ts", "segment", "dim1_name", "dim1_value", "dim2_name", "dim2_value", "dim3_name", "dim3_value",
    ],
}

impl Devices {
    /// No rows yet, of a fleet.
    pub fn of(fleet: &Fleet) -> Self {
        Self {
            branch_id: DictionaryColumn::of(Dimension::Branch.values(fleet)),
            state: DictionaryColumn::of(STATES.map(|state| state.code)),
            machine_type: DictionaryColumn::of(TYPES.map(|machine_type| machine_type.name)),
            machine_model: DictionaryColumn::of(MODELS.map(|model| model.name)),
            supplier: DictionaryColumn::of(SUPPLIERS),
            operating_system: DictionaryColumn::of(SYSTEMS),
            os_version: DictionaryColumn::of(RELEASES.map(|release| release.version)),
            ..Self::default()
        }
    }

    /// Adds a machine's row but for the incident to blame.
    pub fn push(&mut self, fleet: &Fleet, index: usize, faulty: bool, heard_of: Timestamp) {
        let Some(device) = fleet.devices.get(index) else { return };
        let value = |dimension: Dimension| dimension.value(fleet, device, faulty);
        let prefix = TYPES.get(value(Dimension::Type) as usize).map_or("", |machine_type| machine_type.prefix);
        let branch = fleet.branches.get(device.branch as usize).map_or(0, |branch| branch.place.code);
        let (year, month, day) = Local { day: device.acquired, weekday: 0, micros: 0 }.date();
        let [a, b, c, d] = device.address.to_be_bytes();
        self.device_code.push_fmt(format_args!("{prefix}{:06}", index + 1));
        self.acquisition_sequence.push_fmt(format_args!("{branch}{year:04}{month:02}{day:02}"));
        self.branch_id.push(device.branch);
        self.state.push(value(Dimension::State));
        self.has_error.push(faulty);
        self.machine_type.push(value(Dimension::Type));
        self.machine_model.push(value(Dimension::Model));
        self.supplier.push(value(Dimension::Supplier));
        self.network_address.push_fmt(format_args!("{a}.{b}.{c}.{d}"));
        self.operating_system.push(value(Dimension::Os));
        self.os_version.push(value(Dimension::OsVersion));
        self.acquisition_date.push(device.acquired as i32);
        self.last_connection_ts.push(heard_of);
    }
}

/// Where the values of dimensions stand in the dictionaries of [`SegmentTimeseries`].
#[derive(Clone, Debug, Default)]
pub struct Labels {
    /// Of each segment and place, the keys of the dimension's column and of its first value; 0 stands for the empty text.
    places: Vec<[(u32, u32); MOST_DIMENSIONS]>,
}

impl SegmentTimeseries {
    /// No rows yet, of some segments of a fleet, and the keys to fill them with.
    pub fn of(segments: &[Segment], fleet: &Fleet) -> (Self, Labels) {
        let names = || [""].into_iter().chain(Dimension::ALL.map(Dimension::column));
        let mut values = vec![String::new()];
        let firsts = Dimension::ALL.map(|dimension| {
            let first = values.len() as u32;
            values.extend(dimension.values(fleet));
            first
        });
        let place = |dimension: Option<&Dimension>| {
            let at = dimension.and_then(|wanted| Dimension::ALL.iter().position(|dimension| dimension == wanted));
            at.map_or((0, 0), |at| (at as u32 + 1, firsts.get(at).copied().unwrap_or(0)))
        };
        let places = segments.iter().map(|segment| [0, 1, 2].map(|at| place(segment.dimensions.get(at)))).collect();
        let rows = Self {
            segment: DictionaryColumn::of(segments.iter().map(|segment| &segment.name)),
            dim1_name: DictionaryColumn::of(names()),
            dim2_name: DictionaryColumn::of(names()),
            dim3_name: DictionaryColumn::of(names()),
            dim1_value: DictionaryColumn::of(&values),
            dim2_value: DictionaryColumn::of(&values),
            dim3_value: DictionaryColumn::of(&values),
            ..Self::default()
        };
        (rows, Labels { places })
    }

    /// Adds a group's row but for the incident to blame.
    pub fn push(&mut self, labels: &Labels, t: Timestamp, group: &Group, count: u32) {
        let places = labels.places.get(group.segment as usize).copied().unwrap_or_default();
        self.ts.push(t);
        self.segment.push(group.segment);
        self.count.push(i64::from(count));
        let columns = [
            (&mut self.dim1_name, &mut self.dim1_value),
            (&mut self.dim2_name, &mut self.dim2_value),
            (&mut self.dim3_name, &mut self.dim3_value),
        ];
        for (((names, values), (name, first)), value) in columns.into_iter().zip(places).zip(group.values) {
            names.push(name);
            values.push(first + value);
        }
    }
}
