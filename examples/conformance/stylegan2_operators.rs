//! `stylegan2/*`: operators and single layers.

use gan_core::backend::{Activation, BiasAct, Filter, UpFirDn};
use gan_core::nn::{
    self, Conv2dLayer, FilterSetup, Linear, ModulatedConv, Padding, Resample, filter_from_array,
};
use gan_core::{Device, Tensor};
use ndarray::ArrayD;

use super::Check;
use super::array::HostArray;
use super::case::Case;
use super::error::{Error, Result};
use super::gradients::{layer, leaves};
use super::outputs::Outputs;

pub(super) fn find(what: &str) -> Option<Check> {
    Some(match what {
        "upfirdn2d" => upfirdn2d,
        "filter2d" => filter2d,
        "upsample2d" => upsample2d,
        "downsample2d" => downsample2d,
        "setup_filter" => setup_filter,
        "bias_act" => bias_act,
        "conv2d_resample" => conv2d_resample,
        "modulated_conv2d" => modulated_conv2d,
        "normalize_2nd_moment" => normalize_2nd_moment,
        "fully_connected" => fully_connected,
        "conv2d_layer" => conv2d_layer,
        _ => return None,
    })
}

/// Zero-insertion, padding, filter and decimation in one operator.
fn upfirdn2d(case: &Case, device: &Device) -> Result<Outputs> {
    let fir = Fir::read(case)?;
    let x = case.variable("x", device)?;
    let y = x.upfirdn2d(&UpFirDn {
        filter: fir.filter,
        up: fir.up,
        down: fir.down,
        padding: fir.padding,
        flip: fir.flip,
        gain: fir.gain,
    })?;
    layer(case, device, &y, &[("x", &x)])
}

/// A filter that keeps the size.
fn filter2d(case: &Case, device: &Device) -> Result<Outputs> {
    let fir = Fir::read(case)?;
    let x = case.variable("x", device)?;
    let y = nn::filter2d(&x, &fir.filter, fir.padding, fir.flip, fir.gain)?;
    layer(case, device, &y, &[("x", &x)])
}

/// Enlarging.
fn upsample2d(case: &Case, device: &Device) -> Result<Outputs> {
    let fir = Fir::read(case)?;
    let x = case.variable("x", device)?;
    let y = nn::upsample2d(&x, &fir.filter, fir.up, fir.padding, fir.flip, fir.gain)?;
    layer(case, device, &y, &[("x", &x)])
}

/// Reducing.
fn downsample2d(case: &Case, device: &Device) -> Result<Outputs> {
    let fir = Fir::read(case)?;
    let x = case.variable("x", device)?;
    let y = nn::downsample2d(&x, &fir.filter, fir.down, fir.padding, fir.flip, fir.gain)?;
    layer(case, device, &y, &[("x", &x)])
}

/// The preparation of taps; one file holds several.
fn setup_filter(case: &Case, _: &Device) -> Result<Outputs> {
    let mut out = Outputs::default();
    for (i, options) in case.settings.sections("cases")?.iter().enumerate() {
        let taps: Option<ArrayD<f64>> = match options.get("f") {
            Some(_) => Some(case.floats(&format!("in.f{i}"))?),
            None => None,
        };
        let setup = FilterSetup {
            normalize: options.flag_or("normalize", true)?,
            flip: options.flag_or("flip_filter", false)?,
            gain: options.number_or("gain", 1.0)?,
            separable: match options.get("separable") {
                Some(_) => Some(options.flag_or("separable", false)?),
                None => None,
            },
        };
        let filter = nn::setup_filter(taps.as_ref(), &setup)?;
        let shape = filter.shape().to_vec();
        out.array(format!("f{i}"), HostArray::floats(filter.into_iter().collect(), &shape));
    }
    Ok(out)
}

/// Bias, activation, gain and clamp.
fn bias_act(case: &Case, device: &Device) -> Result<Outputs> {
    let settings = &case.settings;
    let default = BiasAct::new(Activation::parse(settings.text("act")?)?);
    let op = BiasAct {
        alpha: settings.number_or("alpha", default.alpha)?,
        gain: settings.number_or("gain", default.gain)?,
        clamp: settings.number("clamp")?,
        axis: settings.count_or("dim", 1)?,
        ..default
    };
    let x = case.variable("x", device)?;
    let bias = case.optional_variable("b", device)?;
    let y = nn::bias_act(&x, bias.as_ref(), &op)?;
    let mut leaves = vec![("x", &x)];
    leaves.extend(bias.as_ref().map(|b| ("b", b)));
    layer(case, device, &y, &leaves)
}

/// Convolution with up- or down-sampling.
fn conv2d_resample(case: &Case, device: &Device) -> Result<Outputs> {
    let x = case.variable("x", device)?;
    let w = case.variable("w", device)?;
    let y = nn::conv2d_resample(&x, &w, &resample(case)?)?;
    layer(case, device, &y, &[("x", &x), ("w", &w)])
}

