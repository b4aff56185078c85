//! Masks say what is where, and things are large enough to be seen.

use gan_examples::world::{
    Glasses, Hat, House, HouseClass, Portrait, PortraitClass, World, image, mask,
};

use super::{SIDE, changed, ends, factor, samples, with};

/// Whether a pixel and all its neighbours are of one class: there, no soft edge mixes two.
fn inner(mask: &[u8], i: usize) -> bool {
    let (x, y) = (i % SIDE, i / SIDE);
    let near = |v: usize| v.saturating_sub(1)..=(v + 1).min(SIDE - 1);
    near(y).all(|y| near(x).all(|x| mask[y * SIDE + x] == mask[i]))
}

/// Recolouring a thing changes what its mask says, and no pixel well inside of other things.
fn recolours<W: World>(name: &str, class: u8, others: &[u8]) {
    let factor = factor::<W>(name);
    for base in samples::<W>(24) {
        let [from, to] = ends(factor).map(|v| with(&base, factor, v));
        let masks = [&from, &to].map(|w| mask(w, SIDE).unwrap());
        assert!(masks[0] == masks[1], "{name} moves something in {base:?}");
        let changed = changed(&image(&from, SIDE).unwrap(), &image(&to, SIDE).unwrap());
        for (i, changed) in changed.into_iter().enumerate().filter(|&(i, _)| inner(&masks[0], i)) {
            let found = masks[0][i];
            assert!(changed || found != class, "{name} leaves pixel {i} of {base:?}");
            let may = found == class || others.contains(&found);
            assert!(!changed || may, "{name} changes pixel {i} of class {found} in {base:?}");
        }
    }
}

#[test]
fn masks_say_what_is_where() {
    recolours::<Portrait>("background", PortraitClass::Background.into(), &[]);
    recolours::<Portrait>("hat_colour", PortraitClass::Hat.into(), &[]);
    // Brows are of the hair's colour, on skin.
    recolours::<Portrait>("hair_colour", PortraitClass::Hair.into(), &[PortraitClass::Face.into()]);
    recolours::<House>("roof_colour", HouseClass::Roof.into(), &[]);
    recolours::<House>("sky", HouseClass::Sky.into(), &[]);
}

/// Columns that have a class, between two columns.
fn columns(mask: &[u8], class: PortraitClass, between: std::ops::Range<usize>) -> usize {
    between.filter(|x| (0..SIDE).any(|y| mask[y * SIDE + x] == u8::from(class))).count()
}

#[test]
fn eyes_mouth_and_glasses_can_be_read() {
    for mut p in samples::<Portrait>(200) {
        let turned = mask(&p, SIDE).unwrap();
        assert!(columns(&turned, PortraitClass::Mouth, 0..SIDE) >= 6, "mouth of {p:?}");
        assert!(columns(&turned, PortraitClass::Eyes, 0..SIDE) >= 10, "{p:?}");
        p.yaw = 0.0;
        p.glasses = Glasses::None;
        let front = mask(&p, SIDE).unwrap();
        for half in [0..SIDE / 2, SIDE / 2..SIDE] {
            assert!(columns(&front, PortraitClass::Eyes, half.clone()) >= 6, "{p:?}");
            p.glasses = Glasses::Square;
            let worn = mask(&p, SIDE).unwrap();
            assert!(columns(&worn, PortraitClass::Glasses, half) >= 10, "{p:?}");
        }
    }
}

#[test]
fn masks_have_a_thing_where_there_is_one() {
    let has = |mask: &[u8], class: u8| mask.contains(&class);
    for p in samples::<Portrait>(100) {
        let mask = mask(&p, SIDE).unwrap();
        assert!(mask.iter().all(|&class| usize::from(class) < Portrait::CLASSES.len()));
        for class in 0..Portrait::CLASSES.len() as u8 {
            let expected = match class {
                c if c == u8::from(PortraitClass::Glasses) => p.glasses != Glasses::None,
                c if c == u8::from(PortraitClass::Hat) => p.hat != Hat::None,
                _ => true,
            };
            assert_eq!(has(&mask, class), expected, "class {class} of {p:?}");
        }
    }
    for h in samples::<House>(100) {
        let mask = mask(&h, SIDE).unwrap();
        for class in 0..House::CLASSES.len() as u8 {
            let expected = match class {
                c if c == u8::from(HouseClass::Chimney) => h.chimney > 0.0,
                c if c == u8::from(HouseClass::Tree) => h.tree > 0.0,
                _ => true,
            };
            assert_eq!(has(&mask, class), expected, "class {class} of {h:?}");
        }
    }
}
