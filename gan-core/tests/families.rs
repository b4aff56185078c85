//! PGGAN and StyleGAN generators: layouts that mean the same network, and bad input, which is refused by name.

#![allow(clippy::unwrap_used)]

mod support;

use gan_core::checkpoint::{Layout, StateDict};
use gan_core::models::{pggan, stylegan};
use gan_core::{
    Device, Direction, Error, Generator, Labels, Layers, Noise, PgGan, Result, Seeds, StyleBased,
    StyleGan, StyleGan2, Tensor, Truncation, WPlus, Z,
};
use support::{changed, golden_weights, refused, renamed};

fn open_pggan(dict: StateDict) -> Result<PgGan> {
    PgGan::from_state_dict(dict, &pggan::Options::default(), &Device::cpu())
}

fn open_stylegan(dict: StateDict) -> Result<StyleGan> {
    StyleGan::from_state_dict(dict, &stylegan::Options::default(), &Device::cpu())
}

fn images(g: &dyn Generator) -> Vec<f32> {
    let z = Z::from_seeds(&Seeds::from(0..2), g.z_dim(), g.device()).unwrap();
    g.generate(&z, None).unwrap().to_vec().unwrap()
}

fn names(dict: &StateDict) -> Vec<String> {
    dict.names().map(str::to_owned).collect()
}

// Layouts

#[test]
fn a_network_of_another_family_is_named() {
    let (pg, style1, style2) = (
        || golden_weights("pggan/genforce_res16_fused"),
        || golden_weights("stylegan1/genforce_res32"),
        || golden_weights("sefa/stylegan2_genforce_res32"),
    );
    let cpu = Device::cpu();
    let open2 = |dict| StyleGan2::from_state_dict(dict, &Default::default(), &cpu);
    let mgan = golden_weights("pggan/mganprior_layout_res16");
    let inter = golden_weights("stylegan1/interfacegan_layout_res16");
    for (error, what) in [
        (open_pggan(style1()).unwrap_err(), "a StyleGAN generator, to be opened as StyleGan;"),
        (open_pggan(style2()).unwrap_err(), "a StyleGAN2 generator, to be opened as StyleGan2"),
        (open_stylegan(pg()).unwrap_err(), "a PGGAN generator, to be opened as PgGan"),
        (open_stylegan(mgan).unwrap_err(), "a PGGAN generator, to be opened as PgGan"),
        (open_stylegan(style2()).unwrap_err(), "a StyleGAN2 generator, to be opened as StyleGan2"),
        (open2(pg()).unwrap_err(), "a PGGAN generator, to be opened as PgGan"),
        (open2(style1()).unwrap_err(), "a StyleGAN generator, to be opened as StyleGan;"),
        (open2(inter).unwrap_err(), "a StyleGAN generator, to be opened as StyleGan;"),
        (open_pggan(StateDict::default()).unwrap_err(), "there are no tensors"),
    ] {
        assert!(matches!(error, Error::Layout { .. }), "{error:?}");
        assert!(error.to_string().contains(what), "{error}");
    }
}

#[test]
fn training_files_hold_a_generator_below_its_name() {
    let dict = golden_weights("pggan/genforce_res32");
    let nested = renamed(&dict, |name| format!("generator_smooth.{name}"));
    assert_eq!(images(&open_pggan(nested).unwrap()), images(&open_pggan(dict).unwrap()));
    let dict = golden_weights("stylegan1/genforce_res32");
    let nested = renamed(&dict, |name| format!("generator_smooth.{name}"));
    assert_eq!(images(&open_stylegan(nested).unwrap()), images(&open_stylegan(dict).unwrap()));
}

#[test]
fn mganprior_names_its_dense_layers_otherwise() {
    for name in ["interfacegan_layout_res16", "interfacegan_layout_res8_fused"] {
        let dict = golden_weights(&format!("stylegan1/{name}"));
        let mgan = renamed(&dict, |name| {
            name.replace("linear.weight", "fc.weight").replace("first_layer", "const")
        });
        let mgan = open_stylegan(mgan).unwrap();
        assert_eq!(mgan.layout(), Layout::MganPrior);
        let inter = open_stylegan(dict).unwrap();
        assert_eq!(inter.layout(), Layout::InterfaceGan);
        assert_eq!(images(&mgan), images(&inter));
    }
}

