//! Scalar products of rows: the innermost loop where both operands are stored along the sum, as the input and the
//! weight of a linear layer are. Nothing is packed.
//!
//! A sum runs in 16 chains, element `i` in chain `i % 16`, which are added pairwise at the end, so that its bits do
//! not depend on which other products are computed with it: a batch gives the same rows as single calls.

/// Rows of each operand in one block.
pub(super) const BLOCK: usize = 4;

const LANES: usize = 16;

pub(super) type Rows<'a> = [&'a [f32]; BLOCK];
pub(super) type Products = [[f32; BLOCK]; BLOCK];

/// One of the functions below, for rows of one length.
pub(super) type Dots = unsafe fn(Rows<'_>, Rows<'_>) -> Products;

/// By intrinsics: the compiler reads each row of `b` anew for each of `a`, and rows that are shifted planes of an image lie
/// across two cache lines.
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
#[target_feature(enable = "avx512f")]
pub(super) fn avx512(a: Rows<'_>, b: Rows<'_>) -> Products {
    use std::arch::x86_64::*;

    let len = a[0].len();
    assert!(a.iter().chain(&b).all(|row| row.len() == len), "rows of different lengths");
    let mut sums = [[_mm512_setzero_ps(); BLOCK]; BLOCK];
    let mut p = 0;
    while p < len {
        let left = (len - p).min(LANES);
        let lanes = if left == LANES { !0 } else { (1 << left) - 1 };
        // SAFETY: the lanes that are read are inside the rows, all of that length.
        let load = |row: &[f32]| unsafe { _mm512_maskz_loadu_ps(lanes, row.as_ptr().add(p)) };
        let b = [load(b[0]), load(b[1]), load(b[2]), load(b[3])];
        for (row, sums) in a.iter().zip(&mut sums) {
            let a = load(row);
            for (sum, &b) in sums.iter_mut().zip(&b) {
                *sum = _mm512_fmadd_ps(a, b, *sum);
            }
        }
        p += LANES;
    }
    // SAFETY: both are 16 values of four bytes.
    let chains = |sum: __m512| unsafe { std::mem::transmute::<__m512, [f32; LANES]>(sum) };
    sums.map(|row| row.map(|sum| pairwise(chains(sum))))
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
pub(super) fn avx2(a: Rows<'_>, b: Rows<'_>) -> Products {
    block::<1, true>(a, b)
}

pub(super) fn portable(a: Rows<'_>, b: Rows<'_>) -> Products {
    block::<BLOCK, false>(a, b)
}

/// `R` rows of `a` at a time, so that the sums fit the registers.
#[inline(always)]
fn block<const R: usize, const FMA: bool>(a: Rows<'_>, b: Rows<'_>) -> Products {
    let count = a[0].len() / LANES;
    // Slices of one length: with a check in the loop, the sums would go through memory.
    let mut whole = [[[].as_slice(); BLOCK]; 2];
    let mut rest = [[[0.0; LANES]; BLOCK]; 2];
    for (i, rows) in [a, b].iter().enumerate() {
        for (j, row) in rows.iter().enumerate() {
            let (chunks, tail) = row.as_chunks::<LANES>();
            whole[i][j] = &chunks[..count];
            rest[i][j][..tail.len()].copy_from_slice(tail);
        }
    }
    let [a, b] = whole;
    let mut products = [[0.0; BLOCK]; BLOCK];
    for first in (0..BLOCK).step_by(R) {
        let mut sums = [[[0.0f32; LANES]; BLOCK]; R];
        for p in 0..count {
            for i in 0..R {
                for j in 0..BLOCK {
                    add::<FMA>(&a[first + i][p], &b[j][p], &mut sums[i][j]);
                }
            }
        }
        for (i, sums) in sums.iter_mut().enumerate() {
            for (j, sum) in sums.iter_mut().enumerate() {
                add::<FMA>(&rest[0][first + i], &rest[1][j], sum);
                products[first + i][j] = pairwise(*sum);
            }
        }
    }
    products
}

/// The sum of the chains.
#[inline(always)]
fn pairwise(mut sum: [f32; LANES]) -> f32 {
    for half in [8, 4, 2, 1] {
        for l in 0..half {
            sum[l] += sum[l + half];
        }
    }
    sum[0]
}

#[inline(always)]
fn add<const FMA: bool>(a: &[f32; LANES], b: &[f32; LANES], sum: &mut [f32; LANES]) {
    for l in 0..LANES {
        sum[l] = if FMA { a[l].mul_add(b[l], sum[l]) } else { sum[l] + a[l] * b[l] };
    }
}
