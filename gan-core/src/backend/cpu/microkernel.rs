//! The innermost loops: of every convolution, a small block of `C += A * B` kept in registers; of linear layers, the scalar
//! products of `dots.rs`.
//!
//! `A` comes in panels of `mr` rows, stored `[k][mr]`; `B` in panels of `nr` columns, stored `[k][nr]`. Each element of
//! `C` is a chain of fused multiply-adds in ascending `k`, whatever the block sizes: AVX-512 and AVX2 give the
//! same bits, and so does any way to cut the work into tiles.
//!
//! Sizes: 8 x 32 fills half of the 32 AVX-512 registers with sums, enough chains to hide the latency of an FMA,
//! and divides all channel counts of the networks; 16 x 16 wastes less of an image of 4 x 4 pixels; 4 x 24 fills 12 of the 16
//! AVX2 registers.

#![allow(unsafe_code)]

use super::dots::{self, Dots, Products, Rows};
use super::resample::{self, Filter};
use super::winograd::{self, Forms};

/// The innermost loops for one instruction set.
pub(super) struct Microkernel {
    pub(super) name: &'static str,
    pub(super) mr: usize,
    pub(super) nr: usize,
    /// Adds to what is in `C`.
    block: Block,
    /// Overwrites it.
    fresh: Block,
    dots: Dots,
    pub(super) filter: Filter,
    pub(super) winograd: &'static Forms,
    /// One with fewer columns, for the same instructions and the same bits.
    narrow: Option<&'static Microkernel>,
}

/// Depth, panels of `A` and `B`, block of `C` and the distance of its rows.
type Block = unsafe fn(usize, *const f32, *const f32, *mut f32, usize);

impl Microkernel {
    /// The kernel that wastes least where a task never has more than so many columns.
    pub(super) fn for_columns(&self, columns: usize) -> &Microkernel {
        self.narrow.filter(|narrow| columns <= narrow.nr).unwrap_or(self)
    }

    /// Adds the product of an `mr x k` panel and a `k x nr` panel to the block at the start of `c`, whose rows are
    /// `stride` apart.
    pub(super) fn run(&self, k: usize, a: &[f32], b: &[f32], c: &mut [f32], stride: usize) {
        self.check(k, a, b, c, stride);
        // SAFETY: the lengths were checked above, and `available` lists a kernel only if the processor has its
        // instructions.
        unsafe { (self.block)(k, a.as_ptr(), b.as_ptr(), c.as_mut_ptr(), stride) }
    }

    /// As [`Microkernel::run`], but overwrites the block.
    pub(super) fn product(&self, k: usize, a: &[f32], b: &[f32], c: &mut [f32], stride: usize) {
        self.check(k, a, b, c, stride);
        // SAFETY: as above.
        unsafe { (self.fresh)(k, a.as_ptr(), b.as_ptr(), c.as_mut_ptr(), stride) }
    }

    fn check(&self, k: usize, a: &[f32], b: &[f32], c: &[f32], stride: usize) {
        assert!(a.len() >= k * self.mr && b.len() >= k * self.nr, "panels shorter than k");
        assert!(c.len() >= (self.mr - 1) * stride + self.nr, "block outside of C");
    }

    /// The scalar products of each row of `a` with each row of `b`, all of one length.
    pub(super) fn dots(&self, a: Rows<'_>, b: Rows<'_>) -> Products {
        assert!(a.iter().chain(&b).all(|row| row.len() == a[0].len()), "rows of different lengths");
        // SAFETY: `available` lists a kernel only if the processor has its instructions.
        unsafe { (self.dots)(a, b) }
    }
}

/// The kernels that this processor runs, fastest first; never empty.
pub(super) fn available() -> Vec<&'static Microkernel> {
    let mut kernels = Vec::with_capacity(3);
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl") {
            kernels.push(&x86::AVX512);
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            kernels.push(&x86::AVX2);
        }
    }
    kernels.push(&PORTABLE);
    kernels
}

