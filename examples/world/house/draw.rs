//! How a house is drawn, from the sky to the panes.

use super::super::canvas::{Canvas, Ink, SIDE};
use super::super::colour::{Colour, INK, WHITE};
use super::super::shape::{Shape, blob, ellipse, lines, polygon, rectangle};
use super::{House, HouseClass, Roof, Sky, Windows};

/// Where the house stands.
const GROUND: f32 = 54.0;
/// The middle of the house.
const MIDDLE: f32 = 29.0;

pub(super) fn house(canvas: &mut Canvas, h: &House) {
    let half = 16.0 + 4.5 * h.width;
    let eaves = 32.0 - 5.0 * h.height;
    sky(canvas, h.sky);
    ground(canvas);
    tree(canvas, h.tree);
    chimney(canvas, h.chimney, half, eaves);
    wall(canvas, h, half, eaves);
    roof(canvas, h, half, eaves);
    windows(canvas, h, half, eaves);
    door(canvas, h);
}

fn sky(canvas: &mut Canvas, time: Sky) {
    let (top, low) = match time {
        Sky::Day => (0x7d_bd_ea, 0xe2_f2_fa),
        Sky::Sunset => (0x8a_6f_b4, 0xfb_b3_78),
        Sky::Night => (0x17_1e_42, 0x3d_4c_86),
    };
    let all = rectangle([0.0, 0.0, SIDE, SIDE]);
    let colours = [Colour::hex(top), Colour::hex(low)];
    canvas.area(HouseClass::Sky, &all, Ink::down(0.0, 50.0, colours));
    let (at, colour) = match time {
        Sky::Day => ([10.0, 9.5], Colour::hex(0xff_e3_8a)),
        Sky::Sunset => ([8.0, 32.0], Colour::hex(0xff_e0_b0)),
        Sky::Night => ([10.0, 9.5], Colour::hex(0xf4_f0_d8)),
    };
    canvas.tint(&ellipse(at, [11.0; 2]), Ink::glow(at, 11.0, colour.alpha(0.55)));
    canvas.tint(&ellipse(at, [4.4; 2]), Ink::Flat(colour));
    match time {
        Sky::Night => {
            canvas.tint(&ellipse([12.2, 8.4], [3.6; 2]), Ink::Flat(Colour::hex(0x23_2c_58)));
            for star in
                [[22.0, 5.0], [33.0, 3.5], [44.0, 7.5], [52.0, 4.0], [59.0, 11.0], [4.0, 22.0]]
            {
                canvas.tint(&ellipse(star, [0.65; 2]), Ink::Flat(WHITE.alpha(0.9)));
            }
        }
        Sky::Day | Sky::Sunset => {
            for [x, y, size] in [[44.0, 7.0, 1.0], [58.0, 14.0, 0.7]] {
                let puff = |dx: f32, dy: f32, r: f32| {
                    ellipse([x + dx * size, y + dy * size], [1.3 * r * size, r * size])
                };
                for part in [puff(-3.4, 0.7, 1.9), puff(0.0, -0.4, 2.7), puff(3.6, 0.7, 1.9)] {
                    canvas.tint(&part, Ink::Flat(WHITE.alpha(0.75)));
                }
            }
        }
    }
}

fn ground(canvas: &mut Canvas) {
    let hill =
        blob(&[[-8.0, 52.0], [18.0, 50.0], [46.0, 50.0], [72.0, 52.5], [72.0, 76.0], [-8.0, 76.0]]);
    let colours = [Colour::hex(0x8b_c4_6a), Colour::hex(0x55_93_4c)];
    canvas.area(HouseClass::Ground, &hill, Ink::down(50.0, 64.0, colours));
    let path = polygon(&[[26.6, GROUND], [31.4, GROUND], [36.0, 64.5], [22.0, 64.5]]);
    canvas.area(HouseClass::Ground, &path, Ink::Flat(Colour::hex(0xdc_c9_a0)));
}

