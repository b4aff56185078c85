//! Files, names and conversions against the golden files of the original code.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use safetensors::tensor::{Dtype, TensorView, serialize};

use super::layout::locate;
use super::*;

const ROSINALITY_R16: &str = "stylegan2/rosinality_generator_r16";
const ROSINALITY_R8: &str = "stylegan2/rosinality_generator_r8_mlp8";
const GENFORCE_R32: &str = "sefa/stylegan2_genforce_res32";
const GENFORCE_LABEL: &str = "sefa/stylegan2_genforce_label_unfused_res16";
const NVIDIA_SKIP: &str = "stylegan2/generator_c0_skip_r16";
const NVIDIA_RESNET: &str = "stylegan2/generator_c0_resnet_r16_mixing";
const NVIDIA_SYNTHESIS: &str = "stylegan2/synthesis_orig_r16";
const NVIDIA_MAPPING: &str = "stylegan2/mapping_c3_l2";

fn path(case: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    folder.join(format!("{case}.safetensors"))
}

fn golden(case: &str) -> StateDict {
    StateDict::open(path(case)).unwrap()
}

/// The weights without the case's metadata.
fn golden_weights(case: &str) -> StateDict {
    nested(&golden(case).subset("weights."), "")
}

fn tensor(shape: &[usize], data: &[f32]) -> HostTensor {
    HostTensor { shape: shape.to_vec(), data: data.to_vec() }
}

/// A dict of these names, each a number.
fn named(names: &[&str]) -> StateDict {
    let mut dict = StateDict::default();
    for name in names {
        dict.insert(*name, tensor(&[], &[1.0])).unwrap();
    }
    dict
}

/// The dict under other names.
fn nested(dict: &StateDict, prefix: &str) -> StateDict {
    let mut out = StateDict::default();
    for (name, tensor) in dict.iter() {
        out.insert(format!("{prefix}{name}"), tensor.clone()).unwrap();
    }
    out
}

fn merge(mut a: StateDict, b: &StateDict) -> StateDict {
    for (name, tensor) in b.iter() {
        a.insert(name, tensor.clone()).unwrap();
    }
    a
}

/// NVIDIA's names of a skip generator, as its code registers them.
fn canonical_names(
    resolution: usize,
    layers: usize,
    c_dim: usize,
    w_avg: bool,
) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut add = |owner: &str, leaves: &[&str]| {
        names.extend(leaves.iter().map(|leaf| format!("{owner}.{leaf}")));
    };
    for i in 0..layers {
        add(&format!("mapping.fc{i}"), &["weight", "bias"]);
    }
    if c_dim > 0 {
        add("mapping.embed", &["weight", "bias"]);
    }
    if w_avg {
        add("mapping", &["w_avg"]);
    }
    add("synthesis.b4", &["const"]);
    let mut r = 4;
    while r <= resolution {
        let block = format!("synthesis.b{r}");
        add(&block, &["resample_filter"]);
        add(&format!("{block}.torgb"), &["weight", "bias", "affine.weight", "affine.bias"]);
        for conv in if r == 4 { &["conv1"][..] } else { &["conv0", "conv1"] } {
            let leaves = ["weight", "bias", "noise_const", "noise_strength", "resample_filter"];
            add(&format!("{block}.{conv}"), &leaves);
            add(&format!("{block}.{conv}.affine"), &["weight", "bias"]);
        }
        r *= 2;
    }
    names
}

fn names(dict: &StateDict) -> BTreeSet<String> {
    dict.names().map(str::to_owned).collect()
}

fn assert_close(a: &[f32], b: &[f32], tolerance: f32) {
    assert_eq!(a.len(), b.len());
    let scale = b.iter().fold(0f32, |m, x| m.max(x.abs()));
    for (x, y) in a.iter().zip(b) {
        assert!((x - y).abs() <= tolerance * scale, "{x} and {y}");
    }
}

/// `x weight^T / sqrt(in) + bias` for one row, the canonical fully connected layer.
fn affine(dict: &StateDict, name: &str, x: &[f32]) -> Vec<f32> {
    let weight = dict.get(&format!("{name}.weight")).unwrap();
    let bias = dict.get(&format!("{name}.bias")).unwrap();
    let gain = 1.0 / (x.len() as f32).sqrt();
    let rows = weight.data.chunks(x.len()).zip(&bias.data);
    rows.map(|(row, b)| row.iter().zip(x).map(|(w, x)| w * x).sum::<f32>() * gain + b).collect()
}

fn file_bytes(dict: &StateDict) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    dict.save(&path).unwrap();
    std::fs::read(path).unwrap()
}

fn read(bytes: &[u8]) -> Result<StateDict> {
    StateDict::from_bytes(bytes, "mem.safetensors")
}

/// A file of this header.
fn with_header(header: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend_from_slice(body);
    bytes
}

// --- conversions ---

