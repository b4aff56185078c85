//! Vectors of neighbouring tiles, one lane a tile.

/// A register of an instruction set.
///
/// Everything is inlined into functions that have the target features; that the processor has them too is for the callers
/// of those to see to.
pub(super) trait Vector: Copy {
    /// Number of lanes.
    const LANES: usize;

    fn splat(value: f32) -> Self;
    /// The first [`Vector::LANES`] values.
    fn load(values: &[f32]) -> Self;
    fn store(self, values: &mut [f32]);
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    /// `factor * x + self`, rounded once where the processor can.
    fn plus(self, factor: f32, x: Self) -> Self;

    /// Every second pixel, from the first and from the second on.
    fn split2(pixels: &[f32]) -> [Self; 2];
    /// Every fourth pixel, from each of the first four on.
    fn split4(pixels: &[f32]) -> [Self; 4];
    /// The opposite of [`Vector::split2`].
    fn join2(lanes: [Self; 2], pixels: &mut [f32]);
    /// The opposite of [`Vector::split4`].
    fn join4(lanes: [Self; 4], pixels: &mut [f32]);
    /// Each lane from the next one, the last from `end`.
    fn shift(self, end: f32) -> Self;
}

/// Eight values on any processor.
#[derive(Clone, Copy)]
pub(super) struct Plain([f32; 8]);

impl Plain {
    #[inline(always)]
    fn zip(mut self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        self.0.iter_mut().zip(other.0).for_each(|(a, b)| *a = f(*a, b));
        self
    }

    #[inline(always)]
    fn split<const N: usize>(pixels: &[f32]) -> [Self; N] {
        std::array::from_fn(|j| Plain(std::array::from_fn(|t| pixels[N * t + j])))
    }

    #[inline(always)]
    fn join<const N: usize>(lanes: [Self; N], pixels: &mut [f32]) {
        for (t, tile) in pixels[..8 * N].chunks_exact_mut(N).enumerate() {
            tile.iter_mut().zip(&lanes).for_each(|(pixel, lane)| *pixel = lane.0[t]);
        }
    }
}

impl Vector for Plain {
    const LANES: usize = 8;

    #[inline(always)]
    fn splat(value: f32) -> Self {
        Plain([value; 8])
    }

    #[inline(always)]
    fn load(values: &[f32]) -> Self {
        Plain(std::array::from_fn(|t| values[t]))
    }

    #[inline(always)]
    fn store(self, values: &mut [f32]) {
        values[..8].copy_from_slice(&self.0);
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }

    #[inline(always)]
    fn plus(self, factor: f32, x: Self) -> Self {
        self.zip(x, |a, b| factor * b + a)
    }

    #[inline(always)]
    fn split2(pixels: &[f32]) -> [Self; 2] {
        Self::split(pixels)
    }

    #[inline(always)]
    fn split4(pixels: &[f32]) -> [Self; 4] {
        Self::split(pixels)
    }

    #[inline(always)]
    fn join2(lanes: [Self; 2], pixels: &mut [f32]) {
        Self::join(lanes, pixels);
    }

    #[inline(always)]
    fn join4(lanes: [Self; 4], pixels: &mut [f32]) {
        Self::join(lanes, pixels);
    }

    #[inline(always)]
    fn shift(self, end: f32) -> Self {
        Plain(std::array::from_fn(|t| if t < 7 { self.0[t + 1] } else { end }))
    }
}
