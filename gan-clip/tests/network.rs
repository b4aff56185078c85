//! What a checkpoint must hold, and what becomes of one that does not.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use gan_clip::{
    Clip, Error, Gelu, ImageTower, Layout, Options, Tokens, TowerOptions, cosine, normalize,
    preprocess, resize,
};
use gan_core::checkpoint::{HostTensor, StateDict};
use gan_core::nn::Params;
use gan_core::{Device, Error as CoreError, Image, ImageEncoder, Order, Tensor, grad};

fn golden(name: &str) -> StateDict {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../gan-core/tests/golden/clip");
    StateDict::open(PathBuf::from(path).join(name)).unwrap().subset("weights.")
}

fn clip(dict: &StateDict) -> Result<Clip, Error> {
    let params = Params::upload(dict.clone(), &Device::cpu())?;
    Clip::from_params(params, &Options::default())
}

fn without(dict: &StateDict, name: &str) -> StateDict {
    let mut dict = dict.clone();
    dict.take(name).unwrap();
    dict
}

fn with(dict: &StateDict, name: &str, shape: &[usize]) -> StateDict {
    let mut dict = dict.clone();
    let _ = dict.take(name);
    let data = vec![0.5; shape.iter().product()];
    dict.insert(name, HostTensor { shape: shape.to_vec(), data }).unwrap();
    dict
}

#[track_caller]
fn assert_names(found: Result<Clip, Error>, name: &str) {
    match found {
        Err(Error::Core(CoreError::Weights { name: found, .. })) => assert_eq!(found, name),
        other => panic!("{name}: {other:?}"),
    }
}

const FILES: [(&str, Layout, usize); 3] = [
    ("vit_openai.safetensors", Layout::OpenAi, 32),
    ("vit_hf.safetensors", Layout::HuggingFace, 32),
    ("modified_resnet.safetensors", Layout::OpenAi, 64),
];

#[test]
fn the_layout_and_the_configuration_are_in_the_tensors() {
    for (file, layout, side) in FILES {
        let clip = clip(&golden(file)).unwrap();
        assert_eq!((clip.layout(), clip.resolution(), clip.embedding()), (layout, side, 16));
        let is_resnet = matches!(clip.image_tower(), ImageTower::ResNet(_));
        assert_eq!(is_resnet, file.contains("resnet"));
        assert_eq!(clip.text_tower().vocabulary(), if is_resnet { 80 } else { 160 });
        assert_eq!(clip.context(), if is_resnet { 24 } else { 77 });
    }
}

#[test]
fn every_tensor_that_is_missing_is_named_by_the_name_of_the_file() {
    for (file, ..) in FILES {
        let dict = golden(file);
        let names: Vec<&str> = dict.names().collect();
        for name in names.iter().filter(|name| !name.ends_with(".num_batches_tracked")) {
            let found = clip(&without(&dict, name));
            // Without the first tensor of a layer, the layer or what is inside may be named: the weight beside it.
            match found {
                Err(Error::Core(CoreError::Weights { .. })) => {}
                other => panic!("{name}: {other:?}"),
            }
        }
    }
    let dict = golden("vit_hf.safetensors");
    for name in [
        "text_model.encoder.layers.1.self_attn.k_proj.bias",
        "vision_model.encoder.layers.0.mlp.fc2.weight",
        "text_projection.weight",
        "logit_scale",
    ] {
        assert_names(clip(&without(&dict, name)), name);
    }
}

#[test]
fn what_is_unknown_or_misshapen_is_named() {
    for (file, ..) in FILES {
        let dict = golden(file);
        assert_names(clip(&with(&dict, "unheard.of", &[2])), "unheard.of");
        let table = dict.names().find(|n| n.ends_with("token_embedding.weight")).unwrap();
        assert_names(clip(&with(&dict, table, &[80])), table);
    }
    let dict = golden("vit_openai.safetensors");
    for (name, shape) in [
        ("visual.conv1.weight", &[64, 3, 8, 4][..]),
        ("visual.positional_embedding", &[1, 64]),
        ("visual.positional_embedding", &[16, 64]),
        ("visual.transformer.resblocks.1.attn.in_proj_weight", &[64, 64]),
        ("visual.transformer.resblocks.7.ln_1.weight", &[64]),
        ("text_projection", &[64, 15]),
        ("logit_scale", &[2]),
    ] {
        assert_names(clip(&with(&dict, name, shape)), name);
    }
    let dict = golden("modified_resnet.safetensors");
    for (name, shape) in [
        ("visual.attnpool.positional_embedding", &[4, 128][..]),
        ("visual.layer3.0.conv2.weight", &[16, 16, 1, 1]),
        ("visual.layer9.0.conv2.weight", &[16, 16, 3, 3]),
    ] {
        assert_names(clip(&with(&dict, name, shape)), name);
    }
    let mut negative = golden("modified_resnet.safetensors");
    negative.take("visual.bn1.running_var").unwrap();
    let variance = HostTensor { shape: vec![2], data: vec![0.1, -0.1] };
    negative.insert("visual.bn1.running_var", variance).unwrap();
    assert_names(clip(&negative), "visual.bn1.running_var");
}

