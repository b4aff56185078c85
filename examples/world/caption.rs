//! Captions: sentences that mention some of what is true of a picture.

use gan_core::random::numpy::RandomState;

use super::{World, random_state};

/// Where in a sentence something is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Before the noun: "smiling".
    Adjective,
    /// After "with": "short hair".
    With,
    /// After "wearing": "a red hat".
    Wearing,
    /// At the end, complete: "on a blue background".
    Setting,
}

/// Something true of a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phrase {
    /// Where it goes.
    pub role: Role,
    /// Its words.
    pub text: String,
}

impl Phrase {
    pub(super) fn new(role: Role, text: impl Into<String>) -> Self {
        Phrase { role, text: text.into() }
    }
}

/// The sentences; `{noun}` is the noun with its adjectives and its article, the others are empty or begin with a space or comma.
pub const TEMPLATES: [&str; 8] = [
    "a portrait of {noun}{with}{wearing}{setting}",
    "a picture of {noun}{wearing}{with}{setting}",
    "{noun}{with}{wearing}{setting}",
    "a drawing of {noun}{setting}{with}{wearing}",
    "an illustration that shows {noun}{wearing}{with}{setting}",
    "a small image of {noun}{with}{setting}{wearing}",
    "here is {noun}{setting}{wearing}{with}",
    "{noun}{tags}",
];

/// A caption of a picture, in one of the [`TEMPLATES`], that says any share of what is true: as often a word or two as nearly everything.
pub fn caption<W: World>(world: &W, random: &mut RandomState) -> String {
    let template = TEMPLATES[(random.uniform() * TEMPLATES.len() as f64) as usize];
    let mut said = world.phrases();
    let share = random.uniform();
    said.retain(|_| random.uniform() < share);
    let of = |role: Role| -> Vec<&str> {
        said.iter()
            .filter(|phrase| phrase.role == role)
            .map(|phrase| phrase.text.as_str())
            .collect()
    };
    let noun = match of(Role::Adjective)[..] {
        [] => W::NOUN.to_owned(),
        ref adjectives => format!("{} {}", adjectives.join(" "), W::NOUN),
    };
    let led = |lead: &str, role: Role| match of(role)[..] {
        [] => String::new(),
        ref parts => format!("{lead}{}", listed(parts)),
    };
    let tags: String = [Role::With, Role::Wearing, Role::Setting]
        .into_iter()
        .flat_map(of)
        .map(|text| format!(", {text}"))
        .collect();
    template
        .replace("{noun}", &with_article(&noun))
        .replace("{with}", &led(" with ", Role::With))
        .replace("{wearing}", &led(" wearing ", Role::Wearing))
        .replace("{setting}", &led(" ", Role::Setting))
        .replace("{tags}", &tags)
}

/// `count` captions of picture `k` of a seed; they depend on these numbers alone.
pub fn captions<W: World>(world: &W, seed: u32, k: u32, count: usize) -> Vec<String> {
    // A stream of its own: one that continued the factors' would change with their number.
    let mut random = random_state(seed ^ 0x5bd1_e995, k);
    (0..count).map(|_| caption(world, &mut random)).collect()
}

/// "a, b and c".
fn listed(parts: &[&str]) -> String {
    match parts {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// "a person", "an orange house".
pub(super) fn with_article(noun: &str) -> String {
    let vowel = noun.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {noun}", if vowel { "an" } else { "a" })
}
