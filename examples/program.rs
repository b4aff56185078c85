//! What a program around the library needs: errors to exit codes, progress bars, interrupts.

use std::error::Error;
use std::fmt::Display;
use std::fs;
use std::io::{self, Write};
use std::ops::{ControlFlow, RangeInclusive};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use clap::Parser;
use gan_core::{Error as CoreError, Progress};
use indicatif::{ProgressBar, ProgressStyle};

/// Errors of the examples, whatever crate they come from.
pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Runs a program; an error goes to standard error with its causes, and the exit code is 1.
pub fn run(program: impl FnOnce() -> Result<()>) -> ExitCode {
    let Err(error) = program() else { return ExitCode::SUCCESS };
    eprintln!("error: {error}");
    let (message, mut cause) = (error.to_string(), error.source());
    while let Some(inner) = cause {
        // Many messages end with their cause.
        if !message.contains(&inner.to_string()) {
            eprintln!("  caused by: {inner}");
        }
        cause = inner.source();
    }
    ExitCode::FAILURE
}

/// Reads the command line. Asked for help, it prints that and ends the program.
///
/// # Errors
/// What is wrong with the flags; from inside of [`run`], exit code 1 instead of clap's 2.
pub fn flags<F: Parser>() -> Result<F> {
    F::try_parse().map_err(|error| {
        if !error.use_stderr() {
            error.exit();
        }
        let text = error.to_string();
        text.strip_prefix("error: ").unwrap_or(&text).trim_end().into()
    })
}

/// Refuses a number out of range, or NaN.
///
/// # Errors
/// Names the flag.
pub fn in_range<T: PartialOrd + Display>(
    flag: &'static str,
    range: RangeInclusive<T>,
    value: T,
) -> Result<()> {
    if range.contains(&value) {
        return Ok(());
    }
    let expected = format!("{} to {}", range.start(), range.end());
    Err(CoreError::Argument { what: flag, expected, found: value.to_string() }.into())
}

/// Refuses a count of zero.
///
/// # Errors
/// Names the flag.
pub fn at_least_one(flag: &'static str, count: usize) -> Result<()> {
    match count {
        0 => Err(CoreError::Argument {
            what: flag,
            expected: "at least 1".into(),
            found: "0".into(),
        }
        .into()),
        _ => Ok(()),
    }
}

/// Writes a file, complete or not at all: one that was there stays until then.
///
/// # Errors
/// [`CoreError::Io`].
pub fn write(path: &Path, text: &str) -> gan_core::Result<()> {
    let io = |action| move |source| CoreError::Io { action, path: path.to_owned(), source };
    let mut beside = path.to_owned().into_os_string();
    beside.push(".new");
    let written = fs::write(&beside, text).map_err(io("write"));
    let written = written.and_then(|()| fs::rename(&beside, path).map_err(io("rename")));
    if written.is_err() {
        // Half a file is of no use; that it may not even be there is no error of its own.
        let _ = fs::remove_file(&beside);
    }
    written
}

/// Tells when the user wants to stop.
#[derive(Clone)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens for Ctrl-C from now on.
    ///
    /// # Errors
    /// If the system refuses the handler.
    pub fn listen() -> Result<Self> {
        let flag = Arc::new(AtomicBool::new(false));
        let handler = Arc::clone(&flag);
        ctrlc::set_handler(move || handler.store(true, Ordering::Relaxed))?;
        Ok(Interrupt(flag))
    }

    fn is_wanted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A progress bar that an interrupt stops.
pub struct Bar {
    bar: ProgressBar,
    interrupt: Interrupt,
}

impl Bar {
    /// A bar with a name in front.
    ///
    /// # Errors
    /// Never in practice: if the bar's template were wrong.
    pub fn new(name: &'static str, interrupt: &Interrupt) -> Result<Self> {
        let style = ProgressStyle::with_template("{prefix:>11} {wide_bar} {pos}/{len} {eta}")?;
        let bar = ProgressBar::new(0).with_style(style).with_prefix(name);
        Ok(Bar { bar, interrupt: interrupt.clone() })
    }
}

impl Progress for Bar {
    fn step(&mut self, step: usize, total: usize) -> ControlFlow<()> {
        self.bar.set_length(total as u64);
        self.bar.set_position(step as u64);
        if step == total {
            self.bar.finish_and_clear();
        }
        if self.interrupt.is_wanted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// Does a piece of work and prints how long it took.
///
/// # Errors
/// Those of the work.
pub fn timed<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let start = Instant::now();
    let result = work()?;
    say(format_args!("{name:>11}  {:.3} s", start.elapsed().as_secs_f64()))?;
    Ok(result)
}

/// Prints a line.
///
/// # Errors
/// If nobody reads standard output any more, where `println!` would panic.
pub fn say(line: impl Display) -> Result<()> {
    let written = writeln!(io::stdout(), "{line}");
    written.map_err(|error| format!("cannot write to standard output: {error}").into())
}
