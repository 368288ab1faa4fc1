//! `telemill export`: tables of the lake as files.

use super::Verdict;
use super::output::{Output, bytes, grouped, table};
use super::profiles;
use super::span::Span;
use crate::app::App;
use crate::batch::TableLayout;
use crate::core::time::Window;
use crate::query::{Blocking, Engine, Scan, TextForm};
use crate::sink::files::{ProfileFiles, ProfiledFile, Sequence};
use crate::sink::profile::Profile;
use crate::sink::{self, Encoder, FileName, Format, ProfileEncoder};
use anyhow::{Context as _, bail};
use clap::Args;
use serde::Serialize;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Write a dataset, or one of its tables, as files
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  telemill export ecommerce --format csv --output-dir ./export\n  telemill export ecommerce.transactions --format ndjson --from 2026-11-15 --columns timestamp,service,status > rows.ndjson\n  telemill export ecommerce --profile ecommerce/calls --output-dir ./export"
)]
pub(super) struct Export {
    /// The dataset, or DATASET.TABLE
    #[arg(value_name = "DATASET[.TABLE]")]
    source: String,
    /// csv, ndjson, parquet or opensearch
    #[arg(long, required_unless_present = "profile")]
    format: Option<Format>,
    /// Write the columns, names and forms of a profile: a TOML file, or the name of one that ships, as PLUGIN/NAME
    #[arg(long, value_name = "NAME", conflicts_with_all = ["format", "columns", "index"])]
    profile: Vec<String>,
    #[command(flatten)]
    span: Span,
    /// Only these columns, in this order
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    columns: Vec<String>,
    /// Sort by the table's time
    #[arg(long)]
    ordered: bool,
    /// The index that OpenSearch's action lines name; the table's name where it is left out
    #[arg(long)]
    index: Option<String>,
    /// A folder for one file a table; a single table goes to standard output without one
    #[arg(long, value_name = "DIR")]
    output_dir: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Exported {
    table: String,
    file: PathBuf,
    rows: u64,
    bytes: u64,
}

/// Where rows come from.
struct Source<'a> {
    app: &'a App,
    engine: Engine,
    dataset: &'a str,
    window: Option<Window>,
}

impl Source<'_> {
    fn rows(&self, layout: &TableLayout, order_by: Vec<String>) -> anyhow::Result<Blocking> {
        if self.window.is_some() && layout.table.time_field.is_none() {
            let (dataset, table) = (self.dataset, &layout.table.name);
            bail!("{dataset}.{table} has no time field, so that --from, --to and --last say nothing");
        }
        let scan = Scan {
            window: self.window,
            order_by,
            text: TextForm::AsStored,
            ..Scan::new(self.dataset, &layout.table.name)
        };
        let runtime = self.app.runtime();
        Ok(runtime.block_on(self.engine.scan(&scan))?.blocking(runtime.handle().clone()))
    }
}

