//! Tiles to factors and products to tiles, a vector of tiles at a time, for each instruction set.

#![allow(unsafe_code)]

use super::scheme::{F2, F4, MOST, Scheme};
use super::vector::{Plain, Vector};

/// The transforms of one form for one instruction set.
///
/// The functions are unsafe only in that the processor must have the instructions.
pub(in super::super) struct Transforms {
    /// Tiles that are transformed at once.
    pub(super) lanes: usize,
    /// From rows of neighbouring tiles, `RESULTS * lanes + 2` pixels each, times a factor, to factors; see [`factors`].
    pub(super) rows: unsafe fn([&[f32]; MOST], f32, &mut [f32], usize),
    /// The same from tiles that need not be neighbours: `[row][column][lane]`, with [`MOST`] rows and columns.
    pub(super) tiles: unsafe fn(&[f32], &mut [f32], usize),
    /// From products to rows of pixels; see [`results`].
    pub(super) results: unsafe fn(&[f32], usize, [&mut [f32]; 4]),
}

/// `F(2x2, 3x3)` and `F(4x4, 3x3)`.
pub(in super::super) type Forms = [Transforms; 2];

macro_rules! transforms {
    ($vector:ty, $scheme:ty $(, $feature:literal)?) => {{
        $(#[target_feature(enable = $feature)])?
        fn rows(rows: [&[f32]; MOST], scale: f32, out: &mut [f32], stride: usize) {
            factors::<$vector, $scheme>(&gather::<$vector, $scheme>(rows, scale), out, stride);
        }
        $(#[target_feature(enable = $feature)])?
        fn tiles(values: &[f32], out: &mut [f32], stride: usize) {
            let mut tiles = [[<$vector>::splat(0.0); MOST]; MOST];
            let lanes = values.chunks_exact(<$vector>::LANES);
            tiles.iter_mut().flatten().zip(lanes).for_each(|(t, v)| *t = <$vector>::load(v));
            factors::<$vector, $scheme>(&tiles, out, stride);
        }
        $(#[target_feature(enable = $feature)])?
        fn output(products: &[f32], stride: usize, rows: [&mut [f32]; 4]) {
            results::<$vector, $scheme>(products, stride, rows);
        }
        Transforms { lanes: <$vector>::LANES, rows, tiles, results: output }
    }};
}

pub(in super::super) static PORTABLE: Forms = [transforms!(Plain, F2), transforms!(Plain, F4)];

#[cfg(target_arch = "x86_64")]
pub(in super::super) static AVX2: Forms = [
    transforms!(super::vector_x86::Avx2, F2, "avx2,fma"),
    transforms!(super::vector_x86::Avx2, F4, "avx2,fma"),
];

#[cfg(target_arch = "x86_64")]
pub(in super::super) static AVX512: Forms = [
    transforms!(super::vector_x86::Avx512, F2, "avx512f"),
    transforms!(super::vector_x86::Avx512, F4, "avx512f"),
];

/// Pixels of some tiles, by row and column within the tile.
type Tiles<V> = [[V; MOST]; MOST];

/// Reads rows of neighbouring tiles: `rows` holds, for each row of the tiles, `RESULTS * LANES + 2` pixels.
#[inline(always)]
fn gather<V: Vector, S: Scheme>(rows: [&[f32]; MOST], scale: f32) -> Tiles<V> {
    let mut tiles = [[V::splat(0.0); MOST]; MOST];
    let factor = V::splat(scale);
    for i in 0..S::POINTS {
        let lanes = S::split::<V>(rows[i]);
        for j in 0..S::RESULTS {
            tiles[i][j] = lanes[j].mul(factor);
        }
        // The last two columns are the first two of the next tile.
        for j in 0..2 {
            let end = scale * rows[i][S::RESULTS * V::LANES + j];
            tiles[i][S::RESULTS + j] = tiles[i][j].shift(end);
        }
    }
    tiles
}

/// Writes the factors of tiles: factor `f` to `out[f * stride..]`.
#[inline(always)]
fn factors<V: Vector, S: Scheme>(tiles: &Tiles<V>, out: &mut [f32], stride: usize) {
    let mut columns = [[V::splat(0.0); MOST]; MOST];
    for j in 0..S::POINTS {
        let mut column = [V::splat(0.0); MOST];
        for i in 0..S::POINTS {
            column[i] = tiles[i][j];
        }
        let column = S::input(column);
        for i in 0..S::POINTS {
            columns[i][j] = column[i];
        }
    }
    for (i, row) in columns.into_iter().enumerate().take(S::POINTS) {
        let row = S::input(row);
        for j in 0..S::POINTS {
            row[j].store(&mut out[(i * S::POINTS + j) * stride..]);
        }
    }
}

/// Reads product `f` of tiles from `products[f * stride..]` and writes their rows of pixels, `RESULTS * LANES` each.
#[inline(always)]
fn results<V: Vector, S: Scheme>(products: &[f32], stride: usize, rows: [&mut [f32]; 4]) {
    let mut columns = [[V::splat(0.0); MOST]; 4];
    for j in 0..S::POINTS {
        let mut column = [V::splat(0.0); MOST];
        for i in 0..S::POINTS {
            column[i] = V::load(&products[(i * S::POINTS + j) * stride..]);
        }
        let column = S::output(column);
        for i in 0..S::RESULTS {
            columns[i][j] = column[i];
        }
    }
    for (row, lanes) in rows.into_iter().zip(columns).take(S::RESULTS) {
        S::join(S::output(lanes), row);
    }
}
