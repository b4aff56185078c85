//! The course of a training run as a table.

use std::fmt;
use std::fs;
use std::path::Path;

use gan_core::{Error, Result};

use crate::program::write;

/// Steps from row to row, but where a run ends in between.
const STEPS_A_ROW: u64 = 32;

/// Means over the steps since the row before; a value that no step had is NaN, and empty in the file. The columns are the step, the
/// number of images seen and those of the program.
#[derive(Debug)]
pub struct Log {
    pub(super) columns: &'static [&'static str],
    pub(super) rows: Vec<Row>,
    /// Sums and counts of the row that is not full yet.
    sums: Vec<(f64, u32)>,
}

/// Means of the steps up to one.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) step: u64,
    pub(super) images: f64,
    pub(super) values: Vec<f64>,
}

impl Log {
    /// An empty table.
    pub fn new(columns: &'static [&'static str]) -> Self {
        Log { columns, rows: Vec::new(), sums: vec![(0.0, 0); columns.len()] }
    }

    /// Reads the table of a run that goes on after so many steps; rows beyond belong to steps that are lost. A file that is not
    /// there is an empty table.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read, [`Error::Format`] if it is no such table.
    pub fn open(path: &Path, columns: &'static [&'static str], steps: u64) -> Result<Self> {
        let mut log = Log::new(columns);
        if !path.exists() {
            return Ok(log);
        }
        let io = |source| Error::Io { action: "read", path: path.to_owned(), source };
        let text = fs::read_to_string(path).map_err(io)?;
        for (line, row) in text.lines().enumerate().skip(1) {
            let reason = format!("line {} is no row of {} numbers", line + 1, columns.len() + 2);
            let path = path.to_owned();
            let row = parse(row, columns.len()).ok_or(Error::Format {
                path,
                format: "table of losses",
                reason,
            })?;
            if row.step <= steps {
                log.rows.push(row);
            }
        }
        Ok(log)
    }

    /// Takes in a step's values, as many as there are columns; those beyond are dropped.
    pub fn push(&mut self, step: u64, images: u64, values: &[Option<f64>]) {
        for (sum, value) in self.sums.iter_mut().zip(values) {
            if let Some(value) = value {
                *sum = (sum.0 + value, sum.1 + 1);
            }
        }
        if step.is_multiple_of(STEPS_A_ROW) {
            self.end_row(step, images);
        }
    }

    /// Ends a row after that step, if there was one since the last: what a run has seen is not lost when it stops.
    pub fn end_row(&mut self, step: u64, images: u64) {
        if self.sums.iter().all(|(_, count)| *count == 0) {
            return;
        }
        let values = self.sums.iter().map(|(sum, count)| sum / f64::from(*count)).collect();
        self.rows.push(Row { step, images: images as f64, values });
        self.sums.fill((0.0, 0));
    }

    /// Writes the table, complete or not at all.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn save(&self, path: &Path) -> Result<()> {
        let mut text = format!("step,images,{}\n", self.columns.join(","));
        for Row { step, images, values } in &self.rows {
            let cell = |v: &f64| if v.is_nan() { String::new() } else { v.to_string() };
            let cells: Vec<String> = values.iter().map(cell).collect();
            text += &format!("{step},{images},{}\n", cells.join(","));
        }
        write(path, &text)
    }
}

impl fmt::Display for Log {
    /// The last row in words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(row) = self.rows.last() else { return f.write_str("no row yet") };
        let named = self.columns.iter().zip(&row.values).filter(|(_, value)| !value.is_nan());
        let text: Vec<String> =
            named.map(|(name, value)| format!("{} {value:.3}", name.replace('_', " "))).collect();
        f.write_str(&text.join(", "))
    }
}

fn parse(row: &str, columns: usize) -> Option<Row> {
    let mut cells = row.split(',');
    let (step, images) = (cells.next()?.parse().ok()?, cells.next()?.parse().ok()?);
    let number = |cell: &str| if cell.is_empty() { Some(f64::NAN) } else { cell.parse().ok() };
    let values: Vec<f64> = cells.map(number).collect::<Option<_>>()?;
    (values.len() == columns).then_some(Row { step, images, values })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Wherever a run stops, each step is in one row, and a run of a few steps has a row.
    #[test]
    fn no_step_is_lost() {
        for stops in [&[40][..], &[20, 40], &[32, 40], &[5, 40], &[3]] {
            let mut log = Log::new(&["loss"]);
            let mut step = 0;
            for &stop in stops {
                while step < stop {
                    step += 1;
                    log.push(step, 4 * step, &[Some(step as f64)]);
                }
                log.end_row(step, 4 * step);
            }
            let mut before = 0;
            let mut sum = 0.0;
            for row in &log.rows {
                sum += row.values[0] * (row.step - before) as f64;
                before = row.step;
            }
            assert_eq!(before, step, "{stops:?}");
            assert!((sum - (step * (step + 1) / 2) as f64).abs() < 1e-9, "{stops:?}: {sum}");
        }
    }
}
