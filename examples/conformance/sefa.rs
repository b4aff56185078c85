//! `sefa/*`: layer selections, factorization, and the generator in the layout of genforce.

use gan_core::models::SynthesisNetwork;
use gan_core::models::stylegan2::Options;
use gan_core::{
    BigGan, Device, Direction, Factorizable, Generator, Labels, Layers, Noise, PgGan, StyleBased,
    StyleGan2, StyleKind, Tensor, Truncation, W, WPlus, Z, ZTruncation, parse_indices,
};
use gan_edit::sefa::{self, Convention};

use super::Check;
use super::array::HostArray;
use super::biggan;
use super::case::Case;
use super::eigen::{self, Basis};
use super::error::{Error, Result};
use super::gradients::first;
use super::outputs::Outputs;
use super::pggan;
use super::settings::Settings;
use super::stylegan1;

pub(super) fn find(what: &str) -> Option<Check> {
    match what {
        "parse_indices" => Some(parse),
        "factorize" => Some(factorize),
        "generator_stylegan2_genforce" => Some(generator_stylegan2_genforce),
        _ => None,
    }
}

/// The parser of layer selections.
fn parse(case: &Case, _: &Device) -> Result<Outputs> {
    let settings = &case.settings;
    let (min, max) = (settings.count_or("min_val", 0)?, settings.count_or("max_val", 65535)?);
    let mut out = Outputs::default();
    for (i, text) in settings.list("strings")?.iter().enumerate() {
        let found = parse_indices(text.as_str().unwrap_or("not a text"), min, max)?;
        out.array(i.to_string(), HostArray::integers(found.into_iter().map(|i| i as i64)));
    }
    Ok(out)
}

/// Eigenvalues and directions of several selections of layers, and an edit along a given direction.
fn factorize(case: &Case, device: &Device) -> Result<Outputs> {
    let gan_type = case.settings.get("gan_type").and_then(|v| v.as_str());
    let mut out = Outputs::default();
    // Files of BigGAN, for which there is no original, do not name it.
    let is_biggan = case.has("weights.generator.gen_z.weight_orig");
    match gan_type.unwrap_or(if is_biggan { "biggan" } else { "another network" }) {
        "stylegan2" => {
            let network = network(case, device)?;
            put_selections(case, &network, &mut out)?;
            put_style_edits(case, &network, &mut out)?;
        }
        "stylegan" => {
            let network = stylegan1::network(case, device)?;
            put_selections(case, &network, &mut out)?;
            put_style_edits(case, &network, &mut out)?;
        }
        "pggan" => {
            let network = pggan::network(case, device)?;
            put_selections(case, &network, &mut out)?;
            put_code_edits(case, &network, &mut out)?;
        }
        "biggan" => {
            let network = biggan::network(case, device)?;
            put_selections(case, &network, &mut out)?;
            put_layer_edits(case, &network, &mut out)?;
        }
        other => return Err(Error::Unsupported(format!("factorization of {other}"))),
    }
    Ok(out)
}

fn put_selections<G: Factorizable>(case: &Case, network: &G, out: &mut Outputs) -> Result<()> {
    for (i, selection) in case.settings.sections("selections")?.iter().enumerate() {
        let found = sefa::factorize(network, &chosen(selection)?, Convention::Sefa)?;
        let name = |what: &str| format!("sel{i}.{what}");
        let layers = found.layers.iter().map(|&l| l as i64);
        out.array(name("layers"), HostArray::integers(layers));
        let ours = Basis::of(&found);
        put_basis(case, &ours, &name("eigenvalues"), &name("boundaries"), out)?;
        let names = ["eigenvalues", "boundaries"].map(|n| name(&format!("{n}_reference_order")));
        if case.has(&format!("out.{}", names[0])) {
            put_basis(case, &ours, &names[0], &names[1], out)?;
        }
    }
    Ok(())
}

/// The layers of a selection, given as the text that tools take or as a list.
fn chosen(selection: &Settings) -> Result<Layers> {
    if selection.get("selection").is_some() {
        return Ok(selection.text("selection")?.parse()?);
    }
    let layers = selection.list("layers")?.iter().map(|v| v.as_u64().unwrap_or(u64::MAX) as usize);
    Ok(Layers::Some(layers.collect()))
}

