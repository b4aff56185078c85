//! Layers of PGGAN and StyleGAN that have no kernel of their own.

use gan_core::backend::Filter;
use gan_core::nn::{EqualizedConv, Params, Resample, instance_norm, nearest_upsample2d};
use gan_core::{Result, Tensor};

use super::{Row, row};

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    // Two pixels are always -1 and 1 after the norm, which leaves no gradient to compare.
    for shape in [[1, 1, 1, 3], [2, 3, 4, 5], [3, 2, 1, 7]] {
        let name = |op: &str| format!("{op} {shape:?}");
        rows.push(row(name("instance_norm"), &[shape], |x| instance_norm(&x[0])));
        rows.push(row(name("nearest_upsample2d"), &[shape], |x| nearest_upsample2d(&x[0])));
    }
    let large = [[2, 19, 23, 29]];
    rows.push(row("instance_norm large", &large, |x| instance_norm(&x[0])).compared());
    rows.push(row("nearest_upsample2d large", &large, |x| nearest_upsample2d(&x[0])).compared());
    rows.extend(equalized_convs());
    rows
}

fn equalized_convs() -> Vec<Row> {
    let nearest = || Filter::outer(&[0.5, 0.5]).ok();
    let unfold = Resample { padding: [[3; 2]; 2], ..Resample::default() };
    let halve = Resample { filter: nearest(), down: 2, ..Resample::same(3, 1) };
    // Name, size of the kernel, one pixel or many, what is done around the convolution.
    let kinds = [
        ("unfold", 4, false, unfold),
        ("same", 3, true, Resample::same(3, 1)),
        ("colours", 1, true, Resample::same(1, 1)),
        ("double", 3, true, Resample { filter: nearest(), ..Resample::same(3, 2) }),
        ("halve", 3, true, halve),
    ];
    let mut rows = Vec::new();
    for (kind, k, is_map, resample) in kinds {
        let conv =
            |resample: Resample| move |x: &[Tensor]| layer(&x[1], resample.clone())?.forward(&x[0]);
        let shapes = |n: usize, [ci, co]: [usize; 2], [h, w]: [usize; 2]| {
            let [h, w] = if is_map { [h, w] } else { [1, 1] };
            [[n, ci, h, w], [co, ci, k, k]]
        };
        let name = format!("equalized conv {kind}");
        rows.push(row(&name, &shapes(2, [2, 3], [2, 4]), conv(resample.clone())));
        let shapes = shapes(2, [19, 35], [18, 34]);
        rows.push(row(name + " large", &shapes, conv(resample)).compared());
    }
    rows
}

/// A layer of that weight, which may be a variable, with the gain of a rectifier.
fn layer(weight: &Tensor, resample: Resample) -> Result<EqualizedConv> {
    let mut params = Params::default();
    params.insert("conv.weight", weight.clone());
    EqualizedConv::new(&mut params, "conv", &[None; 4], std::f64::consts::SQRT_2, resample)
}
