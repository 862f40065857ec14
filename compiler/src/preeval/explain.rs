//! What `--explain` prints.

use std::collections::BTreeMap;
use std::fmt;

use super::{Evaluation, Loaded};

/// How many reasons are worth a line.
const MOST_REASONS: usize = 5;

impl fmt::Display for Evaluation {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for Loaded { depth, path, deferred, .. } in &self.loads {
            let indent = 2 * depth;
            match deferred {
                None => writeln!(f, "evaluated  {:indent$}{path}", "")?,
                Some(why) => writeln!(f, "deferred   {:indent$}{path}: {why}", "")?,
            }
        }
        if let Some(ended) = &self.ended {
            writeln!(f, "what comes after this is not known: {ended}")?;
        }
        if let Some(failure) = &self.failure {
            writeln!(f, "nothing is evaluated: {failure}")?;
        }
        let evaluated: usize = self.units.iter().map(|unit| unit.members.len()).sum();
        let deferred = self.loads.iter().filter(|load| load.deferred.is_some()).count();
        writeln!(
            f,
            "{evaluated} of {} modules are evaluated, in {} units; {deferred} others are when the program starts",
            self.modules,
            self.units.len()
        )?;
        if self.es_modules > 0 {
            writeln!(f, "{} are ES modules, which are evaluated when the program loads them", self.es_modules)?;
        }
        self.explain_what_would_help(f)
    }
}

impl Evaluation {
    fn explain_what_would_help(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let mut waiting: BTreeMap<&str, usize> = BTreeMap::new();
        for trap in self.loads.iter().filter_map(|load| load.trap.as_deref()) {
            *waiting.entry(trap).or_default() += 1;
        }
        let mut waiting: Vec<_> = waiting.into_iter().collect();
        waiting.sort_by_key(|(trap, count)| (std::cmp::Reverse(*count), *trap));
        for (trap, count) in waiting.iter().take(MOST_REASONS) {
            let modules = if *count == 1 { "module waits" } else { "modules wait" };
            let help = trap.strip_prefix("process.env.").map(|rest| rest.split(' ').next().unwrap_or(rest));
            match help {
                Some(name) if !name.is_empty() => {
                    writeln!(f, "{count} {modules} for {trap}: --define process.env.{name}=VALUE would settle it")?;
                }
                _ => writeln!(f, "{count} {modules} for {trap}")?,
            }
        }
        if !waiting.is_empty() {
            writeln!(
                f,
                "it would help to ask for these in functions that run later, rather than when a module is loaded"
            )?;
        }
        Ok(())
    }
}
