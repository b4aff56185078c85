//! Convolutions with 3x3 kernels by Winograd's minimal filtering.
//!
//! The image is cut into tiles that overlap by a pixel or two. A tile's pixels are combined to factors, the weight's taps to
//! others, once and for all; products of the two, summed over the input channels, are matrix products, and their results are
//! combined to pixels. That takes 2.25 or 4 times fewer multiply-adds than the direct way, 1.44 times at stride 2, for an error
//! of about 1e-6 of the result's spread (`tests/winograd.rs`).
//!
//! Columns of the matrix products are tiles, `nr` a panel; a task takes some panels through all three steps, so that
//! factors and products stay in cache. Each tile's result depends on that tile alone, whatever panel it is in.

mod channel;
mod convolution;
mod scheme;
mod transform;
mod up;
mod vector;
#[cfg(target_arch = "x86_64")]
mod vector_x86;
mod weight;

use std::sync::LazyLock;

pub(super) use convolution::Convolution;
use scheme::{F2, F4, Geometry, Halved, Product, Scheme, products};
use transform::Transforms;
#[cfg(target_arch = "x86_64")]
pub(super) use transform::{AVX2, AVX512};
pub(super) use transform::{Forms, Leaky, PORTABLE};
pub(super) use up::{UpSampling, pays};

use super::View;
use super::disjoint::Disjoint;
use super::microkernel::Microkernel;
use crate::backend::Conv;

/// Which tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// 2 x 2 results a tile.
    F2,
    /// 4 x 4 results a tile.
    F4,
    /// 2 x 2 results a tile, of a convolution with stride 2.
    Halved,
}

impl Form {
    fn geometry(self) -> &'static Geometry {
        match self {
            Form::F2 => &F2::GEOMETRY,
            Form::F4 => &F4::GEOMETRY,
            Form::Halved => &Halved::GEOMETRY,
        }
    }

    /// The products of each matrix of the weight.
    fn products(self) -> &'static [Vec<Product>] {
        static ALL: [LazyLock<Vec<Vec<Product>>>; 3] = [
            LazyLock::new(|| products(&F2::GEOMETRY)),
            LazyLock::new(|| products(&F4::GEOMETRY)),
            LazyLock::new(|| products(&Halved::GEOMETRY)),
        ];
        &ALL[self as usize]
    }

    fn transforms(self, kernel: &Microkernel) -> &Transforms {
        &kernel.winograd.tiles[self as usize]
    }
}

/// Whether a weight is read no faster than a small image is multiplied, so that more matrices of it save nothing: 36 fill 38 MB.
fn is_large(a: usize, b: usize) -> bool {
    a * b >= 512 * 512
}

/// Whether some form beats the direct way for a weight `[a, b, 3, 3]` and a result of that size; at stride 1, which.
pub(super) fn fastest(a: usize, b: usize, size: [usize; 2]) -> Option<Form> {
    let pixels = size[0] * size[1];
    match () {
        _ if a.min(b) < 16 || pixels < 64 => None,
        _ if pixels <= 64 && is_large(a, b) => None,
        _ if pixels < 256 || pixels == 256 && is_large(a, b) => Some(Form::F2),
        _ => Some(Form::F4),
    }
}

/// Whether threads get rows of the weight each and share the factors of all pixels, instead of parts of the image: if these are too
/// few for all, or if so many rows would be read by each thread that factors are less.
fn cuts_rows(parts: usize, tiles: usize, rows: usize) -> bool {
    let threads = rayon::current_num_threads();
    parts < threads || parts < 2 * threads && rows > tiles
}

/// `x [n, ci, h, w]`, `weight [co, ci, 3, 3]` to `out [n, co, h', w']`, or, `transposed`, the opposite.
#[allow(clippy::too_many_arguments)]
pub(super) fn convolve(
    kernel: &Microkernel,
    form: Form,
    conv: &Conv,
    transposed: bool,
    x: View<'_>,
    weight: View<'_>,
    shape: &[usize],
    out: &mut [f32],
) {
    let padding = if transposed { conv.padding.map(|p| 2 - p) } else { conv.padding };
    let size = [shape[2], shape[3]];
    Convolution { kernel, form, x, scale: None, weight, transposed, padding, size }
        .fill(shape[1], out);
}

/// `g [n, co, h, w]`, `weight [co, ci, 3, 3]` to `out [n, ci, 2h + 1, 2w + 1]`: the adjoint of a convolution with stride 2.
#[allow(unsafe_code)]
pub(super) fn double(kernel: &Microkernel, g: View<'_>, weight: View<'_>, out: &mut [f32]) {
    let ([_, _, h, w], [_, ci, _, _]) = (g.dims4(), weight.dims4());
    let area = (2 * h + 1) * (2 * w + 1);
    let out = Disjoint::new(out);
    let layer = UpSampling { kernel, x: g, scale: None, weight, filter: None };
    layer.run(&|image, channel, pixel, values| {
        // SAFETY: each pixel of each channel belongs to one task: regions and blocks of channels do not overlap.
        let out = unsafe { out.range((image * ci + channel) * area + pixel, values.len()) };
        out.copy_from_slice(values);
    });
}

/// Where a task's results go: image, channel, first pixel of a stretch within a row, and its values.
pub(super) type Write<'a> = &'a (dyn Fn(usize, usize, usize, &[f32]) + Sync);
