//! Making the program smaller, if it is asked for.

mod merge;
mod minify;

use rayon::iter::{IntoParallelRefMutIterator, ParallelIterator};

pub use merge::merge;

use crate::graph::ModuleGraph;

/// Minifies every module. One that the minifier does not understand stays as it is.
pub fn minify(graph: &mut ModuleGraph) {
    let mut modules: Vec<_> = graph.modules.iter_mut().collect();
    modules.par_iter_mut().for_each(|(path, module)| {
        if let Some((source, map)) = minify::minify(path, module) {
            module.source = source.into();
            module.map = Some(map);
            module.transformed = true;
        }
    });
}
