//! The shape of each primitive's result.

use crate::backend::fused::{StyledArgs, StyledConv};
use crate::backend::prim::Prim;
use crate::error::{Error, Result};

impl Prim {
    /// Shape of the result, or what is wrong with the arguments.
    ///
    /// # Errors
    /// [`Error::Shape`], with the shapes asked for and found.
    pub fn output_shape(&self, args: &[&[usize]]) -> Result<Vec<usize>> {
        let wrong = |expected: &str| Err(Error::shape(self.name(), expected, args));
        let same_rank = |a: &[usize], b: &[usize]| a.len() == b.len();
        match (self, args) {
            (Prim::Unary(_), [x]) => Ok(x.to_vec()),
            (Prim::Binary(_), [a, b]) => broadcast(a, b)
                .ok_or_else(|| Error::shape(self.name(), "shapes that broadcast", args)),
            (Prim::Select, [m, a, b]) if m == a && a == b => Ok(a.to_vec()),
            (Prim::Sum(axes) | Prim::Max(axes), [x]) if axes.iter().all(|&a| a < x.len()) => {
                let mut out = x.to_vec();
                axes.iter().for_each(|&a| out[a] = 1);
                Ok(out)
            }
            (Prim::Expand(to), [x])
                if same_rank(x, to) && x.iter().zip(to).all(|(&a, &b)| a == b || a == 1) =>
            {
                Ok(to.clone())
            }
            (Prim::Reshape(to), [x]) if numel(x) == numel(to) => Ok(to.clone()),
            (Prim::Permute(axes), [x]) => {
                let mut seen = vec![false; x.len()];
                let valid = axes.len() == x.len()
                    && axes.iter().all(|&a| a < x.len() && !std::mem::replace(&mut seen[a], true));
                if valid { Ok(axes.iter().map(|&a| x[a]).collect()) } else { wrong("a permutation") }
            }
            (&Prim::Slice { axis, start, len }, [x])
                if axis < x.len() && len > 0 && start.checked_add(len).is_some_and(|e| e <= x[axis]) =>
            {
                Ok(with(x, axis, len))
            }
            (&Prim::Pad { axis, before, after }, [x]) if axis < x.len() => {
                match x[axis].checked_add(before).and_then(|l| l.checked_add(after)) {
                    Some(len) => Ok(with(x, axis, len)),
                    None => wrong("a padding that fits the address space"),
                }
            }
            (&Prim::Concat(axis), [first, rest @ ..]) if axis < first.len() => {
                let fits = |x: &&&[usize]| {
                    same_rank(x, first) && (0..x.len()).all(|d| d == axis || x[d] == first[d])
                };
                let len = args.iter().try_fold(0usize, |sum, x| sum.checked_add(*x.get(axis)?));
                match len {
                    Some(len) if rest.iter().all(|x| fits(&x)) => Ok(with(first, axis, len)),
                    _ => wrong("shapes that differ along the axis only"),
                }
            }
            (Prim::Gather { axis, index }, [x])
                if *axis < x.len() && !index.is_empty() && index.iter().all(|&i| i < x[*axis]) =>
            {
                Ok(with(x, *axis, index.len()))
            }
            (Prim::ScatterAdd { axis, index, len }, [x])
                if *axis < x.len() && x[*axis] == index.len() && index.iter().all(|i| i < len) =>
            {
                Ok(with(x, *axis, *len))
            }
            (&Prim::MatMul { trans_a, trans_b }, &[&[ba, a0, a1], &[bb, b0, b1]]) => {
                let (m, ka) = if trans_a { (a1, a0) } else { (a0, a1) };
                let (kb, n) = if trans_b { (b1, b0) } else { (b0, b1) };
                if ba == bb && ka == kb { Ok(vec![ba, m, n]) } else { wrong("[b, m, k] and [b, k, n]") }
            }
            (Prim::Conv2d(c), &[&[n, ci, h, w], &[co, cig, kh, kw]]) => {
                let size = (c.output_len(0, h, kh), c.output_len(1, w, kw));
                match size {
                    (Some(oh), Some(ow)) if c.groups.checked_mul(cig) == Some(ci) && co.is_multiple_of(c.groups) => {
                        Ok(vec![n, co, oh, ow])
                    }
                    _ => wrong("x [n, ci, h, w] and w [co, ci/groups, kh, kw] not larger than x"),
                }
            }
            (&Prim::ConvInput(c, [h, w]), &[&[n, co, gh, gw], &[wo, cig, kh, kw]]) => {
                let size = (c.output_len(0, h, kh), c.output_len(1, w, kw));
                let groups = co == wo && co.is_multiple_of(c.groups);
                match cig.checked_mul(c.groups) {
                    Some(ci) if size == (Some(gh), Some(gw)) && groups => Ok(vec![n, ci, h, w]),
                    _ => wrong("g [n, co, h', w'] and w [co, ci/groups, kh, kw] of that convolution"),
                }
            }
            (&Prim::ConvWeight(c, [kh, kw]), &[&[n, ci, h, w], &[gn, co, gh, gw]]) => {
                let size = (c.output_len(0, h, kh), c.output_len(1, w, kw));
                let groups = c.groups > 0 && ci % c.groups == 0 && co % c.groups == 0;
                if size == (Some(gh), Some(gw)) && n == gn && groups {
                    Ok(vec![co, ci / c.groups, kh, kw])
                } else {
                    wrong("x [n, ci, h, w] and g [n, co, h', w'] of that convolution")
                }
            }
            (Prim::UpFirDn(u), &[&[n, c, h, w]]) => match (u.output_len(0, h), u.output_len(1, w)) {
                (Some(oh), Some(ow)) => Ok(vec![n, c, oh, ow]),
                _ => wrong("x [n, c, h, w], padded at least as large as the filter"),
            },
            (Prim::BiasAct(_), [x]) => Ok(x.to_vec()),
            (Prim::BiasAct(a), &[x, &[b]]) if x.get(a.axis) == Some(&b) => Ok(x.to_vec()),
            (Prim::BiasActGrad(_), [g, y]) if g == y => Ok(g.to_vec()),
            (Prim::DemodulatedActGrad(_), [g, y, d]) if g == y && g.len() == 4 && **d == g[..2] => {
                Ok(g.to_vec())
            }
            (Prim::SumProduct, &[&[n, c, h, w], &[bn, bc, bh, bw]])
                if (bn == n || bn == 1) && (bc == c || bc == 1) && [bh, bw] == [h, w] =>
            {
                Ok(vec![n, c])
            }
            (Prim::StyledConv(s), [x, ..])
                if args.len() == 3 + usize::from(s.demodulate) + usize::from(s.noise) + usize::from(s.bias) =>
            {
                styled_shape(s, s.unpack(args)).ok_or_else(|| {
                    let expected = "x [n, ci, h, w], w [co, ci, k, k] ([ci, co, 3, 3] to up-sample), s [n, ci], d [n, co], noise [n, 1, h', w'], b [co]";
                    Error::shape(self.name(), expected, (x, args))
                })
            }
            (Prim::Affines(gains), args) if Some(args.len()) == gains.len().checked_mul(3) => {
                match joined(args.chunks_exact(3)) {
                    Some(len) => Ok(vec![len]),
                    None => wrong("x [n, k], w [o, k], b [o] of each layer, all of one n"),
                }
            }
            (Prim::Demodulations, args) if args.len().is_multiple_of(2) => {
                match joined(args.chunks_exact(2)) {
                    Some(len) => Ok(vec![len]),
                    None => wrong("s [n, ci], w2 [co, ci] of each layer, all of one n"),
                }
            }
            _ => wrong("other arguments"),
        }
    }
}

