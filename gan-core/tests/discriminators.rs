//! Discriminators: layouts that mean the same network, images that are no squares, and bad input, refused by name.

#![allow(clippy::unwrap_used)]

mod support;

use gan_core::checkpoint::{HostTensor, Layout, StateDict};
use gan_core::models::{pggan, stylegan, stylegan2};
use gan_core::{
    Device, Discriminator, Error, Labels, PgGan, PgGanDiscriminator, Result, StyleGan, StyleGan2,
    StyleGan2Discriminator, StyleGanDiscriminator, Tensor,
};
use support::{changed, refused, renamed};

const ORIG: &str = "stylegan2/discriminator_orig_r16";
const RESNET: &str = "stylegan2/discriminator_resnet_r16";
const SKIP: &str = "stylegan2/discriminator_skip_r8_clamp_fir";
const LABELS: &str = "stylegan2/discriminator_resnet_r16_cond_clamp";
const ROSINALITY: &str = "stylegan2/rosinality_discriminator_r16";
const PGGAN: &str = "pggan/discriminator_res16";
const STYLEGAN: &str = "stylegan1/discriminator_res32";
const STYLEGAN_LABELS: &str = "stylegan1/discriminator_res16_fused_labels";

fn file(name: &str) -> StateDict {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");
    StateDict::open(format!("{folder}/{name}.safetensors")).unwrap()
}

fn weights(name: &str) -> StateDict {
    file(name).subset("weights.")
}

fn open2(dict: StateDict) -> Result<StyleGan2Discriminator> {
    StyleGan2Discriminator::from_state_dict(dict, &Default::default(), &Device::cpu())
}

fn open1(dict: StateDict) -> Result<StyleGanDiscriminator> {
    StyleGanDiscriminator::from_state_dict(dict, &Default::default(), &Device::cpu())
}

fn open_pggan(dict: StateDict) -> Result<PgGanDiscriminator> {
    PgGanDiscriminator::from_state_dict(dict, &Default::default(), &Device::cpu())
}

/// Values that look random.
fn images(shape: &[usize]) -> Tensor {
    let values: Vec<f32> = (0..shape.iter().product::<usize>())
        .map(|i| ((i * 7919 % 1013) as f32 / 506.0) - 1.0)
        .collect();
    Tensor::from_vec(values, shape, &Device::cpu()).unwrap()
}

fn batch(d: &dyn Discriminator, n: usize) -> Tensor {
    let [c, h, w] = d.image_shape();
    images(&[n, c, h, w])
}

fn logits(d: &dyn Discriminator) -> Vec<f32> {
    let logits = d.logits(&batch(d, 4), None).unwrap();
    assert_eq!(logits.shape(), [4, 1]);
    logits.to_vec().unwrap()
}

fn names(dict: &StateDict) -> Vec<String> {
    dict.names().map(str::to_owned).collect()
}

// Layouts

#[test]
fn training_files_hold_a_discriminator_below_its_name() {
    let generator = ["G_ema.synthesis.b4.const", "G.mapping.fc0.weight", "latent_avg"];
    let nested = |dict: &StateDict, level: &str| {
        let mut file = renamed(dict, |name| format!("{level}{name}"));
        for name in generator {
            file.insert(name, HostTensor { shape: vec![1], data: vec![0.0] }).unwrap();
        }
        file
    };
    for (name, level, layout) in [
        (ORIG, "D.", Layout::Nvidia),
        (RESNET, "discriminator.", Layout::Nvidia),
        (ROSINALITY, "d.", Layout::Rosinality),
    ] {
        let (top, below) = (weights(name), nested(&weights(name), level));
        let d = open2(below).unwrap();
        assert_eq!(d.layout(), layout);
        assert_eq!(logits(&d), logits(&open2(top).unwrap()));
    }
    let d = open1(nested(&weights(STYLEGAN), "discriminator.")).unwrap();
    assert_eq!(logits(&d), logits(&open1(weights(STYLEGAN)).unwrap()));
    let d = open_pggan(nested(&weights(PGGAN), "discriminator.")).unwrap();
    assert_eq!(logits(&d), logits(&open_pggan(weights(PGGAN)).unwrap()));
}

