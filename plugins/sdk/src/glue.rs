//! The export macros, and (on WASM alone) what stands between the generated traits and a session.

#[cfg(target_family = "wasm")]
mod convert;
#[cfg(target_family = "wasm")]
mod export;
#[cfg(target_family = "wasm")]
pub use export::{GeneratorExport, IncidentModelExport, ValidatorExport, log};

/// Makes a type that implements [`Generator`](crate::Generator) the plugin of this crate. Natively it does nothing.
#[macro_export]
macro_rules! export_generator {
    ($plugin:ty) => {
        $crate::export_plugin!($plugin, GeneratorExport, generator, export_generator);
    };
}

/// Makes a type that implements [`IncidentModel`](crate::IncidentModel) the plugin of this crate. Natively it does nothing.
#[macro_export]
macro_rules! export_incident_model {
    ($plugin:ty) => {
        $crate::export_plugin!($plugin, IncidentModelExport, incident_model, export_incident_model);
    };
}

/// Makes a type that implements [`Validator`](crate::Validator) the plugin of this crate. Natively it does nothing.
#[macro_export]
macro_rules! export_validator {
    ($plugin:ty) => {
        $crate::export_plugin!($plugin, ValidatorExport, validator, export_validator);
    };
}

/// What the export macros have in common.
#[doc(hidden)]
#[macro_export]
macro_rules! export_plugin {
    ($plugin:ty, $export:ident, $interface:ident, $macro:ident) => {
        #[cfg(target_family = "wasm")]
        const _: () = {
            type Exported = $crate::glue::$export<$plugin>;
    $crate::bindings::about::export_about!(Exported with_types_in $crate::bindings::about);
    $crate::bindings::$interface::$macro!(Exported with_types_in $crate::bindings::$interface);
        };
        // Natively the type is only checked to be what the macro wants.
        #[cfg(not(target_family = "wasm"))]
        const _: fn() = || {
            $crate::glue::$interface::<$plugin>();
        };
    };
}

/// Holds a type to being a generator.
#[cfg(not(target_family = "wasm"))]
pub fn generator<G: crate::Generator>() {}

/// Holds a type to being an incident model.
#[cfg(not(target_family = "wasm"))]
pub fn incident_model<M: crate::IncidentModel>() {}

/// Holds a type to being a validator.
#[cfg(not(target_family = "wasm"))]
pub fn validator<V: crate::Validator>() {}
