//! What a CLIP knows without having been taught to classify: the class whose prompts are nearest to an image.

use std::path::PathBuf;

use gan_clip::{Clip, Overflow, Result, Tokenizer, Tokens, cosine, normalized};
use gan_core::{Device, Tensor};

use super::batch::drawn;
use crate::recognition::HELD_OUT;
use crate::world::{Choice, EyeColour, Glasses, HairColour, Hat, Hue, Portrait, nth};

/// Images at once.
pub(super) const BATCH: usize = 100;
/// What prompts begin with: a class is the mean of all.
const STARTS: [&str; 4] = ["a portrait of ", "a picture of ", "a drawing of ", ""];

/// A question with some answers.
struct Question {
    name: &'static str,
    /// For each answer, what is said of a person.
    answers: Vec<Vec<String>>,
    /// The true answer, if there is one: nobody is asked where people would disagree.
    truth: fn(&Portrait) -> Option<usize>,
}

/// The network that ships with the examples.
pub fn shipped() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/models/clip64.safetensors"))
}

/// For each question its name and the share of right answers for `count` portraits that the shipped network has not seen.
///
/// # Errors
/// If the network cannot be read.
pub fn of_shipped(count: usize, device: &Device) -> Result<Vec<(&'static str, f64)>> {
    let tokenizer = Tokenizer::new();
    let encode = |prompts: &[String]| tokenizer.encode(prompts, Overflow::Refuse);
    accuracies(&Clip::open(shipped(), device)?, &encode, count)
}

/// As [`of_shipped`], for any network of images of its side, with prompts as `encode` makes them.
///
/// # Errors
/// If the network does not know the prompts.
pub fn accuracies(
    clip: &Clip,
    encode: &dyn Fn(&[String]) -> Result<Tokens>,
    count: usize,
) -> Result<Vec<(&'static str, f64)>> {
    let people: Vec<Portrait> = (0..count as u32).map(|k| nth(HELD_OUT, k)).collect();
    let mut vectors = Vec::new();
    for people in people.chunks(BATCH) {
        let images = drawn(people, clip.resolution(), clip.device())?;
        vectors.push(clip.encode_image(&images)?);
    }
    let vectors = Tensor::concat(&vectors.iter().collect::<Vec<_>>(), 0)?;
    let mut accuracies = Vec::new();
    for question in questions() {
        let answers: Vec<Tensor> = question
            .answers
            .iter()
            .map(|said| answer(clip, encode, said))
            .collect::<Result<_>>()?;
        let answers = Tensor::concat(&answers.iter().collect::<Vec<_>>(), 0)?;
        let near = cosine(&vectors, &answers)?.to_vec::<f32>()?;
        let (mut right, mut asked) = (0, 0);
        for (person, near) in people.iter().zip(near.chunks(question.answers.len())) {
            let Some(truth) = (question.truth)(person) else { continue };
            asked += 1;
            right += usize::from(near.iter().all(|n| *n <= near[truth]));
        }
        accuracies.push((question.name, right as f64 / f64::from(asked.max(1))));
    }
    Ok(accuracies)
}

/// The mean direction of an answer's prompts, `[1, length]`.
fn answer(
    clip: &Clip,
    encode: &dyn Fn(&[String]) -> Result<Tokens>,
    said: &[String],
) -> Result<Tensor> {
    let prompts: Vec<String> = STARTS
        .iter()
        .flat_map(|start| said.iter().map(move |said| format!("{start}{said}")))
        .collect();
    let vectors = normalized(&clip.encode_text(&encode(&prompts)?)?)?;
    Ok(vectors.mean(&[0])?)
}

fn names<C: Choice>() -> impl Iterator<Item = &'static str> {
    C::NAMED.iter().map(|(_, name)| *name)
}

/// The answer of a number that is clearly low, 0, or high, 1.
fn ends(value: f32, low: f32, high: f32) -> Option<usize> {
    (value < low || value > high).then_some(usize::from(value > high))
}

/// The bounds are those of what captions say.
fn questions() -> Vec<Question> {
    let one = |text: &str| vec![text.to_owned()];
    let hair = |kind: &str| -> Vec<String> {
        names::<HairColour>().map(|c| format!("a person with {kind} {c} hair")).collect()
    };
    let hats = |kind: &str| -> Vec<String> {
        let article =
            |hue: &str| if hue.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
        names::<Hue>().map(|h| format!("a person wearing {} {h} {kind}", article(h))).collect()
    };
    let round = one("a person wearing round glasses");
    let square = one("a person wearing square glasses");
    vec![
        Question {
            name: "glasses",
            answers: vec![
                one("a person with no glasses"),
                [round.clone(), square.clone()].concat(),
            ],
            truth: |p| Some(usize::from(p.glasses != Glasses::None)),
        },
        Question {
            name: "round or square glasses",
            answers: vec![round, square],
            truth: |p| {
                (p.glasses != Glasses::None).then_some(usize::from(p.glasses == Glasses::Square))
            },
        },
        Question {
            name: "hat",
            answers: vec![one("a person with no hat"), [hats("beanie"), hats("hat")].concat()],
            truth: |p| Some(usize::from(p.hat != Hat::None)),
        },
        Question {
            name: "beanie or hat with a brim",
            answers: vec![hats("beanie"), hats("hat")],
            truth: |p| (p.hat != Hat::None).then_some(usize::from(p.hat == Hat::Brimmed)),
        },
        Question {
            name: "sad or smiling",
            answers: vec![one("a sad person"), one("a smiling person")],
            truth: |p| ends(p.smile, -0.5, 0.35),
        },
        Question {
            name: "mouth closed or open",
            answers: vec![one("a person with a closed mouth"), one("a person with an open mouth")],
            truth: |p| ends(p.mouth_open, 1e-6, 0.3),
        },
        Question {
            name: "hair short or long",
            answers: vec![hair("short"), hair("long")],
            truth: |p| ends(p.hair_length, 0.35, 0.65),
        },
        Question {
            name: "skin light or dark",
            answers: vec![one("a person with light skin"), one("a person with dark skin")],
            truth: |p| ends(p.skin, 0.3, 0.7),
        },
        Question {
            name: "looking to the left or right",
            answers: vec![
                one("a person looking to the left"),
                one("a person looking to the right"),
            ],
            truth: |p| ends(p.yaw, -0.4, 0.4),
        },
        Question {
            name: "colour of hair (5)",
            answers: names::<HairColour>()
                .map(|c| {
                    ["", "short ", "long "].map(|l| format!("a person with {l}{c} hair")).into()
                })
                .collect(),
            truth: |p| Some(p.hair_colour.index() as usize),
        },
        Question {
            name: "colour of background (6)",
            answers: names::<Hue>()
                .map(|h| {
                    let article = if h == "orange" { "an" } else { "a" };
                    one(&format!("a person on {article} {h} background"))
                })
                .collect(),
            truth: |p| Some(p.background.index() as usize),
        },
        Question {
            name: "colour of clothes (6)",
            answers: names::<Hue>()
                .map(|h| one(&format!("a person wearing {h} clothes")))
                .collect(),
            truth: |p| Some(p.clothes.index() as usize),
        },
        Question {
            name: "colour of eyes (3)",
            answers: names::<EyeColour>()
                .map(|c| one(&format!("a person with {c} eyes")))
                .collect(),
            truth: |p| Some(p.eye_colour.index() as usize),
        },
    ]
}
