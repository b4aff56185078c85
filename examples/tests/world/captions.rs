//! Captions say what is true, in many words.

use gan_examples::world::{
    Choice, EyeColour, Glasses, HairColour, Hat, House, Hue, Portrait, Roof, Sky, TEMPLATES,
    Windows, World, captions, nth,
};

/// What captions of portraits may say, the longest first where one holds another, and when it is true.
fn portrait_claims(p: &Portrait) -> Vec<(String, bool)> {
    let mut claims = vec![
        ("smiling".to_owned(), p.smile > 0.2),
        ("sad".to_owned(), p.smile < -0.2),
        ("an open mouth".to_owned(), p.mouth_open > 0.2),
        ("a closed mouth".to_owned(), p.mouth_open < 0.05),
        ("light skin".to_owned(), p.skin < 0.4),
        ("dark skin".to_owned(), p.skin > 0.6),
        ("no glasses".to_owned(), p.glasses == Glasses::None),
        ("round glasses".to_owned(), p.glasses == Glasses::Round),
        ("square glasses".to_owned(), p.glasses == Glasses::Square),
        ("no hat".to_owned(), p.hat == Hat::None),
        ("looking to the left".to_owned(), p.yaw < -0.2),
        ("looking to the right".to_owned(), p.yaw > 0.2),
    ];
    for &(colour, name) in HairColour::NAMED {
        let is = p.hair_colour == colour;
        claims.push((format!("short {name} hair"), is && p.hair_length < 0.45));
        claims.push((format!("long {name} hair"), is && p.hair_length > 0.55));
        claims.push((format!("{name} hair"), is));
    }
    for &(colour, name) in EyeColour::NAMED {
        claims.push((format!("{name} eyes"), p.eye_colour == colour));
    }
    for &(hue, name) in Hue::NAMED {
        let a = if name == "orange" { "an" } else { "a" };
        let hat = |hat| p.hat == hat && p.hat_colour == hue;
        claims.push((format!("{a} {name} beanie"), hat(Hat::Beanie)));
        claims.push((format!("{a} {name} hat"), hat(Hat::Brimmed)));
        claims.push((format!("{name} clothes"), p.clothes == hue));
        claims.push((format!("on {a} {name} background"), p.background == hue));
    }
    claims
}

fn house_claims(h: &House) -> Vec<(String, bool)> {
    let mut claims = vec![
        ("no chimney".to_owned(), h.chimney == 0.0),
        ("a chimney".to_owned(), h.chimney > 0.2),
        ("no tree".to_owned(), h.tree == 0.0),
        ("beside a tree".to_owned(), h.tree > 0.2),
        ("by day".to_owned(), h.sky == Sky::Day),
        ("at sunset".to_owned(), h.sky == Sky::Sunset),
        ("at night".to_owned(), h.sky == Sky::Night),
        ("one window".to_owned(), h.windows == Windows::One),
        ("two windows".to_owned(), h.windows == Windows::Two),
        ("three windows".to_owned(), h.windows == Windows::Three),
    ];
    for &(hue, name) in Hue::NAMED {
        for &(roof, shape) in Roof::NAMED {
            let is = h.roof == roof && h.roof_colour == hue;
            claims.push((format!("a {shape} {name} roof"), is));
        }
        let a = if name == "orange" { "an" } else { "a" };
        claims.push((format!("{a} {name} door"), h.door == hue));
        claims.push((format!("{name} house"), h.wall == hue));
    }
    claims
}

/// Every claim in a caption is true, and without them nothing but the words of the templates is left.
fn captions_are_true<W: World>(claims: impl Fn(&W) -> Vec<(String, bool)>) {
    let mut words: Vec<String> = TEMPLATES
        .iter()
        .flat_map(|template| template.split(' '))
        .map(|word| word.split('{').next().unwrap().to_owned())
        .collect();
    words.extend(["", "an", "with", "wearing", "and", W::NOUN].map(str::to_owned));
    let (mut mentioned, mut total) = (0, 0);
    for k in 0..500 {
        let picture: W = nth(7, k);
        for caption in captions(&picture, 7, k, 6) {
            let mut rest = caption.clone();
            for (claim, is_true) in claims(&picture) {
                if rest.contains(&claim) {
                    assert!(is_true, "`{claim}` in `{caption}` of {picture:?}");
                    mentioned += 1;
                }
                rest = rest.replace(&claim, "");
            }
            for word in rest.split([' ', ',']) {
                assert!(words.iter().any(|known| known == word), "`{word}` in `{caption}`");
            }
            assert!(!caption.contains("  ") && caption.trim() == caption, "`{caption}`");
            total += 1;
        }
    }
    assert!(mentioned > 2 * total, "{mentioned} claims in {total} captions");
}

#[test]
fn captions_of_portraits_are_true() {
    captions_are_true(portrait_claims);
}

#[test]
fn captions_of_houses_are_true() {
    captions_are_true(house_claims);
}

#[test]
fn captions_vary_and_repeat() {
    let p: Portrait = nth(0, 0);
    let found = captions(&p, 0, 0, 64);
    assert_eq!(found, captions(&p, 0, 0, 64));
    for template in TEMPLATES {
        let start = template.split('{').next().unwrap();
        assert!(found.iter().any(|caption| caption.starts_with(start)), "{template}");
    }
    let distinct: std::collections::BTreeSet<_> = found.iter().collect();
    assert!(distinct.len() > 55, "{}", distinct.len());
}
