//! NVIDIA's pickles of protocol 2 hold weights as text, half again as large: opening one takes not much more than the weights.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use gan_core::checkpoint;

const TENSORS: usize = 24;
const VALUES: usize = 1 << 20;

/// The most memory that this process has had since the last reset.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

fn text(bytes: &[u8]) -> Vec<u8> {
    let characters: String = bytes.iter().map(|b| char::from(*b)).collect();
    [b"X", &(characters.len() as u32).to_le_bytes()[..], characters.as_bytes()].concat()
}

/// A torch file of one storage, as `torch.storage._load_from_bytes` takes it.
fn storage(seed: usize) -> Vec<u8> {
    let mut out =
        b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.".to_vec();
    out.extend(b"\x80\x02}X\x0d\x00\x00\x00little_endian\x88s.");
    out.extend(b"\x80\x02(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuJ");
    out.extend((VALUES as i32).to_le_bytes());
    out.extend(b"NtQ.\x80\x02]X\x01\x00\x00\x000a.");
    out.extend((VALUES as u64).to_le_bytes());
    (0..VALUES).for_each(|i| out.extend(value(seed, i).to_le_bytes()));
    out
}

/// Numbers of which every byte is in use.
fn value(seed: usize, i: usize) -> f32 {
    let mixed = (i * 7919 + seed * 104_729) % 1_000_003;
    mixed as f32 / 1_000_003.0 - 0.5
}

fn write(path: &Path) {
    let mut out = BufWriter::new(File::create(path).unwrap());
    out.write_all(b"\x80\x02}(").unwrap();
    for seed in 0..TENSORS {
        out.write_all(&text(format!("w{seed}").as_bytes())).unwrap();
        out.write_all(b"ctorch._utils\n_rebuild_tensor_v2\n(ctorch.storage\n_load_from_bytes\nc_codecs\nencode\n").unwrap();
        out.write_all(&text(&storage(seed))).unwrap();
        out.write_all(&text(b"latin1")).unwrap();
        out.write_all(b"\x86R\x85RK\x00J").unwrap();
        out.write_all(&(VALUES as i32).to_le_bytes()).unwrap();
        out.write_all(b"\x85K\x01\x85\x89NtR").unwrap();
    }
    out.write_all(b"u.").unwrap();
}

#[test]
fn weights_as_text() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("protocol2.pkl");
    write(&path);
    // Forgets the peak so far.
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = peak();
    let start = std::time::Instant::now();
    let found = checkpoint::open(&path).unwrap();
    let (took, opening) = (start.elapsed(), peak() - before);
    let bytes = TENSORS * VALUES * 4;
    println!("{bytes} bytes of weights: {opening} more in memory, {took:?}");
    assert_eq!(found.summary().parameters, TENSORS * VALUES);
    let last = found.tensors.get("w23").unwrap();
    assert!(last.data.iter().enumerate().all(|(i, x)| *x == value(23, i)));
    // The weights themselves, one of them as text, and room for doubt.
    assert!(10 * opening < 14 * bytes, "{opening} bytes for {bytes} bytes of weights");
}
