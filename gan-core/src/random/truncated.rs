//! The normal distribution cut off at two standard deviations, as BigGAN's prior is.

use std::f64::consts::PI;

use super::numpy::RandomState;

/// Samples further from the mean than this are redrawn.
const BOUND: f64 = 2.0;

/// `n` samples as `scipy.stats.truncnorm.rvs(-2, 2, size=n, random_state=RandomState(seed)).astype(float32)` gives them:
/// the quantile function at uniform numbers, up to the rounding of f32.
pub(super) fn truncated_normal_f32(state: &mut RandomState, n: usize) -> Vec<f32> {
    (0..n).map(|_| quantile(state.uniform()) as f32).collect()
}

/// The x below which a share `p` of the truncated distribution lies.
fn quantile(p: f64) -> f64 {
    let wanted = (p - 0.5) * 2.0 * half_mass(BOUND);
    let mut x: f64 = 0.0;
    // From 0 outwards the distribution function is concave, so that Newton's steps approach the root from within.
    for _ in 0..20 {
        let step = (wanted - half_mass(x)) / density(x);
        x += step;
        if step.abs() < 1e-15 {
            break;
        }
    }
    x.clamp(-BOUND, BOUND)
}

fn density(x: f64) -> f64 {
    (-0.5 * x * x).exp() / (2.0 * PI).sqrt()
}

/// Mass of the normal distribution between 0 and x: `density(x) * (x + x^3/3 + x^5/(3*5) + ...)`.
fn half_mass(x: f64) -> f64 {
    let (mut term, mut sum) = (x, x);
    let mut odd = 3.0;
    while term.abs() > 1e-17 * sum.abs() {
        term *= x * x / odd;
        sum += term;
        odd += 2.0;
    }
    density(x) * sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_the_truncated_normal() {
        // Python: d = statistics.NormalDist(); d.inv_cdf(d.cdf(-2) + p * (d.cdf(2) - d.cdf(-2)))
        let known = [
            (0.001, -1.9826256205020178),
            (0.1, -1.1840324666939048),
            (0.25, -0.639111910871273),
            (0.4, -0.24158718514107674),
            (0.6, 0.24158718514107674),
            (0.9, 1.1840324666939053),
            (0.999, 1.9826256205020183),
        ];
        for (p, x) in known {
            assert!((quantile(p) - x).abs() < 1e-13, "{p}: {} {x}", quantile(p));
            assert!((quantile(1.0 - p) + x).abs() < 1e-13);
        }
        assert_eq!(quantile(0.5), 0.0);
        assert!((quantile(0.0) + 2.0).abs() < 1e-13 && (quantile(1.0) - 2.0).abs() < 1e-13);
    }

    #[test]
    fn samples_follow_from_the_seed_alone() {
        let samples = truncated_normal_f32(&mut RandomState::new(3), 1000);
        assert_eq!(samples, truncated_normal_f32(&mut RandomState::new(3), 1000));
        assert!(samples.iter().all(|x| x.abs() <= 2.0));
        // Python: the quantile function above at numpy.random.RandomState(3).uniform().
        assert!((samples[0] - 0.1218386).abs() < 1e-6, "{}", samples[0]);
        let variance = samples.iter().map(|x| x * x).sum::<f32>() / 1000.0;
        assert!((variance - 0.774).abs() < 0.08, "{variance}");
    }
}
