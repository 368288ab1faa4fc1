//! What snapshots count by: dimensions, the segments that combine them, and the group that each machine belongs to.

use crate::catalogue::{MODELS, RELEASES, STATES, SUPPLIERS, SYSTEMS, TYPES};
use crate::fleet::{Device, Fleet};

/// Most dimensions of a segment.
pub const MOST_DIMENSIONS: usize = 3;

/// A column of the inventory that machines are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dimension {
    /// Federal state.
    State,
    /// Category.
    Type,
    /// Model.
    Model,
    /// Vendor.
    Supplier,
    /// Family of the operating system.
    Os,
    /// Version of the operating system.
    OsVersion,
    /// Branch.
    Branch,
    /// Whether the machine is in trouble: the one that changes over time.
    Error,
}

impl Dimension {
    /// All dimensions.
    pub const ALL: [Self; 8] =
        [Self::State, Self::Type, Self::Model, Self::Supplier, Self::Os, Self::OsVersion, Self::Branch, Self::Error];

    /// Its name in a segment's.
    pub fn name(self) -> &'static str {
        match self {
            Self::State => "State",
            Self::Type => "Type",
            Self::Model => "Model",
            Self::Supplier => "Supplier",
            Self::Os => "OS",
            Self::OsVersion => "OS_version",
            Self::Branch => "Branch",
            Self::Error => "Error",
        }
    }

    /// The inventory's column.
    pub fn column(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Type => "machine_type",
            Self::Model => "machine_model",
            Self::Supplier => "supplier",
            Self::Os => "operating_system",
            Self::OsVersion => "os_version",
            Self::Branch => "branch_id",
            Self::Error => "has_error",
        }
    }

    /// Its values.
    pub fn values(self, fleet: &Fleet) -> Vec<String> {
        let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        match self {
            Self::State => texts(&STATES.map(|state| state.code)),
            Self::Type => texts(&TYPES.map(|machine_type| machine_type.name)),
            Self::Model => texts(&MODELS.map(|model| model.name)),
            Self::Supplier => texts(&SUPPLIERS),
            Self::Os => texts(&SYSTEMS),
            Self::OsVersion => texts(&RELEASES.map(|release| release.version)),
            Self::Branch => fleet.branches.iter().map(|branch| branch.place.code.to_string()).collect(),
            Self::Error => texts(&["False", "True"]),
        }
    }

    /// The position of a machine's value.
    pub fn value(self, fleet: &Fleet, device: &Device, faulty: bool) -> u32 {
        let model = MODELS.get(usize::from(device.model));
        match self {
            Self::State => fleet.branches.get(device.branch as usize).map_or(0, |b| u32::from(b.place.state)),
            Self::Type => model.map_or(0, |model| u32::from(model.machine_type)),
            Self::Model => u32::from(device.model),
            Self::Supplier => model.map_or(0, |model| u32::from(model.supplier)),
            Self::Os => RELEASES.get(usize::from(device.release)).map_or(0, |release| u32::from(release.system)),
            Self::OsVersion => u32::from(device.release),
            Self::Branch => device.branch,
            Self::Error => u32::from(faulty),
        }
    }
}

/// One to three dimensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// "Type and OS and OS_version".
    pub name: String,
    /// Its dimensions in order.
    pub dimensions: Vec<Dimension>,
}

impl Segment {
    /// The segment of a name.
    ///
    /// # Errors
    /// A sentence where a dimension is unknown, comes twice, or is one too many.
    pub fn named(name: &str) -> Result<Self, String> {
        let mut dimensions = Vec::new();
        for part in name.split(" and ") {
            let dimension = Dimension::ALL
                .into_iter()
                .find(|dimension| dimension.name() == part)
                .ok_or_else(|| format!("{part:?} is none of {}", Dimension::ALL.map(Dimension::name).join(", ")))?;
            if dimensions.contains(&dimension) {
                return Err(format!("{part} comes twice"));
            }
            dimensions.push(dimension);
        }
        if dimensions.len() > MOST_DIMENSIONS {
            return Err("has more than three dimensions".to_owned());
        }
        Ok(Self { name: name.to_owned(), dimensions })
    }
}

/// A segment's value: what one row counts.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    /// Position of its segment.
    pub segment: u32,
    /// Of each dimension, the position of its value; unused ones are 0.
    pub values: [u32; MOST_DIMENSIONS],
}

/// All groups of all segments, and who belongs to which.
#[derive(Clone, Debug, Default)]
pub struct Groups {
    /// The groups, segment after segment.
    pub groups: Vec<Group>,
    /// Of each machine and then each segment, its group while it is well and while it is in trouble.
    members: Vec<[u32; 2]>,
    segments: usize,
}

impl Groups {
    /// The groups of some segments.
    pub fn new(segments: &[Segment], fleet: &Fleet) -> Self {
        let members = vec![[0; 2]; segments.len() * fleet.devices.len()];
        let mut all = Self { groups: Vec::new(), members, segments: segments.len() };
        for (at, segment) in segments.iter().enumerate() {
            let key = |device: &Device, faulty: bool| {
                let mut values = [0; MOST_DIMENSIONS];
                for (value, dimension) in values.iter_mut().zip(&segment.dimensions) {
                    *value = dimension.value(fleet, device, faulty);
                }
                pack(values)
            };
            let well: Vec<u64> = fleet.devices.iter().map(|device| key(device, false)).collect();
            let mut distinct = well.clone();
            // Whether it is in trouble moves a machine to another group only where that is a dimension.
            let ill: Option<Vec<u64>> = segment
                .dimensions
                .contains(&Dimension::Error)
                .then(|| fleet.devices.iter().map(|device| key(device, true)).collect());
            distinct.extend(ill.iter().flatten());
            distinct.sort_unstable();
            distinct.dedup();
            let first = all.groups.len();
            let number = |key: &u64| (first + distinct.binary_search(key).unwrap_or(0)) as u32;
            let places = all.members.iter_mut().skip(at).step_by(segments.len());
            for ((groups, well), device) in places.zip(&well).zip(0usize..) {
                let group = number(well);
                *groups = [group, ill.as_ref().and_then(|ill| ill.get(device)).map_or(group, number)];
            }
            all.groups.extend(distinct.iter().map(|&key| Group { segment: at as u32, values: unpack(key) }));
        }
        all
    }

    /// The group of a machine in each segment.
    #[inline]
    pub fn of(&self, device: usize, faulty: bool) -> impl Iterator<Item = u32> {
        let members = self.members.get(device * self.segments..(device + 1) * self.segments).unwrap_or_default();
        members.iter().map(move |[well, ill]| if faulty { *ill } else { *well })
    }
}

/// Three positions in one number that sorts as they do; there are far fewer than 2^21 of anything.
fn pack([first, second, third]: [u32; MOST_DIMENSIONS]) -> u64 {
    u64::from(first) << 42 | u64::from(second) << 21 | u64::from(third)
}

fn unpack(key: u64) -> [u32; MOST_DIMENSIONS] {
    [42, 21, 0].map(|shift| (key >> shift) as u32 & 0x1f_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_dimensions_joined() {
        let three = Segment::named("Type and OS and OS_version");
        assert_eq!(
            three.map(|segment| segment.dimensions),
            Ok(vec![Dimension::Type, Dimension::Os, Dimension::OsVersion])
        );
        for wrong in ["", "Colour", "State and State", "State and Type and OS and Model", "State and"] {
            assert!(Segment::named(wrong).is_err(), "{wrong:?}");
        }
    }
}
