//! Comparing results with a golden file, and saying what came of it.

use std::fmt;
use std::path::PathBuf;

use super::array::{HostArray, Values};
use super::case::Case;
use super::outputs::{Output, Outputs};

/// How one tensor of a golden file was met.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The tensor, without the `out.`.
    pub tensor: String,
    /// The device that computed it.
    pub device: String,
    /// `max|ours - expected| / max|expected|`; `max|ours|` where all that is expected is zero.
    pub error: f64,
    /// The largest error allowed.
    pub tolerance: f64,
    /// Why there is no error to measure, if so.
    pub problem: Option<String>,
}

impl Comparison {
    /// Whether the error is within the tolerance.
    pub fn is_met(&self) -> bool {
        self.problem.is_none() && self.error <= self.tolerance
    }

    /// The error in units of the tolerance, for finding the worst.
    fn severity(&self) -> f64 {
        match self.is_met() {
            true if self.error == 0.0 => 0.0,
            true => self.error / self.tolerance,
            false if self.problem.is_some() || self.error.is_nan() => f64::INFINITY,
            false => self.error / self.tolerance,
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Comparison { tensor, device, error, tolerance, problem } = self;
        match problem {
            Some(problem) => write!(f, "{tensor} on {device}: {problem}"),
            None => write!(f, "{error:.1e} of {tolerance:.0e} in {tensor} on {device}"),
        }
    }
}

/// Compares every tensor that must come out.
pub fn compare(case: &Case, outputs: &Outputs, device: &str) -> Vec<Comparison> {
    let one = |(name, expected): (&str, &HostArray)| {
        let tolerance = case.tolerance_of(name);
        let (error, tolerance, problem) = match outputs.get(name) {
            None => (f64::NAN, tolerance, Some("not computed by this check".to_owned())),
            Some(&Output::Judged { error, tolerance }) => (error, tolerance, None),
            Some(Output::Array(ours)) => match error(ours, expected) {
                Ok(error) => (error, tolerance, None),
                Err(problem) => (f64::NAN, tolerance, Some(problem)),
            },
        };
        let (tensor, device) = (name.to_owned(), device.to_owned());
        Comparison { tensor, device, error, tolerance, problem }
    };
    case.expected().map(one).collect()
}

/// The error of an array, or why it has none.
fn error(ours: &HostArray, expected: &HostArray) -> Result<f64, String> {
    let mismatch = || format!("expected {}, found {}", expected.describe(), ours.describe());
    if ours.shape != expected.shape {
        return Err(mismatch());
    }
    match (&ours.values, &expected.values) {
        (Values::Floats(ours), Values::Floats(expected)) => Ok(float_error(ours, expected)),
        (Values::Integers(ours), Values::Integers(expected)) => {
            match ours.iter().zip(expected).position(|(a, r)| a != r) {
                None => Ok(0.0),
                Some(i) => Err(format!("element {i}: expected {}, found {}", expected[i], ours[i])),
            }
        }
        _ => Err(mismatch()),
    }
}

/// NaN if there is a NaN on either side.
fn float_error(ours: &[f64], expected: &[f64]) -> f64 {
    let difference = ours.iter().zip(expected).map(|(a, r)| (a - r).abs()).fold(0.0, worse);
    let scale = expected.iter().map(|r| r.abs()).fold(0.0, worse);
    if scale == 0.0 { difference } else { difference / scale }
}

/// The larger, and NaN if either is.
pub(super) fn worse(a: f64, b: f64) -> f64 {
    if a.is_nan() || a > b { a } else { b }
}

/// What came of one file.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// All tensors were met on all devices; the worst of them.
    Passed(Comparison),
    /// Some tensors were not met; all of these, worst first.
    Failed(Vec<Comparison>),
    /// The file cannot be read, or the library refused it.
    Broken(String),
    /// It is no golden case, or of a kind that there is no check for.
    Unsupported(String),
}

impl Verdict {
    /// From the comparisons of all devices.
    pub(super) fn of(mut comparisons: Vec<Comparison>) -> Verdict {
        comparisons.sort_by(|a, b| b.severity().total_cmp(&a.severity()));
        let failures: Vec<Comparison> =
            comparisons.iter().filter(|c| !c.is_met()).cloned().collect();
        match comparisons.into_iter().next() {
            None => Verdict::Unsupported("there is nothing to compare".into()),
            Some(worst) if failures.is_empty() => Verdict::Passed(worst),
            Some(_) => Verdict::Failed(failures),
        }
    }
}

/// A file and what came of it.
#[derive(Clone, Debug)]
pub struct FileReport {
    /// The file.
    pub path: PathBuf,
    /// What is checked, as `area/what`; empty if the file does not say.
    pub kind: String,
    /// Name of the case.
    pub case: String,
    /// What came of it.
    pub verdict: Verdict,
}

impl fmt::Display for FileReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let title = match self.kind.as_str() {
            "" => self.path.display().to_string(),
            kind => format!("{kind} {}", self.case),
        };
        match &self.verdict {
            Verdict::Passed(worst) => write!(f, "ok          {title}: {worst}"),
            Verdict::Unsupported(reason) => write!(f, "unsupported {title}: {reason}"),
            Verdict::Broken(reason) => write!(f, "FAIL        {title}: {reason}"),
            Verdict::Failed(failures) => {
                write!(f, "FAIL        {title} ({})", self.path.display())?;
                failures.iter().try_for_each(|failure| write!(f, "\n            {failure}"))
            }
        }
    }
}

/// How many files passed, failed, and had no check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Files all of whose tensors were met.
    pub passed: usize,
    /// Files with a tensor that was not, and files that cannot be read.
    pub failed: usize,
    /// Files that are no golden case, or of a kind that there is no check for.
    pub unsupported: usize,
}

impl Summary {
    /// Counts one more file.
    pub fn add(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Passed(_) => self.passed += 1,
            Verdict::Failed(_) | Verdict::Broken(_) => self.failed += 1,
            Verdict::Unsupported(_) => self.unsupported += 1,
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary { passed, failed, unsupported } = self;
        write!(f, "{passed} passed, {failed} failed, {unsupported} unsupported")
    }
}
