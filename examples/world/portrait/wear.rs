//! Clothes, glasses and hats.

use super::super::canvas::{Canvas, Ink};
use super::super::colour::{Colour, INK, WHITE};
use super::super::shape::{Pen, Point, Shape, blob, curve, ellipse, lines, polygon};
use super::face::{RELIEF, eye_at};
use super::head::{EYE_LINE, Head, MIDDLE};
use super::{Collar, Glasses, Hat, Portrait, PortraitClass};

pub(super) fn clothes(canvas: &mut Canvas, p: &Portrait, head: &Head) {
    let colour = p.clothes.colour();
    let deep = match p.collar {
        Collar::Round => 55.4,
        Collar::Vee => 62.0,
        Collar::Shirt => 58.0,
    };
    let hem: [Point; 3] = [[24.2, 50.6], [MIDDLE, deep], [39.8, 50.6]];
    let [left, low, right] = hem;
    let pen = Pen::from([2.5, 66.0]).bend([4.0, 57.5], [8.0, 55.0], [15.0, 53.4]).bend(
        [19.5, 52.4],
        [22.5, 52.0],
        left,
    );
    let pen = match p.collar {
        Collar::Round => pen.bend([25.5, deep], [38.5, deep], right),
        Collar::Vee | Collar::Shirt => pen.line(low).line(right),
    };
    let body = pen
        .bend([41.5, 52.0], [44.5, 52.4], [49.0, 53.4])
        .bend([56.0, 55.0], [60.0, 57.5], [61.5, 66.0])
        .closed();
    let shades = [([14.0, 52.0], colour.lighter(0.10)), ([54.0, 66.0], colour.darker(0.22))];
    canvas.area(PortraitClass::Clothes, &body, Ink::Linear(shades));
    // Where the arms begin.
    for side in [-1.0, 1.0] {
        let fold = curve(&[[MIDDLE + side * 18.6, 59.5], [MIDDLE + side * 19.4, 66.0]]);
        canvas.line(&fold, 0.7, Ink::Flat(colour.darker(0.45).alpha(0.6)));
    }
    match p.collar {
        Collar::Round => {
            let band = Pen::from(left).bend([25.5, deep], [38.5, deep], right).open();
            canvas.wire(PortraitClass::Clothes, &band, 1.7, Ink::Flat(colour.darker(0.28)));
        }
        Collar::Vee => {
            let band = lines(&hem);
            canvas.wire(PortraitClass::Clothes, &band, 1.7, Ink::Flat(colour.darker(0.28)));
        }
        Collar::Shirt => shirt_collar(canvas, head),
    }
}

fn shirt_collar(canvas: &mut Canvas, head: &Head) {
    for side in [-1.0, 1.0] {
        let at = |x: f32, y: f32| [MIDDLE + side * x, y];
        let flap = polygon(&[at(7.6, 47.6), at(9.4, 51.5), at(6.2, 60.0), at(0.0, 57.4)]);
        let cloth = Colour::hex(0xfb_f8_f2);
        let shade = cloth.mix(head.shade, if side > 0.0 { 0.22 } else { 0.08 });
        canvas.area(PortraitClass::Clothes, &flap, Ink::down(48.0, 60.0, [shade, cloth]));
        let edge = lines(&[at(9.4, 51.5), at(6.2, 60.0), at(0.0, 57.4)]);
        canvas.line(&edge, 0.5, Ink::Flat(INK.alpha(0.35)));
    }
}

pub(super) fn glasses(canvas: &mut Canvas, p: &Portrait, head: &Head) {
    if p.glasses == Glasses::None {
        return;
    }
    let frame = Ink::Flat(Colour::hex(0x24_22_2e));
    let class = PortraitClass::Glasses;
    let middle = EYE_LINE + 0.3;
    let [mut inner, mut outer] = [[0.0; 2]; 2];
    for (i, side) in [-1.0, 1.0].into_iter().enumerate() {
        let x = side * eye_at(p);
        let (centre, squeeze) = (head.at(x, RELIEF), head.squeeze(x));
        let wide = 5.0 * squeeze;
        let lens = rim(p.glasses, [centre, middle], wide);
        let shine = [WHITE.alpha(0.38), WHITE.alpha(0.04)];
        let from = ([centre - wide, middle - 5.0], shine[0]);
        canvas.tint(&lens, Ink::Linear([from, ([centre + 0.4 * wide, middle + 3.0], shine[1])]));
        canvas.wire(class, &lens, 1.15, frame);
        inner[i] = centre - side * wide;
        outer[i] = centre + side * wide;
    }
    let bridge = Pen::from([inner[0], middle - 0.6]).bend(
        [inner[0] + 0.5, middle - 1.9],
        [inner[1] - 0.5, middle - 1.9],
        [inner[1], middle - 0.6],
    );
    canvas.wire(class, &bridge.open(), 1.1, frame);
    for (side, outer) in [-1.0, 1.0].into_iter().zip(outer) {
        let temple = MIDDLE + side * (head.half + 0.2);
        // Turned away, an arm is behind its lens.
        if (temple - outer) * side > 0.0 {
            canvas.wire(
                class,
                &lines(&[[outer, middle - 1.2], [temple, middle - 1.8]]),
                1.1,
                frame,
            );
        }
    }
}

