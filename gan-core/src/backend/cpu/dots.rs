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
/// across two cache lines. Without `avx512vl`, shorter vectors reach half of the registers, one too few for all sums and a row.
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
#[target_feature(enable = "avx512f,avx512vl")]
pub(super) fn avx512(a: Rows<'_>, b: Rows<'_>) -> Products {
    use std::arch::x86_64::*;

    let len = a[0].len();
    assert!(a.iter().chain(&b).all(|row| row.len() == len), "rows of different lengths");
    let mut sums = [[_mm512_setzero_ps(); BLOCK]; BLOCK];
    // The loops call nothing that takes a function: what has not the features is not inlined.
    for p in (0..len).step_by(LANES) {
        let left = len - p;
        let lanes = if left >= LANES { !0 } else { (1 << left) - 1 };
        let mut loaded = [_mm512_setzero_ps(); BLOCK];
        for (vector, row) in loaded.iter_mut().zip(&b) {
            // SAFETY: the lanes that are read are inside the rows, all of that length.
            *vector = unsafe { _mm512_maskz_loadu_ps(lanes, row.as_ptr().add(p)) };
        }
        for (row, sums) in a.iter().zip(&mut sums) {
            // SAFETY: as above.
            let a = unsafe { _mm512_maskz_loadu_ps(lanes, row.as_ptr().add(p)) };
            for (sum, &b) in sums.iter_mut().zip(&loaded) {
                *sum = _mm512_fmadd_ps(a, b, *sum);
            }
        }
    }
    let mut products = [[0.0; BLOCK]; BLOCK];
    for (row, products) in sums.iter().zip(&mut products) {
        // The same order of additions as `pairwise`, the last two for four sums at once.
        let mut quarters = [_mm_setzero_ps(); BLOCK];
        for (quarter, &sum) in quarters.iter_mut().zip(row) {
            let upper = _mm512_extractf64x4_pd::<1>(_mm512_castps_pd(sum));
            let half = _mm256_add_ps(_mm512_castps512_ps256(sum), _mm256_castpd_ps(upper));
            *quarter = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps::<1>(half));
        }
        let [a, b, c, d] = quarters;
        let (ab, ab_) = (_mm_unpacklo_ps(a, b), _mm_unpackhi_ps(a, b));
        let (cd, cd_) = (_mm_unpacklo_ps(c, d), _mm_unpackhi_ps(c, d));
        let even = _mm_add_ps(_mm_movelh_ps(ab, cd), _mm_movelh_ps(ab_, cd_));
        let odd = _mm_add_ps(_mm_movehl_ps(cd, ab), _mm_movehl_ps(cd_, ab_));
        // SAFETY: there is room for four values.
        unsafe { _mm_storeu_ps(products.as_mut_ptr(), _mm_add_ps(even, odd)) };
    }
    products
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
