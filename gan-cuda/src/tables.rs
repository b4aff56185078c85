//! All affine layers of a network, or all its demodulations, as one launch.
//!
//! Each of them alone is too little work for a GPU: a StyleGAN2 of 1024 pixels has 26 affine layers and 17 demodulations. A job
//! table tells every warp which row of which of them is its own. Values are `f32` whatever the device stores; operands
//! of another type are converted first.

use std::sync::Arc;

use gan_core::Error as CoreError;
use gan_core::backend::{Arg, Storage};

use crate::device::Cuda;
use crate::driver::{Buffer, File, Scalar};
use crate::error::Result;
use crate::ops::View;
use crate::ops::elementwise::Cast;

/// One fully connected layer without activation: `y = weight_gain * weight x + bias_gain * bias`.
#[derive(Clone, Copy)]
pub struct Affine<'a> {
    /// `[rows, inputs]`
    pub weight: Arg<'a>,
    /// `[rows]`
    pub bias: Option<Arg<'a>>,
    /// `[batch, inputs]`
    pub x: Arg<'a>,
    /// Factor of the weight.
    pub weight_gain: f32,
    /// Factor of the bias.
    pub bias_gain: f32,
}

/// The factors that give each output channel of a modulated convolution unit variance:
/// `1 / sqrt(sum_i weight2[o, i] * style[i]^2 + epsilon)`.
#[derive(Clone, Copy)]
pub struct Demodulation<'a> {
    /// Squares of the weight summed over its taps, `[rows, inputs]`; see [`Cuda::square_sum`].
    pub weight2: Arg<'a>,
    /// `[batch, inputs]`
    pub style: Arg<'a>,
}

/// Rows that a block of eight warps computes.
const ROWS: usize = 8;

impl Cuda {
    /// The squares of a weight summed over its taps, `[rows, columns]`, from `[rows, columns, ...]`, or, if `transposed`, from
    /// `[columns, rows, ...]`. The result is always `f32`.
    ///
    /// # Errors
    /// [`gan_core::Error::Shape`] for a weight of fewer than two axes; when memory runs out or the device fails.
    pub fn square_sum(
        &self,
        weight: Arg<'_>,
        transposed: bool,
    ) -> gan_core::Result<Arc<dyn Storage>> {
        const OP: &str = "square_sum";
        let view = self.view(OP, &weight, self.scalar())?;
        let &[first, second, ..] = weight.shape else {
            return Err(shape(OP, "[rows, columns, ...]", &[weight.shape]));
        };
        let (rows, columns) = if transposed { (second, first) } else { (first, second) };
        let n = rows * columns;
        let mut squares = Buffer::uninitialized(self.context(), OP, n, Scalar::F32)?;
        self.launch(File::Styled, OP)?
            .read(view.buffer, self.scalar(), view.buffer.len())
            .write(&mut squares, Scalar::F32, n)
            .count(n)
            .count(rows)
            .count(columns)
            .count(view.buffer.len() / n)
            .code(u32::from(transposed))
            .each(n)?;
        Ok(Arc::new(squares))
    }

