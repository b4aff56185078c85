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
        limit: "factors and paddings below 2^31",
        found,
    };
    let [taps_h, taps_w] = op.filter.size();
    let sizes = [[x[2], x[3]], [out[2], out[3]], [taps_h, taps_w], op.up, op.down];
    let size = |&n: &usize| i32::try_from(n).map_err(|_| wrong(n.to_string()));
    let pad =
        |&[before, _]: &[isize; 2]| i32::try_from(before).map_err(|_| wrong(before.to_string()));
    let fields = sizes.as_flattened().iter().map(size).chain(op.padding.iter().map(pad));
    fields.map(|field| field.map(i32::cast_unsigned)).collect()
}
