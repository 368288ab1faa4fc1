//! Runs the steps of a project and looks at what they made.

use super::error::{ProjectError, io};
use super::manifest::{Manifest, Step};
use super::setup::{BUILD_FOLDER, set_up};
use super::template;
use crate::core::digest::Digest;
use crate::plugin::{Engine, PluginKind};
use serde::Serialize;
use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// Where the output of the last build is kept.
const LOG: &str = "log.txt";
/// How much of a failed step's output an error shows: a compiler's first messages and its summary fit.
const TAIL_BYTES: u64 = 8 << 10;
/// Variables of somebody's environment that would send a project's tools elsewhere: an active Python environment, the
/// flags and folders of a Cargo that this program was started by.
const FOREIGN: [&str; 5] =
    ["VIRTUAL_ENV", "PYTHONHOME", "CARGO_ENCODED_RUSTFLAGS", "CARGO_TARGET_DIR", "CARGO_BUILD_TARGET"];

/// What a build ended with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Built {
    /// The plugin's name, as the manifest has it.
    pub name: String,
    /// What it does.
    pub kind: PluginKind,
    /// The component.
    pub component: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// Its digest.
    pub digest: Digest,
}

/// Builds the project in `folder`: restores Telemill's own files, does the setup where it is not done, then the build.
/// `tell` hears each command before it runs and how long it took.
///
/// # Errors
/// A program that is missing, a step that fails, a component that is missing or no plugin.
pub fn build(folder: &Path, engine: &Engine, tell: &dyn Fn(&str)) -> Result<Built, ProjectError> {
    let manifest = Manifest::read(folder)?;
    let restored = template::restore(folder, &manifest)?;
    if !restored.is_empty() {
        tell(&format!("wrote {} files that belong to Telemill, such as {}", restored.len(), restored[0]));
    }
    let build_folder = folder.join(BUILD_FOLDER);
    fs::create_dir_all(&build_folder).map_err(io("make", &build_folder))?;
    for step in manifest.setup.iter().chain(&manifest.build) {
        find(folder, &manifest, step)?;
    }
    let log = build_folder.join(LOG);
    fs::write(&log, "").map_err(io("write", &log))?;
    set_up(folder, &manifest, &|step| run(folder, step, &log, tell))?;
    for step in &manifest.build {
        run(folder, step, &log, tell)?;
    }
    look_at(folder.join(&manifest.component), &manifest, engine)
}

fn look_at(path: PathBuf, manifest: &Manifest, engine: &Engine) -> Result<Built, ProjectError> {
    if !path.is_file() {
        return Err(ProjectError::NoComponent(path));
    }
    let bytes = fs::read(&path).map_err(io("read", &path))?;
    match engine.kind_of(&path.display().to_string(), &bytes) {
        Ok(kind) if kind == manifest.kind => Ok(Built {
            name: manifest.name.clone(),
            kind,
            component: path,
            bytes: bytes.len() as u64,
            digest: Digest::of(&bytes),
        }),
        Ok(is) => Err(ProjectError::OtherKind { path, is, wanted: manifest.kind }),
        Err(source) => Err(ProjectError::NoPlugin { path, kind: manifest.kind, source: Box::new(source) }),
    }
}

/// Programs of the folder itself come with the setup; all others have to be there before anything is done.
fn find(folder: &Path, manifest: &Manifest, step: &Step) -> Result<(), ProjectError> {
    let Some(program) = step.run.first().filter(|_| step.own_program().is_none()) else { return Ok(()) };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|place| place.join(program).is_file());
    if found {
        return Ok(());
    }
    let known = manifest.programs.get(program).cloned();
    let install = known.unwrap_or_else(|| format!("install it, or mend {}", folder.join(super::MANIFEST).display()));
    Err(ProjectError::MissingProgram { program: program.clone(), install })
}

/// Runs one step in the folder; its output goes to the log.
fn run(folder: &Path, step: &Step, log: &Path, tell: &dyn Fn(&str)) -> Result<(), ProjectError> {
    let Some((program, arguments)) = step.run.split_first() else { return Ok(()) };
    let shown = step.run.join(" ");
    tell(&shown);
    let output = fs::OpenOptions::new().append(true).read(true).open(log).map_err(io("write", log))?;
    let start = output.metadata().map_err(io("read", log))?.len();
    let folder = fs::canonicalize(folder).map_err(io("find", folder))?;
    // A relative program would be looked for where this process is, not where the step runs.
    let mut command = Command::new(if program.contains('/') { folder.join(program) } else { program.into() });
    command.args(arguments).current_dir(&folder).stdin(Stdio::null()).envs(&step.env);
    for name in FOREIGN.iter().filter(|name| !step.env.contains_key(**name)) {
        command.env_remove(name);
    }
    command.stdout(output.try_clone().map_err(io("write", log))?);
    command.stderr(output.try_clone().map_err(io("write", log))?);
    let started = Instant::now();
    let build = folder.join(BUILD_FOLDER);
    let status = command.status().map_err(|source| {
        let program = program.clone();
        ProjectError::NotStarted { program, build: build.clone(), source }
    })?;
    tell(&format!("  {:.1} s", started.elapsed().as_secs_f64()));
    if status.success() {
        return Ok(());
    }
    let tail = tail(output, start).map_err(io("read", log))?;
    Err(ProjectError::StepFailed { command: shown, status: status.to_string(), log: log.to_owned(), tail, build })
}

/// The end of what a step wrote, whole lines.
fn tail(mut log: File, start: u64) -> std::io::Result<String> {
    let end = log.metadata()?.len();
    let from = start.max(end.saturating_sub(TAIL_BYTES));
    log.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    log.take(TAIL_BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let whole = if from > start { text.split_once('\n').map_or(text.as_str(), |(_, rest)| rest) } else { &text };
    Ok(whole.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// What a step says that fails.
    fn told(run_of_step: &[&str]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join(LOG);
        fs::write(&log, "").unwrap();
        fs::write(folder.path().join("stray"), "#!/nowhere/python\n").unwrap();
        let step = Step {
            run: run_of_step.iter().map(|&word| word.to_owned()).collect(),
            env: std::collections::BTreeMap::new(),
            inputs: Vec::new(),
            makes: Vec::new(),
        };
        run(folder.path(), &step, &log, &|_| {}).unwrap_err().to_string()
    }

    #[test]
    fn a_step_that_fails_says_how_to_set_the_tools_up_again() {
        let failed = told(&["sh", "-c", "echo esbuild: not found; exit 127"]);
        assert!(failed.contains("esbuild: not found") && failed.contains("exit status: 127"), "{failed}");
        for told in [failed, told(&["./missing"]), told(&["./stray"])] {
            assert!(told.contains("delete ") && told.contains(BUILD_FOLDER), "{told}");
        }
    }
}