static PORTABLE: Microkernel = Microkernel {
    name: "portable",
    mr: 4,
    nr: 8,
    block: portable::<true>,
    fresh: portable::<false>,
    dots: dots::portable,
    filter: resample::portable,
    winograd: &winograd::PORTABLE,
    narrow: None,
};

/// # Safety
/// `a` and `b` hold `k` rows of 4 and 8 values, `c` four rows of 8 values `stride` apart.
unsafe fn portable<const ADD: bool>(
    k: usize,
    a: *const f32,
    b: *const f32,
    c: *mut f32,
    stride: usize,
) {
    let mut sums = [[0.0f32; 8]; 4];
    if ADD {
        // As in the other kernels, a sum goes on: its bits must not depend on how many pieces it comes in.
        for (i, row) in sums.iter_mut().enumerate() {
            // SAFETY: row i of the block, see above.
            *row = unsafe { *c.add(i * stride).cast::<[f32; 8]>() };
        }
    }
    for p in 0..k {
        // SAFETY: p < k, see above.
        let (a, b) =
            unsafe { (&*a.add(4 * p).cast::<[f32; 4]>(), &*b.add(8 * p).cast::<[f32; 8]>()) };
        for (row, &a) in sums.iter_mut().zip(a) {
            row.iter_mut().zip(b).for_each(|(sum, &b)| *sum += a * b);
        }
    }
    for (i, row) in sums.iter().enumerate() {
        // SAFETY: row i of the block, see above.
        unsafe { *c.add(i * stride).cast::<[f32; 8]>() = *row };
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{Microkernel, dots, resample, winograd};

    pub(super) static AVX512: Microkernel = Microkernel {
        name: "avx512",
        mr: 8,
        nr: 32,
        block: avx512::<true, 8, 2>,
        fresh: avx512::<false, 8, 2>,
        dots: dots::avx512,
        filter: resample::avx512,
        winograd: &winograd::AVX512,
        narrow: Some(&AVX512_NARROW),
    };
    static AVX512_NARROW: Microkernel = Microkernel {
        name: "avx512, 16 columns",
        mr: 16,
        nr: 16,
        block: avx512::<true, 16, 1>,
        fresh: avx512::<false, 16, 1>,
        dots: dots::avx512,
        filter: resample::avx512,
        winograd: &winograd::AVX512,
        narrow: None,
    };
    pub(super) static AVX2: Microkernel = Microkernel {
        name: "avx2",
        mr: 4,
        nr: 24,
        block: avx2::<true>,
        fresh: avx2::<false>,
        dots: dots::avx2,
        filter: resample::avx2,
        winograd: &winograd::AVX2,
        narrow: None,
    };

    /// # Safety
    /// The processor has AVX-512F; `a` and `b` hold `k` rows of `MR` and `16 * NV` values, `c` `MR` rows of `16 * NV` values
    /// `stride` apart.
    #[target_feature(enable = "avx512f")]
    unsafe fn avx512<const ADD: bool, const MR: usize, const NV: usize>(
        k: usize,
        a: *const f32,
        b: *const f32,
        c: *mut f32,
        stride: usize,
    ) {
        let mut sums = [[_mm512_setzero_ps(); NV]; MR];
        for (i, row) in sums.iter_mut().enumerate().filter(|_| ADD) {
            for (j, sum) in row.iter_mut().enumerate() {
                // SAFETY: 16 values of row i of the block, see above.
                *sum = unsafe { _mm512_loadu_ps(c.add(i * stride + 16 * j)) };
            }
        }
        for p in 0..k {
            // SAFETY: p < k, see above.
            let b: [__m512; NV] =
                std::array::from_fn(|j| unsafe { _mm512_loadu_ps(b.add(16 * (NV * p + j))) });
            for (i, row) in sums.iter_mut().enumerate() {
                // SAFETY: p < k and i < MR, see above.
                let a = _mm512_set1_ps(unsafe { *a.add(MR * p + i) });
                for (sum, &b) in row.iter_mut().zip(&b) {
                    *sum = _mm512_fmadd_ps(a, b, *sum);
                }
            }
        }
        for (i, row) in sums.iter().enumerate() {
            for (j, &sum) in row.iter().enumerate() {
                // SAFETY: as for the loads.
                unsafe { _mm512_storeu_ps(c.add(i * stride + 16 * j), sum) };
            }
        }
    }

    /// # Safety
    /// The processor has AVX2 and FMA; `a` and `b` hold `k` rows of 4 and 24 values, `c` four rows of 24 values
    /// `stride` apart.
    #[target_feature(enable = "avx2,fma")]
    unsafe fn avx2<const ADD: bool>(
        k: usize,
        a: *const f32,
        b: *const f32,
        c: *mut f32,
        stride: usize,
    ) {
        let mut sums = [[_mm256_setzero_ps(); 3]; 4];
        for (i, row) in sums.iter_mut().enumerate().filter(|_| ADD) {
            for (j, sum) in row.iter_mut().enumerate() {
                // SAFETY: 8 values of row i of the block, see above.
                *sum = unsafe { _mm256_loadu_ps(c.add(i * stride + 8 * j)) };
            }
        }
        for p in 0..k {
            // SAFETY: p < k, see above.
            let b = unsafe { [0, 1, 2].map(|j| _mm256_loadu_ps(b.add(24 * p + 8 * j))) };
            for (i, row) in sums.iter_mut().enumerate() {
                // SAFETY: p < k and i < 4, see above.
                let a = _mm256_set1_ps(unsafe { *a.add(4 * p + i) });
                for (sum, &b) in row.iter_mut().zip(&b) {
                    *sum = _mm256_fmadd_ps(a, b, *sum);
                }
            }
        }
        for (i, row) in sums.iter().enumerate() {
            for (j, &sum) in row.iter().enumerate() {
                // SAFETY: as for the loads.
                unsafe { _mm256_storeu_ps(c.add(i * stride + 8 * j), sum) };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kernel_takes_scalar_products() {
        for kernel in available() {
            for len in [0, 1, 15, 16, 17, 100] {
                let row = |r: usize| {
                    (0..len).map(|i| ((i * 7 + r * 3) % 11) as f32 - 5.0).collect::<Vec<_>>()
                };
                let (a, b) = ([0, 1, 2, 3].map(row), [4, 5, 6, 7].map(row));
                let products =
                    kernel.dots(a.each_ref().map(|r| &r[..]), b.each_ref().map(|r| &r[..]));
                for (a, products) in a.iter().zip(products) {
                    for (b, found) in b.iter().zip(products) {
                        let expected: f32 = a.iter().zip(b).map(|(a, b)| a * b).sum();
                        assert_eq!(found, expected, "{} length {len}", kernel.name);
                    }
                }
            }
        }
    }

    #[test]
    fn every_kernel_multiplies() {
        for kernel in available().into_iter().flat_map(|k| [Some(k), k.narrow]).flatten() {
            let (mr, nr) = (kernel.mr, kernel.nr);
            for k in [0, 1, 2, 7, 33] {
                let a: Vec<f32> = (0..k * mr).map(|i| (i % 13) as f32 - 6.0).collect();
                let b: Vec<f32> = (0..k * nr).map(|i| (i % 7) as f32 - 3.0).collect();
                let stride = nr + 5;
                let mut c = vec![1.0f32; mr * stride];
                kernel.run(k, &a, &b, &mut c, stride);
                for i in 0..mr {
                    for j in 0..stride {
                        let product: f32 = (0..k).map(|p| a[p * mr + i] * b[p * nr + j % nr]).sum();
                        let expected = if j < nr { 1.0 + product } else { 1.0 };
                        assert_eq!(c[i * stride + j], expected, "{} k {k} ({i}, {j})", kernel.name);
                    }
                }
            }
        }
    }
}
