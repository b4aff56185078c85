//! The `f64` reference with its convolutions as matrix products: the same sums in minutes instead of hours.

use std::sync::Arc;

use gan_core::backend::reference::Reference;
use gan_core::backend::{Arg, Backend, Conv, DType, HostData, Prim, Storage};
use gan_core::{Device, Result};
use ndarray::linalg::general_mat_mul;
use ndarray::{Array4, ArrayView2, ArrayView4, ArrayViewMut2, s};

struct Truth(Reference);

/// The device of this backend.
pub(crate) fn device() -> Device {
    Device::from_backend(Arc::new(Truth(Reference)))
}

impl Backend for Truth {
    fn name(&self) -> &str {
        "f64"
    }

    fn dtype(&self) -> DType {
        self.0.dtype()
    }

    fn upload(&self, data: HostData) -> Result<Arc<dyn Storage>> {
        self.0.upload(data)
    }

    fn download(&self, storage: &Arc<dyn Storage>) -> Result<HostData> {
        self.0.download(storage)
    }

    fn eval(&self, prim: &Prim, args: &[Arg<'_>], out: &[usize]) -> Result<Arc<dyn Storage>> {
        let (conv, is_transposed) = match prim {
            Prim::Conv2d(conv) => (*conv, false),
            Prim::ConvInput(conv, _) => (*conv, true),
            _ => return self.0.eval(prim, args, out),
        };
        assert_eq!(conv.groups, 1, "these networks have no groups");
        let array = |arg: &Arg<'_>| -> Result<Array4<f64>> {
            let values = self.download(arg.storage)?.into_f64();
            Ok(Array4::from_shape_vec(dims(arg.shape), values).unwrap())
        };
        let (a, weight) = (array(&args[0])?, array(&args[1])?);
        let mut result = Array4::zeros(dims(out));
        match is_transposed {
            false => forward(conv, a.view(), weight.view(), &mut result),
            true => adjoint(conv, a.view(), weight.view(), &mut result),
        }
        self.upload(HostData::F64(result.into_raw_vec_and_offset().0))
    }

    fn fuses(&self, prim: &Prim) -> bool {
        self.0.fuses(prim)
    }
}

fn dims(shape: &[usize]) -> [usize; 4] {
    shape.try_into().unwrap()
}

fn forward(conv: Conv, x: ArrayView4<'_, f64>, w: ArrayView4<'_, f64>, y: &mut Array4<f64>) {
    let (x_shape, y_shape) = (dims(x.shape()), dims(y.shape()));
    each_row(conv, x_shape, dims(w.shape()), y_shape, |n, [ky, kx], inner, outer| {
        let mut y = row_mut(y, n, outer);
        general_mat_mul(1.0, &w.slice(s![.., .., ky, kx]), &row(x, n, inner), 1.0, &mut y);
    });
}

fn adjoint(conv: Conv, g: ArrayView4<'_, f64>, w: ArrayView4<'_, f64>, x: &mut Array4<f64>) {
    let (x_shape, g_shape) = (dims(x.shape()), dims(g.shape()));
    each_row(conv, x_shape, dims(w.shape()), g_shape, |n, [ky, kx], inner, outer| {
        let mut x = row_mut(x, n, inner);
        general_mat_mul(1.0, &w.slice(s![.., .., ky, kx]).t(), &row(g, n, outer), 1.0, &mut x);
    });
}

/// Pixels of one row of an image.
#[derive(Clone, Copy)]
struct Pixels {
    y: usize,
    first: usize,
    step: usize,
    count: usize,
}

/// `[channels, pixels]`.
fn row(x: ArrayView4<'_, f64>, n: usize, p: Pixels) -> ArrayView2<'_, f64> {
    let end = p.first + (p.count - 1) * p.step + 1;
    x.slice_move(s![n, .., p.y, p.first..end; p.step])
}

fn row_mut(x: &mut Array4<f64>, n: usize, p: Pixels) -> ArrayViewMut2<'_, f64> {
    let end = p.first + (p.count - 1) * p.step + 1;
    x.slice_mut(s![n, .., p.y, p.first..end; p.step])
}

/// Calls `f` with an image, a tap of the kernel, and the pixels of a row of `x` and of `y` that it joins.
fn each_row(
    conv: Conv,
    x: [usize; 4],
    w: [usize; 4],
    y: [usize; 4],
    mut f: impl FnMut(usize, [usize; 2], Pixels, Pixels),
) {
    let ([sy, sx], [py, px]) = (conv.stride, conv.padding);
    for n in 0..x[0] {
        for (oy, ky, kx) in (0..y[2])
            .flat_map(|oy| (0..w[2]).flat_map(move |ky| (0..w[3]).map(move |kx| (oy, ky, kx))))
        {
            let Some(iy) = (oy * sy + ky).checked_sub(py).filter(|&iy| iy < x[2]) else { continue };
            let is_inside = |ox: usize| (px..px + x[3]).contains(&(ox * sx + kx));
            let mut inside = (0..y[3]).filter(|&ox| is_inside(ox));
            let Some(first) = inside.next() else { continue };
            let count = 1 + inside.count();
            let inner = Pixels { y: iy, first: first * sx + kx - px, step: sx, count };
            f(n, [ky, kx], inner, Pixels { y: oy, first, step: 1, count });
        }
    }
}
