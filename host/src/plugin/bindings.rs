//! What wasmtime generates from `wit/`: one module for what all plugins export, one for each kind's own interface, with
//! the shared records generated once. Nothing else in the host names these types but `convert`, `handed` and the adapters.

pub(super) mod about {
    wasmtime::component::bindgen!({
        inline: "
            package telemill:host-about;
            world about-only {
                import telemill:plugin/types@0.1.0;
                import telemill:plugin/host@0.1.0;
                export telemill:plugin/about@0.1.0;
            }
        ",
        path: "../wit",
        imports: { "telemill:plugin/host.log": trappable },
    });
}

pub(super) mod generator {
    wasmtime::component::bindgen!({
        inline: "
            package telemill:host-generator;
            world generator-only { export telemill:plugin/generator@0.1.0; }
        ",
        path: "../wit",
        with: { "telemill:plugin/types": crate::plugin::bindings::about::telemill::plugin::types },
    });
}

pub(super) mod incident_model {
    wasmtime::component::bindgen!({
        inline: "
            package telemill:host-incident-model;
            world incident-model-only { export telemill:plugin/incident-model@0.1.0; }
        ",
        path: "../wit",
        with: { "telemill:plugin/types": crate::plugin::bindings::about::telemill::plugin::types },
    });
}

pub(super) mod validator {
    wasmtime::component::bindgen!({
        inline: "
            package telemill:host-validator;
            world validator-only { export telemill:plugin/validator@0.1.0; }
        ",
        path: "../wit",
        with: { "telemill:plugin/types": crate::plugin::bindings::about::telemill::plugin::types },
    });
}

pub(super) use about::telemill::plugin::{host, types};