fn tree(canvas: &mut Canvas, size: f32) {
    if size <= 0.0 {
        return;
    }
    let scale = 0.45 + 0.55 * size;
    let at = |x: f32, y: f32| [55.5 + x * scale, GROUND + y * scale];
    let trunk = polygon(&[at(-1.5, 0.5), at(-1.0, -14.0), at(1.0, -14.0), at(1.5, 0.5)]);
    canvas.area(HouseClass::Tree, &trunk, Ink::Flat(Colour::hex(0x7a_55_38)));
    let crown = blob(&[
        at(0.0, -32.0),
        at(5.0, -28.0),
        at(7.4, -20.0),
        at(5.6, -12.0),
        at(0.0, -10.0),
        at(-5.6, -12.0),
        at(-7.4, -20.0),
        at(-5.0, -28.0),
    ]);
    let colours = [Colour::hex(0x5f_ab_58), Colour::hex(0x2f_6f_49)];
    let light = ([at(-5.0, -28.0)[0], at(0.0, -30.0)[1]], colours[0]);
    canvas.area(HouseClass::Tree, &crown, Ink::Linear([light, (at(6.0, -12.0), colours[1])]));
}

fn chimney(canvas: &mut Canvas, height: f32, half: f32, eaves: f32) {
    if height <= 0.0 {
        return;
    }
    let (x, top) = (MIDDLE + 0.5 * half, eaves - 13.0 - 6.0 * height);
    let brick = Colour::hex(0x9c_5a_48);
    let ink =
        Ink::Linear([([x - 3.0, top], brick.lighter(0.15)), ([x + 3.0, top], brick.darker(0.3))]);
    canvas.area(HouseClass::Chimney, &rectangle([x - 3.0, top, x + 3.0, eaves]), ink);
    let cap = rectangle([x - 3.7, top - 0.4, x + 3.7, top + 1.6]);
    canvas.area(HouseClass::Chimney, &cap, Ink::Flat(brick.darker(0.25)));
}

fn wall(canvas: &mut Canvas, h: &House, half: f32, eaves: f32) {
    let colour = h.wall.pastel();
    let wall = rectangle([MIDDLE - half, eaves - 1.0, MIDDLE + half, GROUND]);
    let ink = Ink::Linear([
        ([MIDDLE - half, eaves], colour.lighter(0.22)),
        ([MIDDLE + half, GROUND], colour.darker(0.14)),
    ]);
    canvas.area(HouseClass::Wall, &wall, ink);
    let under = rectangle([MIDDLE - half, eaves - 1.0, MIDDLE + half, eaves + 2.6]);
    canvas.tint(&under, Ink::down(eaves, eaves + 2.6, [INK.alpha(0.35), INK.alpha(0.0)]));
    let base = rectangle([MIDDLE - half, GROUND - 1.4, MIDDLE + half, GROUND + 0.3]);
    canvas.tint(&base, Ink::Flat(colour.darker(0.35)));
}

fn roof(canvas: &mut Canvas, h: &House, half: f32, eaves: f32) {
    let colour = h.roof_colour.colour();
    let at = |x: f32, y: f32| [MIDDLE + x, eaves + y];
    let over = half + 3.0;
    let (shape, rows): (Shape, &[[f32; 2]]) = match h.roof {
        Roof::Pointed => (
            polygon(&[at(-over, 1.0), at(0.0, -17.0), at(over, 1.0)]),
            &[[-12.0, 0.26], [-8.0, 0.49], [-4.0, 0.71]],
        ),
        Roof::Hipped => (
            polygon(&[
                at(-over, 1.0),
                at(-0.45 * half, -11.5),
                at(0.45 * half, -11.5),
                at(over, 1.0),
            ]),
            &[[-7.4, 0.56], [-3.3, 0.75]],
        ),
        Roof::Flat => {
            (rectangle([MIDDLE - over, eaves - 5.0, MIDDLE + over, eaves + 1.0]), &[[-2.0, 1.0]])
        }
    };
    let ink = Ink::Linear([
        (at(-10.0, -14.0), colour.lighter(0.18)),
        (at(16.0, 2.0), colour.darker(0.20)),
    ]);
    canvas.area(HouseClass::Roof, &shape, ink);
    for &[y, share] in rows {
        let row = lines(&[at(-over * share, y), at(over * share, y)]);
        canvas.line(&row, 0.6, Ink::Flat(colour.darker(0.5).alpha(0.5)));
    }
    let gutter = lines(&[at(-over, 1.0), at(over, 1.0)]);
    canvas.wire(HouseClass::Roof, &gutter, 1.1, Ink::Flat(colour.darker(0.42)));
}