/// Compares after sorting, and puts our eigenvalues into the order of the file's.
fn put_basis(
    case: &Case,
    ours: &Basis,
    values_name: &str,
    vectors_name: &str,
    out: &mut Outputs,
) -> Result<()> {
    let values: Vec<f64> = case.floats(&format!("out.{values_name}"))?.into_iter().collect();
    let vectors = case.floats(&format!("out.{vectors_name}"))?;
    let expected = Basis::new(vectors_name, &values, &vectors)?;
    let order = expected.order();
    let error = ours.error(&expected.reordered(&order));
    out.judged(vectors_name, error, eigen::TOLERANCE);
    out.array(values_name, ours.values_at(&order));
    Ok(())
}

/// Truncated codes, moved along `in.direction` in some layers by each of `in.distances`, and their images.
fn put_style_edits<G: StyleBased>(case: &Case, network: &G, out: &mut Outputs) -> Result<()> {
    let w = network.map(&Z::new(case.input("z", network.device())?)?, None)?;
    let codes = network.truncate(&w, &truncation(&case.settings)?)?;
    out.tensor("codes", codes.tensor())?;
    let direction = direction::<W>(case)?;
    put_edits(case, out, |distance| {
        let edited = codes.shifted(&direction, distance)?;
        Ok([edited.tensor().clone(), network.synthesize(&edited, Noise::Const)?])
    })
}

/// The same with normalised codes of the prior.
fn put_code_edits(case: &Case, network: &PgGan, out: &mut Outputs) -> Result<()> {
    let codes = network.normalized(&Z::new(case.input("z", network.device())?)?)?;
    out.tensor("codes", codes.tensor())?;
    let direction = direction::<Z>(case)?;
    put_edits(case, out, |distance| {
        let edited = codes.shifted(&direction, distance)?;
        Ok([edited.tensor().clone(), network.generate(&edited, None)?])
    })
}

/// BigGAN's codes, one z a layer, moved in the layers of one of the selections.
fn put_layer_edits(case: &Case, network: &BigGan, out: &mut Outputs) -> Result<()> {
    let settings = &case.settings;
    let codes = network.broadcast(&Z::new(case.input("z", network.device())?)?)?;
    let classes = case.indices("in.class")?;
    let labels = Labels::one_hot(&classes, network.label_dim(), network.device())?;
    let truncation = ZTruncation::new(settings.number_or("truncation", 1.0)?)?;
    let index = settings.count_or("edit_selection_index", 0)?;
    let selections = settings.sections("selections")?;
    let selection = selections.get(index).ok_or_else(|| {
        Error::Unsupported(format!("an edit in selection {index} of {}", selections.len()))
    })?;
    let vector = case.floats("in.direction")?.iter().map(|&x| x as f32).collect();
    let direction = Direction::<Z>::new(vector, chosen(selection)?, case.name.as_str())?;
    let mut images = Vec::new();
    for &distance in &case.floats("in.distances")? {
        images.push(network.synthesize(
            &codes.shifted(&direction, distance)?,
            &labels,
            truncation,
        )?);
    }
    Ok(out.tensor("edited_images", &stacked(&images)?)?)
}

fn direction<S>(case: &Case) -> Result<Direction<S>> {
    let vector = case.floats("in.direction")?.iter().map(|&x| x as f32).collect();
    let layers: Layers = case.settings.text("edit_selection")?.parse()?;
    Ok(Direction::new(vector, layers, case.name.as_str())?)
}

fn put_edits(
    case: &Case,
    out: &mut Outputs,
    edit: impl Fn(f64) -> gan_core::Result<[Tensor; 2]>,
) -> Result<()> {
    let (mut codes, mut images) = (Vec::new(), Vec::new());
    for &distance in &case.floats("in.distances")? {
        let [code, image] = edit(distance)?;
        codes.push(code);
        images.push(image);
    }
    out.tensor("edited_codes", &stacked(&codes)?)?;
    out.tensor("edited_images", &stacked(&images)?)?;
    Ok(())
}

