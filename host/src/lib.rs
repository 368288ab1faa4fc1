//! Telemill's host: runs sandboxed components that simulate systems and keeps what they emit in a lake.
//!
//! Layers, lowest first: [`core`]; [`batch`] and [`worker`]; [`plugin`], [`lake`] and [`store`]; [`sink`], [`query`] and
//! [`project`]; [`run`], [`ingest`] and [`clean`]; [`user_data`], [`fit`], [`collect`], [`task`] and [`alert`]; [`stream`],
//! [`schedule`]; [`versions`]; [`api`]; [`http`] and [`remote`]; [`app`] and [`cli`]. A lower layer never names a higher one.

pub mod alert;
pub mod api;
pub mod app;
pub mod batch;
pub mod clean;
pub mod cli;
pub mod collect;
pub mod core;
pub mod fit;
pub mod http;
pub mod ingest;
pub mod lake;
pub mod plugin;
pub mod project;
pub mod query;
pub mod remote;
pub mod run;
pub mod schedule;
pub mod sink;
pub mod store;
pub mod stream;
pub mod task;
pub mod user_data;
pub mod versions;
pub mod worker;