#[test]
fn names_of_two_layouts_do_not_mix() {
    let rename = |name: &str| name.replace("layer1.weight", "layer1.conv.weight");
    let dict = renamed(&golden_weights("pggan/genforce_res32"), rename);
    refused(open_pggan(dict), &["`layer1.conv.weight`", "PGGAN", "genforce"]);
    let dict = renamed(&golden_weights("stylegan1/genforce_res32"), |name| {
        name.replace("synthesis.layer1.style.weight", "synthesis.layer1.epilogue.bias")
    });
    refused(open_stylegan(dict), &["`synthesis.layer1.epilogue.bias`", "StyleGAN", "genforce"]);
}

#[test]
fn the_shapes_tell_whether_a_pggan_is_fused() {
    let open = |name: &str, fused_scale| {
        let options = pggan::Options { fused_scale, ..Default::default() };
        PgGan::from_state_dict(golden_weights(name), &options, &Device::cpu())
    };
    for (name, fused) in [("pggan/genforce_res16_fused", true), ("pggan/genforce_res32", false)] {
        let inferred = images(&open(name, None).unwrap());
        assert_eq!(inferred, images(&open(name, Some(fused)).unwrap()));
        let error = refused(open(name, Some(!fused)), &["b"]);
        assert!(matches!(error, Error::Weights { .. }), "{error:?}");
    }
}

// Tensors

#[test]
fn each_tensor_of_a_pggan_removed_or_misshapen() {
    for file in ["genforce_res16_fused", "mganprior_layout_res16_fused"] {
        let dict = golden_weights(&format!("pggan/{file}"));
        for name in names(&dict) {
            let mut without = dict.clone();
            without.take(&name).unwrap();
            match (name.as_str(), open_pggan(without)) {
                ("lod", result) => assert_eq!(result.unwrap().lod(), 0.0),
                (_, Err(Error::Weights { .. } | Error::Layout { .. })) => {}
                (_, other) => panic!("{name}: {other:?}"),
            }
            check_misshapen(&dict, &name, |dict| open_pggan(dict).map(|g| images(&g)));
        }
    }
}

#[test]
fn each_tensor_of_a_stylegan_removed_or_misshapen() {
    for file in ["genforce_noconst_tanh_lod_res16", "interfacegan_layout_res8_fused"] {
        let dict = golden_weights(&format!("stylegan1/{file}"));
        for name in names(&dict) {
            let mut without = dict.clone();
            without.take(&name).unwrap();
            let optional = name.ends_with("lod")
                || name.ends_with("blur.kernel")
                || name.starts_with("truncation.");
            match open_stylegan(without) {
                Ok(_) if optional => {}
                Err(Error::Weights { .. } | Error::Layout { .. }) if !optional => {}
                other => panic!("{name}: {other:?}"),
            }
            check_misshapen(&dict, &name, |dict| open_stylegan(dict).map(|g| images(&g)));
        }
    }
}

/// Whatever a tensor's shape, the network is refused or runs.
#[track_caller]
fn check_misshapen(dict: &StateDict, name: &str, run: impl Fn(StateDict) -> Result<Vec<f32>>) {
    let shape = dict.get(name).unwrap().shape.clone();
    let mut shapes = vec![vec![], vec![0], vec![0; 4], vec![1, 0, 3, 3], vec![2], vec![1; 5]];
    for axis in 0..shape.len() {
        let mut grown = shape.clone();
        grown[axis] += 1;
        shapes.push(grown);
    }
    for shape in shapes {
        let dict = changed(dict, name, |t| {
            t.data.resize(shape.iter().product(), 0.25);
            t.shape = shape.clone();
        });
        match run(dict) {
            Ok(_) | Err(Error::Weights { .. }) => {}
            Err(other) => panic!("{name} {shape:?}: {other:?}"),
        }
    }
}

