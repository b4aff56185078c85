//! BigGAN: what goes in is checked and named, and codes move where they should. That its numbers are right is for the
//! golden files to say.

#![allow(clippy::unwrap_used)]

mod support;

use gan_core::checkpoint::{HostTensor, StateDict};
use gan_core::models::biggan::Options;
use gan_core::{
    BigGan, Device, Direction, Error, Factorizable, Generator, Labels, Layers, Seeds, StyleGan2,
    Tensor, Z, ZPlus, ZTruncation,
};
use support::{assert_refused, golden_weights, refused};

const UPSAMPLE: [bool; 5] = [true, false, false, true, false];

/// Five blocks and attention as layer 2; z 8, five classes, 16 pixels, 11 statistics.
fn golden() -> StateDict {
    golden_weights("biggan/biggan_deep_res16_stats11")
}

fn options() -> Options {
    Options { upsample: Some(UPSAMPLE.to_vec()), ..Options::default() }
}

fn build(dict: StateDict) -> gan_core::Result<BigGan> {
    BigGan::from_state_dict(dict, &options(), &Device::cpu())
}

fn model() -> BigGan {
    build(golden()).unwrap()
}

fn classes(g: &BigGan, classes: &[usize]) -> Labels {
    Labels::one_hot(classes, g.label_dim(), g.device()).unwrap()
}

fn codes(g: &BigGan, count: u32) -> Z {
    g.sample(&Seeds::from(0..count), ZTruncation::default()).unwrap()
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.to_vec().unwrap()
}

// Files

#[test]
fn the_configuration_follows_from_the_tensors() {
    let g = model();
    assert_eq!((g.z_dim(), g.label_dim(), g.latent_layers()), (8, 5, 6));
    assert_eq!(g.image_shape(), [3, 16, 16]);
    let channels: Vec<_> = g.blocks().map(|b| (b.inputs(), b.outputs(), b.upsamples())).collect();
    let expected = [(64, 64), (64, 32), (32, 16), (16, 8), (8, 4)];
    let expected: Vec<_> = expected.iter().zip(UPSAMPLE).map(|(&(i, o), up)| (i, o, up)).collect();
    assert_eq!(channels, expected);
    assert_eq!(format!("{g:?}"), "BigGan(3x16x16, z 8, labels 5, 5 blocks)");
    // By default every second block doubles.
    let g = BigGan::from_state_dict(golden(), &Options::default(), &Device::cpu()).unwrap();
    let doubling: Vec<bool> = g.blocks().map(|b| b.upsamples()).collect();
    assert_eq!(doubling, [false, true, false, true, false]);
}

#[test]
fn each_tensor_removed() {
    let dict = golden();
    for name in dict.names() {
        let mut without = dict.clone();
        without.take(name).unwrap();
        let error = refused(build(without), &["no such tensor"]);
        assert!(matches!(&error, Error::Weights { name: n, .. } if n == name), "{name}: {error}");
    }
}

#[test]
fn each_tensor_misshapen() {
    let dict = golden();
    for (name, tensor) in dict.iter() {
        for axis in 0..tensor.shape.len() {
            // The number of classes is anyone's choice.
            if name == "embeddings.weight" && axis == 1 {
                continue;
            }
            let mut shape = tensor.shape.clone();
            shape[axis] += 1;
            let data = vec![0.25; shape.iter().product()];
            let mut other = dict.clone();
            other.take(name).unwrap();
            other.insert(name, HostTensor { shape, data }).unwrap();
            let error = refused(build(other), &["shape ["]);
            assert!(matches!(error, Error::Weights { .. }), "{name} {axis}: {error}");
        }
    }
}

#[test]
fn layers_that_are_missing_or_superfluous() {
    let without = |prefix: &str| {
        let mut dict = golden();
        let names: Vec<String> = dict.names().map(str::to_owned).collect();
        for name in names.iter().filter(|name| name.starts_with(prefix)) {
            dict.take(name).unwrap();
        }
        build(dict)
    };
    assert_refused!(without("generator.layers.1."), Error::Weights { .. }, "generator.layers.1.");
    assert_refused!(without("generator.layers.2."), Error::Weights { .. }, "generator.layers.2.");
    assert_refused!(without("generator.layers.5."), Error::Argument { .. }, "4 blocks", "found 5");
    assert_refused!(without("generator.bn."), Error::Weights { .. }, "generator.bn.running_means");
    let mut dict = golden();
    dict.insert("generator.more", HostTensor { shape: vec![1], data: vec![1.0] }).unwrap();
    assert_refused!(build(dict), Error::Weights { .. }, "generator.more");
}