    /// All demodulations in one launch: `[batch, rows]` of `f32` for each, in order.
    ///
    /// # Errors
    /// [`gan_core::Error::Shape`] if shapes do not fit or batches differ; when memory runs out or the device fails.
    pub fn demodulations(
        &self,
        jobs: &[Demodulation<'_>],
        epsilon: f32,
    ) -> gan_core::Result<Vec<Arc<dyn Storage>>> {
        const OP: &str = "demodulations";
        let mut table = Table::new(self, OP);
        for job in jobs {
            let (weight, style) = (job.weight2.shape, job.style.shape);
            let (&[rows, inputs], &[batch, style_inputs]) = (weight, style) else {
                return Err(shape(
                    OP,
                    "weight2 [rows, inputs] and style [batch, inputs]",
                    &[weight, style],
                ));
            };
            if style_inputs != inputs {
                return Err(shape(
                    OP,
                    "weight2 [rows, inputs] and style [batch, inputs]",
                    &[weight, style],
                ));
            }
            let first_row = table.begin(batch, rows, style)?;
            table.read(&job.weight2)?;
            table.read(&job.style)?;
            table.write(batch * rows)?;
            table.counts(&[first_row, rows, inputs, inputs, rows])?;
            table.words.push(0);
        }
        table.run("demod_table_f32", Some(epsilon))
    }

    /// All affine layers in one launch: `[batch, rows]` of `f32` for each, in order.
    ///
    /// # Errors
    /// As [`Cuda::demodulations`].
    pub fn affines(&self, jobs: &[Affine<'_>]) -> gan_core::Result<Vec<Arc<dyn Storage>>> {
        const OP: &str = "affines";
        const EXPECTED: &str = "weight [rows, inputs], bias [rows] and x [batch, inputs]";
        let mut table = Table::new(self, OP);
        for job in jobs {
            let (weight, x) = (job.weight.shape, job.x.shape);
            let (&[rows, inputs], &[batch, x_inputs]) = (weight, x) else {
                return Err(shape(OP, EXPECTED, &[weight, x]));
            };
            if x_inputs != inputs || job.bias.is_some_and(|b| b.shape != [rows]) {
                return Err(shape(OP, EXPECTED, &[weight, x]));
            }
            let first_row = table.begin(batch, rows, x)?;
            table.read(&job.weight)?;
            match &job.bias {
                Some(bias) => table.read(bias)?,
                None => table.pointer(0),
            }
            table.read(&job.x)?;
            table.write(batch * rows)?;
            table.counts(&[first_row, rows, inputs, inputs, rows])?;
            table.words.extend([job.weight_gain.to_bits(), job.bias_gain.to_bits(), 0]);
        }
        table.run("affine_table_f32", None)
    }
}

/// A job table under construction, with what its pointers point to.
struct Table<'a> {
    cuda: &'a Cuda,
    op: &'static str,
    words: Vec<u32>,
    operands: Vec<Cast<'a>>,
    results: Vec<Arc<dyn Storage>>,
    rows: usize,
    batch: Option<usize>,
}

impl<'a> Table<'a> {
    fn new(cuda: &'a Cuda, op: &'static str) -> Self {
        let (words, operands, results) = (Vec::new(), Vec::new(), Vec::new());
        Table { cuda, op, words, operands, results, rows: 0, batch: None }
    }

    /// Counts a job's rows; its first one among those of all jobs.
    fn begin(&mut self, batch: usize, rows: usize, found: &[usize]) -> gan_core::Result<usize> {
        if *self.batch.get_or_insert(batch) != batch {
            return Err(shape(self.op, "one batch for all jobs", &[found]));
        }
        let first = self.rows;
        self.rows += rows;
        Ok(first)
    }

    /// Adds a pointer to an operand, which is as large as its shape says.
    fn read(&mut self, arg: &Arg<'a>) -> gan_core::Result<()> {
        let scalar = self.cuda.own(self.op, arg.storage)?.scalar();
        let View { buffer, .. } = self.cuda.view(self.op, arg, scalar)?;
        let operand = Cast::to(self.cuda, buffer, Scalar::F32)?;
        self.pointer(operand.buffer().pointer());
        self.operands.push(operand);
        Ok(())
    }

    /// Adds a pointer to a new result.
    fn write(&mut self, len: usize) -> gan_core::Result<()> {
        let result = Buffer::uninitialized(self.cuda.context(), self.op, len, Scalar::F32)?;
        self.pointer(result.pointer());
        self.results.push(Arc::new(result));
        Ok(())
    }

    /// Two words, the lower half first, as the devices have it.
    fn pointer(&mut self, pointer: u64) {
        self.words.extend([pointer as u32, (pointer >> 32) as u32]);
    }

    fn counts(&mut self, counts: &[usize]) -> gan_core::Result<()> {
        for &count in counts {
            let word = u32::try_from(count);
            self.words.push(word.map_err(|_| shape(self.op, "counts below 2^32", &[counts]))?);
        }
        Ok(())
    }

    fn run(self, kernel: &str, epsilon: Option<f32>) -> gan_core::Result<Vec<Arc<dyn Storage>>> {
        let Some(batch) = self.batch else { return Ok(Vec::new()) };
        launch(&self, kernel, batch, epsilon)?;
        Ok(self.results)
    }
}

fn launch(table: &Table<'_>, kernel: &str, batch: usize, epsilon: Option<f32>) -> Result<()> {
    let cuda = table.cuda;
    let jobs = Buffer::from_words(cuda.context(), &table.words, Scalar::U32)?;
    let launch = cuda
        .launch_named(File::Styled, kernel)?
        .read(&jobs, Scalar::U32, table.words.len())
        .count(table.results.len())
        .count(table.rows)
        .count(batch);
    let launch = match epsilon {
        Some(epsilon) => launch.float(f64::from(epsilon)),
        None => launch,
    };
    launch.blocks(table.rows.div_ceil(ROWS), 256)
}

fn shape(op: &'static str, expected: &str, found: &[&[usize]]) -> CoreError {
    CoreError::Shape { op, expected: expected.to_owned(), found: format!("{found:?}") }
}
