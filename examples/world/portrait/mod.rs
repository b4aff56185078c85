//! Portraits: head and shoulders of people who do not exist.

mod face;
mod hair;
mod head;
mod phrases;
mod wear;

use super::canvas::Canvas;
use super::caption::Phrase;
use super::colour::{ANY_HUE, Hue};
use super::factor::{Choice, Factor};
use super::{World, portrait::head::Head};

/// Everything about a portrait. Ranges, alternatives and their distributions are in the table of [`World::factors`].
#[derive(Clone, Debug, PartialEq)]
pub struct Portrait {
    /// From -1, turned to the left of the picture, to 1.
    pub yaw: f32,
    /// Width of the face, from -1 to 1.
    pub width: f32,
    /// Jaw, from 0, pointed, to 1, square.
    pub jaw: f32,
    /// From 0, light, to 1, dark.
    pub skin: f32,
    /// Size of the nose, 0 to 1.
    pub nose: f32,
    /// Size of the eyes, 0 to 1.
    pub eye_size: f32,
    /// Distance of the eyes, from -1 to 1.
    pub eye_distance: f32,
    /// Colour of the eyes.
    pub eye_colour: EyeColour,
    /// Brows, from 0, fine, to 1, bushy.
    pub brow: f32,
    /// From -1, a frown, to 1, a smile.
    pub smile: f32,
    /// From 0, closed, to 1, wide open.
    pub mouth_open: f32,
    /// Colour of the hair, brows included.
    pub hair_colour: HairColour,
    /// From 0, above the ears, to 1, over the shoulders.
    pub hair_length: f32,
    /// Where the hair parts, from -1 to 1.
    pub parting: f32,
    /// Glasses, and of which shape.
    pub glasses: Glasses,
    /// Hat, and of which kind.
    pub hat: Hat,
    /// Colour of the hat, if there is one.
    pub hat_colour: Hue,
    /// Colour of the clothes.
    pub clothes: Hue,
    /// Cut of the clothes at the neck.
    pub collar: Collar,
    /// Colour of the background.
    pub background: Hue,
}

/// Colour of the eyes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say all")]
pub enum EyeColour {
    #[default]
    Brown,
    Blue,
    Green,
}

impl Choice for EyeColour {
    const NAMED: &'static [(Self, &'static str)] =
        &[(EyeColour::Brown, "brown"), (EyeColour::Blue, "blue"), (EyeColour::Green, "green")];
}

/// Colour of the hair.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say all")]
pub enum HairColour {
    Black,
    #[default]
    Brown,
    Red,
    Blond,
    Grey,
}

impl Choice for HairColour {
    const NAMED: &'static [(Self, &'static str)] = &[
        (HairColour::Black, "black"),
        (HairColour::Brown, "brown"),
        (HairColour::Red, "red"),
        (HairColour::Blond, "blond"),
        (HairColour::Grey, "grey"),
    ];
}

/// Glasses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say all")]
pub enum Glasses {
    #[default]
    None,
    Round,
    Square,
}

impl Choice for Glasses {
    const NAMED: &'static [(Self, &'static str)] =
        &[(Glasses::None, "none"), (Glasses::Round, "round"), (Glasses::Square, "square")];
}

/// Hats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hat {
    /// No hat.
    #[default]
    None,
    /// A knitted one with a bobble.
    Beanie,
    /// One with a brim and a band.
    Brimmed,
}

impl Choice for Hat {
    const NAMED: &'static [(Self, &'static str)] =
        &[(Hat::None, "none"), (Hat::Beanie, "beanie"), (Hat::Brimmed, "brimmed")];
}

/// How clothes end at the neck.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Collar {
    /// A round neckline.
    #[default]
    Round,
    /// A V-neck.
    Vee,
    /// A pale shirt collar.
    Shirt,
}

impl Choice for Collar {
    const NAMED: &'static [(Self, &'static str)] =
        &[(Collar::Round, "round"), (Collar::Vee, "vee"), (Collar::Shirt, "shirt")];
}

/// What a pixel of a portrait shows: an index of [`World::CLASSES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum PortraitClass {
    /// What is behind.
    Background,
    /// Hair of the head.
    Hair,
    /// Skin of face, ears and neck, with nose and brows.
    Face,
    /// Eyes, between the lids.
    Eyes,
    /// Lips, and what is between them.
    Mouth,
    /// Frames of glasses.
    Glasses,
    /// A hat.
    Hat,
    /// Clothes.
    Clothes,
}

impl From<PortraitClass> for u8 {
    fn from(class: PortraitClass) -> u8 {
        class as u8
    }
}

