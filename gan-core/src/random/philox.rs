//! A counter-based generator: every number is a function of a seed and a position.

use rayon::prelude::*;

use super::box_muller;

/// Elements that one thread fills at a time; results do not depend on it.
const CHUNK: usize = 4096;

/// Set in the highest counter word for normals. No position reaches that bit, so normals and plain words
/// come from counters of their own, and a stream that mixes both has no hidden dependence.
const NORMALS: u32 = 1 << 31;

/// Philox4x32-10 (Salmon et al. 2011), whose whole state is a seed and a position.
///
/// Each draw, of any kind, moves the position on by one. With `block(c)` the four output words of the
/// counter `c` (128 bits, lowest word first) under the key `[seed mod 2^32, seed / 2^32]`, the draw at
/// position `p` is
///
/// - as a word: `block(p / 4)[p % 4]`;
/// - as a uniform: the word's upper 24 bits times 2^-24;
/// - as a normal: `block(p / 4 + 2^127)` gives two pairs of words `a, b`, lanes 0, 1 and 2, 3; `p` belongs to
///   the pair that has lane `p % 4`, and is sqrt(-2 ln u) cos(2 pi v) if `p` is even, and the same with the
///   sine if odd, where u = (a + 1) / 2^32 and v = b / 2^32, computed in f64 by operations that IEEE 754
///   fixes (`random/box_muller.rs`) and rounded to f32.
///
/// So the same numbers come on any machine, for any number of threads, and however a stream is cut.
///
/// ```
/// use gan_core::random::Philox;
/// let mut whole = [0.0; 10];
/// Philox::new(7).fill_normal(&mut whole);
///
/// let mut first = Philox::new(7);
/// for wanted in &whole[..3] {
///     assert_eq!(first.normal_f32(), *wanted);
/// }
/// let mut resumed = Philox::at(first.seed(), first.position());
/// let mut rest = [0.0; 7];
/// resumed.fill_normal(&mut rest);
/// assert_eq!(rest, whole[3..]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Philox {
    seed: u64,
    position: u128,
}

impl Philox {
    /// The stream of `seed` from its start. Streams of different seeds are independent.
    pub fn new(seed: u64) -> Self {
        Philox::at(seed, 0)
    }

    /// The stream of `seed` from `position`: continues a generator whose seed and position were saved.
    pub fn at(seed: u64, position: u128) -> Self {
        Philox { seed, position }
    }

    /// The stream's seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// How many draws came before the next one. After 2^128 draws it starts again at 0.
    pub fn position(&self) -> u128 {
        self.position
    }

    /// 32 random bits.
    pub fn next_u32(&mut self) -> u32 {
        self.draw(|seed, at| words(seed, at, 0))
    }

    /// A multiple of 2^-24 in [0, 1).
    pub fn uniform(&mut self) -> f32 {
        self.draw(uniforms)
    }

    /// A sample of the standard normal distribution, at most 6.67 in magnitude.
    pub fn normal_f32(&mut self) -> f32 {
        self.draw(normals)
    }

    /// Fills `out` with what as many calls of [`uniform`](Self::uniform) give, on the threads of the current
    /// rayon pool.
    pub fn fill_uniform(&mut self, out: &mut [f32]) {
        self.fill(out, uniforms);
    }

    /// Fills `out` with what as many calls of [`normal_f32`](Self::normal_f32) give, on the threads of the
    /// current rayon pool.
    pub fn fill_normal(&mut self, out: &mut [f32]) {
        self.fill(out, normals);
    }

    fn draw<T: Copy>(&mut self, four: fn(u64, u128) -> [T; 4]) -> T {
        let at = self.position;
        self.position = at.wrapping_add(1);
        four(self.seed, at / 4)[(at % 4) as usize]
    }

    fn fill(&mut self, out: &mut [f32], four: fn(u64, u128) -> [f32; 4]) {
        let (seed, start) = (self.seed, self.position);
        self.position = start.wrapping_add(out.len() as u128);
        out.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, out)| {
            let start = start.wrapping_add((chunk * CHUNK) as u128);
            let mut block = four(seed, start / 4);
            for (i, out) in out.iter_mut().enumerate() {
                let at = start.wrapping_add(i as u128);
                if at % 4 == 0 {
                    block = four(seed, at / 4);
                }
                *out = block[(at % 4) as usize];
            }
        });
    }
}

fn uniforms(seed: u64, at: u128) -> [f32; 4] {
    words(seed, at, 0).map(|word| (word >> 8) as f32 / 16_777_216.0)
}

fn normals(seed: u64, at: u128) -> [f32; 4] {
    let [a, b, c, d] = words(seed, at, NORMALS);
    let ([x, y], [z, w]) = (box_muller::pair(a, b), box_muller::pair(c, d));
    [x, y, z, w]
}

fn words(seed: u64, at: u128, highest: u32) -> [u32; 4] {
    let counter = [at as u32, (at >> 32) as u32, (at >> 64) as u32, (at >> 96) as u32 | highest];
    block(counter, [seed as u32, (seed >> 32) as u32])
}

