//! FIR resampling.

use gan_core::backend::UpFirDn;

use super::View;
use crate::device::Cuda;
use crate::driver::{Buffer, File, Scalar};
use crate::error::{Error, Result};

/// Results of a block of the tiled kernel.
const TILE: [usize; 2] = [16, 32];

pub(crate) fn upfirdn(cuda: &Cuda, op: &UpFirDn, x: View<'_>, out: &[usize]) -> Result<Buffer> {
    let (n, t) = (out.iter().product(), cuda.scalar());
    let taps = cuda.constant(taps(op), Scalar::F32)?;
    let mut y = cuda.buffer("upfirdn2d", n)?;
    let tiled = fits_tile(op, out);
    let launch = cuda
        .launch(File::UpFirDn, if tiled { "upfirdn_tile" } else { "upfirdn" })?
        .read(x.buffer, t, x.len())
        .read(&taps, Scalar::F32, op.filter.taps().len())
        .write(&mut y, t, n);
    let geometry = geometry(op, x.shape, out)?;
    if tiled {
        let planes = out[0] * out[1];
        let tiles = planes * out[2].div_ceil(TILE[0]) * out[3].div_ceil(TILE[1]);
        launch.count(planes).words(geometry).blocks(tiles, 256)?;
    } else {
        launch.count(n).words(geometry).each(n)?;
    }
    Ok(y)
}

/// Whether the tiled kernel can do it, and has at least half of a tile to do.
fn fits_tile(op: &UpFirDn, out: &[usize]) -> bool {
    op.filter.size().iter().all(|&taps| taps <= 8)
        && op.down.iter().all(|&down| down <= 2)
        && out[2] >= TILE[0] / 2
        && out[3] >= TILE[1] / 2
}

/// The taps in the order of a correlation, times the gain, as the bits of `f32`.
fn taps(op: &UpFirDn) -> Vec<u32> {
    let bits = |tap: &f64| ((op.gain * tap) as f32).to_bits();
    let taps = op.filter.taps().iter();
    if op.flip { taps.map(bits).collect() } else { taps.rev().map(bits).collect() }
}

/// The kernels' struct `UpFirDn`.
fn geometry(op: &UpFirDn, x: &[usize], out: &[usize]) -> Result<Vec<u32>> {
    let wrong = |found: String| Error::Unsupported {
        op: "upfirdn2d",
        limit: "fewer than 2^31 rows and columns, zeros between and around pixels included",
        found,
    };
    for axis in 0..2 {
        let reach = reach(op, axis, x[2 + axis], out[2 + axis]);
        if i32::try_from(reach).is_err() {
            return Err(wrong(reach.to_string()));
        }
    }
    let [taps_h, taps_w] = op.filter.size();
    let sizes = [[x[2], x[3]], [out[2], out[3]], [taps_h, taps_w], op.up, op.down];
    let size = |&n: &usize| i32::try_from(n).map_err(|_| wrong(n.to_string()));
    let pad =
        |&[before, _]: &[isize; 2]| i32::try_from(before).map_err(|_| wrong(before.to_string()));
    let fields = sizes.as_flattened().iter().map(size).chain(op.padding.iter().map(pad));
    fields.map(|field| field.map(i32::cast_unsigned)).collect()
}

/// A bound on the places along an axis that the kernels compute with 32 bits: tiles extend beyond the result, and a
/// window's start is rounded up to the next pixel.
fn reach(op: &UpFirDn, axis: usize, input: usize, output: usize) -> usize {
    let widened = input.saturating_mul(op.up[axis]);
    let stepped = output.saturating_add(TILE[axis]).saturating_mul(op.down[axis]);
    let [before, after] = op.padding[axis].map(isize::unsigned_abs);
    [before, after, op.up[axis]].into_iter().fold(widened.max(stepped), usize::saturating_add)
}

#[cfg(test)]
mod tests {
    use gan_core::backend::Filter;

    use super::*;

    #[test]
    fn places_are_within_the_reach_of_32_bits() {
        let of = |up: usize, down: usize, padding: [isize; 2], input: usize, output: usize| {
            let filter = Filter::outer(&[1.0]).unwrap();
            let (up, down, padding) = ([1, up], [1, down], [[0; 2], padding]);
            let op = UpFirDn { filter, up, down, padding, flip: false, gain: 1.0 };
            geometry(&op, &[1, 1, 1, input], &[1, 1, 1, output])
        };
        let most = i32::MAX as usize;
        assert_eq!(
            of(2, 1, [-3, 0], 8, 13).map(|words| (words.len(), words[11])).ok(),
            Some((12, -3i32 as u32))
        );
        assert!(of(1, 1, [0, 0], most - 33, most - 33).is_ok());
        let beyond = [
            of(1, 1, [0, 0], most, most),
            of(64, 64, [0, 0], 1 << 25, 1 << 25),
            of(1 << 30, 1 << 30, [0, 0], 2, 2),
            of(1, 1 << 20, [1 << 30, 1 << 30], 1, 2048),
            of(1, 1, [-(1 << 31), 1 << 31], 1, 1),
            of(usize::MAX, 1, [isize::MIN; 2], 1, 1),
        ];
        for result in beyond {
            let error = result.unwrap_err();
            assert!(matches!(error, Error::Unsupported { op: "upfirdn2d", .. }), "{error}");
            assert!(error.to_string().contains("2^31"), "{error}");
        }
    }
}