#[test]
fn nvidia_is_canonical_already() {
    let dict = golden_weights(NVIDIA_SKIP);
    let out = canonical(dict.clone()).unwrap();
    assert_eq!((out.layout, out.label_norm_joint), (Layout::Nvidia, false));
    assert_eq!(out.dict, dict);
    assert_eq!(names(&out.dict), canonical_names(16, 2, 0, true));

    let resnet = golden_weights(NVIDIA_RESNET);
    assert_eq!(canonical(resnet.clone()).unwrap().dict, resnet);
}

#[test]
fn nvidia_parts_get_their_prefix() {
    let synthesis = golden_weights(NVIDIA_SYNTHESIS);
    let out = canonical(synthesis.clone()).unwrap();
    assert_eq!(out.dict.subset("synthesis."), synthesis);
    assert_eq!(out.dict.len(), synthesis.len());

    let mapping = golden_weights(NVIDIA_MAPPING);
    let out = canonical(mapping.clone()).unwrap();
    assert_eq!(out.dict.subset("mapping."), mapping);
    assert_eq!(canonical(out.dict.clone()).unwrap().dict, out.dict);
}

#[test]
fn rosinality_names_and_shapes() {
    let out = canonical(golden_weights(ROSINALITY_R16)).unwrap();
    assert_eq!((out.layout, out.label_norm_joint), (Layout::Rosinality, false));
    assert_eq!(names(&out.dict), canonical_names(16, 2, 0, false));
    let shape = |name: &str| out.dict.get(name).unwrap().shape.clone();
    assert_eq!(shape("synthesis.b4.const"), [12, 4, 4]);
    assert_eq!(shape("synthesis.b16.conv0.weight"), [8, 12, 3, 3]);
    assert_eq!(shape("synthesis.b16.conv1.noise_const"), [16, 16]);
    assert!(shape("synthesis.b16.conv1.noise_strength").is_empty());
    assert_eq!(shape("synthesis.b16.torgb.weight"), [3, 8, 1, 1]);
    assert_eq!(shape("synthesis.b16.torgb.bias"), [3]);
    assert_eq!(shape("synthesis.b16.torgb.affine.weight"), [8, 16]);

    let mlp8 = canonical(golden_weights(ROSINALITY_R8)).unwrap();
    assert_eq!(names(&mlp8.dict), canonical_names(8, 8, 0, false));
}

#[test]
fn rosinality_values() {
    let (file, dict) = (golden(ROSINALITY_R16), golden_weights(ROSINALITY_R16));
    let out = canonical(dict.clone()).unwrap().dict;
    let data = |name: &str| out.get(name).unwrap().data.clone();
    let raw = |name: &str| dict.get(name).unwrap().data.clone();

    let gain = (1.0 / 108f64.sqrt()) as f32;
    let scaled = |name: &str| raw(name).iter().map(|x| x * gain).collect::<Vec<_>>();
    assert_eq!(data("synthesis.b4.conv1.weight"), scaled("conv1.conv.weight"));
    assert_eq!(data("synthesis.b8.conv1.weight"), scaled("convs.1.conv.weight"));
    assert_eq!(data("synthesis.b16.conv0.weight"), scaled("convs.2.conv.weight"));
    assert_eq!(data("synthesis.b16.torgb.weight"), raw("to_rgbs.1.conv.weight"));
    assert_eq!(data("synthesis.b4.torgb.bias"), raw("to_rgb1.bias"));
    assert_eq!(data("synthesis.b16.conv0.noise_const"), raw("noises.noise_3"));
    assert_eq!(data("synthesis.b16.conv1.noise_strength"), raw("convs.3.noise.weight"));
    assert_eq!(data("mapping.fc1.bias"), raw("style.2.bias"));
    for name in ["b4", "b16", "b8.conv0", "b8.conv1", "b4.conv1"] {
        let name = format!("synthesis.{name}.resample_filter");
        assert_eq!(out.get(&name), Some(&default_filter()), "{name}");
    }
    // Style vectors as the original computed them, from the position of each layer.
    let w = &file.get("in.wplus").unwrap().data;
    for (layer, place, position) in [("convs.2", "b16.conv0", 3), ("to_rgbs.1", "b16.torgb", 5)] {
        let expected = &file.get(&format!("out.styles.{layer}")).unwrap().data;
        let ours = affine(&out, &format!("synthesis.{place}.affine"), &w[position * 16..][..16]);
        assert_close(&ours, &expected[..ours.len()], 2e-5);
    }
}

