//! Where queries may read: the lake's own store and nothing else, so that no SQL text can open a file or a URL.

use datafusion::datasource::object_store::{DefaultObjectStoreRegistry, ObjectStoreRegistry};
use datafusion::execution::object_store::ObjectStoreUrl;
use object_store::ObjectStore;
use std::sync::Arc;

/// The address of the lake inside the query engine.
pub(super) fn lake_url() -> ObjectStoreUrl {
    ObjectStoreUrl::parse("lake://telemill").unwrap_or_else(|_| ObjectStoreUrl::local_filesystem())
}

/// A registry that knows `store` as the lake, and has forgotten the machine's own files.
pub(super) fn registry(store: Arc<dyn ObjectStore>) -> DefaultObjectStoreRegistry {
    let registry = DefaultObjectStoreRegistry::new();
    // It is there by default; an error would mean that it is not, which is what is wanted.
    let _ = registry.deregister_store(ObjectStoreUrl::local_filesystem().as_ref());
    registry.register_store(lake_url().as_ref(), store);
    registry
}
