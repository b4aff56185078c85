//! The forms of the algorithm, along one axis.
//!
//! `F(m, 3)` computes `m` results of a correlation with three taps from `m + 2` pixels by as many products (Winograd 1980; Lavin
//! and Gray 2016). `F(2, 3)` interpolates at 0, 1, -1 and infinity, `F(4, 3)` at 0, ±1/√2, ±√2 and infinity, which loses half as
//! many bits as the usual 0, ±1, ±2.

use std::f32::consts::{FRAC_1_SQRT_2, SQRT_2};

use super::vector::Vector;

/// Pixels along one axis in the largest form.
pub(super) const MOST: usize = 6;

/// What a form's tiles look like, along one axis.
pub(super) struct Geometry {
    /// Results of a tile: 2 or 4.
    pub(super) results: usize,
    /// Pixels from one tile to the next.
    pub(super) step: usize,
    /// Pixels that a tile reads, and factors that come from them.
    pub(super) points: usize,
    /// Factors of the weight.
    pub(super) weights: usize,
    /// Sums of products.
    pub(super) sums: usize,
    /// Every product: its factor of the weight, that of the pixels, and the sum it belongs to.
    pub(super) products: &'static [[usize; 3]],
}

/// A product of a matrix of the weight.
pub(super) struct Product {
    /// Factor of the pixels.
    pub(super) factor: usize,
    pub(super) sum: usize,
    /// Whether the sum starts with it.
    pub(super) is_first: bool,
}

/// The products of each matrix of the weight.
pub(super) fn products(form: &Geometry) -> Vec<Vec<Product>> {
    let mut matrices: Vec<Vec<Product>> = (0..form.weights.pow(2)).map(|_| Vec::new()).collect();
    for [row_weight, row_factor, row_sum] in form.products {
        for [weight, factor, sum] in form.products {
            matrices[row_weight * form.weights + weight].push(Product {
                factor: row_factor * form.points + factor,
                sum: row_sum * form.sums + sum,
                is_first: false,
            });
        }
    }
    let mut seen = vec![false; form.sums.pow(2)];
    for product in matrices.iter_mut().flatten() {
        product.is_first = !std::mem::replace(&mut seen[product.sum], true);
    }
    matrices
}

/// One form. Arrays are as long as the largest form needs them.
pub(super) trait Scheme {
    const GEOMETRY: Geometry;

    /// Pixels of `step` columns from rows of neighbouring tiles; see [`Vector::split4`].
    fn split<V: Vector>(pixels: &[f32]) -> [V; 4];

    /// Rows of pixels from `results` columns; see [`Vector::join4`].
    fn join<V: Vector>(lanes: [V; 4], pixels: &mut [f32]);

    /// Pixels to the factors that come from them.
    fn input<V: Vector>(d: [V; MOST]) -> [V; MOST];

    /// Sums of products to results.
    fn output<V: Vector>(m: [V; MOST]) -> [V; 4];

    /// Taps to the factors that come from them.
    fn weight(w: [f64; 3]) -> [f64; MOST];
}

/// Products with a factor and a sum for each.
const ONE_EACH: [[usize; 3]; MOST] =
    [[0, 0, 0], [1, 1, 1], [2, 2, 2], [3, 3, 3], [4, 4, 4], [5, 5, 5]];

/// Tiles of 2 x 2: 2.25 times fewer products than taps.
pub(super) struct F2;

impl Scheme for F2 {
    const GEOMETRY: Geometry = Geometry {
        results: 2,
        step: 2,
        points: 4,
        weights: 4,
        sums: 4,
        products: ONE_EACH.split_at(4).0,
    };

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
    const GEOMETRY: Geometry =
        Geometry { results: 4, step: 4, points: 6, weights: 6, sums: 6, products: &ONE_EACH };

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

/// Tiles of 2 x 2 at stride 2: 6.25 products for a result's nine taps.
///
/// Result `i` meets odd pixels by its middle tap and even ones by the others, and the latter are a correlation with two taps, of
/// which Winograd's `F(2, 2)` computes two results by three products:
///
/// ```text
/// w0 (x0 - x2) + w1 x1    (w0 + w2) x2    w2 (x4 - x2) + w1 x3
/// ```
///
/// The first result is the sum of the first two, the second that of the last two.
pub(super) struct Halved;

impl Scheme for Halved {
    const GEOMETRY: Geometry = Geometry {
        results: 2,
        step: 4,
        points: 5,
        weights: 4,
        sums: 3,
        products: &[[0, 0, 0], [1, 1, 0], [2, 2, 1], [3, 4, 2], [1, 3, 2]],
    };

    #[inline(always)]
    fn split<V: Vector>(pixels: &[f32]) -> [V; 4] {
        V::split4(pixels)
    }

    #[inline(always)]
    fn join<V: Vector>([a, b, _, _]: [V; 4], pixels: &mut [f32]) {
        V::join2([a, b], pixels);
    }

    #[inline(always)]
    fn input<V: Vector>(d: [V; MOST]) -> [V; MOST] {
        [d[0].sub(d[2]), d[1], d[2], d[3], d[4].sub(d[2]), V::splat(0.0)]
    }

    #[inline(always)]
    fn output<V: Vector>(m: [V; MOST]) -> [V; 4] {
        [m[0].add(m[1]), m[1].add(m[2]), V::splat(0.0), V::splat(0.0)]
    }

    fn weight([a, b, c]: [f64; 3]) -> [f64; MOST] {
        [a, b, a + c, c, 0.0, 0.0]
    }
}
