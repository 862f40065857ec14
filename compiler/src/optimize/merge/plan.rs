//! Which modules become one: those that are always evaluated together, one right after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::facts::{Fit, Selected};
use super::links::Links;
use super::order::{Order, Step, cycles, reached};
use super::world::{Dep, World};
use crate::graph::Naming;

/// Modules that become one.
#[derive(Debug)]
pub struct Island {
    /// The modules, in the order in which they are evaluated.
    pub members: Vec<usize>,
    /// Where the whole goes.
    pub host: Host,
    /// What it has to load, in order.
    pub loads: Vec<Dep>,
}

/// Where an island goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// To the place of its last member.
    Last,
    /// To a place of its own, for the last member has to have its own exports and no others.
    Own(PathBuf),
}

/// What has been decided.
pub struct Plan {
    /// The islands.
    pub islands: Vec<Island>,
    /// The island that each module is in.
    pub island_of: Vec<Option<usize>>,
    /// The modules of which all exports have to be there as they were, under their own path.
    pub observed: Vec<bool>,
    /// The modules that something loads by their own path.
    pub addressed: Vec<bool>,
    /// The sets of modules that reach each other.
    pub cycles: Vec<Vec<usize>>,
}

impl Plan {
    /// Finds the islands. Modules that turn out to fit less are marked in `world`.
    pub fn new(world: &mut World, is_taken: &dyn Fn(&PathBuf) -> bool) -> Self {
        let reached = reached(world);
        exclude_what_fails(world, &reached);
        let waits = exclude_what_waits(world, &reached);
        let cycles = cycles(&reached);
        let colors = Colors::new(world);
        loop {
            let segments = colors.segments(world, &reached, &waits);
            let mut island_of = vec![None; world.nodes.len()];
            for (number, segment) in segments.iter().enumerate() {
                segment.members.iter().for_each(|member| island_of[*member] = Some(number));
            }
            let mut has_changed = false;
            // A cycle that leads out of an island and back in would be evaluated in another order.
            for cycle in &cycles {
                let island = island_of[cycle[0]];
                if cycle.iter().any(|member| island_of[*member] != island) {
                    for member in cycle {
                        has_changed |= world.limit(*member, Fit::Never);
                    }
                }
            }
            let observed = observed(world, &island_of);
            let addressed = addressed(world, &island_of, &observed);
            let mut islands = Vec::new();
            for Segment { members, loads } in segments {
                let Some(&last) = members.last() else { continue };
                let number = island_of[last];
                let others = &members[..members.len() - 1];
                let is_from_outside = |module: usize| island_of[module] != number;
                let outside = (0..world.nodes.len()).filter(|module| is_from_outside(*module));
                let asked_for: BTreeSet<usize> = outside.flat_map(|module| world.modules_of(module)).collect();
                let exports_more = others.iter().any(|member| addressed[*member] || asked_for.contains(member));
                let path = world.nodes[last].path;
                let host = match exports_more && observed[last] {
                    // TypeScript is compiled again when it is loaded.
                    false if !world.nodes[last].module.is_typescript => Host::Last,
                    _ if world.facts(last).fit == Fit::Last => {
                        has_changed |= world.limit(last, Fit::Never);
                        continue;
                    }
                    _ => Host::Own(own_path(path, is_taken)),
                };
                islands.push(Island { members, host, loads });
            }
            if !has_changed {
                return Self { islands, island_of, observed, addressed, cycles };
            }
        }
    }

    /// The path of an island.
    pub fn path<'a>(&'a self, world: &'a World, island: usize) -> &'a std::path::Path {
        let island = &self.islands[island];
        match &island.host {
            Host::Own(path) => path,
            Host::Last => world.nodes[island.members[island.members.len() - 1]].path,
        }
    }
}

/// A path beside `path` at which there is nothing.
fn own_path(path: &std::path::Path, is_taken: &dyn Fn(&PathBuf) -> bool) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let mut number = 0;
    loop {
        let suffix = if number == 0 { String::new() } else { number.to_string() };
        let own = path.with_file_name(format!("{stem}.merged{suffix}.mjs"));
        if !is_taken(&own) && !own.exists() {
            return own;
        }
        number += 1;
    }
}

/// What can't be linked fails as it did.
fn exclude_what_fails(world: &mut World, reached: &[Vec<bool>]) {
    let links = Links::all(world);
    let is_known: Vec<bool> = (0..world.nodes.len()).map(|module| links.knows_exports(module)).collect();
    let fails = world.nodes.iter().map(|node| {
        node.selections().any(|(request, selected)| match (&node.deps[request], selected) {
            (Dep::Module(dep), Selected::Name(name)) => is_known[*dep] && links.export(*dep, name).is_none(),
            _ => false,
        })
    });
    let failing: Vec<bool> = fails.collect();
    drop(links);
    for closure in reached {
        // All that is linked together, from whichever root.
        if closure.iter().zip(&failing).any(|(is_reached, fails)| *is_reached && *fails) {
            (0..world.nodes.len()).filter(|other| closure[*other]).for_each(|other| {
                world.limit(other, Fit::Never);
            });
        }
    }
    for module in (0..is_known.len()).filter(|module| !is_known[*module]) {
        world.limit(module, Fit::Never);
    }
}

