//! The composition root: settings to engine, registry, store, lake and runs. Nothing else builds these.

mod settings;

pub use settings::{Origin, Settings, SettingsError};

use crate::core::time::Length;
use crate::ingest;
use crate::ingest::log::{Log, LogHost};
use crate::lake::{LAKE_FOLDER, Lake};
use crate::plugin::{self, Registry};
use crate::query;
use crate::remote::Server;
use crate::run::{self, Host};
use crate::store::{DATABASE_FILE, DataDirLock, Store, StoreError};
use crate::versions;
use crate::worker::Program;
use anyhow::Context as _;
use std::path::Path;
use std::sync::Arc;
use tokio::runtime::Runtime;

/// Folders below the data folder.
const CACHE_FOLDER: &str = "cache";
const SPILL_FOLDER: &str = "spill";

/// How long a file that no record names may lie before it is taken away: longer than a segment takes to be recorded,
/// and than a query that began before a dataset was replaced.
const RUBBISH_AGE: Length = Length::from_us(24 * 3_600 * 1_000_000);

/// The data folder, opened for writing: nobody else writes it meanwhile.
pub struct Writer {
    /// What runs need.
    pub host: Arc<Host>,
    _lock: DataDirLock,
}

/// Everything that a command needs, made when first asked for.
pub struct App {
    settings: Settings,
    runtime: Runtime,
    worker: Option<Program>,
    server: Option<Server>,
}

/// Closing folds the database's journal into its file, so that one file is all that others attach.
impl Drop for Writer {
    fn drop(&mut self) {
        self.host.runtime.block_on(self.host.store.close());
    }
}

impl App {
    /// Reads the settings and starts the async runtime.
    ///
    /// # Errors
    /// Settings that can't be used.
    pub fn new(origin: Origin) -> anyhow::Result<Self> {
        let settings = Settings::load(origin)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .worker_threads(2)
            .build()
            .context("can't start the async runtime")?;
        Ok(Self { settings, runtime, worker: None, server: None })
    }

    /// The same, that starts `program` for what runs in processes of its own. Without it, everything runs in this one.
    #[must_use]
    pub fn with_worker(self, program: Program) -> Self {
        Self { worker: Some(program), ..self }
    }

    /// The same, whose commands work on the data of `server`, where there is one.
    #[must_use]
    pub fn with_server(self, server: Option<Server>) -> Self {
        Self { server, ..self }
    }

    /// The server whose data is meant; none where it is this machine's data folder.
    pub fn server(&self) -> Option<&Server> {
        self.server.as_ref()
    }

    /// The settings in force.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Where lake, catalog and plugins live.
    pub fn data_dir(&self) -> &Path {
        &self.settings.data_dir
    }

    /// Drives what is async.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// Reads the files of a spec's `[inputs]`.
    pub fn input_reader(&self) -> run::ReadInput {
        |path, table| Ok(ingest::rows(path, table)?)
    }

    /// Ends what still runs without waiting for it: a cancelled query computes on until its current step is done.
    pub fn shut_down(self) {
        self.runtime.shutdown_background();
    }

    /// The plugins: those that ship, and those that are installed, where there is a database that says so.
    ///
    /// # Errors
    /// The machine can't run components, or limits that can't be used.
    pub fn registry(&self) -> anyhow::Result<Registry> {
        let names = versions::names_of_file(self.data_dir().join(DATABASE_FILE), self.runtime.handle().clone());
        Ok(self.bare_registry()?.with_names(names))
    }

    /// The plugins for a look at them, which leaves a data folder that nothing was compiled for as it is.
    ///
    /// # Errors
    /// As [`App::registry`].
    pub fn registry_to_look_at(&self) -> anyhow::Result<Registry> {
        if self.data_dir().join(CACHE_FOLDER).exists() {
            return self.registry();
        }
        Ok(Registry::new(self.engine(None)?, self.data_dir()).read_only())
    }

    fn bare_registry(&self) -> anyhow::Result<Registry> {
        let cache = self.data_dir().join(CACHE_FOLDER);
        Ok(Registry::new(self.engine(Some(&cache))?, self.data_dir()))
    }

