//! Registers of AVX2 and AVX-512.
//!
//! Safety: only functions with the target feature use these types, and those are called only where the processor has it.
//! Slices are cut to length before a pointer is taken.

#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::vector::Vector;

/// Sixteen values in an AVX-512 register.
#[derive(Clone, Copy)]
pub(super) struct Avx512(__m512);

/// Eight values in an AVX2 register.
#[derive(Clone, Copy)]
pub(super) struct Avx2(__m256);

/// `2 * i + j` for each `i`: the even or odd ones of two registers.
const fn every_second(j: i32) -> [i32; 16] {
    let mut index = [0; 16];
    let mut i = 0;
    while i < 16 {
        index[i] = 2 * i as i32 + j;
        i += 1;
    }
    index
}

/// Of two registers: every fourth from `j` on, then every fourth from `j + 1` on.
const fn every_fourth(j: i32) -> [i32; 16] {
    let mut index = [0; 16];
    let mut i = 0;
    while i < 8 {
        index[i] = 4 * i as i32 + j;
        index[i + 8] = 4 * i as i32 + j + 1;
        i += 1;
    }
    index
}

/// Of two registers in turn: eight each, from `start` on.
const fn in_turn(start: i32) -> [i32; 16] {
    let mut index = [0; 16];
    let mut i = 0;
    while i < 8 {
        index[2 * i] = start + i as i32;
        index[2 * i + 1] = 16 + start + i as i32;
        i += 1;
    }
    index
}

impl Avx512 {
    #[inline(always)]
    fn permute(a: __m512, index: &'static [i32; 16], b: __m512) -> __m512 {
        // SAFETY: see the module; the index has sixteen entries.
        unsafe { _mm512_permutex2var_ps(a, _mm512_loadu_si512(index.as_ptr().cast()), b) }
    }
}

impl Vector for Avx512 {
    const LANES: usize = 16;

    #[inline(always)]
    fn splat(value: f32) -> Self {
        // SAFETY: see the module.
        Avx512(unsafe { _mm512_set1_ps(value) })
    }

    #[inline(always)]
    fn load(values: &[f32]) -> Self {
        // SAFETY: see the module.
        Avx512(unsafe { _mm512_loadu_ps(values[..16].as_ptr()) })
    }

