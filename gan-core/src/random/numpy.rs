//! The generator behind `numpy.random.RandomState`, whose numbers published seeds refer to.

use rand_mt::Mt;

use crate::error::{Error, Result};

/// Repeats `numpy.random.RandomState(seed)` bit for bit: MT19937, and normals by Marsaglia's polar method.
///
/// Methods may be mixed freely; each consumes the stream as numpy's does. The one operation that IEEE 754
/// does not fix is the natural logarithm inside [`randn`](Self::randn): with a libm other than glibc's, an
/// f64 may differ in its last bit, which rounding to f32 hides but for about one value in 10^9.
///
/// ```
/// use gan_core::random::numpy::RandomState;
/// let mut state = RandomState::new(0);
/// assert_eq!(state.randn() as f32, 1.7640524);
/// ```
#[derive(Clone, Debug)]
pub struct RandomState {
    mt: Mt,
    /// The second normal of the last pair, which the next call returns.
    cached: Option<f64>,
}

impl RandomState {
    /// The generator that numpy makes of an integer seed.
    pub fn new(seed: u32) -> Self {
        RandomState { mt: Mt::new(seed), cached: None }
    }

    /// A sample of the standard normal distribution, as `randn()`.
    pub fn randn(&mut self) -> f64 {
        if let Some(cached) = self.cached.take() {
            return cached;
        }
        // A point of the unit disc, without its centre where the logarithm has a pole.
        let (x1, x2, r2) = loop {
            let x1 = 2.0 * self.uniform() - 1.0;
            let x2 = 2.0 * self.uniform() - 1.0;
            let r2 = x1 * x1 + x2 * x2;
            if r2 < 1.0 && r2 != 0.0 {
                break (x1, x2, r2);
            }
        };
        let f = (-2.0 * r2.ln() / r2).sqrt();
        // numpy hands out the second coordinate first.
        self.cached = Some(f * x1);
        f * x2
    }

    /// `n` samples of [`randn`](Self::randn), each rounded to f32: `randn(n).astype(numpy.float32)`.
    pub fn randn_f32(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| self.randn() as f32).collect()
    }

    /// A sample of the uniform distribution on [0, 1) with 53 random bits, as `uniform()`.
    pub fn uniform(&mut self) -> f64 {
        let high = f64::from(self.mt.next_u32() >> 5);
        let low = f64::from(self.mt.next_u32() >> 6);
        (high * 67_108_864.0 + low) / 9_007_199_254_740_992.0
    }

    /// An integer of `low..high`, as `randint(low, high)` with numpy's default type int64; ranges of less
    /// than 2^32 integers give what int32 gives too.
    ///
    /// # Errors
    /// [`Error::Argument`] if `low..high` is empty.
    pub fn randint(&mut self, low: i64, high: i64) -> Result<i64> {
        if low >= high {
            return Err(Error::argument("randint", "low < high", format!("{low}..{high}")));
        }
        // The largest offset from `low`; i64::MIN..i64::MAX still fits.
        let span = high.abs_diff(low) - 1;
        if span == 0 {
            return Ok(low);
        }
        // Masked rejection: cut a draw to the bits of `span`, and draw again while it exceeds `span`.
        let mask = u64::MAX >> span.leading_zeros();
        loop {
            let word = if span <= u64::from(u32::MAX) {
                u64::from(self.mt.next_u32())
            } else {
                u64::from(self.mt.next_u32()) << 32 | u64::from(self.mt.next_u32())
            };
            if word & mask <= span {
                return Ok(low.wrapping_add_unsigned(word & mask));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use safetensors::{Dtype, SafeTensors};

    const SEEDS: [u32; 5] = [0, 1, 42, 85, u32::MAX];

    fn with_golden(check: impl Fn(&SafeTensors<'_>)) {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/golden/random/numpy_random_state.safetensors"
        );
        let bytes = std::fs::read(path).unwrap();
        check(&SafeTensors::deserialize(&bytes).unwrap());
    }

    fn words<const N: usize>(file: &SafeTensors<'_>, name: &str, dtype: Dtype) -> Vec<[u8; N]> {
        let tensor = file.tensor(name).unwrap();
        assert_eq!(tensor.dtype(), dtype);
        tensor.data().as_chunks::<N>().0.to_vec()
    }

    #[test]
    fn randn_is_numpys_bit_for_bit() {
        with_golden(|file| {
            for seed in SEEDS {
                let wanted = words::<4>(file, &format!("out.randn_{seed}"), Dtype::F32);
                assert_eq!(wanted.len(), 128);
                let found = RandomState::new(seed).randn_f32(128);
                let found: Vec<_> = found.into_iter().map(f32::to_le_bytes).collect();
                assert_eq!(found, wanted, "seed {seed}");

                let wanted = words::<8>(file, &format!("out.randn64_{seed}_first"), Dtype::F64);
                assert_eq!(RandomState::new(seed).randn().to_le_bytes(), wanted[0]);
            }
        });
    }

    #[test]
    fn uniform_is_numpys_bit_for_bit() {
        with_golden(|file| {
            for seed in SEEDS {
                let wanted = words::<8>(file, &format!("out.uniform_{seed}"), Dtype::F64);
                let mut state = RandomState::new(seed);
                let found: Vec<_> = (0..16).map(|_| state.uniform().to_le_bytes()).collect();
                assert_eq!(found, wanted, "seed {seed}");
            }
        });
    }

    #[test]
    fn randint_is_numpys() {
        with_golden(|file| {
            for seed in SEEDS {
                let wanted = words::<8>(file, &format!("out.randint_{seed}"), Dtype::I64);
                let wanted: Vec<_> = wanted.into_iter().map(i64::from_le_bytes).collect();
                let mut state = RandomState::new(seed);
                let found: Vec<_> = (0..16).map(|_| state.randint(0, 1000).unwrap()).collect();
                assert_eq!(found, wanted, "seed {seed}");
            }
        });
    }

    #[test]
    fn randint_keeps_to_its_range() {
        let mut state = RandomState::new(3);
        for (low, high) in [
            (0, 1),
            (-5, 5),
            (0, 1 << 32),
            (0, (1 << 32) + 1),
            (-(1 << 40), 1 << 50),
            (i64::MIN, i64::MAX),
        ] {
            for _ in 0..100 {
                let found = state.randint(low, high).unwrap();
                assert!((low..high).contains(&found), "{found} of {low}..{high}");
            }
        }
        assert!(matches!(state.randint(2, 2), Err(Error::Argument { .. })));
        assert!(matches!(state.randint(2, -2), Err(Error::Argument { .. })));
    }

    #[test]
    fn a_clone_continues_alike() {
        let mut state = RandomState::new(9);
        state.randn();
        let mut copy = state.clone();
        assert_eq!(state.randn_f32(5), copy.randn_f32(5));
    }
}