#[test]
fn rosinality_training_file_and_average() {
    let dict = golden_weights(ROSINALITY_R8);
    let average = golden(ROSINALITY_R8).take("in.truncation_latent").unwrap();
    let mut file = nested(&dict, "g_ema.");
    file = merge(file, &nested(&dict, "g."));
    file = merge(file, &named(&["d.final_linear.0.weight", "g_optim.state"]));
    file.insert("latent_avg", average.clone()).unwrap();
    assert_eq!(recognise(&file).unwrap(), (Family::StyleGan2, Layout::Rosinality));
    let out = canonical(file).unwrap().dict;
    assert_eq!(names(&out), canonical_names(8, 8, 0, true));
    assert_eq!(out.get("mapping.w_avg").unwrap(), &tensor(&[10], &average.data));

    // Inside the level, without the dimension of 1.
    let mut inside = dict.clone();
    inside.insert("latent_avg", tensor(&[10], &average.data)).unwrap();
    assert_eq!(canonical(inside.clone()).unwrap().dict, out);
    // In both places: which one?
    let mut both = nested(&inside, "g_ema.");
    both.insert("latent_avg", average).unwrap();
    assert!(matches!(canonical(both), Err(Error::Weights { .. })));
    // One average a layer, as encoders write it, is another thing.
    let mut many = dict;
    many.insert("latent_avg", tensor(&[2, 1], &[0.0, 1.0])).unwrap();
    let message = canonical(many).unwrap_err().to_string();
    assert!(message.contains("latent_avg") && message.contains("[1, _]"), "{message}");
}

#[test]
fn genforce_names_and_shapes() {
    let out = canonical(golden_weights(GENFORCE_R32)).unwrap();
    assert_eq!((out.layout, out.label_norm_joint), (Layout::Genforce, false));
    assert_eq!(names(&out.dict), canonical_names(32, 8, 0, true));
    let shape = |name: &str| out.dict.get(name).unwrap().shape.clone();
    assert_eq!(shape("synthesis.b4.const"), [12, 4, 4]);
    assert_eq!(shape("synthesis.b32.conv0.weight"), [4, 8, 3, 3]);
    assert_eq!(shape("synthesis.b32.conv1.noise_const"), [32, 32]);
    assert_eq!(shape("synthesis.b32.torgb.weight"), [3, 4, 1, 1]);
    assert_eq!(shape("synthesis.b32.resample_filter"), [4, 4]);
    assert_eq!(shape("mapping.fc7.weight"), [16, 20]);

    let label = canonical(golden_weights(GENFORCE_LABEL)).unwrap();
    assert!(label.label_norm_joint);
    assert_eq!(names(&label.dict), canonical_names(16, 4, 4, true));
}

#[test]
fn genforce_values() {
    let (file, dict) = (golden(GENFORCE_R32), golden_weights(GENFORCE_R32));
    let out = canonical(dict.clone()).unwrap().dict;
    let data = |name: &str| out.get(name).unwrap().data.clone();
    let raw = |name: &str| dict.get(&format!("synthesis.{name}")).unwrap().data.clone();

    let gain = (1.0 / 108f64.sqrt()) as f32;
    let (up, kernel) = (data("synthesis.b16.conv0.weight"), raw("layer3.weight"));
    assert_eq!(up.len(), 8 * 12 * 9);
    for (i, x) in up.iter().enumerate() {
        let (plane, tap) = (i / 9, i % 9);
        assert_eq!(*x, kernel[plane * 9 + 8 - tap] * gain);
    }
    let plain: Vec<_> = raw("layer2.weight").iter().map(|x| x * gain).collect();
    assert_eq!(data("synthesis.b8.conv1.weight"), plain);
    assert_eq!(data("synthesis.b16.torgb.weight"), raw("output2.weight"));
    let bias: Vec<_> = raw("output2.style.bias").iter().map(|x| x + 1.0).collect();
    assert_eq!(data("synthesis.b16.torgb.affine.bias"), bias);
    assert_eq!(data("synthesis.b16.conv1.noise_const"), raw("layer4.noise"));
    assert_eq!(data("synthesis.b16.conv1.noise_strength"), raw("layer4.noise_strength"));
    assert_eq!(data("mapping.w_avg"), dict.get("truncation.w_avg").unwrap().data);
    for name in ["b4", "b32", "b8.conv0", "b8.conv1", "b4.conv1"] {
        let name = format!("synthesis.{name}.resample_filter");
        assert_eq!(out.get(&name), Some(&default_filter()), "{name}");
    }
    // Style vectors as the original computed them, from the position of each layer.
    let wp = &file.get("out.wp").unwrap().data;
    let layers = [
        ("style00", "b4.conv1", 0),
        ("style05", "b32.conv0", 5),
        ("output_style3", "b32.torgb", 7),
    ];
    for (name, place, position) in layers {
        let expected = &file.get(&format!("out.{name}")).unwrap().data;
        let ours = affine(&out, &format!("synthesis.{place}.affine"), &wp[position * 16..][..16]);
        assert_close(&ours, &expected[..ours.len()], 2e-5);
    }
}

