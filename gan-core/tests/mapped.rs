//! Opening a checkpoint costs no memory for its tensors.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use gan_core::checkpoint::{self, HostTensor, StateDict};

/// Bytes of this process in memory.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[test]
fn tensors_are_views_until_they_are_looked_at() {
    const VALUES: usize = 16 << 20;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.safetensors");
    let mut dict = StateDict::default();
    let tensor = HostTensor { shape: vec![VALUES], data: vec![0.5; VALUES] };
    dict.insert("large", tensor).unwrap();
    dict.save(&path).unwrap();
    drop(dict);

    let before = resident();
    let found = checkpoint::open(&path).unwrap();
    assert_eq!(found.summary().parameters, VALUES);
    let opened = resident().saturating_sub(before);
    assert!(opened < VALUES, "{opened} bytes for a file of {}", 4 * VALUES);
    assert_eq!(found.tensors.get("large").unwrap().data[VALUES - 1], 0.5);
    let looked = resident().saturating_sub(before);
    assert!(looked > 4 * VALUES, "{looked} bytes for {VALUES} values");
    // The other way takes a copy.
    let before = resident();
    let copy = checkpoint::read(&path).unwrap();
    assert_eq!(copy.tensors.len(), 1);
    assert!(resident().saturating_sub(before) > 3 * VALUES);
}