/// The outline of a lens.
fn rim(glasses: Glasses, [x, y]: Point, wide: f32) -> Shape {
    if glasses == Glasses::Round {
        return ellipse([x, y], [wide, 4.9]);
    }
    let (high, bow) = (4.0, 0.35);
    let [left, right, top, low] = [x - wide, x + wide, y - high, y + high];
    let (cut, rise) = (0.25 * wide, 0.3 * high);
    Pen::from([left + cut, top])
        .bend([x, top - bow], [x, top - bow], [right - cut, top])
        .bend([right, top], [right, top], [right, top + rise])
        .bend([right, y], [right, y], [right - 0.1 * wide, low - rise])
        .bend([right - 0.15 * wide, low], [right - 0.2 * wide, low], [right - 2.0 * cut, low])
        .line([left + 2.0 * cut, low])
        .bend([left + 0.2 * wide, low], [left + 0.15 * wide, low], [left + 0.1 * wide, low - rise])
        .bend([left, y], [left, y], [left, top + rise])
        .bend([left, top], [left, top], [left + cut, top])
        .closed()
}

pub(super) fn hat(canvas: &mut Canvas, p: &Portrait, head: &Head) {
    match p.hat {
        Hat::None => {}
        Hat::Beanie => beanie(canvas, p, head),
        Hat::Brimmed => brimmed(canvas, p, head),
    }
}

fn beanie(canvas: &mut Canvas, p: &Portrait, head: &Head) {
    let colour = p.hat_colour.colour();
    let shift = MIDDLE - 2.0 * head.sine();
    let at = |x: f32, y: f32| [shift + x, y];
    let half = head.half + 3.0;
    let bobble = at(0.0, 3.4);
    let class = PortraitClass::Hat;
    let fluff = [colour.lighter(0.65), colour.lighter(0.30)];
    canvas.area(class, &ellipse(bobble, [3.4, 3.2]), Ink::Radial(at(-1.0, 2.4), 4.6, fluff));
    let dome = Pen::from(at(-half, 18.0))
        .bend(at(-half, 8.0), at(-8.0, 4.6), at(0.0, 4.6))
        .bend(at(8.0, 4.6), at(half, 8.0), at(half, 18.0))
        .closed();
    let ink =
        Ink::Linear([([20.0, 5.0], colour.lighter(0.16)), ([46.0, 19.0], colour.darker(0.18))]);
    canvas.area(class, &dome, ink);
    for x in [-0.62, -0.22, 0.22, 0.62] {
        let rib = curve(&[at(x * 6.0, 5.4), at(x * half * 0.85, 10.0), at(x * half, 15.5)]);
        canvas.line(&rib, 0.7, Ink::Flat(colour.darker(0.40).alpha(0.35)));
    }
    let cuff = blob(&[
        at(-half - 0.4, 15.2),
        at(0.0, 13.2),
        at(half + 0.4, 15.2),
        at(half + 0.5, 19.4),
        at(0.0, 17.9),
        at(-half - 0.5, 19.4),
    ]);
    let shades = [colour.lighter(0.28), colour.lighter(0.06)];
    canvas.area(class, &cuff, Ink::Linear([([18.0, 14.0], shades[0]), ([48.0, 20.0], shades[1])]));
    canvas.line(
        &curve(&[at(-half, 19.4), at(0.0, 17.9), at(half, 19.4)]),
        0.6,
        Ink::Flat(INK.alpha(0.3)),
    );
}

fn brimmed(canvas: &mut Canvas, p: &Portrait, head: &Head) {
    let colour = p.hat_colour.colour();
    let shift = MIDDLE - 1.0 * head.sine();
    let at = |x: f32, y: f32| [shift + x, y];
    let half = head.half + 1.9;
    let class = PortraitClass::Hat;
    let brim = blob(&[
        at(-half - 6.0, 17.6),
        at(-half * 0.6, 14.2),
        at(half * 0.6, 14.2),
        at(half + 6.0, 17.6),
        at(half * 0.6, 19.0),
        at(-half * 0.6, 19.0),
    ]);
    let crown = Pen::from(at(-half, 16.6))
        .bend(at(-half + 0.4, 8.0), at(-half + 2.0, 2.8), at(-half * 0.45, 2.4))
        .bend(at(-half * 0.2, 2.4), at(-half * 0.12, 3.8), at(0.0, 3.8))
        .bend(at(half * 0.12, 3.8), at(half * 0.2, 2.4), at(half * 0.45, 2.4))
        .bend(at(half - 2.0, 2.8), at(half - 0.4, 8.0), at(half, 16.6))
        .bend(at(half * 0.5, 18.0), at(-half * 0.5, 18.0), at(-half, 16.6))
        .closed();
    let shade = [([20.0, 4.0], colour.lighter(0.20)), ([46.0, 18.0], colour.darker(0.16))];
    canvas.area(
        class,
        &brim,
        Ink::Linear([([14.0, 14.0], colour.lighter(0.10)), ([50.0, 20.0], colour.darker(0.28))]),
    );
    canvas.area(class, &crown, Ink::Linear(shade));
    if let Some(clip) = canvas.clip(&crown) {
        let band = curve(&[at(-half - 1.0, 13.6), at(0.0, 14.9), at(half + 1.0, 13.6)]);
        canvas.line_in(&clip, &band, 2.8, Ink::Flat(colour.darker(0.58)));
    }
    let edge = curve(&[
        at(-half - 5.6, 17.8),
        at(-half * 0.6, 19.0),
        at(half * 0.6, 19.0),
        at(half + 5.6, 17.8),
    ]);
    canvas.line(&edge, 0.6, Ink::Flat(INK.alpha(0.28)));
}
