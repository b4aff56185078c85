//! `clip/*`: the network in both published layouts, and what stands before it.

use gan_clip::{
    Clip, Gelu, ImageTower, Options, Overflow, Tokenizer, Tokens, TowerOptions, center_crop, clean,
    cosine, normalized, preprocess, resize,
};
use gan_core::checkpoint::{HostTensor, StateDict};
use gan_core::nn::Params;
use gan_core::{Device, Image, Order, grad};

use super::Check;
use super::array::HostArray;
use super::case::Case;
use super::error::{Error, Result};
use super::formula;
use super::outputs::Outputs;
use super::settings::Settings;

pub(super) fn find(what: &str) -> Option<Check> {
    Some(match what {
        "openai" => openai,
        "huggingface" => huggingface,
        "formula" => by_formula,
        "preprocess" => preprocessing,
        "tokenizer" => tokenizer,
        _ => return None,
    })
}

/// With OpenAI's names; also with the exact activation if the file has that.
fn openai(case: &Case, device: &Device) -> Result<Outputs> {
    let options = options(&case.settings)?;
    let params = Params::upload(case.weights()?, device)?;
    let mut out = network(case, &Clip::from_params(params.clone(), &options)?, device)?;
    if case.expects("exact_gelu.image_embedding") {
        let exact = Clip::from_params(params, &options.with_activation(Gelu::Exact))?;
        let (image, tokens) = (case.input("image", device)?, tokens(case)?);
        out.tensor("exact_gelu.image_embedding", &exact.encode_image(&image)?)?;
        out.tensor("exact_gelu.text_embedding", &exact.encode_text(&tokens)?)?;
        out.tensor("exact_gelu.logits_per_image", &exact.logits(&image, &tokens)?)?;
    }
    Ok(out)
}

/// With Hugging Face's names, configured by a `config.json`.
fn huggingface(case: &Case, device: &Device) -> Result<Outputs> {
    let config = case.settings.get("config_json").ok_or_else(|| Error::Setting {
        name: "config_json".into(),
        expected: "a configuration",
        found: "nothing".into(),
    })?;
    let options = Options::from_config(&config.to_string())?;
    let params = Params::upload(case.weights()?, device)?;
    network(case, &Clip::from_params(params, &options)?, device)
}

/// With weights by formula, and the whole way from prompts.
fn by_formula(case: &Case, device: &Device) -> Result<Outputs> {
    let file = case.neighbour(case.settings.text("formula_file")?)?;
    let text = std::fs::read_to_string(&file).map_err(|source| Error::Io { path: file, source })?;
    let listed = Settings::parse(&text)?;
    let salt = listed.text("salt")?;
    let mut dict = StateDict::default();
    for entry in listed.sections("params")? {
        let (name, shape) = (entry.text("name")?, entry.counts("shape")?);
        let numbers = [entry.number_or("offset", 0.0)?, entry.number_or("scale", 1.0)?];
        let data = formula::values(salt, name, numbers, shape.iter().product());
        dict.insert(name, HostTensor { shape, data })?;
    }
    let prompts = case.settings.list("prompts")?;
    let prompts: Vec<&str> = prompts.iter().map(|p| p.as_str().unwrap_or_default()).collect();
    if Tokenizer::new().encode(&prompts, Overflow::Refuse)? != tokens(case)? {
        return Err(Error::tensor(
            "in.tokens",
            "what the tokenizer makes of the prompts",
            "others",
        ));
    }
    let clip = Clip::from_params(Params::upload(dict, device)?, &options(&case.settings)?)?;
    network(case, &clip, device)
}

/// Embeddings, cosines, logits, the image's gradient, and what is between as far as the file has it.
fn network(case: &Case, clip: &Clip, device: &Device) -> Result<Outputs> {
    let (image, tokens) = (case.variable("image", device)?, tokens(case)?);
    let (images, texts) = (clip.encode_image(&image)?, clip.encode_text(&tokens)?);
    let cosine = cosine(&images, &texts)?;
    let logits = cosine.mul(&clip.temperature()?)?;
    let score = cosine.mul(&case.input("cosine_weights", device)?)?.sum_all()?;
    let gradient = grad(&score, &[&image], Order::First)?;

    let mut out = Outputs::default();
    out.tensor("image_embedding", &images)?;
    out.tensor("image_embedding_normalized", &normalized(&images)?)?;
    out.tensor("text_embedding", &texts)?;
    out.tensor("text_embedding_normalized", &normalized(&texts)?)?;
    out.tensor("cosine", &cosine)?;
    out.tensor("logits_per_image", &logits)?;
    out.tensor("logits_per_text", &logits.permute(&[1, 0])?)?;
    out.tensor("grad_image", &gradient[0])?;
    match clip.image_tower() {
        ImageTower::ResNet(resnet) => {
            let stem = resnet.stem(&image)?;
            out.tensor("layer4", &resnet.features(&stem)?)?;
            out.tensor("stem", &stem)?;
        }
        ImageTower::Vit(vit) => out.tensor("vision_last_hidden_state", &vit.hidden(&image)?)?,
    }
    out.tensor("text_last_hidden_state", &clip.text_tower().hidden(&tokens)?)?;
    Ok(out)
}

