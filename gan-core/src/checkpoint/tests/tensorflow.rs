//! NVIDIA's TensorFlow networks, against the meaning of their tensors.

use super::containers::folder;
use super::*;

fn file(name: &str) -> StateDict {
    StateDict::open(folder().join(name)).unwrap()
}

/// The value at an index of a row-major tensor.
fn at(tensor: &HostTensor, index: &[usize]) -> f32 {
    assert_eq!(index.len(), tensor.shape.len());
    let place = index.iter().zip(&tensor.shape).fold(0, |at, (i, size)| {
        assert!(i < size, "{index:?} of {:?}", tensor.shape);
        at * size + i
    });
    tensor.data[place]
}

/// `[h, w, i, o]` as `[o, i, h, w]`, turned by 180 degrees if `turned`, times `gain`.
#[track_caller]
fn assert_convolution(ours: &HostTensor, theirs: &HostTensor, turned: bool, gain: f32) {
    let [h, w, inputs, outputs] = theirs.shape[..] else { panic!("{theirs:?}") };
    assert_eq!(ours.shape, [outputs, inputs, h, w]);
    for (o, i, y, x) in indices([outputs, inputs, h, w]) {
        let (v, u) = if turned { (h - 1 - y, w - 1 - x) } else { (y, x) };
        let (a, b) = (at(ours, &[o, i, y, x]), at(theirs, &[v, u, i, o]) * gain);
        assert!((a - b).abs() <= 1e-6 * b.abs(), "{a} and {b}");
    }
}

fn indices([a, b, c, d]: [usize; 4]) -> impl Iterator<Item = (usize, usize, usize, usize)> {
    (0..a * b * c * d).map(move |n| (n / (b * c * d), n / (c * d) % b, n / d % c, n % d))
}

#[test]
fn stylegan2() {
    let dict = file("tf_stylegan2.pkl");
    let get = |name: &str| dict.get(&format!("Gs.{name}")).unwrap().clone();
    assert_eq!(recognise(&dict).unwrap(), (Family::StyleGan2, Layout::TensorFlow));
    let out = canonical(dict.clone()).unwrap();
    assert!(!out.label_norm_joint);
    assert_eq!(names(&out.dict), canonical_names(8, 2, 0, true));
    let ours = |name: &str| out.dict.get(name).unwrap().clone();
    assert_eq!(ours("mapping.w_avg"), get("dlatent_avg"));
    assert_eq!(ours("mapping.fc1.weight"), get("mapping/Dense1/weight").transposed("").unwrap());
    assert_eq!(ours("mapping.fc1.bias"), get("mapping/Dense1/bias"));
    assert_eq!(ours("synthesis.b4.const").data, get("synthesis/4x4/Const/const").data);
    assert_eq!(ours("synthesis.b8.conv0.noise_const").data, get("synthesis/noise1").data);
    assert_eq!(ours("synthesis.b8.conv1.noise_const").data, get("synthesis/noise2").data);
    for (block, layer, theirs, turned, inputs) in [
        ("b4", "conv1", "4x4/Conv", false, 6.0f32),
        ("b8", "conv0", "8x8/Conv0_up", true, 6.0),
        ("b8", "conv1", "8x8/Conv1", false, 4.0),
        ("b8", "torgb", "8x8/ToRGB", false, 0.0),
    ] {
        let [ours, theirs] = [format!("synthesis.{block}.{layer}"), format!("synthesis/{theirs}")];
        let ours = |kind: &str| out.dict.get(&format!("{ours}.{kind}")).unwrap().clone();
        let get = |kind: &str| get(&format!("{theirs}/{kind}"));
        let gain = if inputs == 0.0 { 1.0 } else { 1.0 / (9.0 * inputs).sqrt() };
        assert_convolution(&ours("weight"), &get("weight"), turned, gain);
        assert_eq!(ours("affine.weight"), get("mod_weight").transposed("").unwrap());
        let bias: Vec<f32> = get("mod_bias").data.iter().map(|b| b + 1.0).collect();
        assert_eq!(ours("affine.bias").data, bias);
        assert_eq!(ours("bias"), get("bias"));
    }
    let filter = ours("synthesis.b8.conv0.resample_filter");
    assert_eq!(at(&filter, &[1, 0]), 3.0 / 64.0);

    let (layout, d) = canonical_stylegan2_discriminator(dict.clone()).unwrap();
    assert_eq!(layout, Layout::TensorFlow);
    let theirs = |name: &str| dict.get(&format!("D.{name}")).unwrap().clone();
    let pairs = [("b8.conv1", "8x8/Conv1_down"), ("b8.skip", "8x8/Skip"), ("b4.conv", "4x4/Conv")];
    for (ours, name) in pairs {
        let ours = d.get(&format!("{ours}.weight")).unwrap();
        assert_convolution(ours, &theirs(&format!("{name}/weight")), false, 1.0);
    }
    assert_eq!(
        *d.get("b4.fc.weight").unwrap(),
        theirs("4x4/Dense0/weight").transposed("").unwrap()
    );
    assert_eq!(d.shape("b4.out.weight"), Some(&[1, 6][..]));
    assert_eq!(d.get("b8.conv1.resample_filter"), Some(&filter));
}

