//! `kernels/README.md`, the PTX and the sources say the same of every kernel.

use std::collections::BTreeMap;

use crate::harness::emulator;
use crate::support::sources;

/// Bytes of each parameter, by kernel.
type Kernels = BTreeMap<String, Vec<usize>>;

fn read(folder: &str, file: &str) -> String {
    std::fs::read_to_string(sources(folder).join(file)).expect("a text")
}

/// What the table says, with `T` and `S` spelled out.
fn documented() -> Kernels {
    let text = read("kernels", "README.md");
    let sizes: BTreeMap<&str, usize> = rows(&text)
        .filter_map(|row| {
            Some((row[0].strip_prefix('`')?.strip_suffix('`')?, row[1].parse().ok()?))
        })
        .collect();
    let bytes = |parameter: &str| {
        let kind = parameter.split_whitespace().next().unwrap_or_default();
        let scalar = if ["u32", "i32", "f32"].contains(&kind) { Some(4) } else { None };
        let pointer = kind.ends_with('*').then_some(8);
        let size = scalar.or(pointer).or_else(|| sizes.get(kind).copied());
        size.unwrap_or_else(|| panic!("`{parameter}` is of no known kind"))
    };
    let mut kernels = Kernels::new();
    let mut last = Vec::new();
    for row in rows(&text).filter(|row| row.len() == 6 && row[1].starts_with('`')) {
        if row[2] != "as above" {
            last = row[2].trim_matches('`').split(", ").map(bytes).collect();
        }
        for name in row[1].split(", ").map(|name| name.trim_matches('`')) {
            for t in ["f32", "f16", "bf16"] {
                for s in ["f32", "f16", "bf16"].into_iter().filter(|&s| s != t) {
                    let name = name.replace("_T", &format!("_{t}")).replace("_S", &format!("_{s}"));
                    kernels.insert(name, last.clone());
                }
            }
        }
    }
    kernels
}

/// The cells of a text's tables.
fn rows(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines().filter_map(|line| {
        let row = line.strip_prefix("| ")?.strip_suffix(" |")?;
        Some(row.split(" | ").collect())
    })
}

/// What the PTX says.
fn compiled(text: &str) -> Kernels {
    let bytes = |parameter: &str| match parameter.split_once('[') {
        Some((_, size)) => size.trim_end_matches(']').parse().expect("a size"),
        None if parameter.contains("64 ") => 8,
        None => 4,
    };
    let entry = |entry: &str| {
        let (name, list) = entry.split_once('(').expect("parameters");
        let (list, _) = list.split_once(')').expect("their end");
        (name.to_owned(), list.trim().split(",\n").map(bytes).collect())
    };
    text.split(".entry ").skip(1).map(entry).collect()
}

fn files() -> Vec<String> {
    let folder = std::fs::read_dir(sources("ptx")).expect("the PTX");
    folder.map(|e| e.expect("an entry").file_name().into_string().expect("a name")).collect()
}

#[test]
fn the_table_says_what_the_ptx_takes() {
    let compiled =
        files().iter().flat_map(|file| compiled(&read("ptx", file))).collect::<Kernels>();
    assert_eq!(documented(), compiled);
}

/// The stand-in driver hands a kernel out only if its sources take what its PTX takes.
#[test]
fn emul_the_ptx_takes_what_the_sources_take() {
    let Some(emulator) = emulator() else { return };
    for file in files() {
        let text = read("ptx", &file);
        for kernel in compiled(&text).keys() {
            assert_eq!(emulator.load(&text, kernel), 0, "{kernel}");
        }
    }
}
