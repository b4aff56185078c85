//! Tiles to factors and products to tiles, a vector of tiles at a time, for each instruction set.

#![allow(unsafe_code)]

use super::scheme::{F2, F4, Geometry, Halved, MOST, Scheme};
use super::up::PAIRS;
use super::vector::{Plain, Vector};

/// The transforms of one form for one instruction set.
///
/// The functions are unsafe only in that the processor must have the instructions.
pub(in super::super) struct Transforms {
    /// Tiles that are transformed at once.
    pub(super) lanes: usize,
    /// From rows of neighbouring tiles, all of their pixels, times a factor, to factors; see [`factors`].
    pub(super) rows: unsafe fn([&[f32]; MOST], f32, &mut [f32], usize),
    /// The same from tiles that need not be neighbours; see [`apart`].
    pub(super) tiles: unsafe fn(&[f32], &mut [f32], usize),
    /// From sums of products to rows of pixels; see [`results`].
    pub(super) results: unsafe fn(&[f32], usize, [&mut [f32]; 4]),
}

/// Where the pixels of the tiles of an up-sampling layer start, by row and column within the tile.
pub(super) type Places = [[usize; 3]; 3];

/// The transforms of the up-sampling layer for one instruction set; unsafe as above.
pub(in super::super) struct UpTransforms {
    /// Tiles that are transformed at once.
    pub(super) lanes: usize,
    /// From a row of pixels to its thirds; see [`up_thirds`].
    pub(super) thirds: unsafe fn(&[f32], f32, usize, &mut [f32], usize),
    /// From pixels to factors; see [`up_factors`].
    pub(super) factors: unsafe fn(&[f32], &Places, &mut [f32], usize),
    /// From products to rows of results; see [`up_results`].
    pub(super) results: unsafe fn(&[f32], usize, [&mut [f32]; 4]),
    /// The sum of four lines, each times its tap; whole vectors are written.
    pub(super) filter: unsafe fn([&[f32]; 4], [f32; 4], &mut [f32]),
}

/// All transforms for one instruction set.
pub(in super::super) struct Forms {
    /// Of each [`Form`](super::Form).
    pub(super) tiles: [Transforms; 3],
    pub(super) up: UpTransforms,
    /// Writes a stretch of a layer of StyleGAN2 from the sums of its convolution; unsafe as above.
    pub(in super::super) leaky: unsafe fn(&Leaky<'_>, &[f32], &mut [f32]),
}

/// What follows the convolution in a layer of StyleGAN2 that ends in a leaky ReLU.
pub(in super::super) struct Leaky<'a> {
    pub(in super::super) demod: f32,
    pub(in super::super) bias: f32,
    pub(in super::super) alpha: f32,
    pub(in super::super) gain: f32,
    pub(in super::super) noise: Option<&'a [f32]>,
}

impl Leaky<'_> {
    #[inline(always)]
    fn finish(&self, values: &[f32], out: &mut [f32]) {
        match self.noise {
            None => {
                out.iter_mut().zip(values).for_each(|(o, v)| *o = self.at(v * self.demod));
            }
            Some(noise) => {
                let values = values.iter().zip(noise);
                out.iter_mut().zip(values).for_each(|(o, (v, n))| *o = self.at(v * self.demod + n));
            }
        }
    }

    #[inline(always)]
    fn at(&self, sum: f32) -> f32 {
        let x = sum + self.bias;
        self.gain * if x > 0.0 { x } else { self.alpha * x }
    }
}

