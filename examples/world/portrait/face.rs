//! Eyes, brows, nose and mouth.

use super::super::canvas::{Canvas, Ink};
use super::super::colour::{Colour, INK, WHITE};
use super::super::shape::{Pen, blob, curve, ellipse};
use super::head::{EYE_LINE, Head};
use super::{EyeColour, Portrait, PortraitClass, hair};

/// How far before the centre of the head eyes and brows are, in radii.
pub(super) const RELIEF: f32 = 0.88;

/// How far an eye is from the middle.
pub(super) fn eye_at(p: &Portrait) -> f32 {
    6.7 + 1.0 * p.eye_distance
}

pub(super) fn eyes(canvas: &mut Canvas, p: &Portrait, head: &Head) {
    for side in [-1.0, 1.0] {
        eye(canvas, p, head, side);
    }
}

fn eye(canvas: &mut Canvas, p: &Portrait, head: &Head, side: f32) {
    let x = side * eye_at(p);
    let (centre, squeeze) = (head.at(x, RELIEF), head.squeeze(x));
    let wide = 3.3 + 1.0 * p.eye_size;
    let high = 1.95 + 1.2 * p.eye_size;
    // The outer corner is a little higher than the inner one.
    let at =
        |dx: f32, dy: f32| [centre + dx * wide * squeeze, EYE_LINE + dy * high - 0.25 * dx * side];
    let (left, right) = (at(-1.0, 0.15), at(1.0, 0.15));
    let lid = || Pen::from(left).bend(at(-0.62, -1.45), at(0.62, -1.45), right);
    let open = lid().bend(at(0.55, 1.25), at(-0.55, 1.25), left).closed();

    let white = Colour::hex(0xfd_fa_f6);
    let top = white.mix(head.shade, 0.35);
    let bright = Ink::down(EYE_LINE - high, EYE_LINE, [top, white]);
    canvas.area(PortraitClass::Eyes, &open, bright);
    if let Some(clip) = canvas.clip(&open) {
        let colour = match p.eye_colour {
            EyeColour::Brown => Colour::hex(0x6e_3f_1f),
            EyeColour::Blue => Colour::hex(0x3d_86_c6),
            EyeColour::Green => Colour::hex(0x4f_9a_4c),
        };
        let radius = 1.02 * high;
        let iris = [centre + 0.5 * p.yaw, EYE_LINE - 0.05];
        let below = [iris[0], iris[1] + 0.5 * radius];
        let rings = [colour.lighter(0.22), colour.darker(0.30)];
        let disc = ellipse(iris, [radius * squeeze.min(1.0), radius]);
        canvas.tint_in(&clip, &disc, Ink::Radial(below, 1.5 * radius, rings));
        canvas.tint_in(&clip, &ellipse(iris, [0.46 * radius; 2]), Ink::Flat(INK.darker(0.4)));
    }
    let glint = [centre + 0.5 * p.yaw - 0.36 * high, EYE_LINE - 0.42 * high];
    canvas.tint(&ellipse(glint, [0.27 * high; 2]), Ink::Flat(WHITE.alpha(0.95)));
    canvas.line(&lid().open(), 0.95, Ink::Flat(INK));
    let below = Pen::from(at(-0.7, 0.72)).bend(at(-0.3, 1.15), at(0.3, 1.15), at(0.7, 0.72)).open();
    canvas.line(&below, 0.4, Ink::Flat(head.shade.darker(0.15).alpha(0.7)));
}

pub(super) fn brows(canvas: &mut Canvas, p: &Portrait, head: &Head) {
    // Dark enough to be seen where hair and skin are alike.
    let colour = hair::colour(p).darker(0.45);
    for side in [-1.0, 1.0] {
        let at = |x: f32, y: f32| [head.at(side * x, RELIEF), y];
        let thick = 0.35 + 1.25 * p.brow;
        // Thick towards the nose, and to a point.
        let brow = blob(&[
            at(3.0, 24.6 - thick * 0.6),
            at(6.6, 23.4 - thick * 0.7),
            at(10.6, 25.4),
            at(6.8, 24.0 + thick * 0.6),
            at(3.0, 24.6 + thick * 0.7),
        ]);
        canvas.tint(&brow, Ink::Flat(colour));
    }
}

