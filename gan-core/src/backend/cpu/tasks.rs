//! How work is cut into tasks, where these run, and what threads keep from one to the next.

use std::cell::Cell;
use std::hint::spin_loop;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::LocalKey;

use rayon::iter::plumbing::{Producer, ProducerCallback};
use rayon::prelude::*;

/// Multiply-adds that are worth a thread of their own: about twenty microseconds. Within the pool, threads are often still awake; four
/// times as much left cores idle in a training step.
const WORTH: usize = 1 << 20;

/// Threads of the pool that are kept from sleeping, with the one that works.
const AWAKE: usize = 4;

/// How often such a thread looks for work in vain before it sleeps after all: about a millisecond.
const PATIENCE: usize = 2000;

/// Runs `work` in the pool, of which some threads wait meanwhile for what it hands over: to be woken for every layer takes a tenth of
/// the time of a small network.
pub(super) fn while_awake(work: &mut (dyn FnMut() + Send)) {
    rayon::scope(|_| {
        let is_done = Arc::new(AtomicBool::new(false));
        let own = rayon::current_thread_index();
        for _ in 1..rayon::current_num_threads().min(AWAKE) {
            let is_done = Arc::clone(&is_done);
            // Not of the scope, which would wait for them, and so for whatever long work of others they have found.
            rayon::spawn(move || {
                // The working thread may find this while it waits for others; it has no time for that.
                if rayon::current_thread_index() != own {
                    wait_for_work(&is_done);
                }
            });
        }
        work();
        is_done.store(true, Ordering::Relaxed);
    });
}

/// Takes what others hand over, until there is no more for long: two that each wait within work of the other must not wait forever.
fn wait_for_work(is_done: &AtomicBool) {
    let mut in_vain = 0;
    while in_vain < PATIENCE && !is_done.load(Ordering::Relaxed) {
        if rayon::yield_now() == Some(rayon::Yield::Executed) {
            in_vain = 0;
        } else {
            in_vain += 1;
            (0..20).for_each(|_| spin_loop());
        }
    }
}

/// How many of `tasks`, which take so many multiply-adds together, a thread must find to be worth waking; for [`InTasks`].
pub(super) fn at_once(tasks: usize, multiply_adds: usize) -> usize {
    let one = (multiply_adds / tasks.max(1)).max(1);
    WORTH.div_ceil(one).min(tasks).max(1)
}

/// Runs the items of a parallel iterator, `least` of them a task at least. If there are no more than these, they stay on the thread that
/// has them: a thread outside of the pool would have to hand them over and to be woken again, which costs more than most operations of a
/// small network.
pub(super) trait InTasks: IndexedParallelIterator {
    fn in_tasks(self, least: usize, run: impl Fn(Self::Item) + Sync) {
        self.in_tasks_with(least, || (), |(), item| run(item));
    }

    /// With something that each task makes for its items.
    fn in_tasks_with<T>(
        self,
        least: usize,
        init: impl Fn() -> T + Sync,
        run: impl Fn(&mut T, Self::Item) + Sync,
    ) {
        if self.len() <= least {
            let mut value = init();
            self.with_producer(InOrder(|item| run(&mut value, item)));
        } else {
            self.with_min_len(least).for_each_init(&init, &run);
        }
    }
}

impl<I: IndexedParallelIterator> InTasks for I {}

/// Takes all items here and now.
struct InOrder<F>(F);

impl<T, F: FnMut(T)> ProducerCallback<T> for InOrder<F> {
    type Output = ();

    fn callback<P: Producer<Item = T>>(self, producer: P) {
        producer.into_iter().for_each(self.0);
    }
}

/// How many of `rows` a task takes where all threads are to have some, in whole bands of `mr`. Results must not depend on it.
pub(super) fn rows_at_once(rows: usize, mr: usize, most: usize) -> usize {
    rows.div_ceil(2 * rayon::current_num_threads()).next_multiple_of(mr).min(most)
}

/// The first `len` values of a buffer, which grows if need be and never shrinks: they are arbitrary.
pub(super) fn first(buffer: &mut Vec<f32>, len: usize) -> &mut [f32] {
    if buffer.len() < len {
        buffer.resize(len, 0.0);
    }
    &mut buffer[..len]
}

/// Buffers that a thread keeps when it is done with them.
pub(super) struct Kept<T: Default + 'static> {
    value: T,
    home: &'static LocalKey<Cell<T>>,
}

impl<T: Default> Kept<T> {
    /// What this thread left there last. Values in it are arbitrary.
    pub(super) fn of(home: &'static LocalKey<Cell<T>>) -> Self {
        Kept { value: home.take(), home }
    }
}

impl<T: Default> Drop for Kept<T> {
    fn drop(&mut self) {
        let value = std::mem::take(&mut self.value);
        // A thread that ends has no use for it.
        let _ = self.home.try_with(|home| home.set(value));
    }
}

impl<T: Default> Deref for Kept<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: Default> DerefMut for Kept<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}
