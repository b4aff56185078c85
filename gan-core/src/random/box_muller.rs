//! Normals from uniform words, with the same bits on every machine.
//!
//! A system's `ln`, `sin` and `cos` differ in their last bits from one libm to the next, and from a GPU's.
//! Here they are polynomials in f64, of only those operations that IEEE 754 rounds exactly (+ - * / and the
//! square root), in a fixed order. A kernel that repeats them must not fuse a product with a sum.

use std::f64::consts::{LN_2, PI, SQRT_2};

/// Two independent standard normals by the Box-Muller transform: with u = (a + 1) / 2^32 and v = b / 2^32,
/// sqrt(-2 ln u) times the cosine and the sine of 2 pi v. None exceeds 6.67 in magnitude.
pub(super) fn pair(a: u32, b: u32) -> [f32; 2] {
    let radius = (-2.0 * ln_fraction(a)).sqrt();
    let (sin, cos) = sin_cos_turn(b);
    [(radius * cos) as f32, (radius * sin) as f32]
}

/// ln((a + 1) / 2^32), to about 2 units in the last place.
fn ln_fraction(a: u32) -> f64 {
    // n = m 2^e with m of [sqrt(1/2), sqrt(2)): there the series is short, and near u = 1 nothing cancels.
    let n = u64::from(a) + 1;
    let mut e = n.ilog2();
    let mut m = n as f64 / (1_u64 << e) as f64;
    if m > SQRT_2 {
        m /= 2.0;
        e += 1;
    }
    // ln m = 2 artanh s = 2 (s + s^3/3 + s^5/5 + ...), |s| < 0.172.
    let s = (m - 1.0) / (m + 1.0);
    let z = s * s;
    let mut series = 1.0 / 21.0;
    for odd in [19.0, 17.0, 15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0, 1.0] {
        series = series * z + 1.0 / odd;
    }
    (f64::from(e) - 32.0) * LN_2 + 2.0 * s * series
}

/// Sine and cosine of b / 2^32 turns, to about 2 units in the last place of 1.
fn sin_cos_turn(b: u32) -> (f64, f64) {
    // The nearest quarter turn is split off in integers, hence exactly; |x| <= pi / 4 remains.
    let quarter = b.wrapping_add(1 << 29) >> 30;
    let rest = b.wrapping_sub(quarter << 30).cast_signed();
    let x = f64::from(rest) * (PI / 2_147_483_648.0);
    let z = x * x;
    // Horner's scheme for the Taylor series: 1 - z/(2*3) (1 - z/(4*5) (...)), and with 1*2, 3*4 the cosine.
    // A product with the rounded reciprocal, as division is slow.
    let mut sin = 1.0;
    let mut cos = 1.0;
    for k in [14.0, 12.0, 10.0, 8.0, 6.0, 4.0, 2.0] {
        sin = 1.0 - z * (1.0 / (k * (k + 1.0))) * sin;
    }
    for k in [16.0, 14.0, 12.0, 10.0, 8.0, 6.0, 4.0, 2.0] {
        cos = 1.0 - z * (1.0 / ((k - 1.0) * k)) * cos;
    }
    sin *= x;
    match quarter {
        0 => (sin, cos),
        1 => (cos, -sin),
        2 => (-sin, -cos),
        _ => (-cos, sin),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words whose neighbourhoods are special, and some thousands spread over all.
    fn words() -> impl Iterator<Item = u32> {
        let near = |word: u32| (-2..=2_i32).map(move |d| word.wrapping_add_signed(d));
        let special =
            (0..32).flat_map(move |bit| near(1 << bit).chain(near(3 << (bit.max(1) - 1))));
        special.chain((0..20_000_u32).map(|i| i.wrapping_mul(0x9E37_79B9)))
    }

    #[test]
    fn logarithm_is_close_to_the_systems() {
        for word in words().chain([u32::MAX, u32::MAX - 1]) {
            let wanted = ((f64::from(word) + 1.0) / 4_294_967_296.0).ln();
            let found = ln_fraction(word);
            assert!((found - wanted).abs() <= 1e-15 * wanted.abs(), "{word}: {found} {wanted}");
        }
    }

    #[test]
    fn sine_and_cosine_are_close_to_the_systems() {
        for word in words() {
            let (sin, cos) = (f64::from(word) / 4_294_967_296.0 * (2.0 * PI)).sin_cos();
            let found = sin_cos_turn(word);
            // The system's own angle is off by up to an ulp of 2 pi.
            assert!((found.0 - sin).abs() < 2e-15 && (found.1 - cos).abs() < 2e-15, "{word}");
        }
        assert_eq!(sin_cos_turn(0), (0.0, 1.0));
        assert_eq!(sin_cos_turn(1 << 30), (1.0, 0.0));
        assert_eq!(sin_cos_turn(2 << 30), (0.0, -1.0));
        assert_eq!(sin_cos_turn(3 << 30), (-1.0, 0.0));
    }

    #[test]
    fn extremes_are_finite() {
        assert_eq!(pair(u32::MAX, 5), [0.0, 0.0]);
        let [cos, sin] = pair(0, 0);
        assert!((cos - 6.660_44).abs() < 1e-5 && sin == 0.0, "{cos} {sin}");
    }
}
