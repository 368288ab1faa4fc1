//! Generated from `wit/`: the types of the contract once, and for each interface that a plugin can export its trait.
//!
//! The generated export macros are named for their interface and visible in the whole crate, so the worlds of `wit/worlds.wit`,
//! which all export `about`, can't stand side by side here. Each interface gets a world of its own instead; the
//! linker joins those that a plugin uses.

/// The types and the host's functions.
pub mod shared {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "package telemill:sdk; world shared { import telemill:plugin/types@0.1.0; import telemill:plugin/host@0.1.0; }",
        world: "telemill:sdk/shared",
        generate_all,
        generate_unused_types: true,
    });
}

/// The interface `about`.
pub mod about {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "package telemill:sdk; world exports-about { export telemill:plugin/about@0.1.0; }",
        world: "telemill:sdk/exports-about",
        with: { "telemill:plugin/types@0.1.0": crate::bindings::shared::telemill::plugin::types },
        generate_all,
        pub_export_macro: true,
        export_macro_name: "export_about",
    });
}

/// The interface `generator`.
pub mod generator {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "package telemill:sdk; world exports-generator { export telemill:plugin/generator@0.1.0; }",
        world: "telemill:sdk/exports-generator",
        with: { "telemill:plugin/types@0.1.0": crate::bindings::shared::telemill::plugin::types },
        generate_all,
        pub_export_macro: true,
        export_macro_name: "export_generator",
    });
}

/// The interface `incident-model`.
pub mod incident_model {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "package telemill:sdk; world exports-incident-model { export telemill:plugin/incident-model@0.1.0; }",
        world: "telemill:sdk/exports-incident-model",
        with: { "telemill:plugin/types@0.1.0": crate::bindings::shared::telemill::plugin::types },
        generate_all,
        pub_export_macro: true,
        export_macro_name: "export_incident_model",
    });
}

/// The interface `validator`.
pub mod validator {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "package telemill:sdk; world exports-validator { export telemill:plugin/validator@0.1.0; }",
        world: "telemill:sdk/exports-validator",
        with: { "telemill:plugin/types@0.1.0": crate::bindings::shared::telemill::plugin::types },
        generate_all,
        pub_export_macro: true,
        export_macro_name: "export_validator",
    });
}