#[test]
fn genforce_label_embedding() {
    let file = golden(GENFORCE_LABEL);
    let out = canonical(file.subset("weights.")).unwrap().dict;
    assert_eq!(out.get("mapping.embed.weight").unwrap().shape, [10, 4]);
    let labels = file.names().find(|n| n.starts_with("in.l")).unwrap();
    let label = &file.get(labels).unwrap().data[..4];
    let ours = affine(&out, "mapping.embed", label);
    assert_close(&ours, &file.get("out.embedding").unwrap().data[..10], 2e-5);
}

#[test]
fn genforce_training_file() {
    let dict = golden_weights(GENFORCE_LABEL);
    let smooth = nested(&dict, "generator_smooth.");
    let mut raw = StateDict::default();
    for (name, t) in dict.iter() {
        raw.insert(format!("generator.{name}"), t.clone().scale(2.0)).unwrap();
    }
    let file = merge(merge(smooth, &raw), &named(&["discriminator.input0.weight"]));
    assert_eq!(locate(&file, Family::StyleGan2).unwrap(), (Layout::Genforce, "generator_smooth."));
    let out = canonical(file).unwrap().dict;
    let mut buffers = merge(dict, &named(&["truncation.truncation", "synthesis.lod", "lod"]));
    assert_eq!(canonical(buffers.clone()).unwrap().dict, out);
    assert_eq!(locate(&raw, Family::StyleGan2).unwrap(), (Layout::Genforce, "generator."));
    assert_ne!(canonical(raw).unwrap().dict, out);

    // An average of another shape, and an embedding that could ask for all memory.
    buffers.take("mapping.label_weight").unwrap();
    buffers.insert("mapping.label_weight", tensor(&[0, 1 << 60], &[])).unwrap();
    assert!(matches!(canonical(buffers), Err(Error::Weights { .. })));
}

#[test]
fn genforce_asymmetric_filter_becomes_a_convolutions() {
    let mut dict = golden_weights(GENFORCE_LABEL);
    let taps: Vec<f32> = (0..16).map(|x| x as f32).collect();
    dict.take("synthesis.upsample.kernel").unwrap();
    dict.insert("synthesis.upsample.kernel", tensor(&[1, 1, 4, 4], &taps)).unwrap();
    let out = canonical(dict).unwrap().dict;
    let expected: Vec<f32> = (0..16).rev().map(|x| x as f32 / 4.0).collect();
    assert_eq!(out.get("synthesis.b8.resample_filter").unwrap().data, expected);
    assert_eq!(out.get("synthesis.b8.conv0.resample_filter"), Some(&default_filter()));
}

#[test]
fn constants_need_not_be_square() {
    let data = vec![0.5; 12 * 4 * 2];
    let mut dict = golden_weights(ROSINALITY_R8);
    dict.take("input.input").unwrap();
    dict.insert("input.input", tensor(&[1, 12, 4, 2], &data)).unwrap();
    let out = canonical(dict).unwrap().dict;
    assert_eq!(out.get("synthesis.b4.const"), Some(&tensor(&[12, 4, 2], &data)));

    let mut dict = golden_weights(GENFORCE_R32);
    dict.take("synthesis.early_layer.const").unwrap();
    dict.insert("synthesis.early_layer.const", tensor(&[1, 12, 4, 2], &data)).unwrap();
    let out = canonical(dict).unwrap().dict;
    assert_eq!(out.get("synthesis.b4.const"), Some(&tensor(&[12, 4, 2], &data)));
}

// --- names ---

#[test]
fn leftovers_are_named() {
    let cases = [
        (NVIDIA_SKIP, "synthesis.b16.conv2.weight"),
        (NVIDIA_SKIP, "synthesis.b12.conv0.weight"),
        (NVIDIA_SKIP, "synthesis.b08.conv0.weight"),
        (NVIDIA_SKIP, "mapping.fc01.weight"),
        (NVIDIA_SKIP, "mapping.num_batches_tracked"),
        (NVIDIA_SKIP, "optimizer"),
        (ROSINALITY_R8, "convs.1.conv.blur.kernel"),
        (ROSINALITY_R8, "style.0.weight"),
        (ROSINALITY_R8, "convs.99.conv.weight"),
        (ROSINALITY_R8, "noises.noise_-1"),
        (ROSINALITY_R8, "opt"),
        (GENFORCE_R32, "synthesis.layer2.filter.kernel"),
        (GENFORCE_R32, "synthesis.layer.weight"),
        (GENFORCE_R32, "synthesis.output99999999999999999999.weight"),
        (GENFORCE_R32, "synthesis."),
    ];
    for (case, extra) in cases {
        let dict = merge(golden_weights(case), &named(&[extra]));
        let Err(Error::Weights { name, expected, .. }) = canonical(dict) else {
            panic!("{extra} was accepted");
        };
        assert_eq!(name, extra);
        assert!(expected.starts_with("no such tensor in a "), "{expected}");
    }
}

