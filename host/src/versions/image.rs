//! Components as images of a registry (OCI): the layout of the WebAssembly community, one layer of `application/wasm`, and the
//! run spec as a layer of its own where there is one.

use super::error::VersionsError;
use super::source::{DOWNLOAD_TIME, Found, MAX_SCENARIO_BYTES, SCENARIO_FILE, is_loopback};
use crate::core::problem::chain;
use crate::plugin::{Limits, Plugin};
use oci_client::annotations::{
    ORG_OPENCONTAINERS_IMAGE_DESCRIPTION, ORG_OPENCONTAINERS_IMAGE_TITLE, ORG_OPENCONTAINERS_IMAGE_VERSION,
};
use oci_client::client::{ClientConfig, ClientProtocol, Config, ImageLayer};
use oci_client::manifest::{OciDescriptor, OciImageManifest};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference};
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::io::Cursor;
use std::str::FromStr as _;
use std::sync::Once;
use std::time::Duration;
use tokio::runtime::Handle;

/// How a source that is an image starts.
const SCHEME: &str = "oci://";
/// Media types of a component's layer; the second is what older tools write.
const COMPONENT_TYPES: [&str; 2] = ["application/wasm", "application/vnd.wasm.content.layer.v1+wasm"];
/// Media type of the run spec's layer.
const SCENARIO_TYPE: &str = "application/toml";
/// Media type of the configuration that WebAssembly images have.
const CONFIG_TYPE: &str = "application/vnd.wasm.config.v0+json";
/// Who asks a registry, where it wants to know.
const USER_VARIABLE: &str = "TELEMILL_OCI_USER";
const PASSWORD_VARIABLE: &str = "TELEMILL_OCI_PASSWORD";
/// Longest wait for a connection, and for the next bytes.
const PATIENCE: Duration = Duration::from_secs(30);

/// An image of a registry: `oci://HOST/REPOSITORY:TAG`, with `@sha256:…` held to that manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image(Reference);

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", self.0.whole())
    }
}

impl Image {
    /// Reads `oci://HOST/REPOSITORY:TAG` or `oci://HOST/REPOSITORY@sha256:…`.
    ///
    /// # Errors
    /// Another form.
    pub fn parse(text: &str) -> Result<Self, VersionsError> {
        let wrong = |message: String| VersionsError::NoImage { name: text.to_owned(), message };
        let name = text.strip_prefix(SCHEME).ok_or_else(|| wrong(format!("an image starts with {SCHEME}")))?;
        // Without a host, the library would ask a registry that nobody named.
        if !name.split_once('/').is_some_and(|(host, _)| host.contains(['.', ':']) || host == "localhost") {
            return Err(wrong(format!("it names no registry: write {SCHEME}HOST/REPOSITORY:TAG")));
        }
        let reference = Reference::from_str(name).map_err(|error| wrong(error.to_string()))?;
        if reference.tag().is_none() && reference.digest().is_none() {
            return Err(wrong("it has neither a tag nor a digest".to_owned()));
        }
        Ok(Self(reference))
    }

    /// Pulls the component, and the run spec where there is one.
    pub(super) fn pull(&self, limits: &Limits, runtime: &Handle) -> Result<Found, VersionsError> {
        let client = self.client();
        let pull = async {
            let (manifest, digest) =
                client.pull_image_manifest(&self.0, &credentials()).await.map_err(|error| chain(&error))?;
            let layers = |types: &[&str]| {
                manifest.layers.iter().filter(|layer| types.contains(&layer.media_type.as_str())).collect::<Vec<_>>()
            };
            let [component] = layers(&COMPONENT_TYPES)[..] else {
                return Err("it is no plugin: it must have one layer of application/wasm".to_owned());
            };
            let bytes = self.blob(&client, component, limits.component_bytes).await?;
            let scenario = match layers(&[SCENARIO_TYPE])[..] {
                [layer] => Some(self.blob(&client, layer, MAX_SCENARIO_BYTES).await?),
                _ => None,
            };
            let scenario = scenario.map(String::from_utf8).transpose().map_err(|error| error.to_string())?;
            Ok((bytes, scenario, digest))
        };
        let (bytes, scenario, digest) = self.within("pulled", runtime, pull)?;
        let pinned = self.0.digest().is_some();
        let origin = if pinned { self.to_string() } else { format!("{self}@{digest}") };
        Ok(Found { origin, bytes, scenario })
    }