/// A StyleGAN2 discriminator in genforce's names: layers are counted from the full resolution on, filters are turned.
fn as_genforce(dict: &StateDict, resolution: usize) -> StateDict {
    let last = (resolution / 4).ilog2() as usize;
    let mut other = StateDict::default();
    for (name, tensor) in dict.iter() {
        let (block, rest) = name.split_once('.').unwrap();
        let r: usize = block[1..].parse().unwrap();
        let i = last - (r / 4).ilog2() as usize;
        let (layer, kind) = rest.split_once('.').unwrap_or(("", rest));
        let owner = match layer {
            "fromrgb" => format!("input{i}"),
            "conv0" | "conv" => format!("layer{}", 2 * i),
            "conv1" | "fc" => format!("layer{}", 2 * i + 1),
            "out" => format!("layer{}", 2 * i + 2),
            "skip" => format!("skip_layer{i}"),
            _ => "downsample".to_owned(),
        };
        let mut tensor = tensor.clone();
        let place = match (kind, layer) {
            ("resample_filter", "conv1" | "skip") => format!("{owner}.filter.kernel"),
            ("resample_filter", "") if i == 0 => "downsample.kernel".to_owned(),
            ("resample_filter", _) => continue,
            _ => format!("{owner}.{kind}"),
        };
        if place.ends_with("kernel") {
            tensor.shape = vec![1, 1, 4, 4];
            tensor.data.reverse();
        }
        other.insert(place, tensor).unwrap();
    }
    let has_images = other.names().any(|name| name == "input1.weight");
    if !has_images {
        other.take("downsample.kernel").unwrap();
    }
    other
}

#[test]
fn genforce_names_the_same_networks_otherwise() {
    for (name, resolution) in [(ORIG, 16), (RESNET, 16), (SKIP, 8)] {
        let dict = weights(name);
        let genforce = open2(as_genforce(&dict, resolution)).unwrap();
        assert_eq!(genforce.layout(), Layout::Genforce);
        let nvidia = open2(dict).unwrap();
        assert_eq!(genforce.architecture(), nvidia.architecture());
        assert_eq!(logits(&genforce), logits(&nvidia));
    }
}

/// Without a mapping network, labels are what the last numbers are multiplied by.
#[test]
fn labels_that_are_not_mapped() {
    let dict = weights(LABELS);
    let mut direct = dict.clone();
    for name in names(&dict).iter().filter(|name| name.starts_with("mapping.")) {
        direct.take(name).unwrap();
    }
    let direct = open2(as_genforce(&direct, 16)).unwrap();
    let mapped = open2(dict).unwrap();
    assert_eq!((direct.label_dim(), mapped.label_dim()), (8, 3));

    let x = batch(&mapped, 4);
    let labels = Labels::one_hot(&[0, 2, 1, 2], 3, &Device::cpu()).unwrap();
    let expected: Vec<f32> = mapped.logits(&x, Some(&labels)).unwrap().to_vec().unwrap();
    let code = mapped.mapped_labels(Some(&labels), 4).unwrap().unwrap();
    let code = Labels::new(code.scale(1.0 / 8f64.sqrt()).unwrap()).unwrap();
    let found: Vec<f32> = direct.logits(&x, Some(&code)).unwrap().to_vec().unwrap();
    for (a, b) in found.iter().zip(&expected) {
        assert!((a - b).abs() < 1e-5 * (1.0 + b.abs()), "{found:?} {expected:?}");
    }
}