fn styled_shape(styled: &StyledConv, args: StyledArgs<&[usize]>) -> Option<Vec<usize>> {
    let (&[n, ci, h, w], &[outer, inner, kh, kw]) = (args.x, args.weight) else { return None };
    let (co, wi) = if styled.up.is_some() { (inner, outer) } else { (outer, inner) };
    // Keeps the sums below from overflowing.
    if [h, w, kh, kw].iter().any(|&d| d == 0 || d > isize::MAX as usize / 8) {
        return None;
    }
    let size = match styled.fir(kh) {
        None if kh % 2 == 1 => [h, w],
        Some(fir) if kh == 3 => {
            [fir.output_len(0, 2 * h + kh - 2)?, fir.output_len(1, 2 * w + kw - 2)?]
        }
        _ => return None,
    };
    let noise_fits =
        |s: &[usize]| (s[..1] == [n] || s[..1] == [1]) && s[1..] == [1, size[0], size[1]];
    let fits = styled.act.axis == 1
        && ci == wi
        && kh == kw
        && args.style == [n, ci]
        && args.demod.is_none_or(|s| s == [n, co])
        && args.noise.is_none_or(|s| s.len() == 4 && noise_fits(s))
        && args.bias.is_none_or(|s| s == [co]);
    fits.then(|| vec![n, co, size[0], size[1]])
}

/// Length of the results `[n, o]`, one after the other, of layers with `[n, k]`, `[o, k]` and perhaps `[o]`; at least one.
fn joined<'a>(mut layers: impl Iterator<Item = &'a [&'a [usize]]>) -> Option<usize> {
    let first = layers.next()?;
    let &batch = first[0].first()?;
    std::iter::once(first).chain(layers).try_fold(0usize, |len, layer| {
        let (&[n, k], &[o, inputs]) = (layer[0], layer[1]) else { return None };
        let fits = n == batch && k == inputs && layer[2..].iter().all(|&bias| bias == [o]);
        if fits { len.checked_add(n.checked_mul(o)?) } else { None }
    })
}

/// Number of elements; `None` on overflow.
pub(crate) fn numel(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d))
}

/// `shape` with another length along `axis`.
pub(crate) fn with(shape: &[usize], axis: usize, len: usize) -> Vec<usize> {
    let mut out = shape.to_vec();
    out[axis] = len;
    out
}

/// The shape to which `a` and `b` broadcast: aligned at the last axis, sizes equal or 1.
pub(crate) fn broadcast(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let rank = a.len().max(b.len());
    let size = |s: &[usize], d: usize| if d + s.len() < rank { 1 } else { s[d + s.len() - rank] };
    (0..rank)
        .map(|d| match (size(a, d), size(b, d)) {
            (x, y) if x == y || y == 1 => Some(x),
            (1, y) => Some(y),
            _ => None,
        })
        .collect()
}