#[test]
fn every_wrong_rank_is_an_error_or_left_to_the_network() {
    for case in [ROSINALITY_R8, GENFORCE_LABEL, NVIDIA_SKIP] {
        let dict = golden_weights(case);
        for name in dict.names() {
            for shape in [&[][..], &[1], &[2, 2], &[1, 1, 1, 1, 1, 1], &[0], &[0, 1 << 60]] {
                let mut changed = dict.clone();
                changed.take(name).unwrap();
                let data = vec![1.0; shape.iter().product()];
                changed.insert(name, tensor(shape, &data)).unwrap();
                let result = canonical(changed);
                assert!(matches!(result, Ok(_) | Err(Error::Weights { .. })), "{name} {shape:?}");
            }
        }
    }
}

#[test]
fn ambiguous_and_unknown_layouts() {
    let message = |dict: &StateDict| match locate(dict, Family::StyleGan2) {
        Err(e @ Error::Layout { .. }) => e.to_string(),
        other => panic!("{other:?}"),
    };
    let (a, b) = (golden_weights(NVIDIA_SKIP), golden_weights(ROSINALITY_R8));
    assert!(
        message(&merge(a.clone(), &b)).contains("both NVIDIA (at the top level) and rosinality")
    );
    let levels = merge(nested(&a, "G_ema."), &nested(&b, "g_ema."));
    assert!(message(&levels).contains("under `g_ema.`"));
    let twice = merge(a.clone(), &nested(&a, "G_ema."));
    assert!(message(&twice).contains("under `G_ema.`"));
    let file = merge(nested(&a, "G_ema."), &nested(&a, "G."));
    assert_eq!(canonical(file).unwrap().dict, a);

    assert!(message(&StateDict::default()).contains("no tensors"));
    let others: [(&[&str], &str); 8] = [
        (&["b4.out.weight", "b16.fromrgb.weight", "mapping.fc0.weight"], "discriminator"),
        (&["convs.0.0.weight", "final_linear.0.weight"], "discriminator"),
        (&["mapping.fc0.weight", "synthesis.input.freqs"], "StyleGAN3"),
        (&["mapping.dense0.weight", "synthesis.layer0.const"], "StyleGAN generator"),
        (&["layer0.weight", "lod", "output2.weight"], "PGGAN"),
        (&["G.synthesis.b4.const", "D.b4.out.weight"], "raw generator"),
        (&["encoder.input_layer.0.weight", "decoder.conv1.conv.weight"], "encoder"),
        (&["visual.proj", "a", "b", "c", "d", "e"], "no layout"),
    ];
    for (names, what) in others {
        let text = message(&named(names));
        assert!(text.contains(what), "{text}");
    }
    let pggan = named(&["layer0.weight", "lod", "output2.weight"]);
    assert_eq!(recognise(&pggan).unwrap(), (Family::PgGan, Layout::Genforce));
    let both = recognise(&merge(pggan, &a)).unwrap_err().to_string();
    let expected =
        "it fits both StyleGAN2 (NVIDIA, at the top level) and PGGAN (genforce, at the top level)";
    assert!(both.contains(expected), "{both}");
    assert!(recognise(&named(&["visual.proj"])).unwrap_err().to_string().contains("no layout"));
    let text = message(&named(&["visual.proj", "a", "b", "c", "d", "e"]));
    assert!(text.ends_with("first tensors: a, b, c, d, e, ..."), "{text}");
    assert_eq!(Layout::Genforce.to_string(), "genforce");
}

// --- state dicts and files ---

#[test]
fn dict_basics() {
    let mut dict = named(&["b.x", "a.y", "a.x"]);
    dict.set_metadata("licence", "none");
    assert_eq!(dict.names().collect::<Vec<_>>(), ["a.x", "a.y", "b.x"]);
    assert_eq!((dict.len(), dict.is_empty()), (3, false));
    let a = dict.subset("a.");
    assert_eq!(a.names().collect::<Vec<_>>(), ["x", "y"]);
    assert_eq!(a.metadata()["licence"], "none");
    assert_eq!(dict.clone().into_subset("a."), a);
    assert!(dict.subset("b.x").is_empty());
    assert!(dict.take("a.x").is_ok());
    let message = dict.take("a.x").unwrap_err().to_string();
    assert_eq!(message, "checkpoint tensor `a.x`: expected a tensor, found nothing");

    for (name, t) in [
        ("b.x", tensor(&[], &[1.0])),
        ("", tensor(&[], &[1.0])),
        ("__metadata__", tensor(&[], &[1.0])),
        ("a\u{1b}[2J", tensor(&[], &[1.0])),
        (&"n".repeat(513), tensor(&[], &[1.0])),
        ("c", tensor(&[2], &[1.0])),
        ("c", tensor(&[1; 9], &[1.0])),
        ("c", tensor(&[0, usize::MAX, 2], &[])),
        ("c", tensor(&[usize::MAX, usize::MAX, 0], &[])),
    ] {
        assert!(matches!(dict.insert(name, t), Err(Error::Weights { .. })), "{name}");
    }
}

