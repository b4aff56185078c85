//! Inputs for operators, and how far two results are apart.

/// `n` values that look random and are the same everywhere (splitmix64), in [0, 1) and exact in `f32`.
pub(crate) fn uniform(n: usize, seed: u64) -> Vec<f64> {
    (1..=n as u64)
        .map(|i| {
            let mut z = seed.wrapping_add(i.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((z ^ (z >> 31)) >> 40) as f64 / (1u64 << 24) as f64
        })
        .collect()
}

/// As [`uniform`], of either sign, with magnitudes from 0.0625 to 2: away from the kink at zero.
pub(crate) fn signed(n: usize, seed: u64) -> Vec<f64> {
    let signed = |u: f64| (2.0 * u - 1.0).signum() * (0.0625 + 1.9375 * (2.0 * u - 1.0).abs());
    uniform(n, seed).into_iter().map(|u| f64::from(signed(u) as f32)).collect()
}

/// `max|a - r| / max|r|`, or `max|a|` where `r` is zero throughout; infinite where there is a NaN.
pub(crate) fn distance(a: &[f64], r: &[f64]) -> f64 {
    if a.len() != r.len() {
        return f64::INFINITY;
    }
    let apart = |(a, r): (&f64, &f64)| match (a - r).abs() {
        d if d.is_nan() => f64::INFINITY,
        d => d,
    };
    let largest = r.iter().fold(0.0f64, |m, r| m.max(r.abs()));
    let error = a.iter().zip(r).map(apart).fold(0.0, f64::max);
    if largest > 0.0 { error / largest } else { error }
}
