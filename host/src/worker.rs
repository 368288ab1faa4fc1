//! Processes of this program that do one job for another: how they are started and bounded, what the two say to each
//! other, and how such a process ends. Knows nothing of the jobs.
//!
//! A worker is the program itself, started as `telemill worker JOB …` with an empty environment. It bounds itself before
//! it reads anything, reads one frame (the job) from standard input, and more where the job is to answer, writes frames to
//! standard output, and ends. It ends at once when its standard input does, so that none outlives the process that started
//! it.

mod frame;
mod link;
mod process;

pub use frame::Frame;
pub use link::Link;
pub use process::{End, Process, Program, Said};

use std::ffi::OsString;

/// The word that makes the program a worker.
pub const COMMAND: &str = "worker";

/// What a worker may use of the machine, as limits of the system. Core files are never written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Writable private memory, in bytes: heap, stacks, and what guests grow. Address space that is only reserved, as
    /// wasmtime does for every memory, does not count.
    pub data_bytes: u64,
    /// Open files.
    pub files: u64,
    /// The largest file that it may write, in bytes.
    pub file_bytes: u64,
}

impl Bounds {
    fn to_args(self) -> [String; 3] {
        [self.data_bytes, self.files, self.file_bytes].map(|bound| bound.to_string())
    }

    fn from_args(args: &[OsString]) -> Option<Self> {
        let [data_bytes, files, file_bytes] = args else { return None };
        let number = |arg: &OsString| arg.to_str()?.parse().ok();
        Some(Self { data_bytes: number(data_bytes)?, files: number(files)?, file_bytes: number(file_bytes)? })
    }

    /// Bounds this process, for good.
    fn apply(self) -> std::io::Result<()> {
        use rlimit::Resource;
        let bounds = [
            (Resource::DATA, self.data_bytes),
            (Resource::NOFILE, self.files),
            (Resource::FSIZE, self.file_bytes),
            (Resource::CORE, 0),
        ];
        for (resource, bound) in bounds {
            // An operator's own limit may be tighter.
            let bound = bound.min(resource.get_hard()?);
            resource.set(bound, bound)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_survive_the_command_line() {
        let bounds = Bounds { data_bytes: 1 << 40, files: 64, file_bytes: 0 };
        let args = bounds.to_args().map(OsString::from);
        assert_eq!(Bounds::from_args(&args), Some(bounds));
        assert_eq!(Bounds::from_args(&args[..2]), None);
        assert_eq!(Bounds::from_args(&["1".into(), "x".into(), "3".into()]), None);
    }
}
