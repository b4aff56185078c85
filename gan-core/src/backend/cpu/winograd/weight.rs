//! Taps to factors, once for each weight.

use super::scheme::{MOST, Scheme};
use crate::backend::cpu::View;
use crate::backend::cpu::packing::{PackedMatrix, PackedWeight};

/// The factors of `weight [co, ci, 3, 3]`, or, `transposed`, of `[ci, co, 3, 3]` with its taps in reverse: a matrix `[co, ci]`
/// for each.
pub(super) fn packed_weight<S: Scheme>(
    weight: View<'_>,
    transposed: bool,
    mr: usize,
) -> PackedWeight {
    let [a, b, _, _] = weight.dims4();
    let (rows, channels) = if transposed { (b, a) } else { (a, b) };
    let (values, count) = (weight.values(), S::GEOMETRY.weights);
    // Taps of row `o` and channel `c` to factors, in the order `[factor][o][c]`, transformed along x, then along y.
    let factors = |o: usize, c: usize| {
        let index = if transposed { c * b + o } else { o * b + c };
        let mut taps: [f32; 9] = std::array::from_fn(|k| values[index * 9 + k]);
        if transposed {
            taps.reverse();
        }
        let lines: [[f64; MOST]; 3] =
            std::array::from_fn(|i| S::weight(std::array::from_fn(|j| f64::from(taps[3 * i + j]))));
        let mut all = [[0.0f32; MOST]; MOST];
        for j in 0..count {
            let column = S::weight(std::array::from_fn(|i| lines[i][j]));
            (0..count).for_each(|i| all[i][j] = column[i] as f32);
        }
        all
    };
    PackedMatrix::many(count * count, [rows, channels], mr, |o, c, put| {
        let all = factors(o, c);
        for f in 0..count * count {
            put(f, all[f / count][f % count]);
        }
    })
}