impl Default for Portrait {
    /// The middle of every range and the first of most alternatives.
    fn default() -> Self {
        Portrait {
            yaw: 0.0,
            width: 0.0,
            jaw: 0.5,
            skin: 0.3,
            nose: 0.5,
            eye_size: 0.5,
            eye_distance: 0.0,
            eye_colour: EyeColour::default(),
            brow: 0.5,
            smile: 0.4,
            mouth_open: 0.0,
            hair_colour: HairColour::default(),
            hair_length: 0.5,
            parting: 0.4,
            glasses: Glasses::default(),
            hat: Hat::default(),
            hat_colour: Hue::Red,
            clothes: Hue::Green,
            collar: Collar::default(),
            background: Hue::Blue,
        }
    }
}

static FACTORS: [Factor<Portrait>; 20] = [
    Factor::range("yaw", [-1.0, 1.0], |p| p.yaw, |p, v| p.yaw = v),
    Factor::range("width", [-1.0, 1.0], |p| p.width, |p, v| p.width = v),
    Factor::range("jaw", [0.0, 1.0], |p| p.jaw, |p, v| p.jaw = v),
    Factor::range("skin", [0.0, 1.0], |p| p.skin, |p, v| p.skin = v),
    Factor::range("nose", [0.0, 1.0], |p| p.nose, |p, v| p.nose = v),
    Factor::range("eye_size", [0.0, 1.0], |p| p.eye_size, |p, v| p.eye_size = v),
    Factor::range("eye_distance", [-1.0, 1.0], |p| p.eye_distance, |p, v| p.eye_distance = v),
    Factor::choice::<EyeColour>(
        "eye_colour",
        &[0.4, 0.3, 0.3],
        |p| p.eye_colour.index(),
        |p, v| p.eye_colour = Choice::at(v),
    ),
    Factor::range("brow", [0.0, 1.0], |p| p.brow, |p, v| p.brow = v),
    Factor::range("smile", [-1.0, 1.0], |p| p.smile, |p, v| p.smile = v),
    Factor::amount("mouth_open", 0.5, |p| p.mouth_open, |p, v| p.mouth_open = v),
    Factor::choice::<HairColour>(
        "hair_colour",
        &[0.2; 5],
        |p| p.hair_colour.index(),
        |p, v| p.hair_colour = Choice::at(v),
    ),
    Factor::range("hair_length", [0.0, 1.0], |p| p.hair_length, |p, v| p.hair_length = v),
    Factor::range("parting", [-1.0, 1.0], |p| p.parting, |p, v| p.parting = v),
    Factor::choice::<Glasses>(
        "glasses",
        &[0.6, 0.2, 0.2],
        |p| p.glasses.index(),
        |p, v| p.glasses = Choice::at(v),
    ),
    Factor::choice::<Hat>("hat", &[0.6, 0.2, 0.2], |p| p.hat.index(), |p, v| p.hat = Choice::at(v)),
    Factor::choice::<Hue>(
        "hat_colour",
        ANY_HUE,
        |p: &Portrait| p.hat_colour.index(),
        |p: &mut Portrait, v| p.hat_colour = Choice::at(v),
    )
    .seen_with(|p| {
        if p.hat == Hat::None {
            p.hat = Hat::Brimmed;
        }
    }),
    Factor::choice::<Hue>(
        "clothes",
        ANY_HUE,
        |p| p.clothes.index(),
        |p, v| p.clothes = Choice::at(v),
    ),
    Factor::choice::<Collar>(
        "collar",
        &[0.4, 0.3, 0.3],
        |p| p.collar.index(),
        |p, v| p.collar = Choice::at(v),
    ),
    Factor::choice::<Hue>(
        "background",
        ANY_HUE,
        |p| p.background.index(),
        |p, v| p.background = Choice::at(v),
    ),
];

impl World for Portrait {
    const NOUN: &'static str = "person";

    const CLASSES: &'static [&'static str] =
        &["background", "hair", "face", "eyes", "mouth", "glasses", "hat", "clothes"];

    fn factors() -> &'static [Factor<Self>] {
        &FACTORS
    }

    /// From the back to the front.
    fn paint(&self, canvas: &mut Canvas) {
        let head = Head::of(self);
        head::background(canvas, self);
        hair::back(canvas, self, &head);
        head::neck(canvas, &head);
        wear::clothes(canvas, self, &head);
        head::ears(canvas, &head);
        hair::sides(canvas, self, &head);
        head::face(canvas, self, &head);
        face::nose(canvas, self, &head);
        face::mouth(canvas, self, &head);
        face::eyes(canvas, self, &head);
        face::brows(canvas, self, &head);
        hair::top(canvas, self, &head);
        wear::glasses(canvas, self, &head);
        wear::hat(canvas, self, &head);
    }

    fn phrases(&self) -> Vec<Phrase> {
        phrases::of(self)
    }
}