fn windows(canvas: &mut Canvas, h: &House, half: f32, eaves: f32) {
    let low = [-0.6 * half, 0.6 * half].map(|x| [MIDDLE + x, 0.5 * (eaves + GROUND) + 1.6]);
    let [left, right] = low;
    match h.windows {
        Windows::One => window(canvas, left),
        Windows::Two => low.into_iter().for_each(|at| window(canvas, at)),
        Windows::Three => {
            [left, right].into_iter().for_each(|at| window(canvas, at));
            // Above the door, and so high that the lowest wall has room for both.
            let round = [MIDDLE, eaves + 5.0];
            canvas.area(HouseClass::Windows, &ellipse(round, [3.1; 2]), Ink::Flat(WHITE));
            canvas.area(
                HouseClass::Windows,
                &ellipse(round, [2.2; 2]),
                Ink::Flat(Colour::hex(0x6f_a8_cf)),
            );
        }
    }
}

fn window(canvas: &mut Canvas, [x, y]: [f32; 2]) {
    let class = HouseClass::Windows;
    canvas.area(class, &rectangle([x - 4.2, y - 4.7, x + 4.2, y + 4.7]), Ink::Flat(WHITE));
    let glass = [Colour::hex(0x4f_86_b4), Colour::hex(0xa8_d4_ea)];
    for (dx, dy) in [(-1.8, -2.05), (1.8, -2.05), (-1.8, 2.05), (1.8, 2.05)] {
        let pane = rectangle([x + dx - 1.5, y + dy - 1.7, x + dx + 1.5, y + dy + 1.7]);
        canvas.area(
            class,
            &pane,
            Ink::Linear([([x - 4.0, y - 4.0], glass[0]), ([x + 4.0, y + 5.0], glass[1])]),
        );
    }
    let sill = lines(&[[x - 4.6, y + 5.0], [x + 4.6, y + 5.0]]);
    canvas.line(&sill, 0.8, Ink::Flat(INK.alpha(0.4)));
}

fn door(canvas: &mut Canvas, h: &House) {
    let colour = h.door.colour();
    let frame = rectangle([MIDDLE - 4.2, GROUND - 13.4, MIDDLE + 4.2, GROUND]);
    canvas.area(HouseClass::Door, &frame, Ink::Flat(Colour::hex(0xfa_f6_ee)));
    let leaf = rectangle([MIDDLE - 3.4, GROUND - 12.6, MIDDLE + 3.4, GROUND]);
    let ink = Ink::Linear([
        ([MIDDLE - 3.0, GROUND - 12.0], colour.lighter(0.14)),
        ([MIDDLE + 3.0, GROUND], colour.darker(0.20)),
    ]);
    canvas.area(HouseClass::Door, &leaf, ink);
    for y in [GROUND - 9.6, GROUND - 4.2] {
        let panel = rectangle([MIDDLE - 2.1, y - 1.7, MIDDLE + 2.1, y + 1.7]);
        canvas.tint(&panel, Ink::Flat(colour.darker(0.4).alpha(0.35)));
    }
    canvas.tint(
        &ellipse([MIDDLE + 2.5, GROUND - 6.4], [0.65; 2]),
        Ink::Flat(Colour::hex(0xff_e6_9a)),
    );
}