fn tokens(case: &Case) -> Result<Tokens> {
    let ids = case.indices("in.tokens")?;
    let count = case.array("in.tokens")?.shape.first().copied().unwrap_or(0);
    let ids = ids.into_iter().map(|id| u32::try_from(id).unwrap_or(u32::MAX)).collect();
    Ok(Tokens::new(ids, count)?)
}

fn options(settings: &Settings) -> Result<Options> {
    let tower = |heads: &str| -> Result<TowerOptions> {
        Ok(TowerOptions { heads: settings.count(heads)?, ..TowerOptions::default() })
    };
    let options = Options { image: tower("vision_heads")?, text: tower("transformer_heads")? };
    match settings.get("act").map(|act| act.as_str().unwrap_or_default()) {
        None | Some("quick_gelu") => Ok(options),
        Some("gelu") => Ok(options.with_activation(Gelu::Exact)),
        Some(other) => Err(Error::Unsupported(format!("activation `{other}`"))),
    }
}

/// Files of several sizes, resized, cropped and normalised.
fn preprocessing(case: &Case, device: &Device) -> Result<Outputs> {
    let mut out = Outputs::default();
    for (i, item) in case.settings.sections("items")?.iter().enumerate() {
        let index = item.count_or("index", i)?;
        let side = item.count_or("n_px", 224)?;
        let image = image(case, &format!("in.{index}.image"))?;
        let resized = resize(&image, side)?;
        let cropped = center_crop(&resized, side)?;
        for (what, image) in [("resized", &resized), ("cropped", &cropped)] {
            let values = image.pixels().iter().map(|&v| f64::from(v)).collect();
            let shape = [image.height(), image.width(), 3];
            out.array(format!("{index}.{what}"), HostArray::floats(values, &shape));
        }
        let normalized = preprocess(&image, side, device)?;
        out.tensor(format!("{index}.normalized"), &normalized.reshape(&[3, side, side])?)?;
    }
    Ok(out)
}

/// An image that is stored as `[h, w, 3]`, 0 to 255.
fn image(case: &Case, name: &str) -> Result<Image> {
    let array = case.array(name)?;
    let wrong = || Error::tensor(name, "bytes [h, w, 3]", array.describe());
    let &[h, w, 3] = array.shape.as_slice() else { return Err(wrong()) };
    let values = array.as_floats().ok_or_else(wrong)?;
    Ok(Image::new(w, h, values.iter().map(|v| *v as u8).collect())?)
}

/// Texts: how they are cleaned, their tokens, and the text of these.
fn tokenizer(case: &Case, _: &Device) -> Result<Outputs> {
    let context = case.settings.section("params").count_or("context_length", gan_clip::CONTEXT)?;
    let tokenizer = Tokenizer::new().with_context(context)?;
    let number = |n: usize| HostArray::integers([i64::try_from(n).unwrap_or(i64::MAX)]);
    let mut out = Outputs::default();
    for (i, item) in case.settings.sections("cases")?.iter().enumerate() {
        let text = item.text("text")?;
        let refused = tokenizer.encode(&[text], Overflow::Refuse);
        let too_long = matches!(refused, Err(gan_clip::Error::PromptTooLong { .. }));
        let tokens = tokenizer.encode(&[text], Overflow::Truncate)?;
        // The zeros behind the last token are not stored.
        let ids: Vec<u32> = tokens.rows().flatten().copied().collect();
        let used = ids.iter().rposition(|id| *id != 0).map_or(0, |last| last + 1);
        out.array(format!("{i}.ids"), HostArray::integers(ids[..used].iter().map(|&id| id.into())));
        out.array(format!("{i}.too_long"), number(usize::from(too_long)));
        out.array(format!("{i}.n_tokens"), number(tokenizer.ids(text)?.len()));
        out.array(format!("{i}.cleaned"), HostArray::text(&clean(text)?));
        out.array(
            format!("{i}.decoded"),
            HostArray::text(&tokenizer.decode(&tokenizer.ids(text)?)),
        );
    }
    Ok(out)
}

/// What must come out of a text, of an entry of the list `cases`, by the names of [`tokenizer`].
pub(super) fn expected_of_text(entry: &Settings) -> Result<Vec<(&'static str, HostArray)>> {
    let mut expected = vec![
        ("ids", HostArray::integers(entry.counts("ids")?.into_iter().map(|id| id as i64))),
        ("too_long", HostArray::integers([i64::from(entry.flag_or("too_long", false)?)])),
    ];
    if let Some(count) = entry.count("n_tokens")? {
        expected.push(("n_tokens", HostArray::integers([count as i64])));
    }
    for name in ["cleaned", "decoded"] {
        if entry.get(name).is_some() {
            expected.push((name, HostArray::text(entry.text(name)?)));
        }
    }
    Ok(expected)
}
