//! The naive backend: `f64`, safe, and written straight from the definitions.
//!
//! It is the oracle of every other backend and the device on which gradients are checked against finite
//! differences. Nothing here is fast on purpose: a loop that differs from its formula would have to be tested
//! itself.

mod conv;
mod elementwise;
mod matmul;
mod resample;
mod shape;

use std::any::Any;
use std::sync::Arc;

use super::{Arg, Backend, DType, HostData, Prim, Storage};
use crate::error::{Error, Result};

/// The naive `f64` backend; [`Device::reference`](super::Device::reference) is a handle to it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reference;

struct Values(Vec<f64>);

impl Storage for Values {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn bytes(&self) -> usize {
        self.0.len() * size_of::<f64>()
    }
}

/// An operand that turned out to be ours.
#[derive(Clone, Copy)]
struct View<'a> {
    data: &'a [f64],
    shape: &'a [usize],
}

impl Backend for Reference {
    fn name(&self) -> &str {
        "reference"
    }

    fn dtype(&self) -> DType {
        DType::F64
    }

    fn upload(&self, data: HostData) -> Result<Arc<dyn Storage>> {
        Ok(Arc::new(Values(data.into_f64())))
    }

    fn download(&self, storage: &Arc<dyn Storage>) -> Result<HostData> {
        let values = values("download", storage)?;
        Ok(HostData::F64(collect(&[values.len()], values.iter().copied())?))
    }

    fn eval(&self, prim: &Prim, operands: &[Arg<'_>], out: &[usize]) -> Result<Arc<dyn Storage>> {
        let args: Vec<View<'_>> = operands
            .iter()
            .map(|arg| Ok(View { data: values(prim.name(), arg.storage)?, shape: arg.shape }))
            .collect::<Result<_>>()?;
        let values = match prim {
            Prim::Unary(op) => elementwise::unary(*op, exactly(prim, &args)?),
            Prim::Binary(op) => elementwise::binary(*op, exactly(prim, &args)?, out),
            Prim::Select => elementwise::select(exactly(prim, &args)?),
            Prim::Sum(_) => shape::sum(exactly(prim, &args)?, out),
            Prim::Max(_) => shape::max(exactly(prim, &args)?, out),
            Prim::Expand(_) => shape::expand(exactly(prim, &args)?, out),
            Prim::Reshape(_) => {
                let [x] = exactly(prim, operands)?;
                return Ok(x.storage.clone());
            }
            Prim::Permute(axes) => shape::permute(exactly(prim, &args)?, axes, out),
            Prim::Slice { axis, start, .. } => {
                shape::slice(exactly(prim, &args)?, *axis, *start, out)
            }
            Prim::Pad { axis, before, .. } => {
                shape::pad(exactly(prim, &args)?, *axis, *before, out)
            }
            Prim::Concat(axis) => shape::concat(&args, *axis, out),
            Prim::Gather { axis, index } => shape::gather(exactly(prim, &args)?, *axis, index, out),
            Prim::ScatterAdd { axis, index, .. } => {
                shape::scatter_add(exactly(prim, &args)?, *axis, index, out)
            }
            Prim::MatMul { trans_a, trans_b } => {
                matmul::matmul(exactly(prim, &args)?, *trans_a, *trans_b, out)
            }
            Prim::Conv2d(conv) => conv::forward(*conv, exactly(prim, &args)?, out),
            Prim::ConvInput(conv, _) => conv::input(*conv, exactly(prim, &args)?, out),
            Prim::ConvWeight(conv, _) => conv::weight(*conv, exactly(prim, &args)?, out),
            Prim::UpFirDn(op) => resample::upfirdn(op, exactly(prim, &args)?, out),
            Prim::BiasAct(_)
            | Prim::BiasActGrad(_)
            | Prim::DemodulatedActGrad(_)
            | Prim::SumProduct
            | Prim::StyledConv(_)
            | Prim::Affines(_)
            | Prim::Demodulations => {
                let expected = "a primitive that is not fused";
                Err(Error::argument("reference backend", expected, prim.name()))
            }
        }?;
        Ok(Arc::new(Values(values)))
    }

    fn fuses(&self, _prim: &Prim) -> bool {
        false
    }
}

/// The values behind a storage of this backend.
fn values<'a>(op: &'static str, storage: &'a Arc<dyn Storage>) -> Result<&'a [f64]> {
    match storage.as_any().downcast_ref::<Values>() {
        Some(values) => Ok(&values.0),
        None => Err(Error::Device {
            op,
            left: "reference".to_owned(),
            right: "storage of another backend".to_owned(),
        }),
    }
}

/// The arguments as an array. The shape rule has counted them; this is for callers who skipped it.
fn exactly<T: Copy, const N: usize>(prim: &Prim, args: &[T]) -> Result<[T; N]> {
    args.try_into().map_err(|_| Error::shape(prim.name(), format!("{N} arguments"), args.len()))
}

/// As `Iterator::collect`, but an error where memory runs out.
fn collect(shape: &[usize], values: impl Iterator<Item = f64>) -> Result<Vec<f64>> {
    let mut out = reserve(shape)?;
    out.extend(values);
    Ok(out)
}

/// As `vec![value; n]`, but an error where memory runs out.
fn filled(value: f64, shape: &[usize]) -> Result<Vec<f64>> {
    let mut out = reserve(shape)?;
    out.resize(shape.iter().product(), value);
    Ok(out)
}

fn reserve(shape: &[usize]) -> Result<Vec<f64>> {
    let mut out = Vec::new();
    let len = super::numel(shape).unwrap_or(usize::MAX);
    out.try_reserve_exact(len).map_err(|_| Error::TooLarge {
        what: "tensor on the reference device",
        bytes: len.saturating_mul(size_of::<f64>()),
    })?;
    Ok(out)
}