/// What waits for a module that awaits something is evaluated later than its place in the order says, and who asks for a part
/// of one that still awaits would wait for all of it. Returns which wait, the awaiting ones included.
fn exclude_what_waits(world: &mut World, reached: &[Vec<bool>]) -> Vec<bool> {
    let awaiting: Vec<usize> = (0..world.nodes.len()).filter(|module| world.facts(*module).awaits).collect();
    let waits: Vec<bool> = reached.iter().map(|reached| awaiting.iter().any(|module| reached[*module])).collect();
    for module in (0..waits.len()).filter(|module| waits[*module]) {
        world.limit(module, Fit::Never);
    }
    waits
}

/// Which modules have to have exactly their own exports under their own path.
fn observed(world: &World, island_of: &[Option<usize>]) -> Vec<bool> {
    let mut observed: Vec<bool> = world.nodes.iter().map(|node| world.is_open || node.naming.is_some()).collect();
    for (module, node) in world.nodes.iter().enumerate() {
        let namespaces = node.selections().filter(|(_, selected)| **selected == Selected::Namespace);
        let stars = node.facts.stars.iter().filter(|_| island_of[module].is_none());
        for request in namespaces.map(|(request, _)| request).chain(stars.copied()) {
            if let Dep::Module(dep) = &node.deps[request] {
                observed[*dep] = true;
            }
        }
    }
    observed
}

/// Which modules something loads by their own path.
fn addressed(world: &World, island_of: &[Option<usize>], observed: &[bool]) -> Vec<bool> {
    let mut addressed = observed.to_vec();
    if let Some(entry) = world.entry {
        addressed[entry] = true;
    }
    for module in (0..world.nodes.len()).filter(|module| island_of[*module].is_none()) {
        world.modules_of(module).for_each(|dep| addressed[dep] = true);
    }
    addressed
}

/// Which roots load which modules.
struct Colors {
    roots: Vec<usize>,
    /// The roots by which each module has to be told from others, by their positions.
    of: Vec<BTreeSet<usize>>,
}

impl Colors {
    fn new(world: &World) -> Self {
        let is_root = |module: &usize| {
            Some(*module) == world.entry || world.nodes[*module].naming.is_some() || is_nameable(world, *module)
        };
        let roots: Vec<usize> = (0..world.nodes.len()).filter(is_root).collect();
        let mut of = vec![BTreeSet::new(); world.nodes.len()];
        for (number, root) in roots.iter().enumerate() {
            let closure = world.closure(*root);
            of.iter_mut().zip(closure).filter(|(_, is_reached)| *is_reached).for_each(|(roots, _)| {
                roots.insert(number);
            });
        }
        // What the entry loads is there before any `import()` can be answered, if nothing waits.
        if let Some(entry) = roots.iter().position(|root| Some(*root) == world.entry)
            && !world.is_open
            && world.nodes[roots[entry]].naming.is_none()
            && world
                .closure(roots[entry])
                .iter()
                .enumerate()
                .all(|(module, is_reached)| !is_reached || module == roots[entry] || !world.facts(module).awaits)
        {
            let comes_later = |root: &usize| *root == entry || world.nodes[roots[*root]].naming == Some(Naming::Import);
            for roots in of.iter_mut().filter(|roots| roots.contains(&entry) && roots.iter().all(comes_later)) {
                *roots = BTreeSet::from([entry]);
            }
        }
        Self { roots, of }
    }

    /// The islands that are possible, without those of one module.
    fn segments(&self, world: &World, reached: &[Vec<bool>], waits: &[bool]) -> Vec<Segment> {
        let mut classes: BTreeMap<&BTreeSet<usize>, BTreeSet<usize>> = BTreeMap::new();
        for (module, color) in self.of.iter().enumerate() {
            if world.facts(module).fit != Fit::Never && !color.is_empty() {
                classes.entry(color).or_default().insert(module);
            }
        }
        let orders: Vec<Order> = self.roots.iter().map(|root| Order::new(world, *root)).collect();
        let mut segments = Vec::new();
        for (color, class) in classes {
            let slides = color.len() == 1;
            let mut ways = color.iter().map(|root| split(world, &orders[*root], &class, slides, reached, waits));
            let Some(mut joined) = ways.next() else { continue };
            for way in ways {
                if joined.concat() != way.concat() {
                    joined.clear();
                    break;
                }
                joined = common(&joined, &way);
            }
            for members in joined.into_iter().filter(|segment| segment.len() > 1) {
                let first = color.iter().next().filter(|_| slides);
                let loads = match first {
                    Some(root) => loads(world, &orders[*root], &members),
                    None => asked_for(world, &members),
                };
                segments.push(Segment { members, loads });
            }
        }
        segments
    }
}

