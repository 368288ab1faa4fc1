//! tpchgen-cli from PyPI: the fastest public generator of tables, with one thread and our codec.

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

/// The program, with a folder that it writes to.
pub(crate) struct Tpchgen {
    program: PathBuf,
    folder: PathBuf,
    rows: f64,
}

impl Tpchgen {
    /// Installs it where it is not there yet.
    pub(crate) fn install(folder: &Path) -> Result<Self> {
        let environment = repository().join("target/peers");
        let program = environment.join("bin/tpchgen-cli");
        if !program.is_file() {
            eprintln!("installing {PACKAGE} into {}", environment.display());
            run(Command::new("python3").args(["-m", "venv"]).arg(&environment))?;
            run(Command::new(environment.join("bin/pip")).args(["install", "--quiet", PACKAGE]))?;
        }
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