#[test]
fn values_that_make_no_network() {
    let with = |name: &str, value: f32| {
        let mut dict = golden();
        let mut tensor = dict.take(name).unwrap();
        tensor.data.fill(value);
        dict.insert(name, tensor).unwrap();
        build(dict)
    };
    let name = "generator.layers.3.bn_1.running_vars";
    assert_refused!(with(name, -0.5), Error::Weights { .. }, name, "-0.5");
    assert_refused!(with(name, f32::NAN), Error::Weights { .. }, name, "finite");
    let name = "generator.gen_z.weight_u";
    assert_refused!(with(name, 0.0), Error::Weights { .. }, name, "sigma 0");
}

#[test]
fn options_that_do_not_fit() {
    let build = |options: &Options| BigGan::from_state_dict(golden(), options, &Device::cpu());
    let options = Options { upsample: Some(vec![true; 4]), ..Options::default() };
    assert_refused!(build(&options), Error::Argument { .. }, "upsample", "5 blocks", "found 4");
    for eps in [0.0, -1.0, f64::NAN] {
        let options = Options { eps, ..Options::default() };
        assert_refused!(build(&options), Error::Argument { .. }, "eps");
    }
}

#[test]
fn other_families() {
    let portraits =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/models/portraits64.safetensors");
    let error = BigGan::open(portraits, &Device::cpu());
    assert_refused!(
        error,
        Error::Layout { .. },
        "StyleGAN2",
        "to be opened as StyleGan2",
        "Hugging Face"
    );
    assert_refused!(build(StateDict::default()), Error::Layout { .. }, "no tensors");
    let wrong = StyleGan2::from_state_dict(golden(), &Default::default(), &Device::cpu());
    assert_refused!(wrong, Error::Layout { .. }, "to be opened as BigGan");
}

// Codes and labels

#[test]
fn truncations_outside_of_their_range() {
    for wrong in [0.0, -0.4, 1.0 + 1e-12, f64::NAN, f64::INFINITY] {
        assert_refused!(ZTruncation::new(wrong), Error::Argument { .. }, "truncation");
    }
    let g = model();
    let z = g.broadcast(&codes(&g, 1)).unwrap();
    for smallest in [f64::MIN_POSITIVE, 1e-3, 0.999999, 1.0] {
        let truncation = ZTruncation::new(smallest).unwrap();
        let image = g.synthesize(&z, &classes(&g, &[0]), truncation).unwrap();
        assert!(values(&image).iter().all(|v| v.is_finite()));
    }
}

#[test]
fn labels_that_do_not_fit() {
    let g = model();
    let cpu = Device::cpu();
    assert_refused!(Labels::one_hot(&[5], 5, &cpu), Error::Argument { .. }, "class", "0 to 4");
    let z = codes(&g, 2);
    assert_refused!(g.generate(&z, None), Error::Argument { .. }, "labels", "[n, 5]");
    let wide = Labels::one_hot(&[0, 1], 6, &cpu).unwrap();
    assert_refused!(
        g.generate(&z, Some(&wide)),
        Error::Latent { .. },
        "labels",
        "[n, 5]",
        "[2, 6]"
    );
    let few = classes(&g, &[0]);
    assert_refused!(g.generate(&z, Some(&few)), Error::Latent { .. }, "labels", "2 rows", "1 rows");
}

#[test]
fn codes_of_another_model() {
    let g = model();
    let labels = classes(&g, &[0]);
    let tensor = |shape: &[usize]| Tensor::full(0.5, shape, &Device::cpu()).unwrap();
    let z = Z::new(tensor(&[1, 9])).unwrap();
    assert_refused!(g.generate(&z, Some(&labels)), Error::Latent { what: "z", .. }, "[n, 8]");
    assert_refused!(g.broadcast(&z), Error::Latent { what: "z", .. }, "[n, 8]");
    for shape in [[1, 5, 8], [1, 6, 9]] {
        let z = ZPlus::new(tensor(&shape)).unwrap();
        let image = g.synthesize(&z, &labels, ZTruncation::default());
        assert_refused!(image, Error::Latent { what: "z+", .. }, "[n, 6, 8]");
    }
    assert_refused!(ZPlus::new(tensor(&[6, 8])), Error::Shape { .. }, "z+", "[6, 8]");
    let z = g.broadcast(&codes(&g, 1)).unwrap();
    let long = Direction::<Z>::new(vec![1.0; 9], Layers::All, "test").unwrap();
    assert_refused!(z.shifted(&long, 1.0), Error::Latent { what: "direction", .. }, "8 components");
    let late = Direction::<Z>::new(vec![1.0; 8], Layers::Some(vec![6]), "test").unwrap();
    assert_refused!(z.shifted(&late, 1.0), Error::Argument { .. }, "layers 0 to 5");
    assert_refused!(z.layer(6), Error::Shape { .. }, "slice");
    assert_refused!(ZPlus::broadcast(&codes(&g, 1), 0), Error::Shape { .. }, "at least 1");
}

