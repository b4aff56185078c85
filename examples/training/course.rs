//! The course of a training run: clock, interrupt, progress bar, log, and one file from which it goes on.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use gan_core::{Error, Progress};

use super::{Log, plot};
use crate::program::{Bar, Interrupt, Result, in_range, say};

/// Between two times that everything is written.
const SAVE_EVERY: Duration = Duration::from_secs(240);

/// The largest batch; no run on a CPU has so many images in a step.
pub const MOST_IMAGES: usize = 4096;

/// The largest learning rate; far below, no run learns.
pub const MOST_RATE: f64 = 1e6;

/// The file that a run goes on from, in its folder.
const RESUME: &str = "resume.safetensors";

/// What a training program has to know about what it trains.
///
/// ```no_run
/// # use std::path::Path;
/// # use gan_core::training::Learner;
/// # use gan_core::{Result, Tensor};
/// # use gan_examples::program::{self, flags};
/// # use gan_examples::training::{Course, CourseArgs, Lesson};
/// # fn loss_of(_: &gan_core::nn::Params) -> Result<Tensor> { unimplemented!() }
/// # fn learner(_: &Flags) -> Result<Learner> { unimplemented!() }
/// #[derive(clap::Parser)]
/// struct Flags {
///     #[command(flatten)]
///     course: CourseArgs,
/// }
///
/// struct Words(Learner);
///
/// impl Lesson for Words {
///     const COLUMNS: &'static [&'static str] = &["loss"];
///     const PANELS: &'static [&'static [&'static str]] = &[&["loss"]];
///
///     fn steps(&self) -> u64 {
///         self.0.steps()
///     }
///     fn images(&self) -> u64 {
///         32 * self.0.steps()
///     }
///     fn step(&mut self) -> program::Result<Vec<Option<f64>>> {
///         Ok(vec![Some(self.0.step(0.002, loss_of)?)])
///     }
///     fn save(&self, path: &Path) -> Result<()> {
///         self.0.save(path)
///     }
///     fn resume(&mut self, path: &Path) -> Result<()> {
///         self.0.resume(path)
///     }
///     fn write(&self, out: &Path) -> program::Result<()> {
///         Ok(self.0.params().to_state_dict()?.save(out.join("words.safetensors"))?)
///     }
/// }
///
/// let flags: Flags = flags()?;
/// Course::new(&flags.course, "words", Some(10_000))?.run(&mut Words(learner(&flags)?))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Lesson {
    /// The log's columns: what [`Lesson::step`] gives.
    const COLUMNS: &'static [&'static str];

    /// The plot's panels, each with the columns that it shows.
    const PANELS: &'static [&'static [&'static str]];

    /// Steps done, those before a break included.
    fn steps(&self) -> u64;

    /// Images seen in these.
    fn images(&self) -> u64;

    /// One step. Gives a value for each column, or none in steps that have none, as most have no held-out score.
    ///
    /// What it does must depend on nothing but the saved state and the flags: then a run in parts is the run in one, to the bit.
    ///
    /// # Errors
    /// Ends the run; the state must be that before the step, and is written.
    fn step(&mut self) -> Result<Vec<Option<f64>>>;

    /// Writes the state from which training goes on; the file must appear complete or not at all.
    ///
    /// # Errors
    /// If it cannot be written.
    fn save(&self, path: &Path) -> gan_core::Result<()>;

    /// Goes on from such a file.
    ///
    /// # Errors
    /// If it is damaged, or of a run of another kind or with other flags.
    fn resume(&mut self, path: &Path) -> gan_core::Result<()>;

    /// Writes what people and programs are to use into the folder of the run: weights, sheets.
    ///
    /// # Errors
    /// If it cannot be written.
    fn write(&self, out: &Path) -> Result<()>;
}

/// Flags of every training program.
#[derive(Args, Clone, Debug)]
pub struct CourseArgs {
    /// Minutes to train for now, at most
    #[arg(long, default_value_t = 60.0)]
    minutes: f64,
    /// Stop after so many steps, those before a break included
    #[arg(long)]
    steps: Option<u64>,
    /// A folder for everything [default: one in out/ named after what is trained]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// State to go on from [default: resume.safetensors of --out, if it is there]
    #[arg(long, value_name = "FILE")]
    resume: Option<PathBuf>,
}

