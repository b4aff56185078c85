//! Reverse-mode gradients of any order.
//!
//! The gradient rule of each primitive (`rules.rs`) is written with primitives, so a gradient is itself a
//! program that can be differentiated: what the R1 and path-length penalties of StyleGAN2 need. Rules return
//! values; only the sweep here accumulates.

mod check;
mod fused;
mod rules;

use std::collections::{BTreeMap, HashMap};

pub use check::{gradcheck, gradgradcheck};

use crate::error::{Error, Result};
use crate::tensor::{Source, Tensor, composite};

/// Whether gradients can be differentiated again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Gradients are plain numbers. Fused primitives use their fused backward pass.
    First,
    /// Gradients are tracked like any other result. Fused primitives are replaced by their composites.
    Second,
}

/// Gradients of `y`, a tensor of one element, with respect to each of `wrt`, in their shapes.
///
/// A tensor of `wrt` that `y` does not depend on has the gradient zero.
///
/// # Errors
/// [`Error::Gradient`] if `y` has several elements, or if it or one of `wrt` is not tracked: it was not made
/// from a [variable](Tensor::var), or it is itself a gradient of [`Order::First`], or of a linear function, which is a
/// constant.
pub fn grad(y: &Tensor, wrt: &[&Tensor], order: Order) -> Result<Vec<Tensor>> {
    if y.numel() != 1 {
        return Err(Error::Gradient(format!("of one number only, not of shape {:?}", y.shape())));
    }
    if !y.is_tracked() {
        let reason = "the result is a constant: no variable (Tensor::var) led to it, or it is the gradient of a \
                      linear function, or one of Order::First, which is not recorded";
        return Err(Error::Gradient(reason.into()));
    }
    if let Some(i) = wrt.iter().position(|t| !t.is_tracked()) {
        let reason =
            format!("input {i} is a constant; make it a variable with Tensor::var before use");
        return Err(Error::Gradient(reason));
    }
    y.device().run(|| Sweep::new(wrt, order).run(y))
}

struct Sweep<'a> {
    wrt: &'a [&'a Tensor],
    order: Order,
    /// For each node seen, whether a tensor of `wrt` led to it.
    relevant: HashMap<u64, bool>,
    /// Gradients collected so far, by id. Ids grow along edges, so the largest is always complete.
    pending: BTreeMap<u64, (Tensor, Tensor)>,
}

impl<'a> Sweep<'a> {
    fn new(wrt: &'a [&'a Tensor], order: Order) -> Self {
        Sweep { wrt, order, relevant: HashMap::new(), pending: BTreeMap::new() }
    }

    fn run(mut self, y: &Tensor) -> Result<Vec<Tensor>> {
        let mut found: HashMap<u64, Tensor> = HashMap::new();
        self.mark(y);
        self.add(y, Tensor::full(1.0, y.shape(), y.device())?)?;
        while let Some((id, (node, g))) = self.pending.pop_last() {
            if self.is_wanted(id) {
                found.insert(id, g.clone());
            }
            if let Some(source) = node.source() {
                self.pull_back(&node, source, &g)?;
            }
        }
        let zeros = |t: &Tensor| Tensor::zeros(t.shape(), t.device());
        self.wrt.iter().map(|t| found.get(&t.id()).cloned().map_or_else(|| zeros(t), Ok)).collect()
    }

    /// Finds out which nodes below `root` depend on `wrt`, with a stack of its own: graphs may be deep.
    fn mark(&mut self, root: &Tensor) {
        let mut new: BTreeMap<u64, Tensor> = BTreeMap::new();
        let mut stack = vec![root.clone()];
        while let Some(node) = stack.pop() {
            let id = node.id();
            if new.contains_key(&id) || self.relevant.contains_key(&id) {
                continue;
            }
            if let Some(source) = node.source() {
                stack.extend(source.args.iter().cloned());
            }
            new.insert(id, node);
        }
        for (id, node) in new {
            let below = node.source().is_some_and(|s| s.args.iter().any(|a| self.is_relevant(a)));
            self.relevant.insert(id, below || self.is_wanted(id));
        }
    }

    fn is_wanted(&self, id: u64) -> bool {
        self.wrt.iter().any(|t| t.id() == id)
    }

    fn is_relevant(&self, node: &Tensor) -> bool {
        self.relevant.get(&node.id()).copied().unwrap_or(false)
    }

    fn add(&mut self, node: &Tensor, g: Tensor) -> Result<()> {
        let sum = match self.pending.remove(&node.id()) {
            Some((_, before)) => before.add(&g)?,
            None => g,
        };
        self.pending.insert(node.id(), (node.clone(), sum));
        Ok(())
    }

    fn pull_back(&mut self, node: &Tensor, source: &Source, g: &Tensor) -> Result<()> {
        let need: Vec<bool> = source.args.iter().map(|a| self.is_relevant(a)).collect();
        if !need.contains(&true) {
            return Ok(());
        }
        let second = self.order == Order::Second;
        if source.prim.is_fused() && (second || !fused::has_rule(&source.prim)) {
            // The composite's ids are larger than all pending ones, so the sweep goes through it next.
            let composite = composite::decompose(&source.prim, &source.args)?;
            self.mark(&composite);
            return self.add(&composite, g.clone());
        }
        let gradients = if second {
            rules::pull_back(&source.prim, &source.args, node, g, &need)?
        } else {
            let args: Vec<Tensor> = source.args.iter().map(Tensor::detach).collect();
            rules::pull_back(&source.prim, &args, &node.detach(), g, &need)?
        };
        for (arg, g) in source.args.iter().zip(gradients) {
            if let Some(g) = g.filter(|_| self.is_relevant(arg)) {
                self.add(arg, g)?;
            }
        }
        Ok(())
    }
}