#[test]
fn a_network_of_another_family_is_named() {
    let cpu = Device::cpu();
    let generator = |name| weights(name);
    let nvidia = || generator("stylegan2/generator_c0_skip_r16");
    let genforce = generator("pggan/genforce_res32");
    let as_generator =
        |name| StyleGan2::from_state_dict(weights(name), &Default::default(), &cpu).unwrap_err();
    for (error, what) in [
        (open2(nvidia()).unwrap_err(), "a StyleGAN2 generator, to be opened as StyleGan2;"),
        (open1(genforce).unwrap_err(), "a PGGAN generator, to be opened as PgGan;"),
        (open2(weights(PGGAN)).unwrap_err(), "to be opened as PgGanDiscriminator;"),
        (open2(weights(STYLEGAN)).unwrap_err(), "to be opened as StyleGanDiscriminator;"),
        (open1(weights(RESNET)).unwrap_err(), "to be opened as StyleGan2Discriminator;"),
        (open1(weights(PGGAN)).unwrap_err(), "to be opened as PgGanDiscriminator;"),
        (open_pggan(weights(STYLEGAN)).unwrap_err(), "a StyleGAN discriminator, to be opened"),
        (open_pggan(as_genforce(&weights(SKIP), 8)).unwrap_err(), "a StyleGAN2 discriminator, to"),
        (as_generator(RESNET), "a StyleGAN2 discriminator, to be opened as"),
        (as_generator(ROSINALITY), "a StyleGAN2 discriminator, to be opened as"),
        (open2(StateDict::default()).unwrap_err(), "there are no tensors"),
        (
            StyleGan::from_state_dict(weights(STYLEGAN), &Default::default(), &cpu).unwrap_err(),
            "a StyleGAN discriminator, to be opened as StyleGanDiscriminator;",
        ),
        (
            PgGan::from_state_dict(weights(PGGAN), &Default::default(), &cpu).unwrap_err(),
            "a PGGAN discriminator, to be opened as PgGanDiscriminator;",
        ),
    ] {
        assert!(matches!(error, Error::Layout { .. }), "{error:?}");
        assert!(error.to_string().contains(what), "{error}");
    }
}

// Tensors

#[test]
fn each_tensor_removed() {
    for name in [ORIG, RESNET, SKIP, LABELS, ROSINALITY, PGGAN, STYLEGAN] {
        let dict = weights(name);
        for tensor in names(&dict) {
            let mut dict = dict.clone();
            dict.take(&tensor).unwrap();
            let optional = ["resample_filter", "kernel", "lod"];
            let is_optional = optional.iter().any(|end| tensor.ends_with(end));
            let result = match name {
                PGGAN => open_pggan(dict).map(|_| ()),
                STYLEGAN => open1(dict).map(|_| ()),
                _ => open2(dict).map(|_| ()),
            };
            match result {
                Ok(()) => assert!(is_optional, "{name} does without {tensor}"),
                Err(Error::Weights { .. }) => assert!(!is_optional, "{name} needs {tensor}"),
                Err(error) => panic!("{name} without {tensor}: {error}"),
            }
        }
    }
}

#[test]
fn superfluous_and_misshapen_tensors() {
    let surplus = |dict: StateDict, name: &str, shape: &[usize]| {
        let mut dict = dict;
        let data = vec![0.25; shape.iter().product()];
        dict.insert(name, HostTensor { shape: shape.to_vec(), data }).unwrap();
        dict
    };
    let kernel = [8, 8, 3, 3];
    for (name, shape) in [
        ("surplus", &[2][..]),
        ("b4.conv0.weight", &kernel),
        ("b12.conv0.weight", &kernel),
        ("b64.conv0.weight", &kernel),
        ("b8.torgb.weight", &kernel),
        ("mapping.fc0.weight", &[8, 8]),
        ("b16.skip.weight", &[8, 4, 1, 1]),
    ] {
        let named = if name.contains("skip") { "b*.skip" } else { name };
        let named = if name.contains("mapping") { "mapping" } else { named };
        let error = refused(open2(surplus(weights(ORIG), name, shape)), &[named]);
        assert!(matches!(error, Error::Weights { .. }), "{error:?}");
    }
    for name in ["layer9.weight", "layer0.filter", "output0.weights", "skip_layer0.weight"] {
        refused(open_pggan(surplus(weights(PGGAN), name, &[2])), &["checkpoint tensor"]);
    }
    refused(open2(surplus(weights(ROSINALITY), "convs.1.conv3.0.weight", &[2])), &["conv3"]);

    let dict = weights(ORIG);
    let with = |name: &str, shape: &[usize]| {
        changed(&dict, name, |t| {
            t.data.resize(shape.iter().product(), 0.25);
            t.shape = shape.to_vec();
        })
    };
    refused(open2(with("b4.conv.weight", &[8, 7, 3, 3])), &["`b4.conv.weight`", "8 inputs"]);
    refused(open2(with("b4.conv.weight", &[8, 11, 3, 3])), &["`b4.conv.weight`", "11 inputs"]);
    refused(open2(with("b4.fc.weight", &[8, 127])), &["`b4.fc.weight`", "127 inputs"]);
    refused(open2(with("b4.fc.weight", &[8, 256])), &["`b4.fc.weight`", "`last_size`"]);
    refused(open2(with("b8.conv0.weight", &[8, 7, 3, 3])), &["`b8.conv0.weight`"]);
    let nan = changed(&dict, "b8.conv1.bias", |t| t.data[3] = f32::NAN);
    refused(open2(nan), &["`b8.conv1.bias`", "finite"]);
}