impl Export {
    pub(super) fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        let (dataset, only) = match self.source.split_once('.') {
            Some((dataset, table)) => (dataset, Some(table)),
            None => (self.source.as_str(), None),
        };
        let host = app.reader()?;
        let tables = host.runtime.block_on(host.lake.dataset(dataset, None))?.tables;
        let known: Vec<_> = tables.iter().map(|table| table.table.name.clone()).collect();
        let profiles = profiles::read(&self.profile)?;
        let wanted = |name: &String| {
            only.is_none_or(|only| name == only) && (profiles.is_empty() || profiles.iter().any(|p| p.table == *name))
        };
        if let Some(name) = only
            .into_iter()
            .chain(profiles.iter().map(|p| p.table.as_str()))
            .find(|name| !known.iter().any(|known| known == name && wanted(known)))
        {
            bail!("{dataset} has no table {name:?} to export; it has {}", known.join(", "));
        }
        let chosen: Vec<_> = tables.into_iter().filter(|table| wanted(&table.table.name)).collect();
        let source = Source { app, engine: app.query()?, dataset, window: self.span.window(&chosen) };
        let layouts: Vec<_> = chosen.into_iter().map(|table| TableLayout::new(table.table)).collect();
        match (&self.output_dir, self.format, profiles.as_slice()) {
            (None, Some(format), _) if only.is_some() => {
                layouts.iter().try_for_each(|layout| self.to_stdout(&source, layout, self.encoder(format, layout)?))?;
            }
            (None, None, [profile]) if !profiles::makes_many(profile) => {
                for layout in &layouts {
                    self.to_stdout(&source, layout, Box::new(ProfileEncoder::new(profile, layout)?))?;
                }
            }
            (None, Some(_), _) => bail!("name a folder with --output-dir, or a single table as {dataset}.TABLE"),
            (None, None, _) => bail!("name a folder with --output-dir: several files come of this"),
            (Some(folder), Some(format), _) => {
                std::fs::create_dir_all(folder).with_context(|| format!("can't make {}", folder.display()))?;
                let exported = layouts.iter().map(|layout| self.to_file(&source, layout, format, folder));
                let exported = exported.collect::<anyhow::Result<Vec<_>>>()?;
                out.print(&exported, |out| {
                    let row = |e: &Exported| vec![e.file.display().to_string(), grouped(e.rows), bytes(e.bytes)];
                    table(out, &["file", "rows", "size"], &exported.iter().map(row).collect::<Vec<_>>())
                })?;
            }
            (Some(folder), None, profiles) => {
                let mut written = Vec::new();
                for profile in profiles {
                    for layout in layouts.iter().filter(|layout| layout.table.name == profile.table) {
                        written.extend(self.by_profile(&source, layout, profile, folder)?);
                    }
                }
                profiles::tell(out, &written)?;
            }
        }
        Ok(Verdict::Good)
    }

    fn to_file(
        &self,
        source: &Source<'_>,
        layout: &TableLayout,
        format: Format,
        folder: &Path,
    ) -> anyhow::Result<Exported> {
        let name = &layout.table.name;
        let file = folder.join(format!("{name}.{}", format.extension()));
        // A reader never sees half a file: it gets its name when it is complete.
        let partial = folder.join(format!(".{name}.{}.partial", format.extension()));
        let open = File::create(&partial).with_context(|| format!("can't write {}", partial.display()))?;
        let mut writer = io::BufWriter::with_capacity(1 << 20, open);
        let encoder = self.encoder(format, layout);
        let written = encoder.and_then(|encoder| self.write(source, layout, encoder, &mut writer)).and_then(|rows| {
            writer.into_inner().map_err(|error| error.into_error())?.sync_all()?;
            std::fs::rename(&partial, &file)?;
            Ok(rows)
        });
        let rows = written.inspect_err(|_| drop(std::fs::remove_file(&partial)))?;
        let bytes = std::fs::metadata(&file)?.len();
        Ok(Exported { table: name.clone(), file, rows, bytes })
    }

    /// The files of a profile. Where its name tells files apart, the rows of one come after those of another, each in the
    /// order of time.
    fn by_profile(
        &self,
        source: &Source<'_>,
        layout: &TableLayout,
        profile: &Profile,
        folder: &Path,
    ) -> anyhow::Result<Vec<ProfiledFile>> {
        let mut files = ProfileFiles::create(folder, profile, layout, Sequence::FileByFile)?;
        let mut order: Vec<String> = profile.file.iter().flat_map(FileName::columns).map(str::to_owned).collect();
        if !order.is_empty() || self.ordered {
            order.extend(layout.table.time_field.clone());
        }
        for batch in source.rows(layout, order)? {
            files.write(&batch?)?;
        }
        Ok(files.finish()?)
    }

    fn to_stdout(&self, source: &Source<'_>, layout: &TableLayout, encoder: Box<dyn Encoder>) -> anyhow::Result<()> {
        let mut stdout = io::BufWriter::new(io::stdout().lock());
        self.write(source, layout, encoder, &mut stdout)?;
        Ok(stdout.flush()?)
    }

    fn write(
        &self,
        source: &Source<'_>,
        layout: &TableLayout,
        mut encoder: Box<dyn Encoder>,
        out: &mut dyn Write,
    ) -> anyhow::Result<u64> {
        let order = layout.table.time_field.iter().filter(|_| self.ordered).cloned().collect();
        let mut buffer = Vec::new();
        let mut rows = 0;
        encoder.begin(&mut buffer)?;
        for batch in source.rows(layout, order)? {
            let batch = batch?;
            rows += batch.num_rows() as u64;
            encoder.encode(&batch, &mut buffer)?;
            out.write_all(&buffer)?;
            buffer.clear();
        }
        encoder.finish(&mut buffer)?;
        out.write_all(&buffer)?;
        profiles::warn_of_skipped(&layout.table.name, encoder.skipped());
        Ok(rows)
    }

    fn encoder(&self, format: Format, layout: &TableLayout) -> anyhow::Result<Box<dyn Encoder>> {
        Ok(sink::encoder(format, layout, &self.columns, self.index.as_deref())?)
    }
}