#[test]
fn what_is_no_clip_says_so() {
    let both = with(&golden("vit_openai.safetensors"), "vision_model.post_layernorm.bias", &[64]);
    let none = with(&StateDict::default(), "mapping.fc0.weight", &[4, 4]);
    for dict in [StateDict::default(), both, none] {
        let error = clip(&dict).unwrap_err();
        assert!(matches!(error, Error::Layout { .. }), "{error}");
        assert!(error.to_string().contains("OpenAI"), "{error}");
    }
    let nan = {
        let mut dict = without(&golden("vit_openai.safetensors"), "ln_final.bias");
        let bias = HostTensor { shape: vec![64], data: vec![f32::NAN; 64] };
        dict.insert("ln_final.bias", bias).unwrap();
        dict
    };
    assert_names(clip(&nan), "ln_final.bias");
    assert!(matches!(Clip::open("no/such.file", &Device::cpu()), Err(Error::Core(_))));
}

#[test]
fn what_follows_from_the_weights_may_stand_beside_them() {
    let dict = golden("vit_openai.safetensors");
    let more = ["input_resolution", "context_length", "vocab_size"];
    let dict = more.iter().fold(dict, |dict, name| with(&dict, name, &[]));
    clip(&dict).unwrap();
    let dict = golden("vit_hf.safetensors");
    let dict = with(&dict, "text_model.embeddings.position_ids", &[1, 77]);
    clip(&with(&dict, "vision_model.embeddings.position_ids", &[1, 17])).unwrap();
}

#[test]
fn inputs_of_another_shape_are_errors() {
    let device = Device::cpu();
    for (file, _, side) in FILES {
        let clip = clip(&golden(file)).unwrap();
        for shape in
            [&[1, 3, side, side / 2][..], &[1, 1, side, side], &[3, side, side], &[1, 3, 224, 224]]
        {
            let images = Tensor::zeros(shape, &device).unwrap();
            assert!(matches!(clip.encode_image(&images), Err(Error::Argument { .. })), "{shape:?}");
        }
        for ids in [vec![1, 2, 99999], vec![u32::MAX], (0..1 + clip.context() as u32).collect()] {
            let tokens = Tokens::new(ids, 1).unwrap();
            assert!(matches!(clip.encode_text(&tokens), Err(Error::Tokens { .. })));
        }
    }
    assert!(normalize(&Tensor::zeros(&[1, 4, 8, 8], &device).unwrap()).is_err());
    let image = Image::filled(9, 5, [1, 2, 3]).unwrap();
    for side in [0, 1 << 20, usize::MAX] {
        assert!(matches!(preprocess(&image, side, &device), Err(Error::Argument { .. })));
    }
    let sliver = Image::filled(4000, 1, [0; 3]).unwrap();
    assert!(matches!(resize(&sliver, 224), Err(Error::Argument { .. })));
}

#[test]
fn options_that_do_not_fit_are_errors() {
    let dict = golden("vit_openai.safetensors");
    for heads in [0, 3, 65] {
        let tower = TowerOptions { heads: Some(heads), ..TowerOptions::default() };
        let options = Options { image: tower, ..Options::default() };
        let params = Params::upload(dict.clone(), &Device::cpu()).unwrap();
        let error = Clip::from_params(params, &options).unwrap_err();
        assert!(error.to_string().contains("heads"), "{error}");
    }
    for json in [
        "",
        "[]",
        "7",
        "{\"text_config\": {\"hidden_act\": \"relu\"}}",
        "{\"vision_config\": {\"num_attention_heads\": \"twelve\"}}",
        "{\"vision_config\": {\"layer_norm_eps\": []}}",
    ] {
        assert!(matches!(Options::from_config(json), Err(Error::Argument { .. })), "{json}");
    }
    let options = Options::from_config("{}").unwrap();
    assert_eq!((options.image.heads, options.text.heads), (Some(12), Some(8)));
    assert_eq!(options.text.activation, Gelu::Quick);
}