pub(super) fn nose(canvas: &mut Canvas, p: &Portrait, head: &Head) {
    let wide = 1.4 + 1.8 * p.nose;
    let tip = 35.9 + 1.4 * p.nose;
    let at = |x: f32, y: f32, relief: f32| [head.at(x, relief), y];
    let dark = head.shade;
    let side = blob(&[
        at(0.7, 29.5, 1.0),
        at(1.5, 33.0, 1.1),
        at(wide + 0.3, tip - 0.3, 1.15),
        at(wide * 0.5, tip + 0.9, 1.25),
        at(0.4, tip - 0.6, 1.25),
        at(0.5, 32.5, 1.15),
    ]);
    canvas.tint(&side, Ink::down(28.5, tip, [dark.alpha(0.0), dark.alpha(0.9)]));
    let nostrils = curve(&[
        at(-wide, tip - 0.4, 1.15),
        at(-wide * 0.55, tip + 0.55, 1.2),
        at(0.0, tip + 0.8, 1.28),
        at(wide * 0.55, tip + 0.55, 1.2),
        at(wide, tip - 0.4, 1.15),
    ]);
    canvas.line(&nostrils, 0.95, Ink::Flat(dark.darker(0.22)));
    let light = at(-0.5, tip - 1.3, 1.3);
    canvas.tint(
        &ellipse(light, [1.5, 1.7]),
        Ink::glow(light, 1.7, WHITE.alpha(0.40 - 0.24 * p.skin)),
    );
}

pub(super) fn mouth(canvas: &mut Canvas, p: &Portrait, head: &Head) {
    let half = 5.2 + 0.7 * p.smile;
    let gape = 2.3 * p.mouth_open;
    let line = 41.2 - 0.4 * p.mouth_open;
    // Without an effort, a mouth looks content.
    let smile = p.smile + 0.2;
    // Corners go up with a smile, the middle down.
    let (corner, middle) = (line - 2.0 * smile, line + 0.9 * smile);
    let at = |x: f32, y: f32| [head.at(x, 1.05), y];
    let arc = |half: f32, ends: f32, mid: f32| {
        let pull = (4.0 * mid - ends) / 3.0;
        let [left, right] = [at(-half, ends), at(half, ends)];
        (left, at(-half * 0.5, pull), at(half * 0.5, pull), right)
    };
    let lips = head.skin.mix(Colour::hex(0xa8_22_3c), 0.62);
    let (left, u1, u2, right) = arc(half, corner, middle - 1.2 - 0.35 * gape);
    let (_, l1, l2, _) = arc(half, corner, middle + 1.65 + 1.65 * gape);
    let outer = Pen::from(left).bend(u1, u2, right).bend(l2, l1, left).closed();
    canvas.area(PortraitClass::Mouth, &outer, Ink::Flat(lips));

    let (left, u1, u2, right) = arc(half - 0.5, corner, middle - 0.35 * gape);
    let (_, l1, l2, _) = arc(half - 0.5, corner, middle + 1.65 * gape);
    let gap = Pen::from(left).bend(u1, u2, right).bend(l2, l1, left).closed();
    if gape > 0.0 {
        canvas.tint(&gap, Ink::Flat(Colour::hex(0x4a_10_1c)));
        if let Some(clip) = canvas.clip(&gap) {
            let tongue = at(0.0, middle + 1.9 * gape);
            let pink = Colour::hex(0xdc_6a_70);
            canvas.tint_in(&clip, &ellipse(tongue, [2.7, 0.9 * gape]), Ink::Flat(pink));
            // As deep as the mouth is open, up to their length.
            let deep = |[x, y]: [f32; 2]| [x, y + 0.75 * gape.min(1.3)];
            let teeth = Pen::from(left).bend(u1, u2, right).bend(deep(u2), deep(u1), left);
            canvas.tint_in(&clip, &teeth.closed(), Ink::Flat(Colour::hex(0xfb_f7_f0)));
        }
    }
    let closed = Pen::from(left).bend(u1, u2, right).open();
    let seam = lips.darker(0.55).alpha(1.0 - 0.8 * p.mouth_open.min(0.5));
    canvas.line(&closed, 0.75, Ink::Flat(seam));
    let shine = at(-0.4, middle + 0.85 + 1.65 * gape);
    canvas.tint(&ellipse(shine, [1.9, 0.45]), Ink::Flat(WHITE.alpha(0.25)));
}