    #[inline(always)]
    fn store(self, values: &mut [f32]) {
        // SAFETY: see the module.
        unsafe { _mm512_storeu_ps(values[..16].as_mut_ptr(), self.0) };
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: see the module.
        Avx512(unsafe { _mm512_add_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        // SAFETY: see the module.
        Avx512(unsafe { _mm512_sub_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        // SAFETY: see the module.
        Avx512(unsafe { _mm512_mul_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn plus(self, factor: f32, x: Self) -> Self {
        // SAFETY: see the module.
        Avx512(unsafe { _mm512_fmadd_ps(_mm512_set1_ps(factor), x.0, self.0) })
    }

    #[inline(always)]
    fn split2(pixels: &[f32]) -> [Self; 2] {
        const EVEN: [i32; 16] = every_second(0);
        const ODD: [i32; 16] = every_second(1);
        let (a, b) = (Self::load(pixels).0, Self::load(&pixels[16..]).0);
        [Avx512(Self::permute(a, &EVEN, b)), Avx512(Self::permute(a, &ODD, b))]
    }

    #[inline(always)]
    fn split4(pixels: &[f32]) -> [Self; 4] {
        const FRONT: [i32; 16] = every_fourth(0);
        const BACK: [i32; 16] = every_fourth(2);
        let (a, b) = (Self::load(pixels).0, Self::load(&pixels[16..]).0);
        let (c, d) = (Self::load(&pixels[32..]).0, Self::load(&pixels[48..]).0);
        let (front, back) = (Self::permute(a, &FRONT, b), Self::permute(a, &BACK, b));
        let (front2, back2) = (Self::permute(c, &FRONT, d), Self::permute(c, &BACK, d));
        // SAFETY: see the module.
        unsafe {
            [
                Avx512(_mm512_shuffle_f32x4::<0x44>(front, front2)),
                Avx512(_mm512_shuffle_f32x4::<0xee>(front, front2)),
                Avx512(_mm512_shuffle_f32x4::<0x44>(back, back2)),
                Avx512(_mm512_shuffle_f32x4::<0xee>(back, back2)),
            ]
        }
    }

    #[inline(always)]
    fn join2([a, b]: [Self; 2], pixels: &mut [f32]) {
        const LOW: [i32; 16] = in_turn(0);
        const HIGH: [i32; 16] = in_turn(8);
        Avx512(Self::permute(a.0, &LOW, b.0)).store(pixels);
        Avx512(Self::permute(a.0, &HIGH, b.0)).store(&mut pixels[16..]);
    }

    #[inline(always)]
    fn join4([a, b, c, d]: [Self; 4], pixels: &mut [f32]) {
        const LOW: [i32; 16] = in_turn(0);
        const HIGH: [i32; 16] = in_turn(8);
        // Pixels 0 and 2 of each tile in turn, pixels 1 and 3 in turn, then these in turn.
        let (even, odd) = (Self::permute(a.0, &LOW, c.0), Self::permute(b.0, &LOW, d.0));
        Self::join2([Avx512(even), Avx512(odd)], pixels);
        let (even, odd) = (Self::permute(a.0, &HIGH, c.0), Self::permute(b.0, &HIGH, d.0));
        Self::join2([Avx512(even), Avx512(odd)], &mut pixels[32..]);
    }

    #[inline(always)]
    fn shift(self, end: f32) -> Self {
        // SAFETY: see the module.
        unsafe {
            let (lanes, end) = (_mm512_castps_si512(self.0), _mm512_set1_ps(end));
            let shifted = _mm512_alignr_epi32::<1>(_mm512_castps_si512(end), lanes);
            Avx512(_mm512_castsi512_ps(shifted))
        }
    }
}

impl Vector for Avx2 {
    const LANES: usize = 8;

    #[inline(always)]
    fn splat(value: f32) -> Self {
        // SAFETY: see the module.
        Avx2(unsafe { _mm256_set1_ps(value) })
    }

    #[inline(always)]
    fn load(values: &[f32]) -> Self {
        // SAFETY: see the module.
        Avx2(unsafe { _mm256_loadu_ps(values[..8].as_ptr()) })
    }

    #[inline(always)]
    fn store(self, values: &mut [f32]) {
        // SAFETY: see the module.
        unsafe { _mm256_storeu_ps(values[..8].as_mut_ptr(), self.0) };
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: see the module.
        Avx2(unsafe { _mm256_add_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        // SAFETY: see the module.
        Avx2(unsafe { _mm256_sub_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        // SAFETY: see the module.
        Avx2(unsafe { _mm256_mul_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn plus(self, factor: f32, x: Self) -> Self {
        // SAFETY: see the module.
        Avx2(unsafe { _mm256_fmadd_ps(_mm256_set1_ps(factor), x.0, self.0) })
    }

    #[inline(always)]
    fn split2(pixels: &[f32]) -> [Self; 2] {
        let (a, b) = (Self::load(pixels).0, Self::load(&pixels[8..]).0);
        // SAFETY: see the module.
        unsafe {
            // The shuffle takes the halves of registers one by one: lower halves of both first, then the upper ones.
            let (low, high) =
                (_mm256_permute2f128_ps::<0x20>(a, b), _mm256_permute2f128_ps::<0x31>(a, b));
            [Avx2(_mm256_shuffle_ps::<0x88>(low, high)), Avx2(_mm256_shuffle_ps::<0xdd>(low, high))]
        }
    }

    #[inline(always)]
    fn split4(pixels: &[f32]) -> [Self; 4] {
        // Twice every second pixel is every fourth.
        let [a, b] = Self::split2(pixels);
        let [c, d] = Self::split2(&pixels[16..]);
        let mut halves = [0.0; 32];
        for (i, half) in [a, c, b, d].into_iter().enumerate() {
            half.store(&mut halves[8 * i..]);
        }
        let ([zero, two], [one, three]) = (Self::split2(&halves), Self::split2(&halves[16..]));
        [zero, one, two, three]
    }

    #[inline(always)]
    fn join2([a, b]: [Self; 2], pixels: &mut [f32]) {
        // SAFETY: see the module.
        unsafe {
            let (low, high) = (_mm256_unpacklo_ps(a.0, b.0), _mm256_unpackhi_ps(a.0, b.0));
            Avx2(_mm256_permute2f128_ps::<0x20>(low, high)).store(pixels);
            Avx2(_mm256_permute2f128_ps::<0x31>(low, high)).store(&mut pixels[8..]);
        }
    }

    #[inline(always)]
    fn join4([a, b, c, d]: [Self; 4], pixels: &mut [f32]) {
        let mut halves = [0.0; 32];
        Self::join2([a, c], &mut halves);
        Self::join2([b, d], &mut halves[16..]);
        for i in 0..2 {
            let pair = [Self::load(&halves[8 * i..]), Self::load(&halves[16 + 8 * i..])];
            Self::join2(pair, &mut pixels[16 * i..]);
        }
    }

    #[inline(always)]
    fn shift(self, end: f32) -> Self {
        // SAFETY: see the module.
        unsafe {
            let index = _mm256_setr_epi32(1, 2, 3, 4, 5, 6, 7, 7);
            let shifted = _mm256_permutevar8x32_ps(self.0, index);
            Avx2(_mm256_blend_ps::<0x80>(shifted, _mm256_set1_ps(end)))
        }
    }
}