#[test]
fn blocks_are_counted() {
    let dict = golden_weights("pggan/genforce_res32");
    assert_eq!(open_pggan(dict.clone()).unwrap().image_shape(), [3, 32, 32]);
    let without = |layers: &[&str]| {
        let mut dict = dict.clone();
        for name in names(&dict) {
            if layers.iter().any(|l| name.starts_with(l)) {
                dict.take(&name).unwrap();
            }
        }
        open_pggan(dict)
    };
    let smaller = without(&["layer6.", "layer7.", "output3."]).unwrap();
    assert_eq!(smaller.image_shape(), [3, 16, 16]);
    refused(without(&["layer7."]), &["b32.conv1.weight", "no such tensor"]);
    refused(without(&["layer4.", "layer5.", "output2."]), &["b32."]);
}

// Options, codes, labels and noise

#[test]
fn levels_of_detail_that_do_not_exist() {
    let dict = golden_weights("pggan/genforce_res32");
    for lod in [-0.5, 3.5, f64::NAN, f64::INFINITY] {
        refused(open_pggan(dict.clone()).unwrap().with_lod(lod), &["lod: expected 0 to 3"]);
    }
    let stored = changed(&dict, "lod", |t| t.data[0] = 7.0);
    refused(open_pggan(stored), &["`lod`", "0 to 3", "7"]);
    let stored = changed(&dict, "lod", |t| t.data[0] = 1.5);
    assert_eq!(open_pggan(stored).unwrap().lod(), 1.5);
    let options = stylegan::Options { lod: Some(4.0), ..Default::default() };
    let dict = golden_weights("stylegan1/genforce_res32");
    refused(StyleGan::from_state_dict(dict, &options, &Device::cpu()), &["lod", "0 to 3"]);
}

#[test]
fn codes_and_labels_that_do_not_fit() {
    let cpu = Device::cpu();
    let tensor = |shape: &[usize]| Tensor::full(0.5, shape, &cpu).unwrap();
    let z = |n| Z::new(tensor(&[2, n])).unwrap();
    let labels = |n, k| Labels::new(tensor(&[n, k])).unwrap();
    let plain = open_pggan(golden_weights("pggan/genforce_res32")).unwrap();
    refused(plain.generate(&z(13), None), &["z", "[n, 12]", "[2, 13]"]);
    refused(plain.generate(&z(12), Some(&labels(2, 3))), &["labels", "not conditional"]);

    let open = |label_dim| {
        let options = pggan::Options { label_dim, ..Default::default() };
        PgGan::from_state_dict(golden_weights("pggan/genforce_label_tanh_lod"), &options, &cpu)
    };
    let conditional = open(3).unwrap();
    assert_eq!((conditional.z_dim(), conditional.label_dim()), (10, 3));
    refused(conditional.generate(&z(10), None), &["labels", "[n, 3]", "none"]);
    refused(conditional.generate(&z(10), Some(&labels(1, 3))), &["labels", "[2, 3]", "[1, 3]"]);
    refused(conditional.generate(&z(10), Some(&labels(2, 4))), &["labels", "[2, 3]", "[2, 4]"]);
    refused(open(13), &["label_dim", "below the 13 inputs"]);

    let style = open_stylegan(golden_weights("stylegan1/genforce_label_fused_res16")).unwrap();
    refused(style.generate(&z(10), None), &["labels", "[n, 4]"]);
    refused(style.generate(&z(9), Some(&labels(2, 4))), &["z", "[n, 10]"]);
}

