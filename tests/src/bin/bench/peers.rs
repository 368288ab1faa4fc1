//! What others do in the same time: tpchgen-cli, the fastest public generator of tables, with one thread and our codec; and a
//! script with pandas, as the example system for compression metrics has one. Both come from PyPI.

use crate::clock::{children, timed};
use crate::report::Work;
use anyhow::{Context, Result, ensure};
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use telemill_tests::repository;

const PACKAGE: &str = "tpchgen-cli==4.0.0";
/// Three million rows.
const SCALE: &str = "0.5";

const PANDAS: [&str; 2] = ["numpy==2.3.4", "pandas==2.3.3"];
/// Rows and columns that the script makes.
const SCRIPT_ROWS: u32 = 100_000;
const SCRIPT_COLUMNS: u32 = 29;

/// Python with pandas, and the script that it runs.
pub(crate) struct CompressionScript {
    python: PathBuf,
    file: PathBuf,
}

impl CompressionScript {
    /// Installs what it needs where it is not there yet. `file` is what it writes.
    pub(crate) fn install(file: &Path) -> Result<Self> {
        install(&PANDAS, "bin/f2py")?;
        Ok(Self { python: environment().join("bin/python"), file: file.to_owned() })
    }

    /// Cells of its CSV file.
    pub(crate) fn csv(&self) -> Result<Work> {
        let script = repository().join("tests/python/compression_script.py");
        let mut command = Command::new(&self.python);
        command.arg(script).arg(SCRIPT_ROWS.to_string()).arg(&self.file);
        // One thread, as ours.
        command.env("OMP_NUM_THREADS", "1").env("OPENBLAS_NUM_THREADS", "1");
        let ((), cpu) = timed(children, || run(&mut command))?;
        Ok(Work { units: f64::from(SCRIPT_ROWS) * f64::from(SCRIPT_COLUMNS), cpu })
    }
}

/// The folder that peers are installed into.
fn environment() -> PathBuf {
    repository().join("target/peers")
}

/// Installs packages of PyPI unless `made`, which they bring, is there. Returns its path.
fn install(packages: &[&str], made: &str) -> Result<PathBuf> {
    let environment = environment();
    let made = environment.join(made);
    if !made.exists() {
        eprintln!("installing {} into {}", packages.join(" "), environment.display());
        run(Command::new("python3").args(["-m", "venv"]).arg(&environment))?;
        run(Command::new(environment.join("bin/pip")).args(["install", "--quiet"]).args(packages))?;
    }
    Ok(made)
}

/// The program, with a folder that it writes to.
pub(crate) struct Tpchgen {
    program: PathBuf,
    folder: PathBuf,
    rows: f64,
}

impl Tpchgen {
    /// Installs it where it is not there yet.
    pub(crate) fn install(folder: &Path) -> Result<Self> {
        let program = install(&[PACKAGE], "bin/tpchgen-cli")?;
        let mut tpchgen = Self { program, folder: folder.to_owned(), rows: 0.0 };
        tpchgen.write("csv", &[])?;
        tpchgen.rows = lines(&tpchgen.folder.join("lineitem.csv"))? - 1.0;
        Ok(tpchgen)
    }

    /// Rows of lineitem to Parquet.
    pub(crate) fn parquet(&self) -> Result<Work> {
        let ((), cpu) = timed(children, || self.write("parquet", &["--compression", "ZSTD(1)"]))?;
        Ok(Work { units: self.rows, cpu })
    }

    /// Bytes of lineitem to CSV.
    pub(crate) fn csv(&self) -> Result<Work> {
        let ((), cpu) = timed(children, || self.write("csv", &[]))?;
        let bytes = fs::metadata(self.folder.join("lineitem.csv"))?.len();
        Ok(Work { units: bytes as f64, cpu })
    }

    fn write(&self, format: &str, options: &[&str]) -> Result<()> {
        let mut command = Command::new(&self.program);
        command.args([format, "--scale-factor", SCALE, "--tables", "lineitem", "--num-threads", "1"]);
        command.args(["--quiet", "--overwrite"]).args(options).arg("--output-dir").arg(&self.folder);
        run(&mut command)
    }
}

fn lines(path: &Path) -> Result<f64> {
    let (mut file, mut buffer, mut lines) = (File::open(path)?, vec![0; 1 << 20], 0);
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(f64::from(lines));
        }
        lines += buffer.iter().take(read).filter(|byte| **byte == b'\n').count() as u32;
    }
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("can't start {:?}", command.get_program()))?;
    ensure!(status.success(), "{:?} failed ({status})", command.get_program());
    Ok(())
}