/// Ten rounds of the Philox4x32 bijection.
fn block(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..10 {
        let [c0, c1, c2, c3] = counter;
        let left = u64::from(c0) * 0xD251_1F53;
        let right = u64::from(c2) * 0xCD9E_8D57;
        counter = [
            (right >> 32) as u32 ^ c1 ^ key[0],
            right as u32,
            (left >> 32) as u32 ^ c3 ^ key[1],
            left as u32,
        ];
        key = [key[0].wrapping_add(0x9E37_79B9), key[1].wrapping_add(0xBB67_AE85)];
    }
    counter
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers_of_random123() {
        for (counter, key, wanted) in [
            ([0; 4], [0; 2], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
            ([!0; 4], [!0; 2], [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
            (
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xa409_3822, 0x299f_31d0],
                [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
            ),
        ] {
            assert_eq!(block(counter, key), wanted);
        }
    }

    #[test]
    fn words_follow_the_documented_order() {
        let seed = 0x299f_31d0_a409_3822;
        let at = 0x0370_7344_1319_8a2e_85a3_08d3_243f_6a88_u128;
        let mut stream = Philox::at(seed, at.wrapping_mul(4));
        // The highest two bits of a block number are lost in a position.
        let expected = words(seed, at & (u128::MAX >> 2), 0);
        assert_eq!(expected, std::array::from_fn(|_| stream.next_u32()));

        let mut stream = Philox::new(0);
        let first = [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8];
        assert_eq!(first, std::array::from_fn(|_| stream.next_u32()));
        assert_eq!(stream.position(), 4);
    }

    #[test]
    fn any_cut_gives_the_same_numbers() {
        let mut whole = vec![0.0; 3 * CHUNK + 5];
        Philox::at(11, 2).fill_normal(&mut whole);
        for cut in [0, 1, 2, 3, 4, 7, CHUNK - 1, CHUNK, CHUNK + 1, whole.len()] {
            let mut parts = vec![0.0; whole.len()];
            let (left, right) = parts.split_at_mut(cut);
            let mut stream = Philox::at(11, 2);
            stream.fill_normal(left);
            assert_eq!(stream.position(), 2 + cut as u128);
            Philox::at(stream.seed(), stream.position()).fill_normal(right);
            assert_eq!(parts, whole, "cut at {cut}");
        }
        let mut single = Philox::at(11, 2);
        assert!(whole.iter().all(|wanted| single.normal_f32() == *wanted));
    }

    #[test]
    fn positions_wrap_at_the_end() {
        let mut stream = Philox::at(5, u128::MAX);
        let mut two = [0.0; 2];
        stream.fill_uniform(&mut two);
        assert_eq!(stream.position(), 1);
        assert_eq!(two[1], Philox::new(5).uniform());
    }

    #[test]
    fn uniforms_are_uniform() {
        let mut values = vec![0.0; 1 << 18];
        Philox::new(1).fill_uniform(&mut values);
        let mut bins = [0_u32; 16];
        for value in &values {
            assert!((0.0..1.0).contains(value));
            bins[(value * 16.0) as usize] += 1;
        }
        // Chi squared with 15 degrees of freedom is above 44.3 once in 10^4.
        let wanted = values.len() as f64 / 16.0;
        let chi2: f64 = bins.iter().map(|&n| (f64::from(n) - wanted).powi(2) / wanted).sum();
        assert!(chi2 < 44.3, "{chi2}");
    }

    #[test]
    fn normals_are_normal_and_uncorrelated() {
        let mut values = vec![0.0; 1 << 20];
        Philox::new(2).fill_normal(&mut values);
        let n = values.len() as f64;
        let mean = |f: &dyn Fn(f64) -> f64| values.iter().map(|&x| f(x.into())).sum::<f64>() / n;
        // Five standard errors of each moment.
        for (power, wanted, variance) in
            [(1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0_f64)]
        {
            let found = mean(&|x| x.powi(power));
            assert!(
                (found - wanted).abs() < 5.0 * (variance / n).sqrt(),
                "moment {power}: {found}"
            );
        }
        for lag in 1..=8 {
            let products = values.iter().zip(&values[lag..]).map(|(x, y)| f64::from(x * y));
            let found = products.sum::<f64>() / n;
            assert!(found.abs() < 5.0 / n.sqrt(), "lag {lag}: {found}");
        }
        let inside = values.iter().filter(|x| x.abs() < 1.0).count() as f64 / n;
        assert!((inside - 0.682_689_5).abs() < 0.0023, "{inside}");
    }

    /// Computed from the documentation by another program. A changed mapping would break saved states and
    /// every kernel that repeats it.
    #[test]
    fn normals_are_frozen() {
        let wanted = [0x3eff_75b5, 0xbe61_d343, 0xbf62_df9a, 0x3f6a_0cd6, 0xbf86_b8a3, 0x4010_3993];
        let mut stream = Philox::new(42);
        assert_eq!(wanted, std::array::from_fn(|_| stream.normal_f32().to_bits()));

        let wanted = [0x3fd4_da5b, 0xbff5_bb17, 0xbb8f_f4c6];
        let mut stream = Philox::at(0x0123_4567_89ab_cdef, (1 << 101) + 6);
        assert_eq!(wanted, std::array::from_fn(|_| stream.normal_f32().to_bits()));
    }
}
