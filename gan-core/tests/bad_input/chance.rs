//! Networks and files with random changes.

use std::sync::OnceLock;

use gan_core::checkpoint::{self, StateDict};
use gan_core::{Error, Generator};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::{build, constant, draw, model_path, names, portraits};

/// Builds a network of whatever tensors these are. If that works, it also draws.
fn survives(dict: StateDict) -> std::result::Result<(), TestCaseError> {
    match build(dict) {
        Ok(g) => match draw(&g) {
            Ok(images) => prop_assert_eq!(images.len(), 1),
            // The first layer's inputs may all be the label's; other colours are no picture.
            Err(Error::Shape { .. }) if g.z_dim() == 0 => {}
            Err(Error::Argument { what: "channels", .. }) => {}
            Err(e) => prop_assert!(false, "built, but does not draw: {e}"),
        },
        Err(e) => {
            let typed = matches!(e, Error::Weights { .. } | Error::Layout { .. });
            prop_assert!(typed, "{e:?}");
            prop_assert!(e.to_string().len() < 2000, "{e}");
        }
    }
    Ok(())
}

#[derive(Clone, Debug)]
enum Mutation {
    Drop,
    Rename(Index),
    Reverse,
    Flatten,
    Replace(Vec<usize>),
    Copy(Index, Vec<usize>),
}

fn shapes() -> impl Strategy<Value = Vec<usize>> {
    let size = prop::sample::select(vec![0, 1, 2, 3, 4, 5, 8, 16, 32, 64, 65]);
    prop_oneof![
        4 => prop::collection::vec(size, 0..4),
        1 => prop::sample::select(vec![[64, 64, 3, 3], [3, 64, 1, 1], [64, 64, 1, 1]])
            .prop_map(|s| s.to_vec()),
    ]
}

fn mutations() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        Just(Mutation::Drop),
        any::<Index>().prop_map(Mutation::Rename),
        Just(Mutation::Reverse),
        Just(Mutation::Flatten),
        shapes().prop_map(Mutation::Replace),
        (any::<Index>(), shapes()).prop_map(|(i, s)| Mutation::Copy(i, s)),
    ]
}

/// Names to rename to: those of the network, of its next block and of other kinds of network.
fn other_names() -> Vec<String> {
    let mut all = names(&portraits());
    let next: Vec<_> =
        all.iter().filter(|n| n.contains("b64")).map(|n| n.replace("b64", "b128")).collect();
    all.extend(next);
    let odd = "x mapping.fc4.weight mapping.fc4.bias mapping.embed.weight mapping.embed.bias \
               synthesis.b8.skip.weight synthesis.b4.conv0.weight generator.b4.const \
               conv1.conv.weight input.input synthesis.early_layer.const latent_avg";
    all.extend(odd.split_whitespace().map(str::to_owned));
    all
}

fn mutate(dict: &mut StateDict, name: &str, mutation: Mutation) {
    let Ok(mut tensor) = dict.take(name) else { return };
    match mutation {
        Mutation::Drop => return,
        Mutation::Rename(to) => {
            let all = other_names();
            let to = to.get(&all);
            dict.take(to).ok();
            return dict.insert(to.clone(), tensor).unwrap();
        }
        Mutation::Reverse => tensor.shape.reverse(),
        Mutation::Flatten => tensor.shape = vec![tensor.data.len()],
        Mutation::Replace(shape) => tensor = constant(&shape),
        Mutation::Copy(to, shape) => {
            let all = other_names();
            let to = to.get(&all);
            if to != name {
                dict.take(to).ok();
                dict.insert(to.clone(), constant(&shape)).unwrap();
            }
        }
    }
    dict.insert(name, tensor).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]

    #[test]
    fn mutated_tensors(changes in prop::collection::vec((any::<Index>(), mutations()), 1..5)) {
        let mut dict = portraits();
        let all = names(&dict);
        for (index, mutation) in changes {
            mutate(&mut dict, index.get::<String>(&all), mutation);
        }
        survives(dict)?;
    }

    #[test]
    fn mutated_bytes(
        flips in prop::collection::vec((any::<Index>(), 1u8..=255), 1..6),
        in_header in any::<bool>(),
    ) {
        static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
        let mut bytes = BYTES.get_or_init(|| std::fs::read(model_path()).unwrap()).clone();
        let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        for (at, mask) in flips {
            let at = if in_header { at.index(header) } else { at.index(bytes.len()) };
            bytes[at] ^= mask;
        }
        match checkpoint::from_bytes(bytes, "mutated") {
            Ok(found) => survives(found.tensors)?,
            Err(e) => {
                let typed = matches!(e, Error::Format { .. } | Error::Weights { .. });
                prop_assert!(typed, "{e:?}");
            }
        }
    }
}
