//! Kernels that move values without changing them.

use rayon::prelude::*;

use super::View;
use super::elementwise::CHUNK;
use super::tasks::InTasks;

/// Sizes before, along and after an axis.
fn split(shape: &[usize], axis: usize) -> (usize, usize, usize) {
    (shape[..axis].iter().product(), shape[axis], shape[axis + 1..].iter().product())
}

pub(super) fn expand(x: View<'_>, shape: &[usize], out: &mut [f32]) {
    // The last axis that repeats decides how long the contiguous runs are.
    let Some(last) = (0..shape.len()).rev().find(|&d| x.shape[d] != shape[d]) else {
        return out.copy_from_slice(x.values());
    };
    let run: usize = shape[last + 1..].iter().product();
    let copies = shape[last];
    let outer = &shape[..last];
    let block = run * copies;
    let per_task = (CHUNK / block).max(1);
    out.par_chunks_mut(per_task * block).enumerate().in_tasks(1, |(task, out)| {
        for (i, out) in out.chunks_mut(block).enumerate() {
            let (mut index, mut start, mut stride) = (task * per_task + i, 0, run);
            for d in (0..outer.len()).rev() {
                if x.shape[d] != 1 {
                    start += index % shape[d] * stride;
                    stride *= shape[d];
                }
                index /= shape[d];
            }
            let source = &x.values()[start..start + run];
            match source {
                [one] => out.fill(*one),
                _ => out.chunks_mut(run).for_each(|out| out.copy_from_slice(source)),
            }
        }
    });
}

pub(super) fn permute(x: View<'_>, axes: &[usize], out: &mut [f32]) {
    let mut strides = vec![1; x.shape.len()];
    for d in (1..x.shape.len()).rev() {
        strides[d - 1] = strides[d] * x.shape[d];
    }
    let sizes: Vec<usize> = axes.iter().map(|&a| x.shape[a]).collect();
    let steps: Vec<usize> = axes.iter().map(|&a| strides[a]).collect();
    let (Some((&inner, outer)), Some((&step, outer_steps))) =
        (sizes.split_last(), steps.split_last())
    else {
        return out.copy_from_slice(x.values());
    };
    let per_task = (CHUNK / inner).max(1);
    out.par_chunks_mut(per_task * inner).enumerate().in_tasks(1, |(task, out)| {
        for (i, out) in out.chunks_mut(inner).enumerate() {
            let (mut index, mut start) = (task * per_task + i, 0);
            for (size, step) in outer.iter().zip(outer_steps).rev() {
                start += index % size * step;
                index /= size;
            }
            if step == 1 {
                out.copy_from_slice(&x.values()[start..start + inner]);
            } else {
                let source = x.values()[start..].iter().step_by(step);
                out.iter_mut().zip(source).for_each(|(o, &v)| *o = v);
            }
        }
    });
}

pub(super) fn slice(x: View<'_>, axis: usize, start: usize, shape: &[usize], out: &mut [f32]) {
    let (_, from, inner) = split(x.shape, axis);
    let run = shape[axis] * inner;
    for (i, out) in out.chunks_mut(run).enumerate() {
        out.copy_from_slice(&x.values()[(i * from + start) * inner..][..run]);
    }
}

pub(super) fn pad(x: View<'_>, axis: usize, before: usize, shape: &[usize], out: &mut [f32]) {
    let (_, from, inner) = split(x.shape, axis);
    let run = from * inner;
    let blocks = out.chunks_mut(shape[axis] * inner);
    for (out, source) in blocks.zip(x.values().chunks(run)) {
        out[before * inner..][..run].copy_from_slice(source);
    }
}

pub(super) fn concat(parts: &[View<'_>], axis: usize, out: &mut [f32]) {
    let (outer, _, _) = split(parts[0].shape, axis);
    let runs: Vec<usize> = parts.iter().map(|p| p.shape[axis..].iter().product()).collect();
    let mut rest = out;
    for i in 0..outer {
        for (part, &run) in parts.iter().zip(&runs) {
            let (to, after) = rest.split_at_mut(run);
            to.copy_from_slice(&part.values()[i * run..][..run]);
            rest = after;
        }
    }
}

pub(super) fn gather(x: View<'_>, axis: usize, index: &[usize], out: &mut [f32]) {
    let (_, from, inner) = split(x.shape, axis);
    for (i, out) in out.chunks_mut(inner).enumerate() {
        let (block, entry) = (i / index.len(), index[i % index.len()]);
        out.copy_from_slice(&x.values()[(block * from + entry) * inner..][..inner]);
    }
}

pub(super) fn scatter_add(x: View<'_>, axis: usize, index: &[usize], len: usize, out: &mut [f32]) {
    let (_, _, inner) = split(x.shape, axis);
    for (i, source) in x.values().chunks(inner).enumerate() {
        let (block, entry) = (i / index.len(), index[i % index.len()]);
        let out = &mut out[(block * len + entry) * inner..][..inner];
        out.iter_mut().zip(source).for_each(|(o, v)| *o += v);
    }
}
