//! Files that people name by path, or by the name of one that ships.

use anyhow::{Context as _, bail};
use std::path::Path;

/// Largest such file.
const MAX_BYTES: u64 = 16 << 20;

/// The text behind `name`: of the file, where there is one, else of the `kind` of that name that ships; and what
/// errors call it.
pub(super) fn text(kind: &str, name: &str, shipped: &[(&str, &str)]) -> anyhow::Result<(String, String)> {
    let path = Path::new(name);
    if path.is_file() {
        let bytes = std::fs::metadata(path).with_context(|| format!("can't read {name}"))?.len();
        if bytes > MAX_BYTES {
            bail!("{name} is larger than {MAX_BYTES} bytes");
        }
        let text = std::fs::read_to_string(path).with_context(|| format!("can't read {name}"))?;
        return Ok((text, name.to_owned()));
    }
    match shipped.iter().find(|(shipped, _)| *shipped == name) {
        Some((_, text)) => Ok(((*text).to_owned(), name.to_owned())),
        None => {
            let names: Vec<_> = shipped.iter().map(|(name, _)| *name).collect();
            bail!("{name} is neither a file nor a shipped {kind} ({})", names.join(", "))
        }
    }
}