/// Names alone say how many blocks there are, and may say anything.
#[test]
fn numbers_that_make_no_sense() {
    for names in [
        &["input0.weight", "layer0.weight"][..],
        &["input0.weight", "layer0.weight", "layer99.weight"],
        &["input99.weight", "input0.weight", "layer0.weight", "layer4.weight"],
        &["input0.weight", "layer0.weight", "layer4.weight", "layer03.weight"],
        &["input0.weight", "layer0.blur.kernel", "layer1.blur.kernel"],
        &["input0.weight", "layer0.filter.kernel", "layer1.filter.kernel", "downsample.kernel"],
        &["input0.weight", "layer0.weight", "layer1.filter.kernel", "skip_layer99.weight"],
        &["convs.99.conv1.0.weight", "final_conv.0.weight"],
        &["convs.0.0.weight", "convs.0.1.bias", "final_conv.0.weight"],
        &["convs.0.conv1.0.weight", "final_conv.0.weight"],
        &["b4.out.weight"],
        &["b4.out.weight", "b8.conv0.weight", "b131072.conv0.weight"],
    ] {
        for shape in [&[][..], &[0], &[1], &[1, 1, 1, 1], &[2, 2], &[0, 0, 0, 0]] {
            let mut dict = StateDict::default();
            for name in names {
                let data = vec![0.5; shape.iter().product()];
                dict.insert(*name, HostTensor { shape: shape.to_vec(), data }).unwrap();
            }
            let named = |error: Error| {
                assert!(matches!(error, Error::Weights { .. } | Error::Layout { .. }), "{error:?}");
            };
            named(open2(dict.clone()).unwrap_err());
            named(open1(dict.clone()).unwrap_err());
            named(open_pggan(dict).unwrap_err());
        }
    }
}

// Images

#[test]
fn images_that_are_no_squares() {
    let dict = changed(&weights(ORIG), "b4.fc.weight", |t| {
        t.shape = vec![8, 8 * 32];
        t.data = t.data.iter().chain(&t.data).copied().collect();
    });
    let open = |last_size| {
        let options = stylegan2::DiscriminatorOptions { last_size, ..Default::default() };
        StyleGan2Discriminator::from_state_dict(dict.clone(), &options, &Device::cpu())
    };
    for (last, [h, w]) in [([4, 8], [16, 32]), ([8, 4], [32, 16]), ([2, 16], [8, 64])] {
        let d = open(Some(last)).unwrap();
        assert_eq!(d.image_shape(), [3, h, w]);
        assert!(logits(&d).iter().all(|x| x.is_finite()));
        let turned = d.logits(&images(&[4, 3, w, h]), None);
        refused(turned, &["discriminator", &format!("images [n, 3, {h}, {w}]")]);
    }
    refused(open(Some([4, 4])), &["`b4.fc.weight`", "8 x 4 x 4 inputs"]);
    refused(open(Some([usize::MAX, usize::MAX])), &["`b4.fc.weight`"]);
    refused(open(Some([0, 0])), &["`b4.fc.weight`"]);
}

#[test]
fn images_of_another_size() {
    let (d2, d1) = (open2(weights(RESNET)).unwrap(), open1(weights(STYLEGAN)).unwrap());
    let pg = open_pggan(weights(PGGAN)).unwrap();
    let all: [(&dyn Discriminator, usize); 3] = [(&d2, 16), (&d1, 32), (&pg, 16)];
    for (d, size) in all {
        let right = [4, 3, size, size];
        assert_eq!(d.image_shape(), right[1..]);
        for axis in 1..4 {
            for wrong in [right[axis] - 1, right[axis] * 2] {
                let mut shape = right;
                shape[axis] = wrong;
                let error = refused(d.logits(&images(&shape), None), &["images [n, 3,"]);
                assert!(matches!(error, Error::Shape { .. }), "{error:?}");
            }
        }
        refused(d.logits(&images(&[4, 3]), None), &["[n, c, h, w]"]);
    }
}

