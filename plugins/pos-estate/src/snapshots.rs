//! Rows of `sites` and `devices`: the inventory, once at the beginning of a run.

use telemill_sdk::{DictionaryColumn, Error, F64Column, I32Column, Output, Rows, Shard, TextColumn, table};

use crate::config::Config;
use crate::inventory::Estate;
use crate::signals::group_name;

table! {
    /// Shops.
    #[derive(Debug)]
    pub struct Sites("sites") {
        /// Which.
        site_id: TextColumn,
        /// What people call it.
        name: TextColumn,
        /// Where it is.
        city: TextColumn,
        /// Terminals that it has.
        terminals: I32Column,
        /// Local hour at which it opens.
        opens_hour: F64Column => "h",
        /// Local hour at which it closes.
        closes_hour: F64Column => "h",
    }
    primary_key: ["site_id"],
    kind: Snapshot,
    moved_by: { "": [site_id, name, city, terminals, opens_hour, closes_hour] },
}

table! {
    /// Terminals at the tills.
    #[derive(Debug)]
    pub struct Devices("devices") {
        /// Which.
        device_id: TextColumn,
        /// Where it stands.
        site_id: TextColumn,
        /// What it is.
        device_type: DictionaryColumn,
        /// Its model.
        model: TextColumn,
        /// Its operating system.
        os_version: TextColumn,
        /// Its address in the site's private network.
        ip_address: TextColumn,
        /// Its memory.
        memory_mib: I32Column => "MiBy",
        /// The terminals with which it gets new software.
        rollout_group: DictionaryColumn,
    }
    primary_key: ["device_id"],
    kind: Snapshot,
    moved_by: {
        "": [device_id, site_id, device_type, model, os_version, ip_address, memory_mib, rollout_group],
    },
}

/// Writes the two tables, each row by the shard that owns it.
///
/// # Errors
/// None but for a bug: the columns are those of the tables.
pub fn write(estate: &Estate, shard: &Shard, config: &Config, output: &mut Output) -> Result<(), Error> {
    let mut sites = Sites::default();
    for site in estate.sites.iter().enumerate().filter(|(at, _)| shard.owns(*at as u64)).map(|(_, site)| site) {
        sites.site_id.push_str(&site.id);
        sites.name.push_str(&site.name);
        sites.city.push_str(&site.city);
        sites.terminals.push(site.terminals.len() as i32);
        let shift = site.shift_minutes as f64 / 60.0;
        sites.opens_hour.push((config.opens_hour + shift).clamp(0.0, 24.0));
        sites.closes_hour.push((config.closes_hour + shift).clamp(0.0, 24.0));
    }
    sites.finish(output)?;
    let mut devices = Devices::default();
    devices.device_type.set_values(["pos_terminal"]);
    devices.rollout_group.set_values((0..config.rollout_groups).map(group_name));
    for (index, terminal) in estate.terminals.iter().enumerate().filter(|(at, _)| shard.owns(*at as u64)) {
        let Some(site) = estate.sites.get(terminal.site) else {
            return Err(Error::failed(format!("terminal {index} has no site")));
        };
        devices.device_id.push_str(&terminal.id);
        devices.site_id.push_str(&site.id);
        devices.device_type.push(0);
        devices.model.push_str(&terminal.model);
        devices.os_version.push_str(&terminal.os_version);
        devices.ip_address.push_str(&terminal.ip_address);
        devices.memory_mib.push(terminal.memory_mib);
        devices.rollout_group.push(terminal.group as u32);
    }
    devices.finish(output)
}
