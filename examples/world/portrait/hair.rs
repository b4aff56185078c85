//! Hair: behind the neck, beside the face, and on top.

use super::super::canvas::{Canvas, Ink};
use super::super::colour::Colour;
use super::super::shape::{Pen, Shape, blob, curve};
use super::head::{Head, MIDDLE};
use super::{HairColour, Portrait, PortraitClass};

pub(super) fn colour(p: &Portrait) -> Colour {
    Colour::hex(match p.hair_colour {
        HairColour::Black => 0x33_2b_33,
        HairColour::Brown => 0x6b_42_2c,
        HairColour::Red => 0xb9_52_27,
        HairColour::Blond => 0xe6_bf_66,
        HairColour::Grey => 0xb3_b4_bd,
    })
}

/// Where hair is seen that lies around the back of the head: against a turn.
fn around(head: &Head) -> impl Fn(f32, f32) -> [f32; 2] {
    let shift = -5.0 * head.sine();
    move |x, y| [MIDDLE + x + shift, y]
}

pub(super) fn back(canvas: &mut Canvas, p: &Portrait, head: &Head) {
    let (length, half) = (p.hair_length, head.half);
    let end = 36.0 + 25.0 * length;
    // It comes out from behind the ears as it grows past them.
    let side = half - 1.6 + 3.4 * (length / 0.35).min(1.0);
    let at = around(head);
    let shape = blob(&[
        at(0.0, 7.0),
        at(10.0, 9.6),
        at(half + 1.6, 18.0),
        at(side + 0.8, 28.0),
        at(side + 1.2 * length, 28.0 + 0.5 * (end - 28.0)),
        at(side - 2.4 + 2.4 * length, end - 2.5),
        at(0.4 * half, end),
        at(-0.4 * half, end),
        at(-side + 2.4 - 2.4 * length, end - 2.5),
        at(-side - 1.2 * length, 28.0 + 0.5 * (end - 28.0)),
        at(-side - 0.8, 28.0),
        at(-half - 1.6, 18.0),
        at(-10.0, 9.6),
    ]);
    let hair = colour(p);
    let ink = Ink::down(20.0, 56.0, [hair.darker(0.16), hair.darker(0.40)]);
    canvas.area(PortraitClass::Hair, &shape, ink);
}

/// Locks before the shoulders; of short hair they end above the ears.
pub(super) fn sides(canvas: &mut Canvas, p: &Portrait, head: &Head) {
    let (length, half) = (p.hair_length, head.half);
    let end = 24.0 + 37.0 * length;
    let hair = colour(p);
    let at = around(head);
    for side in [-1.0, 1.0] {
        let at = |x: f32, y: f32| at(side * x, y);
        let down = |share: f32| 16.0 + (end - 16.0) * share;
        let flare = 1.6 * length;
        let lock = blob(&[
            at(half - 3.5, 14.0),
            at(half + 1.6, 17.0),
            at(half + 2.4 + 0.4 * flare, down(0.45)),
            at(half + 2.0 + flare, down(0.8)),
            at(half - 0.4 + flare, end),
            at(half - 3.6 + flare, down(0.88)),
            at(half - 3.4, down(0.5)),
        ]);
        let ink = Ink::down(14.0, 62.0, [hair, hair.darker(0.30)]);
        canvas.area(PortraitClass::Hair, &lock, ink);
        let strand = curve(&[
            at(half + 0.7, 20.0),
            at(half + 1.0 + 0.3 * flare, down(0.5)),
            at(half - 0.2 + flare, down(0.92)),
        ]);
        canvas.line(&strand, 0.6, Ink::Flat(hair.darker(0.5).alpha(0.45)));
    }
}

/// The hair above the forehead, which parts and falls to both temples.
pub(super) fn top(canvas: &mut Canvas, p: &Portrait, head: &Head) {
    if let Some(clip) = canvas.clip(&head.outline) {
        let shadow = fringe(p, head, 1.3);
        canvas.tint_in(&clip, &shadow, Ink::Flat(head.shade.alpha(0.45)));
    }
    let hair = colour(p);
    let shape = fringe(p, head, 0.0);
    let ink = Ink::Linear([([22.0, 6.0], hair.lighter(0.10)), ([44.0, 28.0], hair.darker(0.10))]);
    canvas.area(PortraitClass::Hair, &shape, ink);

    let Some(clip) = canvas.clip(&shape) else { return };
    let part = head.at(5.0 * p.parting, 0.55);
    let dark = hair.darker(0.5).alpha(0.35);
    for side in [-1.0, 1.0] {
        for (reach, drop) in [(0.55, 16.5), (0.88, 19.5)] {
            let end = MIDDLE + side * reach * head.half;
            let strand = curve(&[[part, 9.2], [part + 0.55 * (end - part), 10.9], [end, drop]]);
            canvas.line_in(&clip, &strand, 0.55, Ink::Flat(dark));
        }
    }
    // Light from the upper left.
    let at = around(head);
    let shine = curve(&[at(-11.5, 15.5), at(-8.8, 11.8), at(-4.0, 9.4), at(1.5, 8.8)]);
    canvas.line_in(&clip, &shine, 1.8, Ink::Flat(hair.lighter(0.55).alpha(0.42)));
}

fn fringe(p: &Portrait, head: &Head, lower: f32) -> Shape {
    let half = head.half;
    let at = around(head);
    let part = [head.at(5.0 * p.parting, 0.55), 14.2 + lower];
    let temple = |side: f32| [head.at(side * half, 1.0) - 2.0 * head.sine(), 27.0 + lower];
    let outer = |side: f32| at(side * (half + 1.9), 26.0);
    let [left, right] = [temple(-1.0), temple(1.0)];
    // From the parting a lobe swings over the forehead to each temple.
    let lobe = |end: [f32; 2]| {
        let across = end[0] - part[0];
        let first = [part[0] + 0.30 * across, 18.6 + lower];
        (first, [part[0] + 0.86 * across, 18.4 + lower])
    };
    let (r1, r2) = lobe(right);
    let (l1, l2) = lobe(left);
    Pen::from(part)
        .bend(r1, r2, right)
        .line(outer(1.0))
        .bend(at(half + 3.4, 14.0), at(0.62 * half, 5.6), at(0.0, 6.0))
        .bend(at(-0.62 * half, 5.6), at(-half - 3.4, 14.0), outer(-1.0))
        .line(left)
        .bend(l2, l1, part)
        .closed()
}
