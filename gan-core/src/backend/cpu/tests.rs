//! What holds for every instruction set, and with work of others around.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::{ConvAlgorithm, Cpu, microkernel};
use crate::backend::{Backend, Conv, Device};
use crate::tensor::Tensor;

fn waves(shape: &[usize], seed: f32, device: &Device) -> Tensor {
    let len: usize = shape.iter().product();
    let values: Vec<f32> = (0..len).map(|i| (i as f32 * 0.7 + seed).sin()).collect();
    Tensor::from_vec(values, shape, device).unwrap()
}

fn pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
}

/// More channels than one piece of a sum takes, and cut by pixels or by rows of the weight.
#[test]
fn bits_depend_on_neither_threads_nor_the_rest_of_the_batch() {
    for kernel in microkernel::available() {
        for algorithm in [ConvAlgorithm::F2, ConvAlgorithm::F4, ConvAlgorithm::Direct] {
            let device = Device::from_backend(Arc::new(Cpu { kernel, algorithm, ..Cpu::new() }));
            let weight = waves(&[160, 160, 3, 3], 1.0, &device);
            let x = waves(&[5, 160, 8, 8], 0.0, &device);
            let conv = Conv { padding: [1, 1], ..Conv::default() };
            let of = |x: &Tensor, threads| -> Vec<f32> {
                pool(threads).install(|| x.conv2d(&weight, conv).unwrap().to_vec().unwrap())
            };
            let all = of(&x, 1);
            for threads in [2, 3, 7] {
                assert!(of(&x, threads) == all, "{} {algorithm:?} {threads}", kernel.name);
                let last = of(&x.slice(0, 4, 1).unwrap(), threads);
                let end = &all[4 * last.len()..];
                assert!(last == end, "{} {algorithm:?} {threads}, one image", kernel.name);
            }
        }
    }
}

/// A weight is packed at its first use, by whoever comes first, in tasks that others may take while they wait.
#[test]
fn one_weight_serves_many_at_first_use() {
    let pool = pool(3);
    for round in 0..20 {
        let device = Device::cpu_with(ConvAlgorithm::F4);
        let weight = waves(&[64, 64, 3, 3], round as f32, &device);
        let conv = Conv { padding: [1, 1], ..Conv::default() };
        let draw = |i: usize| -> Vec<f32> {
            let x = waves(&[1, 64, 16, 16], i as f32, &device);
            device.run(|| x.conv2d(&weight, conv).unwrap().to_vec().unwrap())
        };
        let together: Vec<Vec<f32>> = pool.install(|| {
            use rayon::prelude::*;
            (0..12).into_par_iter().map(draw).collect()
        });
        assert!(together.iter().enumerate().all(|(i, found)| *found == draw(i)));
    }
}

/// A thread that keeps awake may take long work of others; whose work is done does not wait for it.
#[test]
fn nobody_waits_for_the_work_of_others() {
    let (cpu, pool) = (Cpu::new(), pool(2));
    for _ in 0..4 {
        let is_over = Arc::new(AtomicBool::new(false));
        let (sender, results) = std::sync::mpsc::channel();
        let others = Arc::clone(&is_over);
        let mut long = Some(move || {
            let start = Instant::now();
            while !others.load(Ordering::Relaxed) && start.elapsed() < Duration::from_secs(20) {
                std::thread::sleep(Duration::from_millis(1));
            }
            sender.send(others.load(Ordering::Relaxed)).unwrap();
        });
        pool.install(|| {
            cpu.run(&mut || {
                rayon::spawn(long.take().unwrap());
                // Time for the other thread to take it.
                std::thread::sleep(Duration::from_millis(20));
            });
        });
        is_over.store(true, Ordering::Relaxed);
        assert!(results.recv().unwrap(), "the call took as long as the other work");
    }
}