/// One call of a training program.
#[derive(Debug)]
pub struct Course {
    limit: Duration,
    steps: Option<u64>,
    out: PathBuf,
    resume: Option<PathBuf>,
}

impl Course {
    /// By the flags; `name` is that of the folder in `out/` and `steps` how many there are, where the flags do not say.
    ///
    /// # Errors
    /// [`Error::Argument`] for a time out of range.
    pub fn new(args: &CourseArgs, name: &str, steps: Option<u64>) -> Result<Self> {
        in_range("--minutes", 0.0..=1e6, args.minutes)?;
        Ok(Course {
            limit: Duration::from_secs_f64(args.minutes * 60.0),
            steps: args.steps.or(steps),
            out: args.out.clone().unwrap_or_else(|| Path::new("out").join(name)),
            resume: args.resume.clone(),
        })
    }

    /// How many steps there are, if that is known: what a schedule of learning rates may depend on.
    pub fn steps(&self) -> Option<u64> {
        self.steps
    }

    /// Trains until the time is over, all steps are done or the user interrupts. Every few minutes and at the end, an error's
    /// included, it writes `resume.safetensors`, from which the same call goes on, `losses.csv`, `losses.png`, and what
    /// [`Lesson::write`] does.
    ///
    /// # Errors
    /// Those of the lesson, and if something cannot be written; a state that was there before stays then.
    pub fn run(&self, lesson: &mut impl Lesson) -> Result<()> {
        let mut log = self.start(lesson)?;
        let ended = self.train(lesson, &mut log);
        log.end_row(lesson.steps(), lesson.images());
        // What was good is kept, whatever ended the run.
        let written = self.write(lesson, &log);
        ended?;
        written?;
        say(self.out.display())
    }

    fn start<L: Lesson>(&self, lesson: &mut L) -> Result<Log> {
        let own = self.out.join(RESUME);
        let mut log = Log::new(L::COLUMNS);
        if let Some(file) = self.resume.as_ref().or(own.is_file().then_some(&own)) {
            lesson.resume(file)?;
            log = Log::open(&file.with_file_name("losses.csv"), L::COLUMNS, lesson.steps())?;
            say(format_args!("goes on after {} steps of {}", lesson.steps(), file.display()))?;
        }
        let io = |source| Error::Io { action: "create", path: self.out.clone(), source };
        fs::create_dir_all(&self.out).map_err(io)?;
        Ok(log)
    }

    fn train<L: Lesson>(&self, lesson: &mut L, log: &mut Log) -> Result<()> {
        let interrupt = Interrupt::listen()?;
        let mut bar = Bar::new("train", &interrupt)?;
        let start = Instant::now();
        let (mut written, mut since) = (start, lesson.images());
        while start.elapsed() < self.limit && self.steps.is_none_or(|most| lesson.steps() < most) {
            let values = lesson.step()?;
            log.push(lesson.steps(), lesson.images(), &values);
            if written.elapsed() > SAVE_EVERY {
                let seconds = written.elapsed().as_secs_f64();
                let each = 1000.0 * seconds / (lesson.images() - since) as f64;
                self.write(lesson, log)?;
                say(format_args!("{} images, {each:.2} ms each; {log}", lesson.images()))?;
                (written, since) = (Instant::now(), lesson.images());
            }
            let [done, all] = self.progress(start.elapsed(), lesson.steps());
            if bar.step(done, all).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// The bar counts what ends the run: steps, where their number is known, else seconds; the last of them clears it.
    fn progress(&self, elapsed: Duration, steps: u64) -> [usize; 2] {
        match self.steps {
            Some(all) => [steps as usize, all as usize],
            None => {
                let seconds = elapsed.min(self.limit).as_secs() as usize;
                [seconds, self.limit.as_secs().max(1) as usize]
            }
        }
    }

    /// Writes the state first: everything else can be made of it.
    fn write<L: Lesson>(&self, lesson: &L, log: &Log) -> Result<()> {
        lesson.save(&self.out.join(RESUME))?;
        log.save(&self.out.join("losses.csv"))?;
        plot(log, L::PANELS)?.save(self.out.join("losses.png"))?;
        lesson.write(&self.out)
    }
}
