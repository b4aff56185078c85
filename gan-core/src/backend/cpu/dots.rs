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

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
pub(super) fn avx512(a: Rows<'_>, b: Rows<'_>) -> Products {
    block::<BLOCK, true>(a, b)
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
    let len = a[0].len();
    let whole = len - len % LANES;
    let mut products = [[0.0; BLOCK]; BLOCK];
    for first in (0..BLOCK).step_by(R) {
        let mut sums = [[[0.0f32; LANES]; BLOCK]; R];
        let mut p = 0;
        while p < len {
            let lanes = |row: &[f32]| -> [f32; LANES] {
                let mut values = [0.0; LANES];
                if p < whole {
                    values.copy_from_slice(&row[p..p + LANES]);
                } else {
                    values[..len - whole].copy_from_slice(&row[whole..]);
                }
                values
            };
            let bs = b.map(lanes);
            for (i, sums) in sums.iter_mut().enumerate() {
                let a = lanes(a[first + i]);
                for (sum, b) in sums.iter_mut().zip(&bs) {
                    for l in 0..LANES {
                        sum[l] =
                            if FMA { a[l].mul_add(b[l], sum[l]) } else { sum[l] + a[l] * b[l] };
                    }
                }
            }
            p += LANES;
        }
        for (i, sums) in sums.iter_mut().enumerate() {
            for (j, sum) in sums.iter_mut().enumerate() {
                for half in [8, 4, 2, 1] {
                    for l in 0..half {
                        sum[l] += sum[l + half];
                    }
                }
                products[first + i][j] = sum[0];
            }
        }
    }
    products
}