#[test]
fn non_finite_values_are_counted() {
    let mut dict = named(&["fine"]);
    dict.check_finite().unwrap();
    dict.insert("u", tensor(&[3], &[f32::NAN, 0.0, f32::INFINITY])).unwrap();
    dict.insert("v", tensor(&[1], &[f32::NEG_INFINITY])).unwrap();
    assert_eq!(dict.non_finite(), [("u".to_owned(), 2), ("v".to_owned(), 1)]);
    let message = dict.check_finite().unwrap_err().to_string();
    assert!(message.contains("`u`") && message.contains("2 of 3"), "{message}");
    let read = read(&file_bytes(&dict)).unwrap();
    assert_eq!(read.non_finite(), dict.non_finite());
}

#[test]
fn save_and_open() {
    let mut dict = golden_weights(ROSINALITY_R8);
    dict.insert("empty", tensor(&[2, 0], &[])).unwrap();
    dict.insert("quoted \"name\" \\ ü", tensor(&[1], &[-0.0])).unwrap();
    dict.set_metadata("key \"\\\n\u{1}", "value \u{7f} ü 像");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    dict.save(&path).unwrap();
    assert_eq!(StateDict::open(&path).unwrap(), dict);
    dict.save(&path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(bytes, file_bytes(&dict));
    // The crate of the format reads the same.
    let theirs = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(theirs.len(), dict.len());
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap());
    assert_eq!(header % 8, 0);
    let empty = StateDict::default();
    assert_eq!(read(&file_bytes(&empty)).unwrap(), empty);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let plain = folder.path().join("plain");
        std::fs::write(&plain, "").unwrap();
        let mode = |p: &Path| std::fs::metadata(p).unwrap().permissions().mode();
        assert_eq!(mode(&path), mode(&plain));
    }
}

#[test]
fn failed_save_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let dict = golden_weights(NVIDIA_MAPPING);
    let missing = folder.path().join("missing/a.safetensors");
    assert!(matches!(dict.save(&missing), Err(Error::Io { action: "write", .. })));
    let taken = folder.path().join("taken");
    std::fs::create_dir(&taken).unwrap();
    std::fs::write(taken.join("x"), "").unwrap();
    assert!(matches!(dict.save(&taken), Err(Error::Io { action: "rename", .. })));
    let left: Vec<_> =
        std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["taken"]);
    assert!(matches!(dict.save("/"), Err(Error::Io { .. })));
}

#[test]
fn number_formats() {
    let values = [0.0f32, -1.5, 65504.0, 6e-5, f32::INFINITY];
    let halves: Vec<u8> =
        values.iter().flat_map(|x| half::f16::from_f32(*x).to_le_bytes()).collect();
    let brains: Vec<u8> =
        values.iter().flat_map(|x| half::bf16::from_f32(*x).to_le_bytes()).collect();
    let doubles: Vec<u8> = values.iter().flat_map(|x| f64::from(*x).to_le_bytes()).collect();
    let big: Vec<u8> = 1e300f64.to_le_bytes().to_vec();
    let view = |dtype, len, bytes| TensorView::new(dtype, vec![len], bytes).unwrap();
    let bytes = serialize(
        [
            ("f16", view(Dtype::F16, 5, &halves)),
            ("bf16", view(Dtype::BF16, 5, &brains)),
            ("f64", view(Dtype::F64, 5, &doubles)),
            ("big", view(Dtype::F64, 1, &big)),
        ],
        None,
    );
    let dict = read(&bytes.unwrap()).unwrap();
    assert_eq!(dict.get("f64").unwrap().data, values);
    let close = |name: &str, bits: i32| {
        for (x, y) in dict.get(name).unwrap().data.iter().zip(values) {
            assert!(*x == y || (x - y).abs() <= y.abs() * 0.5f32.powi(bits), "{name}: {x} {y}");
        }
    };
    close("f16", 10);
    close("bf16", 7);
    assert_eq!(dict.get("big").unwrap().data, [f32::INFINITY]);

    for (dtype, size) in [(Dtype::I64, 8), (Dtype::U8, 1), (Dtype::BOOL, 1), (Dtype::F8_E4M3, 1)] {
        let bytes = vec![0; size];
        let view = TensorView::new(dtype, vec![], &bytes).unwrap();
        let message = read(&serialize([("count", view)], None).unwrap()).unwrap_err().to_string();
        assert!(message.contains("`count`") && message.contains(&dtype.to_string()), "{message}");
    }
}