#[test]
fn samples_repeat_row_by_row_and_scale_with_the_truncation() {
    let g = model();
    let three = values(codes(&g, 3).tensor());
    let last = g.sample(&Seeds::from(2..3), ZTruncation::default()).unwrap();
    assert_eq!(values(last.tensor()), three[16..]);
    assert!(three.iter().all(|v| v.abs() <= 2.0));
    let half = g.sample(&Seeds::from(0..3), ZTruncation::new(0.5).unwrap()).unwrap();
    assert_eq!(values(half.tensor()), three.iter().map(|v| 0.5 * v).collect::<Vec<_>>());
    let none = g.sample(&Seeds::from(0..0), ZTruncation::default());
    assert_refused!(none, Error::Argument { .. }, "seeds");
}

/// A direction of some layers leaves everything in front of them as it was.
#[test]
fn directions_move_their_layers_only() {
    let g = model();
    let labels = classes(&g, &[3]);
    let z = g.broadcast(&codes(&g, 1)).unwrap();
    // Latent layer 3 is the third block, which comes after the attention and is layer 3 of the list, too.
    let direction = Direction::<Z>::new(vec![0.5; 8], Layers::Some(vec![3]), "test").unwrap();
    let features = |z: &ZPlus| {
        let mut shown = Vec::new();
        let mut visit = |name: &str, x: &Tensor| {
            shown.push((name.to_owned(), x.to_vec::<f32>()?));
            Ok(())
        };
        g.synthesize_with(z, &labels, ZTruncation::default(), &mut visit).unwrap();
        shown
    };
    let moved = z.shifted(&direction, 2.0).unwrap();
    let (before, after) = (features(&z), features(&moved));
    let same: Vec<&str> =
        before.iter().zip(&after).filter(|(a, b)| a == b).map(|(a, _)| a.0.as_str()).collect();
    assert_eq!(same, ["embeddings", "gen_z", "layers.0", "layers.1", "layers.2"]);
    assert_eq!(values(z.layer(1).unwrap().tensor()), values(moved.layer(1).unwrap().tensor()));
    let rows = z.layer(3).unwrap().tensor().affine(1.0, 1.0).unwrap();
    assert_eq!(values(moved.layer(3).unwrap().tensor()), values(&rows));
}

#[test]
fn images_do_not_depend_on_the_rest_of_the_batch() {
    let g = model();
    let all = g.generate(&codes(&g, 3), Some(&classes(&g, &[0, 4, 2]))).unwrap();
    let last = g.sample(&Seeds::from(2..3), ZTruncation::default()).unwrap();
    let alone = g.generate(&last, Some(&classes(&g, &[2]))).unwrap();
    assert_eq!(values(&all)[2 * 3 * 256..], values(&alone));
    assert!(values(&all).iter().all(|v| v.abs() <= 1.0));
}

#[test]
fn projections_are_the_columns_of_z() {
    let dict = golden();
    let g = model();
    let projections = g.projections().unwrap();
    let rows = |layers: std::ops::RangeInclusive<usize>| -> usize {
        let chosen = projections.iter().filter(|p| layers.contains(&p.layer));
        chosen.map(|p| p.matrix.nrows()).sum()
    };
    assert_eq!((rows(0..=0), rows(1..=1), rows(1..=2), rows(0..=5)), (1024, 224, 448, 1668));
    assert_eq!(projections.len(), 1 + 5 * 8);
    assert_eq!(projections[0].name, "gen_z");
    let names: Vec<&str> = projections[1..4].iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["block1.bn_0.scale", "block1.bn_0.offset", "block1.bn_1.scale"]);
    // The third block is behind the attention.
    let third = projections.iter().find(|p| p.name == "block3.bn_2.offset").unwrap();
    let stored = dict.get("generator.layers.3.bn_2.offset.weight_orig").unwrap();
    assert_eq!((third.layer, third.matrix.dim()), (3, (8, 8)));
    let ratio = third.matrix[[0, 0]] / stored.data[0];
    for ((row, column), ours) in third.matrix.indexed_iter() {
        assert!((ours - ratio * stored.data[16 * row + column]).abs() < 1e-6);
    }
}
