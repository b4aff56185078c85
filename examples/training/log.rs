//! The course of a training run as a table.

use std::fmt;
use std::fs;
use std::path::Path;

use gan_core::training::StepReport;
use gan_core::{Error, Result};

/// Steps that a row is the mean of.
const STEPS_A_ROW: u64 = 32;

/// Names of the table's columns after the first.
pub(super) const COLUMNS: [&str; 8] = [
    "images",
    "generator_loss",
    "discriminator_loss",
    "real_logit",
    "fake_logit",
    "r1",
    "path_penalty",
    "path_mean",
];

/// Means over some steps each; a value that no step had is NaN, and empty in the file.
#[derive(Debug, Default)]
pub struct Log {
    pub(super) rows: Vec<(u64, [f64; COLUMNS.len()])>,
    /// Sums and counts of the row that is not full yet.
    sums: [(f64, u32); COLUMNS.len()],
}

impl Log {
    /// Reads the table of a run that goes on after so many steps; rows beyond belong to steps that are lost. A file that is not
    /// there is an empty table.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read, [`Error::Format`] if it is no such table.
    pub fn open(path: &Path, steps: u64) -> Result<Self> {
        let mut log = Log::default();
        if !path.exists() {
            return Ok(log);
        }
        let io = |source| Error::Io { action: "read", path: path.to_owned(), source };
        let text = fs::read_to_string(path).map_err(io)?;
        for (line, row) in text.lines().enumerate().skip(1) {
            let reason = format!("line {} is no row of {} numbers", line + 1, COLUMNS.len() + 1);
            let path = path.to_owned();
            let row =
                parse(row).ok_or(Error::Format { path, format: "table of losses", reason })?;
            if row.0 <= steps {
                log.rows.push(row);
            }
        }
        Ok(log)
    }

    /// Takes in the report of a step.
    pub fn push(&mut self, steps: u64, images: u64, report: &StepReport) {
        let values = [
            None,
            Some(report.generator_loss),
            Some(report.discriminator_loss),
            Some(report.real_logit),
            Some(report.fake_logit),
            report.r1,
            report.path_penalty,
            Some(report.path_mean),
        ];
        for (sum, value) in self.sums.iter_mut().zip(values) {
            if let Some(value) = value {
                *sum = (sum.0 + value, sum.1 + 1);
            }
        }
        if steps.is_multiple_of(STEPS_A_ROW) {
            self.sums[0] = (images as f64, 1);
            let means = self.sums.map(|(sum, count)| sum / f64::from(count));
            self.rows.push((steps, means));
            self.sums = Default::default();
        }
    }

    /// Writes the table, complete or not at all.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn save(&self, path: &Path) -> Result<()> {
        let mut text = format!("step,{}\n", COLUMNS.join(","));
        for (step, values) in &self.rows {
            let cell = |v: &f64| if v.is_nan() { String::new() } else { v.to_string() };
            let cells: Vec<String> = values.iter().map(cell).collect();
            text += &format!("{step},{}\n", cells.join(","));
        }
        let io = |action| move |source| Error::Io { action, path: path.to_owned(), source };
        let beside = path.with_extension("csv.new");
        fs::write(&beside, text).map_err(io("write"))?;
        fs::rename(&beside, path).map_err(io("rename"))
    }
}

impl fmt::Display for Log {
    /// The last row in words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((_, [_, g, d, real, fake, r1, _, path])) = self.rows.last() else {
            return f.write_str("no row yet");
        };
        write!(
            f,
            "losses {g:.2} and {d:.2}, logits {real:.2} and {fake:.2}, r1 {r1:.3}, path {path:.2}"
        )
    }
}

fn parse(row: &str) -> Option<(u64, [f64; COLUMNS.len()])> {
    let mut cells = row.split(',');
    let step = cells.next()?.parse().ok()?;
    let number = |cell: &str| if cell.is_empty() { Some(f64::NAN) } else { cell.parse().ok() };
    let values: Vec<f64> = cells.map(number).collect::<Option<_>>()?;
    Some((step, values.try_into().ok()?))
}