#[test]
fn half_precision_network() {
    let dict = golden_weights(NVIDIA_SKIP);
    let to_half = |t: &HostTensor| -> Vec<u8> {
        t.data.iter().flat_map(|x| half::f16::from_f32(*x).to_le_bytes()).collect()
    };
    let halves: Vec<_> = dict.iter().map(|(name, t)| (name, &t.shape, to_half(t))).collect();
    let views = halves.iter().map(|(name, shape, bytes)| {
        (*name, TensorView::new(Dtype::F16, (*shape).clone(), bytes).unwrap())
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("half.safetensors");
    std::fs::write(&path, serialize(views, None).unwrap()).unwrap();
    let out = canonical(StateDict::open(&path).unwrap()).unwrap().dict;
    assert_eq!(names(&out), names(&dict));
    for (name, t) in dict.iter() {
        assert_close(&out.get(name).unwrap().data, &t.data, 1e-3);
    }
}

#[test]
fn other_files_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let reason = |bytes: &[u8]| {
        let path = folder.path().join("file");
        std::fs::write(&path, bytes).unwrap();
        let opened = StateDict::open(&path).unwrap_err();
        let in_memory = StateDict::from_bytes(bytes, &path).unwrap_err();
        assert_eq!(opened.to_string(), in_memory.to_string());
        assert!(matches!(opened, Error::Format { format: "safetensors", .. }));
        opened.to_string()
    };
    assert!(reason(b"PK\x03\x04\x14\0\0\x08\x08\0\0\0\0\0").contains("torch zip"));
    assert!(reason(b"\x80\x02}q\x00(X\x10\x00\x00\x00").contains("a pickle"));
    assert!(reason(b"\x80\x04\x95\x00").contains("a pickle"));
    assert!(reason(b"\x93NUMPY\x01\x00v\x00").contains(".npy"));
    assert!(reason(b"version https://git-lfs.github.com/spec/v1\n").contains("git lfs pull"));
    assert!(reason(b"<!DOCTYPE html><html>").contains("web page"));
    assert!(reason(b"").contains("only 0 bytes"));
    assert!(reason(&[0; 7]).contains("only 7 bytes"));
    assert!(reason(&[0; 8]).contains("JSON"));
    assert!(reason(&[255; 100]).contains("a header of 18446744073709551615 bytes"));
    let mut huge = file_bytes(&named(&["x"]));
    huge[..8].copy_from_slice(&99_999_999u64.to_le_bytes());
    assert!(reason(&huge).contains("does not fit"));
    huge[..8].copy_from_slice(&(u64::MAX - 7).to_le_bytes());
    assert!(reason(&huge).contains("does not fit"));

    let open = |path: &Path| StateDict::open(path).unwrap_err();
    assert!(open(folder.path()).to_string().contains("not a regular file"));
    assert!(matches!(open(&folder.path().join("none")), Error::Io { action: "read", .. }));
    // A file with holes is refused from its first bytes, or its size.
    let sparse = folder.path().join("sparse");
    let file = std::fs::File::create(&sparse).unwrap();
    file.set_len(1 << 40).unwrap();
    let start = Instant::now();
    assert!(matches!(open(&sparse), Error::Format { .. }));
    assert!(start.elapsed() < Duration::from_secs(1));
}

#[test]
fn headers_that_lie() {
    let one = |shape: &str, offsets: &str| {
        format!("{{\"a\":{{\"dtype\":\"F32\",\"shape\":{shape},\"data_offsets\":{offsets}}}}}")
    };
    let body = [0; 8];
    read(&with_header(&one("[2]", "[0,8]"), &body)).unwrap();
    let two = |names: (&str, &str), a: &str, b: &str| {
        let entry = |name: &str, offsets: &str| {
            format!("\"{name}\":{{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":{offsets}}}")
        };
        format!("{{{},{}}}", entry(names.0, a), entry(names.1, b))
    };
    read(&with_header(&two(("a", "b"), "[4,8]", "[0,4]"), &body)).unwrap();
    let wrong = [
        one("[3]", "[0,8]"),
        one("[2]", "[0,9]"),
        one("[2]", "[8,0]"),
        one("[2]", "[4,12]"),
        one("[1]", "[0,4]"),
        one("[-2]", "[0,8]"),
        one("[4294967296,4294967296]", "[0,8]"),
        one("[18446744073709551615]", "[0,8]"),
        one("[18446744073709551616]", "[0,8]"),
        two(("a", "b"), "[0,4]", "[0,4]"),
        two(("a", "b"), "[0,8]", "[4,8]"),
        // Equal names: the second could hide the first.
        two(("a", "a"), "[0,4]", "[4,8]"),
        two(("a", "a"), "[0,4]", "[0,4]"),
        two(("a", "\\u0061"), "[0,4]", "[0,4]"),
        "[]".to_owned(),
        "{\"a\":1}".to_owned(),
        "[".repeat(100_000),
        "{\"a\":".repeat(100_000),
    ];
    for header in wrong {
        let result = read(&with_header(&header, &body));
        assert!(matches!(result, Err(Error::Format { .. })), "{header:.80}: {result:?}");
    }
    let same = read(&with_header(&two(("a", "a"), "[0,4]", "[0,4]"), &body[..4]));
    assert!(same.unwrap_err().to_string().contains("same name"));
    // Sizes whose strides overflow although the tensor is empty.
    let empty = with_header(&one("[0,9223372036854775807,4]", "[0,0]"), &[]);
    assert!(matches!(read(&empty), Err(Error::Weights { .. })));
    let deep = with_header(&one(&format!("[{}1]", "1,".repeat(1000)), "[0,4]"), &[0; 4]);
    assert!(matches!(read(&deep), Err(Error::Weights { .. })));
    // Colons and braces in names are no structure.
    let name = "a:{[\\\\\\\"}";
    let odd = with_header(&two((name, "b"), "[0,4]", "[4,8]"), &body);
    assert_eq!(read(&odd).unwrap().names().last(), Some("b"));
}