#[test]
fn batches_fall_into_groups() {
    let d = open2(weights(RESNET)).unwrap();
    for n in [1, 2, 3, 4, 8] {
        assert_eq!(d.logits(&batch(&d, n), None).unwrap().shape(), [n, 1]);
    }
    let error = refused(d.logits(&batch(&d, 6), None), &["batch", "multiple of the 4 samples"]);
    assert!(matches!(error, Error::Argument { .. }), "{error:?}");
    let whole = |group| {
        let options =
            stylegan2::DiscriminatorOptions { minibatch_std_group: group, ..Default::default() };
        StyleGan2Discriminator::from_state_dict(weights(RESNET), &options, &Device::cpu())
    };
    whole(None).unwrap().logits(&batch(&d, 6), None).unwrap();
    refused(whole(Some(0)), &["minibatch_std_group", "at least 1"]);
    let options =
        pggan::DiscriminatorOptions { minibatch_std_group: Some(0), ..Default::default() };
    let dict = weights(PGGAN);
    refused(
        PgGanDiscriminator::from_state_dict(dict, &options, &Device::cpu()),
        &["minibatch_std_group"],
    );
}

#[test]
fn labels_that_do_not_fit() {
    let none = open2(weights(RESNET)).unwrap();
    let mapped = open2(weights(LABELS)).unwrap();
    let direct = open1(weights(STYLEGAN_LABELS)).unwrap();
    let pg = open_pggan(weights("pggan/discriminator_res16_fused_classes"));
    let pg = pg.unwrap();
    assert_eq!((pg.class_count(), pg.label_dim()), (3, 0));
    let labels = |shape: &[usize]| Labels::new(images(shape)).unwrap();
    for d in [&none as &dyn Discriminator, &pg] {
        let error = refused(d.logits(&batch(d, 4), Some(&labels(&[4, 3]))), &["labels", "none"]);
        assert!(matches!(error, Error::Argument { .. }), "{error:?}");
    }
    for d in [&mapped as &dyn Discriminator, &direct] {
        let x = batch(d, 4);
        assert_eq!(d.label_dim(), 3);
        assert_eq!(d.logits(&x, Some(&labels(&[4, 3]))).unwrap().shape(), [4, 1]);
        let error = refused(d.logits(&x, None), &["labels", "[4, 3]", "none"]);
        assert!(matches!(error, Error::Argument { .. }), "{error:?}");
        for shape in [[4, 2], [4, 4], [1, 3], [8, 3]] {
            let error = refused(d.logits(&x, Some(&labels(&shape))), &["labels", "[4, 3]"]);
            assert!(matches!(error, Error::Latent { .. }), "{error:?}");
        }
    }
}

#[test]
fn levels_of_detail_that_do_not_exist() {
    for wrong in [-0.1, 3.1, f64::NAN, f64::INFINITY] {
        refused(open1(weights(STYLEGAN)).unwrap().with_lod(wrong), &["lod", "0 to 3"]);
        let lod = Some(wrong);
        let options = stylegan::DiscriminatorOptions { lod, ..Default::default() };
        refused(
            StyleGanDiscriminator::from_state_dict(weights(STYLEGAN), &options, &Device::cpu()),
            &["lod", "0 to 3"],
        );
    }
    let stored = changed(&weights(PGGAN), "lod", |t| t.data[0] = 1.5);
    assert_eq!(open_pggan(stored).unwrap().lod(), 1.5);
    let stored = changed(&weights(PGGAN), "lod", |t| t.data[0] = 2.5);
    refused(open_pggan(stored), &["`lod`", "0 to 2"]);
}

/// A little before a whole level of detail is nearly that level.
#[test]
fn growth_is_continuous() {
    let at = |lod| logits(&open1(weights(STYLEGAN)).unwrap().with_lod(lod).unwrap());
    for whole in [1.0, 2.0, 3.0] {
        for (a, b) in at(whole).iter().zip(at(whole - 1e-6)) {
            assert!((a - b).abs() < 1e-3 * (1.0 + b.abs()), "{a} {b}");
        }
    }
}

#[test]
fn the_debug_text_names_the_configuration() {
    let text = format!("{:?}", open2(weights(LABELS)).unwrap());
    assert_eq!(text, "StyleGan2Discriminator(3x16x16, Resnet, labels 3, from NVIDIA)");
    let text = format!("{:?}", open_pggan(weights(PGGAN)).unwrap());
    assert_eq!(text, "PgGanDiscriminator(3x16x16, classes 0, lod 0, from genforce)");
}