/// Along a new first axis.
fn stacked(tensors: &[Tensor]) -> Result<Tensor> {
    let all = Tensor::concat(&tensors.iter().collect::<Vec<_>>(), 0)?;
    let shape = tensors.first().map_or(&[][..], Tensor::shape);
    Ok(all.reshape(&[&[tensors.len()], shape].concat())?)
}

/// z to w to image in genforce's layout, with what every layer makes, and the gradients of z and W+.
fn generator_stylegan2_genforce(case: &Case, device: &Device) -> Result<Outputs> {
    let network = network(case, device)?;
    let labels = case.optional_input("label", device)?.map(Labels::new).transpose()?;
    let z = case.variable("z", device)?;
    let w = network.map(&Z::new(z.clone())?, labels.as_ref())?;
    let wp = network.truncate(&w, &truncation(&case.settings)?)?;
    let untruncated = network.broadcast(&w)?;

    let mut out = Outputs::default();
    let mapping = network.mapping();
    let codes = Z::new(z.detach())?;
    out.tensor("mapping_input", &mapping.input(Some(&codes), labels.as_ref())?)?;
    if let Some(labels) = &labels {
        out.tensor("embedding", &mapping.embedding(labels)?)?;
    }
    out.tensor("w", w.tensor())?;
    out.tensor("wp", wp.tensor())?;
    out.tensor("image_notrunc", &network.synthesize(&untruncated, Noise::Const)?)?;
    put_layers(&network, &WPlus::new(wp.tensor().detach())?, &mut out)?;

    let image = network.synthesize(&wp, Noise::Const)?;
    let leaves = [("z", &z), ("wp", wp.tensor())];
    first(&mut out, &image, &case.input("cotangent", device)?, &leaves)?;
    Ok(out)
}

/// Styles, features of every convolution and colours of every toRGB, under genforce's names.
fn put_layers(network: &StyleGan2, wp: &WPlus, out: &mut Outputs) -> Result<()> {
    let styles = network.styles(wp)?;
    for (entry, style) in styles.layout().iter().zip(styles.tensors()) {
        // Convolution i reads vector i of W+, and output j vector 2j + 1.
        let name = match entry.kind {
            StyleKind::Conv => format!("style{:02}", entry.w_index),
            _ => format!("output_style{}", entry.w_index / 2),
        };
        out.tensor(name, style)?;
    }
    // Layers and outputs are numbered in their own order; names such as b8.conv0 come in that of the network.
    let (mut layers, mut outputs) = (0, 0);
    let mut numbered = |kind: &str, i: &mut usize, x: &Tensor| {
        *i += 1;
        out.tensor(format!("{kind}{}", *i - 1), x)
    };
    let image =
        network.synthesis().forward_with(&styles, Noise::Const, &mut |name, x| match name {
            _ if name.ends_with(".torgb") => numbered("output", &mut outputs, x),
            _ if name.ends_with(".image") => Ok(()),
            _ => numbered("layer", &mut layers, x),
        })?;
    Ok(out.tensor("image", &image)?)
}

/// Truncation of the first layers; of none where no number of layers is given, and only towards the average.
pub(super) fn truncation(settings: &Settings) -> Result<Truncation> {
    Ok(Truncation {
        psi: settings.number_or("trunc_psi", 1.0)?.min(1.0),
        cutoff: Some(settings.count_or("trunc_layers", 0)?),
    })
}

fn network(case: &Case, device: &Device) -> Result<StyleGan2> {
    let slope = case.settings.number_or("lrelu_slope", 0.2)?;
    if slope != 0.2 {
        return Err(Error::Unsupported(format!("leaky ReLU with a slope of {slope}")));
    }
    let lr = case.settings.number_or("mapping_lr_mul", 0.01)?;
    let options = Options { mapping_lr_multiplier: lr, ..Options::default() };
    Ok(StyleGan2::from_state_dict(case.weights()?, &options, device)?)
}