macro_rules! transforms {
    ($vector:ty, $scheme:ty $(, $feature:literal)?) => {{
        $(#[target_feature(enable = $feature)])?
        fn rows(rows: [&[f32]; MOST], scale: f32, out: &mut [f32], stride: usize) {
            factors::<$vector, $scheme>(&gather::<$vector, $scheme>(rows, scale), out, stride);
        }
        $(#[target_feature(enable = $feature)])?
        fn tiles(pixels: &[f32], out: &mut [f32], stride: usize) {
            factors::<$vector, $scheme>(&apart::<$vector, $scheme>(pixels), out, stride);
        }
        $(#[target_feature(enable = $feature)])?
        fn output(products: &[f32], stride: usize, rows: [&mut [f32]; 4]) {
            results::<$vector, $scheme>(products, stride, rows);
        }
        Transforms { lanes: <$vector>::LANES, rows, tiles, results: output }
    }};
}

macro_rules! up_transforms {
    ($vector:ty $(, $feature:literal)?) => {{
        $(#[target_feature(enable = $feature)])?
        fn thirds(line: &[f32], scale: f32, columns: usize, out: &mut [f32], len: usize) {
            up_thirds::<$vector>(line, scale, columns, out, len);
        }
        $(#[target_feature(enable = $feature)])?
        fn input(pixels: &[f32], places: &Places, out: &mut [f32], stride: usize) {
            up_factors::<$vector>(pixels, places, out, stride);
        }
        $(#[target_feature(enable = $feature)])?
        fn output(products: &[f32], stride: usize, rows: [&mut [f32]; 4]) {
            up_results::<$vector>(products, stride, rows);
        }
        $(#[target_feature(enable = $feature)])?
        fn filter(lines: [&[f32]; 4], taps: [f32; 4], out: &mut [f32]) {
            filtered::<$vector>(lines, taps, out);
        }
        UpTransforms { lanes: <$vector>::LANES, thirds, factors: input, results: output, filter }
    }};
}

macro_rules! forms {
    ($vector:ty $(, $feature:literal)?) => {{
        $(#[target_feature(enable = $feature)])?
        fn leaky(leaky: &Leaky<'_>, values: &[f32], out: &mut [f32]) {
            leaky.finish(values, out);
        }
        Forms {
            tiles: [
                transforms!($vector, F2 $(, $feature)?),
                transforms!($vector, F4 $(, $feature)?),
                transforms!($vector, Halved $(, $feature)?),
            ],
            up: up_transforms!($vector $(, $feature)?),
            leaky,
        }
    }};
}

pub(in super::super) static PORTABLE: Forms = forms!(Plain);

#[cfg(target_arch = "x86_64")]
pub(in super::super) static AVX2: Forms = forms!(super::vector_x86::Avx2, "avx2,fma");

#[cfg(target_arch = "x86_64")]
pub(in super::super) static AVX512: Forms = forms!(super::vector_x86::Avx512, "avx512f");

/// Pixels of some tiles, by row and column within the tile.
type Tiles<V> = [[V; MOST]; MOST];

/// Reads rows of neighbouring tiles: `rows` holds, for each row of the tiles, all pixels that they read.
#[inline(always)]
fn gather<V: Vector, S: Scheme>(rows: [&[f32]; MOST], scale: f32) -> Tiles<V> {
    let Geometry { points, step, .. } = S::GEOMETRY;
    let mut tiles = [[V::splat(0.0); MOST]; MOST];
    let factor = V::splat(scale);
    for i in 0..points {
        let lanes = S::split::<V>(rows[i]);
        for j in 0..step {
            tiles[i][j] = lanes[j].mul(factor);
        }
        // The last columns are the first of the next tile.
        for j in 0..points - step {
            let end = scale * rows[i][step * V::LANES + j];
            tiles[i][step + j] = tiles[i][j].shift(end);
        }
    }
    tiles
}

/// Reads tiles that need not be neighbours: for each of their rows, the first `step` pixels of each tile, then as many from where
/// the next tile would begin, of which a tile reads the first.
#[inline(always)]
fn apart<V: Vector, S: Scheme>(pixels: &[f32]) -> Tiles<V> {
    let Geometry { points, step, .. } = S::GEOMETRY;
    let mut tiles = [[V::splat(0.0); MOST]; MOST];
    for i in 0..points {
        let row = &pixels[2 * i * step * V::LANES..];
        let (near, far) = (S::split::<V>(row), S::split::<V>(&row[step * V::LANES..]));
        tiles[i][..step].copy_from_slice(&near[..step]);
        tiles[i][step..points].copy_from_slice(&far[..points - step]);
    }
    tiles
}

/// Writes the factors of tiles: factor `f` to `out[f * stride..]`.
#[inline(always)]
fn factors<V: Vector, S: Scheme>(tiles: &Tiles<V>, out: &mut [f32], stride: usize) {
    let points = S::GEOMETRY.points;
    let mut columns = [[V::splat(0.0); MOST]; MOST];
    for j in 0..points {
        let mut column = [V::splat(0.0); MOST];
        for i in 0..points {
            column[i] = tiles[i][j];
        }
        let column = S::input(column);
        for i in 0..points {
            columns[i][j] = column[i];
        }
    }
    for (i, row) in columns.into_iter().enumerate().take(points) {
        let row = S::input(row);
        for j in 0..points {
            row[j].store(&mut out[(i * points + j) * stride..]);
        }
    }
}

/// Reads sum `f` of tiles from `sums[f * stride..]` and writes their rows of pixels, `results * LANES` each.
#[inline(always)]
fn results<V: Vector, S: Scheme>(sums: &[f32], stride: usize, rows: [&mut [f32]; 4]) {
    let Geometry { sums: count, results, .. } = S::GEOMETRY;
    let mut columns = [[V::splat(0.0); MOST]; 4];
    for j in 0..count {
        let mut column = [V::splat(0.0); MOST];
        for i in 0..count {
            column[i] = V::load(&sums[(i * count + j) * stride..]);
        }
        let column = S::output(column);
        for i in 0..results {
            columns[i][j] = column[i];
        }
    }
    for (row, lanes) in rows.into_iter().zip(columns).take(results) {
        S::join(S::output(lanes), row);
    }
}

/// Writes pixels `2t`, `2t + 1` and `2t + 2` of a row, for each of `columns` tiles `t`, times a factor: the first of them to `out`,
/// the others to `out[len..]` and `out[2 * len..]`. Whole vectors are read and written.
#[inline(always)]
fn up_thirds<V: Vector>(line: &[f32], scale: f32, columns: usize, out: &mut [f32], len: usize) {
    let scale = V::splat(scale);
    for t in (0..columns).step_by(V::LANES) {
        let [first, second] = V::split2(&line[2 * t..]);
        let [third, _] = V::split2(&line[2 * t + 2..]);
        first.mul(scale).store(&mut out[t..]);
        second.mul(scale).store(&mut out[len + t..]);
        third.mul(scale).store(&mut out[2 * len + t..]);
    }
}

/// Writes the factors of the up-sampling layer: factor `f` to `out[f * stride..]`, from the pixels of the tiles in row `i` and
/// column `j` at `pixels[places[i][j]..]`.
#[inline(always)]
fn up_factors<V: Vector>(pixels: &[f32], places: &Places, out: &mut [f32], stride: usize) {
    let mut columns = [[V::splat(0.0); 3]; 4];
    for j in 0..3 {
        let mut column = [V::splat(0.0); 3];
        for i in 0..3 {
            column[i] = V::load(&pixels[places[i][j]..]);
        }
        let column = up_input(column);
        for i in 0..4 {
            columns[i][j] = column[i];
        }
    }
    for (i, row) in columns.into_iter().enumerate() {
        let row = up_input(row);
        for j in 0..4 {
            row[j].store(&mut out[(i * 4 + j) * stride..]);
        }
    }
}

#[inline(always)]
fn up_input<V: Vector>([a, b, c]: [V; 3]) -> [V; 4] {
    [a.sub(b), b, c.sub(b), a]
}

/// Reads product `p` of the up-sampling layer from `products[p * stride..]` and writes rows of results, `4 * LANES` each.
#[inline(always)]
fn up_results<V: Vector>(products: &[f32], stride: usize, rows: [&mut [f32]; 4]) {
    let mut columns = [[V::splat(0.0); PAIRS.len()]; 4];
    for j in 0..PAIRS.len() {
        let mut column = [V::splat(0.0); PAIRS.len()];
        for i in 0..PAIRS.len() {
            column[i] = V::load(&products[(i * PAIRS.len() + j) * stride..]);
        }
        let column = up_output(column);
        for i in 0..4 {
            columns[i][j] = column[i];
        }
    }
    for (row, lanes) in rows.into_iter().zip(columns) {
        V::join4(up_output(lanes), row);
    }
}

#[inline(always)]
fn up_output<V: Vector>([a, b, c, first, second]: [V; PAIRS.len()]) -> [V; 4] {
    [first, a.add(b), second, b.add(c)]
}

#[inline(always)]
fn filtered<V: Vector>(lines: [&[f32]; 4], taps: [f32; 4], out: &mut [f32]) {
    let [a, b, c, d] = lines.map(|line| &line[..out.len()]);
    for at in (0..out.len()).step_by(V::LANES) {
        V::load(&a[at..])
            .mul(V::splat(taps[0]))
            .plus(taps[1], V::load(&b[at..]))
            .plus(taps[2], V::load(&c[at..]))
            .plus(taps[3], V::load(&d[at..]))
            .store(&mut out[at..]);
    }
}
