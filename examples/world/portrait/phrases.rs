//! What captions may say about a portrait.

use super::super::caption::{Phrase, Role, with_article};
use super::super::factor::Choice;
use super::{Glasses, Hat, Portrait};

/// True statements; nothing is said of a number in the middle of its range, where people would disagree.
pub(super) fn of(p: &Portrait) -> Vec<Phrase> {
    let mut said = Vec::new();
    let mut say = |role: Role, text: String| said.push(Phrase::new(role, text));
    if p.smile > 0.35 {
        say(Role::Adjective, "smiling".into());
    } else if p.smile < -0.5 {
        say(Role::Adjective, "sad".into());
    }
    let length = match p.hair_length {
        l if l < 0.35 => "short ",
        l if l > 0.65 => "long ",
        _ => "",
    };
    say(Role::With, format!("{length}{} hair", p.hair_colour.name()));
    say(Role::With, format!("{} eyes", p.eye_colour.name()));
    match p.mouth_open {
        m if m > 0.3 => say(Role::With, "an open mouth".into()),
        0.0 => say(Role::With, "a closed mouth".into()),
        _ => {}
    }
    match p.skin {
        s if s < 0.3 => say(Role::With, "light skin".into()),
        s if s > 0.7 => say(Role::With, "dark skin".into()),
        _ => {}
    }
    match p.glasses {
        Glasses::None => say(Role::With, "no glasses".into()),
        Glasses::Round => say(Role::Wearing, "round glasses".into()),
        Glasses::Square => say(Role::Wearing, "square glasses".into()),
    }
    match p.hat {
        Hat::None => say(Role::With, "no hat".into()),
        Hat::Beanie => say(Role::Wearing, with_article(&format!("{} beanie", p.hat_colour.name()))),
        Hat::Brimmed => say(Role::Wearing, with_article(&format!("{} hat", p.hat_colour.name()))),
    }
    say(Role::Wearing, format!("{} clothes", p.clothes.name()));
    match p.yaw {
        y if y < -0.4 => say(Role::Setting, "looking to the left".into()),
        y if y > 0.4 => say(Role::Setting, "looking to the right".into()),
        _ => {}
    }
    say(Role::Setting, format!("on {} background", with_article(p.background.name())));
    said
}
