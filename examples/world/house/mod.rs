//! Houses: a second, simpler world, for work across domains.

mod draw;

use super::World;
use super::canvas::Canvas;
use super::caption::{Phrase, Role, with_article};
use super::colour::{ANY_HUE, Hue};
use super::factor::{Choice, Factor};

/// Everything about a picture of a house. Ranges, alternatives and their distributions are in the table of [`World::factors`].
#[derive(Clone, Debug, PartialEq)]
pub struct House {
    /// Width of the house, from 0 to 1.
    pub width: f32,
    /// Height of its wall, from 0 to 1.
    pub height: f32,
    /// Colour of the wall, pale.
    pub wall: Hue,
    /// Shape of the roof.
    pub roof: Roof,
    /// Colour of the roof.
    pub roof_colour: Hue,
    /// Colour of the door.
    pub door: Hue,
    /// How many windows.
    pub windows: Windows,
    /// Whether there is a chimney: from 0, none, to 1, a tall one.
    pub chimney: f32,
    /// Size of the tree; 0 is none.
    pub tree: f32,
    /// Time of day.
    pub sky: Sky,
}

/// Shape of a roof.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say all")]
pub enum Roof {
    #[default]
    Pointed,
    Hipped,
    Flat,
}

impl Choice for Roof {
    const NAMED: &'static [(Self, &'static str)] =
        &[(Roof::Pointed, "pointed"), (Roof::Hipped, "hipped"), (Roof::Flat, "flat")];
}

/// Number of windows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say all")]
pub enum Windows {
    One,
    #[default]
    Two,
    Three,
}

impl Choice for Windows {
    const NAMED: &'static [(Self, &'static str)] =
        &[(Windows::One, "one"), (Windows::Two, "two"), (Windows::Three, "three")];
}

/// Time of day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say all")]
pub enum Sky {
    #[default]
    Day,
    Sunset,
    Night,
}

impl Choice for Sky {
    const NAMED: &'static [(Self, &'static str)] =
        &[(Sky::Day, "day"), (Sky::Sunset, "sunset"), (Sky::Night, "night")];
}

/// What a pixel of a house's picture shows: an index of [`World::CLASSES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum HouseClass {
    /// Sky, sun, moon and stars.
    Sky,
    /// Grass and path.
    Ground,
    /// Wall.
    Wall,
    /// Roof.
    Roof,
    /// Door.
    Door,
    /// Windows with their frames.
    Windows,
    /// Chimney.
    Chimney,
    /// Tree.
    Tree,
}

impl From<HouseClass> for u8 {
    fn from(class: HouseClass) -> u8 {
        class as u8
    }
}

impl Default for House {
    fn default() -> Self {
        House {
            width: 0.5,
            height: 0.5,
            wall: Hue::Yellow,
            roof: Roof::default(),
            roof_colour: Hue::Red,
            door: Hue::Blue,
            windows: Windows::default(),
            chimney: 0.6,
            tree: 0.6,
            sky: Sky::default(),
        }
    }
}

static FACTORS: [Factor<House>; 10] = [
    Factor::range("width", [0.0, 1.0], |h| h.width, |h, v| h.width = v),
    Factor::range("height", [0.0, 1.0], |h| h.height, |h, v| h.height = v),
    Factor::choice::<Hue>("wall", ANY_HUE, |h| h.wall.index(), |h, v| h.wall = Choice::at(v)),
    Factor::choice::<Roof>(
        "roof",
        &[0.4, 0.3, 0.3],
        |h| h.roof.index(),
        |h, v| h.roof = Choice::at(v),
    ),
    Factor::choice::<Hue>(
        "roof_colour",
        ANY_HUE,
        |h| h.roof_colour.index(),
        |h, v| h.roof_colour = Choice::at(v),
    ),
    Factor::choice::<Hue>("door", ANY_HUE, |h| h.door.index(), |h, v| h.door = Choice::at(v)),
    Factor::choice::<Windows>(
        "windows",
        &[0.3, 0.4, 0.3],
        |h| h.windows.index(),
        |h, v| h.windows = Choice::at(v),
    ),
    Factor::amount("chimney", 0.5, |h| h.chimney, |h, v| h.chimney = v),
    Factor::amount("tree", 0.4, |h| h.tree, |h, v| h.tree = v),
    Factor::choice::<Sky>("sky", &[0.4, 0.3, 0.3], |h| h.sky.index(), |h, v| h.sky = Choice::at(v)),
];

impl World for House {
    const NOUN: &'static str = "house";

    const CLASSES: &'static [&'static str] =
        &["sky", "ground", "wall", "roof", "door", "windows", "chimney", "tree"];

    fn factors() -> &'static [Factor<Self>] {
        &FACTORS
    }

    fn paint(&self, canvas: &mut Canvas) {
        draw::house(canvas, self);
    }

    fn phrases(&self) -> Vec<Phrase> {
        let mut said = Vec::new();
        let mut say = |role: Role, text: String| said.push(Phrase::new(role, text));
        say(Role::Adjective, self.wall.name().into());
        let roof = format!("{} {} roof", self.roof.name(), self.roof_colour.name());
        say(Role::With, with_article(&roof));
        say(Role::With, with_article(&format!("{} door", self.door.name())));
        let plural = if self.windows == Windows::One { "" } else { "s" };
        say(Role::With, format!("{} window{plural}", self.windows.name()));
        match self.chimney {
            0.0 => say(Role::With, "no chimney".into()),
            c if c > 0.3 => say(Role::With, "a chimney".into()),
            _ => {}
        }
        match self.tree {
            0.0 => say(Role::With, "no tree".into()),
            t if t > 0.3 => say(Role::Setting, "beside a tree".into()),
            _ => {}
        }
        let time = match self.sky {
            Sky::Day => "by day",
            Sky::Sunset => "at sunset",
            Sky::Night => "at night",
        };
        say(Role::Setting, time.into());
        said
    }
}
