//! What ships inside the binary: the plugins' components, and scenarios, export profiles, recipes and routes beside them, put
//! there by `build.rs`.

include!(concat!(env!("OUT_DIR"), "/shipped.rs"));

/// The component of the plugin `name`.
pub(super) fn find(name: &str) -> Option<&'static [u8]> {
    SHIPPED.iter().find(|(shipped, _)| *shipped == name).map(|(_, bytes)| *bytes)
}

/// Names and TOML texts of the scenarios that ship.
pub fn scenarios() -> impl Iterator<Item = (&'static str, &'static str)> {
    SCENARIOS.iter().copied()
}

/// The TOML text of the scenario `name`.
pub fn scenario(name: &str) -> Option<&'static str> {
    scenarios().find(|(shipped, _)| *shipped == name).map(|(_, text)| text)
}

/// Names (`PLUGIN/NAME`) and TOML texts of the export profiles that ship.
pub fn profiles() -> &'static [(&'static str, &'static str)] {
    PROFILES
}

/// Names (`PLUGIN/NAME`) and TOML texts of the recipes that ship.
pub fn recipes() -> &'static [(&'static str, &'static str)] {
    RECIPES
}

/// Names (`PLUGIN/NAME`) and TOML texts of the routes that ship.
pub fn routes() -> &'static [(&'static str, &'static str)] {
    ROUTES
}
