//! The other side: a worker that was started, what it says, and its end.

use super::{Bounds, COMMAND, Frame};
use std::fmt;
use std::io::{self, BufReader, BufWriter, Read};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Frames that wait to be listened to; beyond that the worker waits.
const BACKLOG: usize = 8;
/// What is kept of a worker's last words, in bytes: a panic's message, or the allocator's.
const LAST_WORDS_BYTES: usize = 2 << 10;
/// How long a worker may live on after its output has ended: leaving takes the system a moment.
const LAST_BREATH: Duration = Duration::from_secs(5);

/// The program that workers run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program(PathBuf);

impl Program {
    /// This very program, also after its file was replaced.
    ///
    /// # Errors
    /// The system does not say what it is.
    pub fn this() -> io::Result<Self> {
        let own = PathBuf::from("/proc/self/exe");
        if own.exists() { Ok(Self(own)) } else { std::env::current_exe().map(Self) }
    }

    /// The `telemill` at `path`, for programs that are not `telemill` themselves.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }
}

/// What a worker said.
#[derive(Debug)]
pub enum Said {
    /// A frame.
    Frame(Frame),
    /// Nothing, for as long as was waited.
    Nothing,
    /// It has ended and says nothing more.
    Ended(End),
}

/// How a worker ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// Whether it did its job to the end.
    pub success: bool,
    /// The signal that killed it.
    pub signal: Option<i32>,
    /// The end of what it wrote to standard error.
    pub last_words: String,
    code: Option<i32>,
}

impl End {
    fn new(status: ExitStatus, last_words: String) -> Self {
        Self { success: status.success(), signal: status.signal(), last_words, code: status.code() }
    }

    /// Whether it ended because its bound on memory refused it some.
    pub fn out_of_memory(&self) -> bool {
        // What Rust's allocator says before it aborts, and what the system says of a mapping that it refuses.
        ["memory allocation of", "Cannot allocate memory"].iter().any(|said| self.last_words.contains(said))
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.signal, self.code) {
            (Some(signal), _) => write!(f, "the worker process was killed by signal {signal}")?,
            (None, Some(code)) => write!(f, "the worker process ended with code {code}")?,
            (None, None) => f.write_str("the worker process ended")?,
        }
        if self.last_words.is_empty() { Ok(()) } else { write!(f, ", saying {:?}", self.last_words) }
    }
}

/// A worker; it is killed with the value.
#[derive(Debug)]
pub struct Process {
    child: Child,
    frames: Receiver<io::Result<Frame>>,
    words: Option<JoinHandle<String>>,
    /// What it is told; holds its standard input open.
    leash: Sender<Frame>,
}

impl Process {
    /// Starts `program` for `job`, which is handed over as its first frame. Frames that it says have at most `most_bytes`.
    ///
    /// # Errors
    /// The system starts no more processes or threads.
    pub fn start(program: &Program, bounds: Bounds, job: &str, frame: Frame, most_bytes: u64) -> io::Result<Self> {
        let mut child = Command::new(&program.0)
            .arg0("telemill")
            .args([COMMAND, job])
            .args(bounds.to_args())
            .env_clear()
            .current_dir("/")
            // Not in the terminal's foreground: who was asked to stop decides what becomes of its workers.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (leash, held) = mpsc::channel();
        let (said, frames) = mpsc::sync_channel(BACKLOG);
        let mut process = Self { child, frames, words: None, leash };
        if let (Some(stdin), Some(stdout), Some(stderr)) = pipes {
            spawn("worker-in", move || hand_over(stdin, frame, &held))?;
            spawn("worker-out", move || listen(stdout, most_bytes, &said))?;
            process.words = Some(spawn("worker-words", move || last_words(stderr))?);
        }
        Ok(process)
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Tells it something more, after its job. One that has ended does not hear it, which shows in what it says.
    pub fn tell(&self, frame: Frame) {
        drop(self.leash.send(frame));
    }

    /// Waits for what it says next, for at most `patience`.
    ///
    /// # Errors
    /// It said what is no frame, or can't be waited for.
    pub fn listen(&mut self, patience: Duration) -> io::Result<Said> {
        match self.frames.recv_timeout(patience) {
            Ok(frame) => frame.map(Said::Frame),
            Err(RecvTimeoutError::Timeout) => Ok(Said::Nothing),
            Err(RecvTimeoutError::Disconnected) => self.end().map(Said::Ended),
        }
    }

    /// Kills it and says how it ended.
    ///
    /// # Errors
    /// It can't be waited for.
    pub fn kill(&mut self) -> io::Result<End> {
        self.child.kill()?;
        self.end()
    }

    fn end(&mut self) -> io::Result<End> {
        let status = self.status()?;
        let words = self.words.take().and_then(|words| words.join().ok()).unwrap_or_default();
        Ok(End::new(status, words))
    }
}

impl Process {
    /// How it ended. One that has closed its output and stays is ended.
    fn status(&mut self) -> io::Result<ExitStatus> {
        let closed = Instant::now();
        while closed.elapsed() < LAST_BREATH {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            thread::sleep(Duration::from_millis(1));
        }
        self.child.kill()?;
        self.child.wait()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn spawn<T: Send + 'static>(name: &str, work: impl FnOnce() -> T + Send + 'static) -> io::Result<JoinHandle<T>> {
    thread::Builder::new().name(name.to_owned()).spawn(work)
}

/// Writes the job and what it is told then, and holds the pipe open until the process is given up.
fn hand_over(stdin: ChildStdin, job: Frame, told: &Receiver<Frame>) {
    let mut pipe = BufWriter::new(stdin);
    for frame in std::iter::once(job).chain(told) {
        // A worker that does not read has ended, which shows on its other side.
        drop(frame.write(&mut pipe));
    }
}

fn listen(stdout: ChildStdout, most_bytes: u64, said: &SyncSender<io::Result<Frame>>) {
    let mut pipe = BufReader::new(stdout);
    loop {
        let frame = match Frame::read(&mut pipe, most_bytes) {
            Ok(Some(frame)) => Ok(frame),
            // A frame that its end cut off: the end says more.
            Ok(None) => return,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return,
            Err(error) => Err(error),
        };
        let last = frame.is_err();
        if said.send(frame).is_err() || last {
            return;
        }
    }
}

fn last_words(mut stderr: ChildStderr) -> String {
    let (mut kept, mut piece) = (Vec::new(), [0; 1_024]);
    while let Ok(length @ 1..) = stderr.read(&mut piece) {
        kept.extend(piece.iter().take(length));
        let surplus = kept.len().saturating_sub(LAST_WORDS_BYTES);
        kept.drain(..surplus);
    }
    String::from_utf8_lossy(&kept).trim().to_owned()
}