struct Segment {
    members: Vec<usize>,
    loads: Vec<Dep>,
}

/// What has to be loaded before the members of an island are evaluated one after the other, so that all comes in its order:
/// what they are the first to ask for, and what somebody may notice that happens between them.
fn loads(world: &World, order: &Order, members: &[usize]) -> Vec<Dep> {
    let is_member = |module: usize| members.contains(&module);
    let begin = order.steps.iter().position(|step| matches!(step, Step::Enter(module, _) if is_member(*module)));
    let end = order.steps.iter().rposition(|step| matches!(step, Step::Evaluate(module) if is_member(*module)));
    let between = begin.zip(end).map_or(&[][..], |(begin, end)| &order.steps[begin..end]);
    // What is evaluated later is what asks for members, and not the other way round.
    let evaluated: BTreeSet<usize> = between
        .iter()
        .filter_map(|step| match step {
            Step::Evaluate(module) => Some(*module),
            _ => None,
        })
        .collect();
    let mut covered = BTreeSet::new();
    let mut found = Vec::new();
    for step in between {
        match step {
            Step::Enter(module, Some(by)) if !is_member(*module) && evaluated.contains(module) => {
                if covered.contains(by) {
                    // What is found already loads it.
                    covered.insert(*module);
                } else if is_member(*by) || !world.is_quiet(*module) {
                    covered.insert(*module);
                    found.push(Dep::Module(*module));
                }
            }
            Step::Load(other, by) if is_member(*by) || (!covered.contains(by) && !other.is_quiet) => {
                found.push(Dep::Other((*other).clone()));
            }
            _ => {}
        }
    }
    let rest: Vec<Dep> = asked_for(world, members).into_iter().filter(|dep| !found.contains(dep)).collect();
    found.extend(rest);
    found
}

/// What members of an island ask for, in the order in which they do.
fn asked_for(world: &World, members: &[usize]) -> Vec<Dep> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for start in members.iter().rev() {
        let mut open = vec![Dep::Module(*start)];
        while let Some(dep) = open.pop() {
            if !seen.insert(dep.clone()) {
                continue;
            }
            match &dep {
                Dep::Module(module) if members.contains(module) => {
                    open.extend(world.nodes[*module].deps.iter().rev().cloned());
                }
                _ => found.push(dep),
            }
        }
    }
    found
}

/// Modules that the program may load by a name that nobody has seen: those of packages, by what these offer.
fn is_nameable(world: &World, module: usize) -> bool {
    world.is_open && super::nameable::is_nameable(world.nodes[module].path)
}

/// The modules of a class as they follow each other, parted where something happens between them. If the class `slides`,
/// those that do nothing may be evaluated later.
fn split(
    world: &World,
    order: &Order,
    class: &BTreeSet<usize>,
    slides: bool,
    reached: &[Vec<bool>],
    waits: &[bool],
) -> Vec<Vec<usize>> {
    let mut segments = Vec::new();
    let mut current: Vec<usize> = Vec::new();
    let mut has_effects = false;
    for step in &order.steps {
        let ends = match step {
            Step::Enter(..) => continue,
            Step::Evaluate(module) if class.contains(module) => {
                current.push(*module);
                has_effects |= !world.is_quiet(*module);
                world.facts(*module).fit == Fit::Last
            }
            Step::Evaluate(module) => {
                waits[*module]
                    || (!world.is_quiet(*module) && (has_effects || !slides))
                    || current.iter().any(|member| reached[*module][*member])
            }
            Step::Load(other, _) => !other.is_quiet && (has_effects || !slides),
        };
        if ends && !current.is_empty() {
            segments.push(std::mem::take(&mut current));
            has_effects = false;
        }
    }
    if !current.is_empty() {
        segments.push(current);
    }
    segments
}

/// The parts of two ways to split the same modules.
fn common(a: &[Vec<usize>], b: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let starts: BTreeSet<usize> = a.iter().chain(b).map(|segment| segment[0]).collect();
    let mut parts: Vec<Vec<usize>> = Vec::new();
    for module in a.concat() {
        if starts.contains(&module) || parts.is_empty() {
            parts.push(Vec::new());
        }
        if let Some(part) = parts.last_mut() {
            part.push(module);
        }
    }
    parts
}
