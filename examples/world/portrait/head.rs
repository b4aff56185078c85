//! The head without its features: pose, skin, outline, ears and neck.

use super::super::canvas::{Canvas, Ink, SIDE};
use super::super::colour::{Colour, WHITE, along};
use super::super::shape::{Shape, blob, ellipse, rectangle};
use super::{Portrait, PortraitClass};

/// The middle of the face.
pub(super) const MIDDLE: f32 = SIDE / 2.0;

/// Height of the eyes.
pub(super) const EYE_LINE: f32 = 30.5;

/// Light to dark.
const SKINS: [Colour; 5] = [
    Colour::hex(0xfc_de_c9),
    Colour::hex(0xf2_c3_9f),
    Colour::hex(0xd6_9a_6e),
    Colour::hex(0xa6_6b_45),
    Colour::hex(0x70_44_2d),
];

/// What all parts of a head share.
pub(super) struct Head {
    /// Half of the face's width.
    pub(super) half: f32,
    /// Sine and cosine of the angle it is turned by, at most 22 degrees.
    turn: [f32; 2],
    pub(super) skin: Colour,
    /// Skin out of the light.
    pub(super) shade: Colour,
    /// The outline of the face.
    pub(super) outline: Shape,
}

impl Head {
    pub(super) fn of(p: &Portrait) -> Self {
        let half = 13.5 + 1.4 * p.width;
        let sine = 0.38 * p.yaw;
        let turn = [sine, (1.0 - sine * sine).sqrt()];
        let skin = along(&SKINS, p.skin);
        // Dark skin is not far from red, so that its shade takes more of black.
        let shade = skin.mix(Colour::hex(0x7a_2e_30), 0.34).darker(0.30 * p.skin);
        let outline = outline(half, p.jaw, sine);
        Head { half, turn, skin, shade, outline }
    }

    /// Where a point of the head is seen: `x` aside of the middle of a ball as wide as the face, `relief` radii from its centre.
    pub(super) fn at(&self, x: f32, relief: f32) -> f32 {
        let [sine, cosine] = self.turn;
        MIDDLE + x * cosine + self.depth(x) * sine * relief
    }

    /// How much narrower things are seen there.
    pub(super) fn squeeze(&self, x: f32) -> f32 {
        let [sine, cosine] = self.turn;
        cosine - x * sine / self.depth(x)
    }

    /// How far things at the back of the head are seen to the other side, as a sine.
    pub(super) fn sine(&self) -> f32 {
        self.turn[0]
    }

    /// How far before the centre of the ball its surface is.
    fn depth(&self, x: f32) -> f32 {
        let least = 0.3 * self.half;
        (self.half * self.half - x * x).max(least * least).sqrt()
    }
}

fn outline(half: f32, jaw: f32, sine: f32) -> Shape {
    let jaw_at = half * (0.64 + 0.28 * jaw);
    let chin = half * (0.22 + 0.34 * jaw);
    let right = [
        [0.70 * half, 13.5],
        [0.97 * half, 22.0],
        [half, 29.0],
        [0.96 * half, 35.0],
        [jaw_at, 41.5],
        [chin, 46.6],
    ];
    // The chin stands before the neck, so that it moves with a turn.
    let lean = |[x, y]: [f32; 2]| [MIDDLE + x + sine * 0.24 * (y - 24.0).max(0.0), y];
    let left = right.iter().rev().map(|&[x, y]| [-x, y]);
    let points = [[0.0, 11.0]].into_iter().chain(right).chain([[0.0, 48.0]]).chain(left);
    blob(&points.map(lean).collect::<Vec<_>>())
}

pub(super) fn background(canvas: &mut Canvas, p: &Portrait) {
    let colour = p.background.pastel();
    let colours = [colour.lighter(0.45), colour.darker(0.03)];
    let all = rectangle([0.0, 0.0, SIDE, SIDE]);
    canvas.area(PortraitClass::Background, &all, Ink::Radial([MIDDLE, 26.0], 46.0, colours));
}

pub(super) fn neck(canvas: &mut Canvas, head: &Head) {
    let neck = blob(&[
        [25.6, 38.0],
        [38.4, 38.0],
        [38.6, 46.0],
        [39.9, 50.2],
        [40.0, 54.0],
        [40.0, 66.0],
        [24.0, 66.0],
        [24.0, 54.0],
        [24.1, 50.2],
        [25.4, 46.0],
    ]);
    // The shadow of the head fades down the neck.
    let dark = head.shade.darker(0.12);
    canvas.area(PortraitClass::Face, &neck, Ink::down(46.0, 56.0, [dark, head.skin]));
}

pub(super) fn ears(canvas: &mut Canvas, head: &Head) {
    for side in [-1.0, 1.0] {
        // The far ear goes behind the cheek.
        let hidden = (side * head.sine()).max(0.0) * 7.0;
        let x = MIDDLE + side * (head.half + 0.5 - hidden);
        canvas.area(PortraitClass::Face, &ellipse([x, 31.5], [2.7, 3.9]), Ink::Flat(head.skin));
        let inner = ellipse([x + side * 0.2, 31.6], [1.5, 2.5]);
        canvas.tint(&inner, Ink::Flat(head.shade.alpha(0.75)));
    }
}

pub(super) fn face(canvas: &mut Canvas, p: &Portrait, head: &Head) {
    let light = head.skin.mix(WHITE, 0.10);
    let dark = head.skin.mix(head.shade, 0.45);
    let ink = Ink::Linear([([24.0, 18.0], light), ([46.0, 46.0], dark)]);
    canvas.area(PortraitClass::Face, &head.outline, ink);
    let blush = head.skin.mix(Colour::hex(0xe0_3f_4a), 0.75);
    for side in [-1.0, 1.0] {
        let cheek = [head.at(side * 0.60 * head.half, 0.9), 38.0];
        let strength = 0.42 - 0.12 * p.skin;
        let spot = ellipse(cheek, [4.2, 3.4]);
        canvas.tint(&spot, Ink::glow(cheek, 4.2, blush.alpha(strength)));
    }
}
