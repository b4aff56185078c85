//! The two forms of the algorithm, along one axis.
//!
//! `F(m, 3)` computes `m` results of a correlation with three taps from `m + 2` pixels by as many products (Winograd 1980; Lavin
//! and Gray 2016). `F(2, 3)` interpolates at 0, 1, -1 and infinity, `F(4, 3)` at 0, ±1/√2, ±√2 and infinity, which loses half as
//! many bits as the usual 0, ±1, ±2.

use std::f32::consts::{FRAC_1_SQRT_2, SQRT_2};

use super::vector::Vector;

/// Products along one axis in the larger form.
pub(super) const MOST: usize = 6;

/// One form. Arrays are as long as the larger form needs them.
pub(super) trait Scheme {
    /// Results of a tile along one axis: 2 or 4.
    const RESULTS: usize;
    /// Pixels, and products, of a tile along one axis.
    const POINTS: usize = Self::RESULTS + 2;

    /// Pixels of `RESULTS` columns from rows of neighbouring tiles; see [`Vector::split4`].
    fn split<V: Vector>(pixels: &[f32]) -> [V; 4];

    /// The opposite of [`Scheme::split`].
    fn join<V: Vector>(lanes: [V; 4], pixels: &mut [f32]);

    /// Pixels to the factors that come from them.
    fn input<V: Vector>(d: [V; MOST]) -> [V; MOST];

    /// Products to results.
    fn output<V: Vector>(m: [V; MOST]) -> [V; 4];

    /// Taps to the factors that come from them.
    fn weight(w: [f64; 3]) -> [f64; MOST];
}

/// Tiles of 2 x 2: 2.25 times fewer products than taps.
pub(super) struct F2;

impl Scheme for F2 {
    const RESULTS: usize = 2;

    #[inline(always)]
    fn split<V: Vector>(pixels: &[f32]) -> [V; 4] {
        let [a, b] = V::split2(pixels);
        [a, b, a, b]
    }

    #[inline(always)]
    fn join<V: Vector>([a, b, _, _]: [V; 4], pixels: &mut [f32]) {
        V::join2([a, b], pixels);
    }

    #[inline(always)]
    fn input<V: Vector>(d: [V; MOST]) -> [V; MOST] {
        let zero = V::splat(0.0);
        [d[0].sub(d[2]), d[1].add(d[2]), d[2].sub(d[1]), d[3].sub(d[1]), zero, zero]
    }

    #[inline(always)]
    fn output<V: Vector>(m: [V; MOST]) -> [V; 4] {
        [m[0].add(m[1].add(m[2])), m[1].sub(m[2]).add(m[3]), V::splat(0.0), V::splat(0.0)]
    }

    fn weight([a, b, c]: [f64; 3]) -> [f64; MOST] {
        [a, (a + b + c) / 2.0, (a - b + c) / 2.0, c, 0.0, 0.0]
    }
}

/// Tiles of 4 x 4: four times fewer products than taps.
pub(super) struct F4;

impl Scheme for F4 {
    const RESULTS: usize = 4;

    #[inline(always)]
    fn split<V: Vector>(pixels: &[f32]) -> [V; 4] {
        V::split4(pixels)
    }

    #[inline(always)]
    fn join<V: Vector>(lanes: [V; 4], pixels: &mut [f32]) {
        V::join4(lanes, pixels);
    }

    #[inline(always)]
    fn input<V: Vector>(d: [V; MOST]) -> [V; MOST] {
        let a = d[4].plus(-2.0, d[2]);
        let b = d[3].mul(V::splat(FRAC_1_SQRT_2)).plus(-SQRT_2, d[1]);
        let c = d[4].plus(-0.5, d[2]);
        let e = d[3].mul(V::splat(SQRT_2)).plus(-FRAC_1_SQRT_2, d[1]);
        [
            d[0].add(d[4]).plus(-2.5, d[2]),
            a.add(b),
            a.sub(b),
            c.add(e),
            c.sub(e),
            d[1].add(d[5]).plus(-2.5, d[3]),
        ]
    }

    #[inline(always)]
    fn output<V: Vector>(m: [V; MOST]) -> [V; 4] {
        let (even, odd) = (m[1].add(m[2]), m[1].sub(m[2]));
        let (far, wide) = (m[3].add(m[4]), m[3].sub(m[4]));
        [
            m[0].add(even).add(far),
            wide.mul(V::splat(SQRT_2)).plus(FRAC_1_SQRT_2, odd),
            far.mul(V::splat(2.0)).plus(0.5, even),
            m[5].plus(2.0 * SQRT_2, wide).plus(FRAC_1_SQRT_2 / 2.0, odd),
        ]
    }

    fn weight([a, b, c]: [f64; 3]) -> [f64; MOST] {
        let root = std::f64::consts::SQRT_2;
        let (near, tilt) = (-(2.0 * a + c) / 3.0, -root * b / 3.0);
        let (far, lean) = ((a + 2.0 * c) / 6.0, root * b / 6.0);
        [a, near + tilt, near - tilt, far + lean, far - lean, c]
    }
}