#[test]
fn a_configuration_in_the_metadata_or_beside_the_file_is_heeded() {
    let folder = tempfile::tempdir().unwrap();
    let config = r#"{"text_config": {"num_attention_heads": 5}}"#;
    let beside = folder.path().join("a.safetensors");
    let open = |path: &Path| Clip::open(path, &Device::cpu()).map(|_| ());
    let mut dict = golden("vit_hf.safetensors");
    dict.save(&beside).unwrap();
    open(&beside).unwrap();
    std::fs::write(folder.path().join("config.json"), config).unwrap();
    assert!(open(&beside).unwrap_err().to_string().contains("heads"));
    let good = r#"{"text_config": {"num_attention_heads": 1}, "vision_config": {"num_attention_heads": 2}}"#;
    dict.set_metadata("config", good);
    let inside = folder.path().join("b.safetensors");
    dict.save(&inside).unwrap();
    open(&inside).unwrap();
    std::fs::remove_file(folder.path().join("config.json")).unwrap();
    open(&inside).unwrap();
}

#[test]
fn prompts_do_not_depend_on_what_stands_beside_and_behind_them() {
    let clip = clip(&golden("vit_openai.safetensors")).unwrap();
    let one = [158, 7, 9, 159, 0, 0];
    let other = [158, 3, 4, 5, 6, 159];
    let both = Tokens::new([one, other].concat(), 2).unwrap();
    let both: Vec<f32> = clip.encode_text(&both).unwrap().to_vec().unwrap();
    let alone = Tokens::new(one[..4].to_vec(), 1).unwrap();
    let alone: Vec<f32> = clip.encode_text(&alone).unwrap().to_vec().unwrap();
    for (a, b) in both.iter().zip(&alone) {
        assert!((a - b).abs() < 1e-5, "{a} {b}");
    }
}

#[test]
fn all_weights_have_gradients() {
    for (file, _, side) in FILES {
        let device = Device::cpu();
        let params = Params::upload(golden(file), &device).unwrap().variables(|_| true);
        let clip = Clip::from_params(params.clone(), &Options::default()).unwrap();
        let ramp: Vec<f32> = (0..3 * side * side).map(|i| (i % 97) as f32 / 97.0).collect();
        let images = Tensor::new(&ramp, &[1, 3, side, side], &device).unwrap();
        let end = clip.text_tower().vocabulary() as u32 - 1;
        let tokens = Tokens::new(vec![1, 2, end], 1).unwrap();
        let score = clip.logits(&images, &tokens).unwrap().sum_all().unwrap();
        let gradients = params.gradients(&score, Order::First).unwrap();
        for (name, gradient) in gradients.iter() {
            let values = gradient.to_vec::<f32>().unwrap();
            // Scores are softmaxed: what is the same for all keys is lost.
            let lost = name.ends_with("k_proj.bias");
            assert!(values.iter().all(|v| v.is_finite()), "{name}");
            assert!(lost || values.iter().any(|v| *v != 0.0), "{name}");
        }
    }
}

#[test]
fn normalisation_of_drawn_images_is_that_of_files_and_differentiable() {
    let device = Device::reference();
    let pixels: Vec<u8> = (0..16 * 16 * 3).map(|i| (i * 37 % 256) as u8).collect();
    let image = Image::new(16, 16, pixels).unwrap();
    let file: Vec<f64> = preprocess(&image, 16, &device).unwrap().to_vec().unwrap();
    let values: Vec<f64> = image.to_planar().iter().map(|v| f64::from(*v)).collect();
    let drawn = Tensor::from_vec(values, &[1, 3, 16, 16], &device).unwrap().var();
    let normal = normalize(&drawn).unwrap();
    for (a, b) in normal.to_vec::<f64>().unwrap().iter().zip(file) {
        assert!((a - b).abs() < 1e-5, "{a} {b}");
    }
    let clip = clip(&golden("vit_openai.safetensors")).unwrap();
    let images = Tensor::full(0.5, &[1, 3, 32, 32], &Device::cpu()).unwrap();
    let vectors: Vec<f32> = clip.embed(&images).unwrap().to_vec().unwrap();
    let normal_images = normalize(&images).unwrap();
    assert_eq!(vectors, clip.encode_image(&normal_images).unwrap().to_vec::<f32>().unwrap());
    assert_eq!(clip.dim(), vectors.len());
    let narrow = Tensor::full(0.5, &[1, 3, 32, 16], &Device::cpu()).unwrap();
    assert!(matches!(clip.embed(&narrow), Err(CoreError::Shape { .. })));
    assert_eq!(grad(&normal.sum_all().unwrap(), &[&drawn], Order::First).unwrap().len(), 1);
    let rows = Tensor::new(&[3.0f64, 4.0, -6.0, 8.0], &[2, 2], &device).unwrap();
    let cosines: Vec<f64> = cosine(&rows, &rows).unwrap().to_vec().unwrap();
    let expected = [1.0, 0.28, 0.28, 1.0];
    assert!(cosines.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{cosines:?}");
}