#[test]
fn styles_and_noise_of_a_stylegan() {
    let g = open_stylegan(golden_weights("stylegan1/genforce_res32")).unwrap();
    assert_eq!((g.num_ws(), g.style_layout().len()), (8, 16));
    let entry = &g.style_layout()[5];
    assert_eq!((entry.name.as_str(), entry.channels, entry.w_index), ("b8.conv0.bias", 14, 2));
    let w = g.map(&g.sample(&Seeds::from(0..2)).unwrap(), None).unwrap();
    let wp = g.truncate(&w, &Truncation { psi: 0.7, cutoff: Some(4) }).unwrap();
    fn image(g: &StyleGan, wp: &WPlus, noise: Noise<'_>) -> Result<Vec<f32>> {
        g.synthesize(wp, noise)?.to_vec()
    }
    let plain = image(&g, &wp, Noise::Const).unwrap();
    let mut maps = g.synthesis().noise_maps().unwrap();
    assert_eq!(image(&g, &wp, Noise::Maps(&maps)).unwrap(), plain);
    assert_ne!(image(&g, &wp, Noise::None).unwrap(), plain);
    let seeded = |seed| image(&g, &wp, Noise::Random { seed }).unwrap();
    assert_eq!(seeded(1), seeded(1));
    assert_ne!(seeded(1), seeded(2));
    refused(image(&g, &wp, Noise::Maps(&maps[1..])), &["noise maps", "8, one for each"]);
    maps[3] = Tensor::zeros(&[1, 1, 1, 1], g.device()).unwrap();
    refused(image(&g, &wp, Noise::Maps(&maps)), &["noise", "[2 or 1, 1, 8, 8]", "[1, 1, 1, 1]"]);

    let styles = g.styles(&wp).unwrap();
    let moved = styles.shifted("b8.conv0.bias", 3, 2.0).unwrap();
    let moved = g.synthesize_styles(&moved, Noise::Const).unwrap().to_vec::<f32>().unwrap();
    assert_ne!(moved, plain);
    let other = open_stylegan(golden_weights("stylegan1/interfacegan_layout_res16")).unwrap();
    let error = refused(other.synthesize_styles(&styles, Noise::Const), &["styles", "b4.conv0"]);
    assert!(matches!(error, Error::Latent { .. }), "{error:?}");
    refused(other.styles(&wp), &["w+", "[n, 6, 12]", "[2, 8, 16]"]);
}

/// NVIDIA's own PGGAN normalises codes and labels once and together, genforce's the codes before.
#[test]
fn labels_weigh_as_in_the_original_code() {
    let cpu = Device::cpu();
    let checkpoints = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/checkpoints");
    let options = gan_core::models::pggan::Options { label_dim: 2, ..Default::default() };
    for (file, together) in
        [("containers/tf_pggan.pkl", true), ("pggan_genforce.safetensors", false)]
    {
        let dict = StateDict::open(format!("{checkpoints}/{file}")).unwrap();
        let g = PgGan::from_state_dict(dict, &options, &cpu).unwrap();
        let z = g.sample(&Seeds::from(0..1)).unwrap();
        let image = |z: f64, label: f64| {
            let z =
                Z::new(g.sample(&Seeds::from(0..1)).unwrap().tensor().scale(z).unwrap()).unwrap();
            let labels =
                Labels::new(Tensor::new(&[label as f32, 0.0], &[1, 2], &cpu).unwrap()).unwrap();
            g.generate(&z, Some(&labels)).unwrap().to_vec::<f32>().unwrap()
        };
        let apart = |a: Vec<f32>, b: Vec<f32>| {
            a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
        };
        let [of_z, of_both] =
            [apart(image(1.0, 1.0), image(3.0, 1.0)), apart(image(1.0, 1.0), image(3.0, 3.0))];
        let (same, other) = if together { (of_both, of_z) } else { (of_z, of_both) };
        assert!(same < 1e-4 && other > 1e-3, "{file}: {of_z} {of_both}");
        let moved = |layers| {
            let ones = vec![1.0; g.z_dim()];
            z.shifted(&Direction::<Z>::new(ones, layers, "test").unwrap(), 1.0)
        };
        assert!(moved(Layers::All).is_ok() && moved(Layers::range(0, 0).unwrap()).is_err());
    }
}