    fn engine(&self, cache: Option<&Path>) -> anyhow::Result<plugin::Engine> {
        let limits = self.settings.limits.clone();
        Ok(match &self.worker {
            Some(program) => plugin::Engine::with_compiler(limits, cache, program.clone())?,
            None => plugin::Engine::new(limits, cache)?,
        })
    }

    /// The database alone, for reading; none where there is no data yet.
    ///
    /// # Errors
    /// It can't be read.
    pub fn records(&self) -> anyhow::Result<Option<Store>> {
        let path = self.data_dir().join(DATABASE_FILE);
        if !path.exists() {
            return Ok(None);
        }
        Ok(Some(self.runtime.block_on(Store::open_read_only(&path))?))
    }

    /// The data folder for writing; it is made where it does not exist. Rows that a server acknowledged and could not move into
    /// the lake before it ended are moved first.
    ///
    /// # Errors
    /// Another process writes it, or it can't be used.
    pub fn writer(&self) -> anyhow::Result<Writer> {
        let (lock, host) = self.data_folder()?;
        ingest::log::settle(self.data_dir(), self.log_host(&host), self.settings.ingest.clone())?;
        Ok(Writer { host: Arc::new(host), _lock: lock })
    }

    /// The data folder for writing, with a log that takes rows in and shows them to queries at once.
    ///
    /// # Errors
    /// As [`App::writer`], and a log that is damaged.
    pub fn writer_with_log(&self) -> anyhow::Result<(Writer, Arc<Log>)> {
        let (lock, mut host) = self.data_folder()?;
        let log = Arc::new(Log::open(self.data_dir(), self.log_host(&host), self.settings.ingest.clone())?);
        host.unmoved = Some(log.unmoved());
        Ok((Writer { host: Arc::new(host), _lock: lock }, log))
    }

    fn log_host(&self, host: &Host) -> LogHost {
        let (lake, runtime, writer) = (host.lake.clone(), host.runtime.clone(), host.writer.clone());
        LogHost { lake, runtime, writer, clock: run::now }
    }

    fn data_folder(&self) -> anyhow::Result<(DataDirLock, Host)> {
        let lock = DataDirLock::acquire(self.data_dir())?;
        let (store, lake) = self.runtime.block_on(async {
            let store = Store::open(&self.data_dir().join(DATABASE_FILE)).await?;
            let lake = Lake::open(self.data_dir(), store.clone(), run::now()).await?;
            lake.sweep(run::now(), RUBBISH_AGE).await?;
            anyhow::Ok((store, lake))
        })?;
        Ok((lock, self.host(store, lake)?))
    }

    /// The data folder for reading, beside a writer or without one.
    ///
    /// # Errors
    /// There is nothing yet, or it can't be used.
    pub fn reader(&self) -> anyhow::Result<Host> {
        let store = self.runtime.block_on(Store::open_read_only(&self.data_dir().join(DATABASE_FILE)))?;
        if !self.data_dir().join(LAKE_FOLDER).is_dir() {
            return Err(StoreError::NoDatabase(self.data_dir().to_owned()).into());
        }
        let lake = Lake::open_read_only(self.data_dir(), store.clone())?;
        self.host(store, lake)
    }

    /// A query engine over the newest snapshot, for reading.
    ///
    /// # Errors
    /// There is nothing yet, or it can't be read.
    pub fn query(&self) -> anyhow::Result<query::Engine> {
        let host = self.reader()?;
        Ok(host.query_engine(None)?)
    }

    fn host(&self, store: Store, lake: Lake) -> anyhow::Result<Host> {
        let names = versions::names(store.clone(), self.runtime.handle().clone());
        Ok(Host {
            registry: self.bare_registry()?.with_names(names),
            store,
            lake,
            read_input: self.input_reader(),
            runtime: self.runtime.handle().clone(),
            writer: self.settings.lake.clone(),
            query: self.settings.query.clone(),
            spill_dir: self.data_dir().join(SPILL_FOLDER),
            unmoved: None,
        })
    }
}