    /// The bytes of a layer, of no more than `most`; the client holds them to the layer's digest.
    async fn blob(&self, client: &Client, layer: &OciDescriptor, most: u64) -> Result<Vec<u8>, String> {
        let size = u64::try_from(layer.size).unwrap_or(u64::MAX);
        if size > most {
            return Err(format!("its layer {} has {size} bytes; at most {most} are taken", layer.media_type));
        }
        // From the registry alone, never from an address that a manifest names.
        let layer = OciDescriptor { urls: None, ..layer.clone() };
        let mut bytes = vec![0; usize::try_from(size).map_err(|error| error.to_string())?];
        let mut room = Cursor::new(bytes.as_mut_slice());
        client.pull_blob(&self.0, &layer, &mut room).await.map_err(|error| chain(&error))?;
        if room.position() != size {
            return Err(format!("its layer {} has {} bytes and should have {size}", layer.media_type, room.position()));
        }
        Ok(bytes)
    }

    fn client(&self) -> Client {
        static PROVIDER: Once = Once::new();
        // An earlier one is as good.
        PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
        let registry = self.0.resolve_registry();
        let host = registry.rsplit_once(':').map_or(registry, |(host, _)| host);
        let here = is_loopback(host);
        Client::new(ClientConfig {
            protocol: if here { ClientProtocol::Http } else { ClientProtocol::Https },
            connect_timeout: Some(PATIENCE),
            read_timeout: Some(PATIENCE),
            no_proxy: here.then(|| host.to_owned()),
            platform_resolver: None,
            ..ClientConfig::default()
        })
    }

    fn within<T>(
        &self,
        action: &'static str,
        runtime: &Handle,
        work: impl Future<Output = Result<T, String>>,
    ) -> Result<T, VersionsError> {
        let ended = runtime.block_on(async { tokio::time::timeout(DOWNLOAD_TIME, work).await });
        let late = |_| Err(format!("it took longer than {} s", DOWNLOAD_TIME.as_secs()));
        ended.unwrap_or_else(late).map_err(|message| VersionsError::Registry {
            image: self.to_string(),
            action,
            message,
        })
    }
}

/// Pushes a component, and returns the digest of its manifest, by which it can be pinned.
///
/// # Errors
/// The registry refuses, or can't be reached.
pub fn push(
    image: &Image,
    plugin: &Plugin,
    bytes: Vec<u8>,
    scenario: Option<String>,
    runtime: &Handle,
) -> Result<String, VersionsError> {
    let client = image.client();
    let config = config(plugin);
    let title = |title: &str| Some(BTreeMap::from([(ORG_OPENCONTAINERS_IMAGE_TITLE.to_owned(), title.to_owned())]));
    let name = &plugin.descriptor().name;
    let [component, _] = COMPONENT_TYPES;
    let mut layers = vec![ImageLayer::new(bytes, component.to_owned(), title(&format!("{name}.wasm")))];
    layers.extend(scenario.map(|text| ImageLayer::new(text, SCENARIO_TYPE.to_owned(), title(SCENARIO_FILE))));
    let annotations = [
        (ORG_OPENCONTAINERS_IMAGE_TITLE, name),
        (ORG_OPENCONTAINERS_IMAGE_VERSION, &plugin.descriptor().version),
        (ORG_OPENCONTAINERS_IMAGE_DESCRIPTION, &plugin.descriptor().summary),
    ];
    let annotations = annotations.map(|(name, value)| (name.to_owned(), value.clone())).into();
    let manifest = OciImageManifest::build(&layers, &config, Some(annotations));
    image.within("pushed", runtime, async {
        let pushed = client.push(&image.0, &layers, config, &credentials(), Some(manifest)).await;
        pushed.map_err(|error| chain(&error))?;
        client.fetch_manifest_digest(&image.0, &credentials()).await.map_err(|error| chain(&error))
    })
}

/// What tools for WebAssembly images read; without a time, so that the same component gives the same image.
fn config(plugin: &Plugin) -> Config {
    let about = serde_json::json!({
        "architecture": "wasm",
        "os": "wasip2",
        "layerDigests": [plugin.digest().reference()],
        "component": { "imports": plugin.imports(), "exports": [plugin.kind().interface()] },
    });
    Config::new(about.to_string(), CONFIG_TYPE.to_owned(), None)
}

fn credentials() -> RegistryAuth {
    match (std::env::var(USER_VARIABLE), std::env::var(PASSWORD_VARIABLE)) {
        (Ok(user), Ok(password)) => RegistryAuth::Basic(user, password),
        _ => RegistryAuth::Anonymous,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::core::digest::Digest;

    #[test]
    fn an_image_has_a_registry_and_a_tag_or_a_digest() {
        let name = format!("oci://127.0.0.1:5000/plugins/thermostats:1.0.0@sha256:{}", Digest::of(b"x"));
        assert_eq!(Image::parse(&name).unwrap().to_string(), name);
        for wrong in ["oci://thermostats:1.0.0", "oci://a.example/Not A Name:1", "oci://", "http://a.example/b:1"] {
            let told = Image::parse(wrong).unwrap_err().to_string();
            assert!(told.starts_with(&format!("{wrong} names no image")), "{told}");
        }
        assert_eq!(Image::parse("oci://localhost:5000/a").unwrap().to_string(), "oci://localhost:5000/a:latest");
    }
}
