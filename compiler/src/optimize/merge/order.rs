//! The order in which modules are evaluated.

use std::collections::BTreeSet;

use super::world::{Dep, Other, World};

/// What happens when a module is loaded and nothing has been before.
pub struct Order<'w> {
    /// It, in order.
    pub steps: Vec<Step<'w>>,
}

/// One thing that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<'w> {
    /// A module is looked at for the first time, because another one asks for it.
    Enter(usize, Option<usize>),
    /// All that a module asks for has been evaluated, and so is the module.
    Evaluate(usize),
    /// What is no ES module of the program is evaluated, because a module asks for it.
    Load(&'w Other, usize),
}

impl<'w> Order<'w> {
    /// What happens when `root` is loaded.
    pub fn new(world: &'w World, root: usize) -> Self {
        let mut steps = vec![Step::Enter(root, None)];
        let mut entered = vec![false; world.nodes.len()];
        let mut loaded = BTreeSet::new();
        entered[root] = true;
        let mut open = vec![(root, 0)];
        while let Some((module, next)) = open.last_mut() {
            let module = *module;
            let dep = world.nodes[module].deps.get(*next);
            *next += 1;
            match dep {
                Some(Dep::Module(dep)) => {
                    if !std::mem::replace(&mut entered[*dep], true) {
                        steps.push(Step::Enter(*dep, Some(module)));
                        open.push((*dep, 0));
                    }
                }
                Some(Dep::Other(other)) => {
                    if loaded.insert(other) {
                        steps.push(Step::Load(other, module));
                    }
                }
                None => {
                    steps.push(Step::Evaluate(module));
                    open.pop();
                }
            }
        }
        Self { steps }
    }
}

/// Which modules each module reaches, itself included.
pub fn reached(world: &World) -> Vec<Vec<bool>> {
    (0..world.nodes.len()).map(|module| world.closure(module)).collect()
}

/// The sets of modules that reach each other, those of one module left out.
pub fn cycles(reached: &[Vec<bool>]) -> Vec<Vec<usize>> {
    let mut seen = vec![false; reached.len()];
    let mut cycles = Vec::new();
    for module in 0..reached.len() {
        if seen[module] {
            continue;
        }
        let cycle: Vec<usize> =
            (module..reached.len()).filter(|other| reached[module][*other] && reached[*other][module]).collect();
        cycle.iter().for_each(|member| seen[*member] = true);
        if cycle.len() > 1 {
            cycles.push(cycle);
        }
    }
    cycles
}