#[test]
fn labels_and_other_filters_of_stylegan2() {
    let mut dict = file("tf_stylegan2.pkl").subset("Gs.");
    dict.set_metadata("static_kwargs.resample_kernel", "[1, 1]");
    let label = tensor(&[4, 8], &(0..32).map(|x| x as f32).collect::<Vec<_>>());
    let mut joint = dict.clone();
    joint.insert("mapping/LabelConcat/weight", label.clone()).unwrap();
    let out = canonical(joint).unwrap();
    assert!(out.label_norm_joint);
    // `label @ weight` is NVIDIA's `label @ weight^T / sqrt(4)`.
    assert_eq!(at(out.dict.get("mapping.embed.weight").unwrap(), &[3, 2]), 2.0 * 19.0);
    assert_eq!(out.dict.get("synthesis.b8.conv0.resample_filter").unwrap().data, [0.25; 4]);
    dict.insert("mapping/LabelEmbed/weight", label).unwrap();
    dict.insert("mapping/LabelEmbed/bias", tensor(&[8], &[0.5; 8])).unwrap();
    let out = canonical(dict.clone()).unwrap();
    assert!(!out.label_norm_joint);
    assert_eq!(at(out.dict.get("mapping.embed.weight").unwrap(), &[3, 2]), 19.0);

    for kernel in [&"1,".repeat(50_000)[..], "[1, x]", "[1, -1]", "[inf]", ""] {
        let mut odd = dict.clone();
        odd.set_metadata("static_kwargs.resample_kernel", kernel);
        let message = canonical(odd).unwrap_err().to_string();
        assert!(message.contains("resample_kernel"), "{message}");
    }
    let mut empty = dict.clone();
    empty.insert("synthesis/4x4/Conv9/mod_weight", tensor(&[0, 1 << 50], &[])).unwrap();
    assert!(canonical(empty).is_err());

    dict.insert("synthesis/8x8/Conv7/weight", tensor(&[1], &[0.0])).unwrap();
    let message = canonical(dict).unwrap_err().to_string();
    assert!(message.contains("8x8/Conv7") && message.contains("TensorFlow"), "{message}");
}

#[test]
fn stylegan() {
    let dict = file("tf_stylegan.pkl");
    assert_eq!(recognise(&dict).unwrap(), (Family::StyleGan, Layout::TensorFlow));
    let get = |name: &str| dict.get(&format!("Gs.{name}")).unwrap().clone();
    for fused in [false, true] {
        let out = canonical_stylegan(dict.clone(), &|_| fused).unwrap();
        assert!(out.label_norm_joint);
        let ours = |name: &str| out.dict.get(name).unwrap().clone();
        let up = get("synthesis/8x8/Conv0_up/weight");
        // Transposed convolutions are true ones; others are stored for a correlation.
        assert_convolution(&ours("synthesis.b8.conv0.weight"), &up, !fused, 1.0);
        let conv = get("synthesis/4x4/Conv/weight");
        assert_convolution(&ours("synthesis.b4.conv1.weight"), &conv, false, 1.0);
        let rgb = get("synthesis/ToRGB_lod1/weight");
        assert_convolution(&ours("synthesis.b4.torgb.weight"), &rgb, false, 1.0);
        let style = get("synthesis/8x8/Conv1/StyleMod/weight").transposed("").unwrap();
        assert_eq!(ours("synthesis.b8.conv1.affine.weight"), style);
        assert_eq!(
            ours("synthesis.b4.conv0.noise_strength"),
            get("synthesis/4x4/Const/Noise/weight")
        );
        assert_eq!(ours("synthesis.b8.conv1.noise_const").data, get("synthesis/noise3").data);
        assert_eq!(at(&ours("synthesis.b8.conv0.resample_filter"), &[1, 0]), 2.0 / 16.0);
        let bias = get("mapping/Dense0/bias").scale(std::f32::consts::FRAC_1_SQRT_2);
        assert_eq!(ours("mapping.fc0.bias"), bias);
    }
    let mut said = dict.clone();
    said.set_metadata("Gs.static_kwargs.fused_scale", "true");
    let out = canonical_stylegan(said, &|_| false).unwrap();
    let up = get("synthesis/8x8/Conv0_up/weight");
    assert_convolution(out.dict.get("synthesis.b8.conv0.weight").unwrap(), &up, false, 1.0);
}

#[test]
fn pggan() {
    for (name, up) in [("tf_pggan_fused.pkl", "Conv0_up"), ("tf_pggan.pkl", "Conv0")] {
        let dict = file(name);
        assert_eq!(recognise(&dict).unwrap(), (Family::PgGan, Layout::TensorFlow));
        let get = |name: &str| dict.get(&format!("Gs.{name}")).unwrap().clone();
        let out = canonical_pggan(dict.clone(), None).unwrap();
        let ours = |name: &str| out.dict.get(name).unwrap().clone();
        // The pixel (y, x) of a correlation of one pixel with a padded kernel meets the kernel at (3 - y, 3 - x).
        let (dense, first) = (get("4x4/Dense/weight"), ours("b4.conv0.weight"));
        for (o, z, y, x) in indices([6, 8, 4, 4]) {
            assert_eq!(at(&first, &[o, z, 3 - y, 3 - x]), at(&dense, &[z, o * 16 + y * 4 + x]));
        }
        let (theirs, ours_up) = (get(&format!("8x8/{up}/weight")), ours("b8.conv0.weight"));
        assert_eq!(ours_up.shape, [4, 6, 3, 3]);
        for (o, i, y, x) in indices([4, 6, 3, 3]) {
            let theirs = match up {
                "Conv0_up" => at(&theirs, &[y, x, o, i]),
                _ => at(&theirs, &[2 - y, 2 - x, i, o]),
            };
            assert_eq!(at(&ours_up, &[o, i, y, x]), theirs);
        }
        assert_convolution(&ours("b8.torgb.weight"), &get("ToRGB_lod0/weight"), false, 1.0);
        assert_eq!(ours("b4.conv1.bias"), get("4x4/Conv/bias"));
        assert!(ours("lod").shape.is_empty());
    }
}
