//! All affine layers of a network, or all its demodulations, as one launch.
//!
//! A job table tells every warp which row of which layer is its own. Kernels read and write `f32`; where the device stores
//! another type, operands and the result are converted.

use std::slice::ChunksExact;

use gan_core::backend::AffineGains;

use super::View;
use super::elementwise::{Cast, cast};
use crate::device::Cuda;
use crate::driver::{Buffer, File, Scalar};
use crate::error::{Error, Result};

/// Rows that a block of eight warps computes.
const ROWS: usize = 8;

/// Threads are counted with 32 bits, and a row takes 32 of them.
const MOST_ROWS: usize = 1 << 26;

/// `x [n, k]`, `weight [o, k]`, `bias [o]` of each layer in turn.
pub(crate) fn affines(
    cuda: &Cuda,
    gains: &[AffineGains],
    args: &[View<'_>],
    len: usize,
) -> Result<Buffer> {
    let layers = args.chunks_exact(3);
    let mut table = Table::new(cuda, "affines", layers.clone(), len)?;
    for (layer, gains) in layers.zip(gains) {
        let [x, weight, bias] = [layer[0], layer[1], layer[2]];
        table.read(weight)?;
        table.read(bias)?;
        table.read(x)?;
        table.write(x, weight);
        let gains = [gains.weight, gains.bias].map(|gain| (gain as f32).to_bits());
        table.words.extend(gains);
        table.words.push(0);
    }
    table.run("affine_table_f32", args.len() / 3, args[0], None)
}

/// `style [n, ci]`, `squared [co, ci]` of each layer in turn.
pub(crate) fn demodulations(cuda: &Cuda, args: &[View<'_>], len: usize) -> Result<Buffer> {
    let layers = args.chunks_exact(2);
    let mut table = Table::new(cuda, "demodulations", layers.clone(), len)?;
    for layer in layers {
        let [style, squared] = [layer[0], layer[1]];
        table.read(squared)?;
        table.read(style)?;
        table.write(style, squared);
        table.words.push(0);
    }
    table.run("demod_table_f32", args.len() / 2, args[0], Some(1e-8))
}

/// A job table under construction, with what its pointers point to.
struct Table<'a> {
    cuda: &'a Cuda,
    words: Vec<u32>,
    operands: Vec<Cast<'a>>,
    result: Buffer,
    /// Elements of the result, and rows, of the jobs so far.
    written: usize,
    rows: usize,
}

impl<'a> Table<'a> {
    /// For a result of `len` elements of these layers, whose second operands have a row for each output.
    fn new(
        cuda: &'a Cuda,
        op: &'static str,
        layers: ChunksExact<'_, View<'_>>,
        len: usize,
    ) -> Result<Self> {
        let rows: usize = layers.map(|layer| layer[1].shape[0]).sum();
        if rows > MOST_ROWS {
            let limit = "layers of at most 2^26 outputs together";
            return Err(Error::Unsupported { op, limit, found: rows.to_string() });
        }
        let result = Buffer::uninitialized(cuda.context(), op, len, Scalar::F32)?;
        let (words, operands) = (Vec::new(), Vec::new());
        Ok(Table { cuda, words, operands, result, written: 0, rows: 0 })
    }

    /// Adds a pointer to an operand.
    fn read(&mut self, view: View<'a>) -> Result<()> {
        let operand = Cast::to(self.cuda, view.buffer, Scalar::F32)?;
        self.pointer(operand.buffer().pointer());
        self.operands.push(operand);
        Ok(())
    }

    /// Adds a pointer to the next part of the result, `[n, o]` for `x [n, k]` and `weight [o, k]`, and the counts.
    fn write(&mut self, x: View<'_>, weight: View<'_>) {
        let (batch, inputs, rows) = (x.shape[0], x.shape[1], weight.shape[0]);
        self.pointer(self.result.pointer() + (self.written * Scalar::F32.bytes()) as u64);
        // No buffer has 2^31 elements, and few rows were counted before.
        self.words.extend([self.rows, rows, inputs, inputs, rows].map(|count| count as u32));
        self.written += batch * rows;
        self.rows += rows;
    }

    /// Two words, the lower half first, as the devices have it.
    fn pointer(&mut self, pointer: u64) {
        self.words.extend([pointer as u32, (pointer >> 32) as u32]);
    }

    fn run(self, kernel: &str, jobs: usize, x: View<'_>, epsilon: Option<f64>) -> Result<Buffer> {
        let cuda = self.cuda;
        // Memory comes from a pool: in the next pass the same pointers make the same table.
        let table = cuda.constant(self.words, Scalar::U32)?;
        let launch = cuda
            .launch_named(File::Styled, kernel)?
            .read(&table, Scalar::U32, table.len())
            .count(jobs)
            .count(self.rows)
            .count(x.shape[0]);
        let launch = match epsilon {
            Some(epsilon) => launch.float(epsilon),
            None => launch,
        };
        launch.blocks(self.rows.div_ceil(ROWS), 256)?;
        match cuda.scalar() {
            Scalar::F32 => Ok(self.result),
            other => cast(cuda, &self.result, other),
        }
    }
}
