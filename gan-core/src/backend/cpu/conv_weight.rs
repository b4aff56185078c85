//! The weight gradient of a convolution: products of the gradient's rows with shifted rows of the image.

use rayon::prelude::*;

use super::View;
use super::dots::BLOCK;
use super::microkernel::Microkernel;
use crate::backend::Conv;

/// Pixels whose shifted copies are kept at a time: with nine taps, 36 kB.
const PIXELS: usize = 1024;

/// `x [n, ci, h, w]`, `g [n, co, h', w']` to `out [co, ci/groups, kh, kw]`.
pub(super) fn conv_weight(
    kernel: &Microkernel,
    conv: &Conv,
    x: View<'_>,
    g: View<'_>,
    shape: &[usize],
    out: &mut [f32],
) {
    let [_, ci, _, _] = x.dims4();
    let [co, group_in, kh, kw] = [shape[0], shape[1], shape[2], shape[3]];
    let taps = kh * kw;
    let group_out = co / conv.groups;
    // One task an input channel: its products with all output channels of its group, `[group_out, taps]`.
    let columns: Vec<Vec<f32>> = (0..ci)
        .into_par_iter()
        .map(|channel| {
            let mut sums = vec![0.0; group_out * taps];
            column(
                kernel,
                conv,
                x,
                g,
                channel,
                channel / group_in * group_out,
                [kh, kw],
                &mut sums,
            );
            sums
        })
        .collect();
    for (channel, sums) in columns.iter().enumerate() {
        let (group, inner) = (channel / group_in, channel % group_in);
        for (row, sums) in sums.chunks(taps).enumerate() {
            let place = (group * group_out + row) * group_in + inner;
            out[place * taps..][..taps].copy_from_slice(sums);
        }
    }
}

/// Adds the products of one input channel with the output channels from `first` on.
#[allow(clippy::too_many_arguments)]
fn column(
    kernel: &Microkernel,
    conv: &Conv,
    x: View<'_>,
    g: View<'_>,
    channel: usize,
    first: usize,
    [kh, kw]: [usize; 2],
    sums: &mut [f32],
) {
    let [n, ci, h, w] = x.dims4();
    let [_, co, rows, columns] = g.dims4();
    let taps = kh * kw;
    let rows_at_once = (PIXELS / columns).clamp(1, rows);
    let mut shifted = vec![0.0; taps * rows_at_once * columns];
    for image in 0..n {
        let plane = &x.values()[(image * ci + channel) * h * w..][..h * w];
        for top in (0..rows).step_by(rows_at_once) {
            let count = rows_at_once.min(rows - top);
            let len = count * columns;
            for (tap, shifted) in shifted.chunks_mut(len).take(taps).enumerate() {
                let (ky, kx) = (tap / kw, tap % kw);
                for (i, line) in shifted.chunks_mut(columns).enumerate() {
                    let y = ((top + i) * conv.stride[0] + ky).checked_sub(conv.padding[0]);
                    match y.filter(|&y| y < h) {
                        None => line.fill(0.0),
                        Some(y) => shift(&plane[y * w..][..w], conv, kx, line),
                    }
                }
            }
            let gradient =
                |o: usize| &g.values()[((image * co + o) * rows + top) * columns..][..len];
            for o in (0..sums.len() / taps).step_by(BLOCK) {
                let last = sums.len() / taps - 1;
                let a = std::array::from_fn(|i| gradient(first + (o + i).min(last)));
                for t in (0..taps).step_by(BLOCK) {
                    let b = std::array::from_fn(|i| &shifted[(t + i).min(taps - 1) * len..][..len]);
                    let products = kernel.dots(a, b);
                    for (i, products) in products.iter().enumerate().take(last + 1 - o) {
                        let sums = &mut sums[(o + i) * taps + t..][..BLOCK.min(taps - t)];
                        sums.iter_mut().zip(products).for_each(|(s, p)| *s += p);
                    }
                }
            }
        }
    }
}

/// The pixels of a row that tap `kx` meets.
fn shift(row: &[f32], conv: &Conv, kx: usize, line: &mut [f32]) {
    for (i, out) in line.iter_mut().enumerate() {
        let x = (i * conv.stride[1] + kx).checked_sub(conv.padding[1]);
        *out = x.and_then(|x| row.get(x)).copied().unwrap_or(0.0);
    }
}