/// Reads and converts; whatever comes, it is a value or a typed error, and soon.
fn survives(bytes: &[u8]) {
    let start = Instant::now();
    let result = read(bytes).and_then(|dict| {
        let dict = if dict.names().any(|n| n.starts_with("weights.")) {
            dict.into_subset("weights.")
        } else {
            dict
        };
        dict.check_finite().ok();
        canonical(dict)
    });
    if let Err(e) = &result {
        let typed =
            matches!(e, Error::Format { .. } | Error::Weights { .. } | Error::Layout { .. });
        assert!(typed, "{e:?}");
        assert!(e.to_string().len() < 10_000);
    }
    assert!(start.elapsed() < Duration::from_secs(2));
}

#[test]
fn truncated_files() {
    for case in [ROSINALITY_R8, GENFORCE_LABEL, NVIDIA_SKIP] {
        let bytes = std::fs::read(path(case)).unwrap();
        for percent in 0..100 {
            let cut = &bytes[..bytes.len() * percent / 100];
            assert!(matches!(read(cut), Err(Error::Format { .. })), "{case} {percent} %");
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(read(&longer).unwrap_err().to_string().contains("incomplete"));
    }
}

#[test]
fn swapped_offsets() {
    let dict = golden_weights(ROSINALITY_R8);
    let bytes = file_bytes(&dict);
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let text = std::str::from_utf8(&bytes[8..8 + header]).unwrap();
    let body = &bytes[8 + header..];
    let offsets: Vec<_> = text.split("\"data_offsets\":").skip(1).collect();
    let offsets: Vec<_> = offsets.iter().map(|s| &s[..=s.find(']').unwrap()]).collect();
    for pair in offsets.windows(2) {
        let swapped = text.replacen(pair[0], "first", 1).replacen(pair[1], pair[0], 1);
        survives(&with_header(&swapped.replacen("first", pair[1], 1), body));
        survives(&with_header(&text.replacen(pair[0], pair[1], 1), body));
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(400)
    })]

    #[test]
    fn mutated_files(
        case in 0usize..3,
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1u8..=255), 1..6),
        in_header in any::<bool>(),
        length in prop::option::weighted(0.1, any::<u64>()),
        cut in prop::option::weighted(0.1, any::<prop::sample::Index>()),
    ) {
        let case = [ROSINALITY_R8, GENFORCE_LABEL, NVIDIA_SKIP][case];
        let mut bytes = std::fs::read(path(case)).unwrap();
        let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        for (at, mask) in flips {
            let span = if in_header { 8 + header } else { bytes.len() };
            bytes[at.index(span)] ^= mask;
        }
        if let Some(length) = length {
            bytes[..8].copy_from_slice(&length.to_le_bytes());
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        survives(&bytes);
    }

    #[test]
    fn mutated_header_text(
        at in any::<prop::sample::Index>(),
        with in prop::sample::select(vec![
            "9", "0", "-", "\"", "{", "}", "[", "]", ",", ":", "\\", "b", ".", "null",
        ]),
        remove in 0usize..4,
    ) {
        let bytes = std::fs::read(path(NVIDIA_MAPPING)).unwrap();
        let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let mut text = bytes[8..8 + header].to_vec();
        let at = at.index(text.len() - 4);
        text.splice(at..at + remove, with.bytes());
        let mut changed = (text.len() as u64).to_le_bytes().to_vec();
        changed.extend(text);
        changed.extend(&bytes[8 + header..]);
        survives(&changed);
    }

    #[test]
    fn any_dict_survives_a_file(
        shapes in prop::collection::btree_map(
            ".{1,12}", prop::collection::vec(0usize..4, 0..4), 0..6,
        ),
        metadata in prop::collection::btree_map(".{0,8}", ".{0,8}", 0..4),
    ) {
        let mut dict = StateDict::default();
        for (name, shape) in shapes {
            let len = shape.iter().product::<usize>();
            let data = (0..len).map(|x| x as f32 - 1.5).collect();
            // Names with control characters are refused.
            dict.insert(name, HostTensor { shape, data }).ok();
        }
        for (key, value) in metadata {
            dict.set_metadata(key, value);
        }
        prop_assert_eq!(read(&file_bytes(&dict)).unwrap(), dict);
    }
}