/// Convolution whose weight is modulated sample by sample.
fn modulated_conv2d(case: &Case, device: &Device) -> Result<Outputs> {
    let op = ModulatedConv {
        demodulate: case.settings.flag_or("demodulate", true)?,
        resample: resample(case)?,
    };
    let x = case.variable("x", device)?;
    let weight = case.variable("weight", device)?;
    let styles = case.variable("styles", device)?;
    let noise = case.optional_variable("noise", device)?;
    let map = noise.as_ref().map(|noise| match *noise.shape() {
        [h, w] => noise.reshape(&[1, 1, h, w]),
        _ => Ok(noise.clone()),
    });
    let y = nn::modulated_conv2d(&x, &weight, &styles, map.transpose()?.as_ref(), &op)?;
    let mut leaves = vec![("x", &x), ("weight", &weight), ("styles", &styles)];
    leaves.extend(noise.as_ref().map(|noise| ("noise", noise)));
    layer(case, device, &y, &leaves)
}

/// Normalisation of vectors; of those along another axis by moving that axis to the end.
fn normalize_2nd_moment(case: &Case, device: &Device) -> Result<Outputs> {
    let eps = case.settings.number_or("eps", 1e-8)?;
    if eps != 1e-8 {
        return Err(Error::Unsupported(format!("normalize_2nd_moment with an epsilon of {eps}")));
    }
    let dim = case.settings.count_or("dim", 1)?;
    let x = case.variable("x", device)?;
    let y = match *x.shape() {
        [_, _] if dim == 1 => nn::normalize_2nd_moment(&x)?,
        _ => normalize_axis(&x, dim)?,
    };
    layer(case, device, &y, &[("x", &x)])
}

fn normalize_axis(x: &Tensor, axis: usize) -> Result<Tensor> {
    let rank = x.shape().len();
    let to_end: Vec<usize> = (0..rank).filter(|&d| d != axis).chain([axis]).collect();
    let back: Vec<usize> = (0..rank).filter_map(|d| to_end.iter().position(|&e| e == d)).collect();
    let moved = x.permute(&to_end)?;
    let features = x.shape().get(axis).copied().unwrap_or(1);
    let y = nn::normalize_2nd_moment(&moved.reshape(&[x.numel() / features, features])?)?;
    Ok(y.reshape(moved.shape())?.permute(&back)?)
}

/// A fully connected layer with the equalised learning rate.
fn fully_connected(case: &Case, device: &Device) -> Result<Outputs> {
    let settings = &case.settings;
    let act = activation(case, Activation::Linear)?;
    let lr = settings.number_or("lr_multiplier", 1.0)?;
    let (mut params, variables) = case.params("layer.", device)?;
    let (outputs, inputs) = (settings.count("out_features")?, settings.count("in_features")?);
    let network = Linear::new(&mut params, "layer", outputs, inputs, lr, act)?;
    params.finish()?;

    let x = case.variable("x", device)?;
    let y = network.forward(&x)?;
    layer(case, device, &y, &[&[("x", &x)], leaves(&variables).as_slice()].concat())
}

/// A convolution layer with the equalised learning rate.
fn conv2d_layer(case: &Case, device: &Device) -> Result<Outputs> {
    let settings = &case.settings;
    let act = activation(case, Activation::Linear)?;
    let factors = (settings.count_or("up", 1)?, settings.count_or("down", 1)?);
    let clamp = settings.number("conv_clamp")?;
    let gain = settings.section("forward").number_or("gain", 1.0)?;
    let (mut params, variables) = case.params("layer.", device)?;
    let taps = case.floats("weights.resample_filter")?;
    params.take("layer.resample_filter", &vec![None; taps.ndim()])?;
    let filter = filter_from_array(&taps)?;
    let network = Conv2dLayer::new(&mut params, "layer", &[None; 4], act, factors, filter, clamp)?;
    params.finish()?;

    let x = case.variable("x", device)?;
    let y = network.forward(&x, gain)?;
    layer(case, device, &y, &[&[("x", &x)], leaves(&variables).as_slice()].concat())
}

/// What the FIR operators have in common.
struct Fir {
    filter: Filter,
    up: [usize; 2],
    down: [usize; 2],
    padding: Padding,
    flip: bool,
    gain: f64,
}

impl Fir {
    fn read(case: &Case) -> Result<Fir> {
        let settings = &case.settings;
        Ok(Fir {
            filter: match filter(case)? {
                Some(filter) => filter,
                None => Filter::new(1, 1, vec![1.0])?,
            },
            up: settings.factor_yx("up")?,
            down: settings.factor_yx("down")?,
            padding: settings.padding_yx("padding")?,
            flip: settings.flag_or("flip_filter", false)?,
            gain: settings.number_or("gain", 1.0)?,
        })
    }
}

fn resample(case: &Case) -> Result<Resample> {
    let settings = &case.settings;
    Ok(Resample {
        filter: filter(case)?,
        up: settings.count_or("up", 1)?,
        down: settings.count_or("down", 1)?,
        padding: settings.padding_yx("padding")?,
        groups: settings.count_or("groups", 1)?,
        flip_weight: settings.flag_or("flip_weight", true)?,
        flip_filter: settings.flag_or("flip_filter", false)?,
    })
}

/// `in.f`, prepared taps. Whether there is a filter at all shows in the file's tensors, as settings may describe random
/// taps in words.
fn filter(case: &Case) -> Result<Option<Filter>> {
    match case.has("in.f") {
        true => Ok(Some(filter_from_array(&case.floats("in.f")?)?)),
        false => Ok(None),
    }
}

fn activation(case: &Case, default: Activation) -> Result<Activation> {
    match case.settings.get("activation") {
        Some(_) => Ok(Activation::parse(case.settings.text("activation")?)?),
        None => Ok(default),
    }
}
