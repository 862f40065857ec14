//! Writing an island: one module of several, and what stands in for each of these.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;

use swc_atoms::Atom;
use swc_sourcemap::SourceMap;

use super::exports::{Exports, quoted};
use super::facts::{DEFAULT, Fit, Item, OwnPlace, Selected, Shape};
use super::links::{Bound, Links};
use super::live::Live;
use super::names::Names;
use super::paths::{Places, specifier};
use super::plan::{Host, Plan};
use super::text::{Edit, Source, Text};
use super::world::{Dep, World};
use crate::graph::resolve::{EdgeKind, Target};

/// All that is known when islands are written.
pub struct Writer<'a, 'g> {
    pub world: &'a World<'g>,
    pub plan: &'a Plan,
    pub links: &'a Links<'a, 'g>,
    pub live: &'a Live,
    pub exports: &'a Exports,
    pub places: &'a Places,
}

/// A module that was written.
pub struct Written {
    /// Its text.
    pub text: String,
    /// Where that comes from.
    pub map: Option<SourceMap>,
    /// Where its specifiers lead.
    pub edges: BTreeMap<(EdgeKind, String), Target>,
}

impl<'a, 'g> Writer<'a, 'g> {
    /// Modules of a cycle in which something would be named otherwise in the error that says that it is not there yet.
    pub fn misnaming_cycle(&self) -> Option<&'a [usize]> {
        self.plan.cycles.iter().map(Vec::as_slice).find(|cycle| {
            let Some(island) = self.plan.island_of[cycle[0]] else { return false };
            let names = self.names(island);
            cycle.iter().any(|member| {
                let uses = self.world.facts(*member).uses.iter().filter(|used| self.live.items[*member][used.item]);
                uses.filter_map(|used| Some((used, self.links.name(*member, &used.name)?))).any(|(used, bound)| {
                    let is_inside = matches!(&bound, Bound::Local(owner, _) if cycle.contains(owner));
                    is_inside && names.get(&bound) != Some(&used.name) && !self.links.is_function(&bound)
                })
            })
        })
    }

    /// Writes an island.
    pub fn island(&self, number: usize) -> Written {
        let island = &self.plan.islands[number];
        let path = self.plan.path(self.world, number);
        let names = self.names(number);
        let mut text = Text::new();
        let mut edges = BTreeMap::new();
        self.head(number, path, &names, &mut text, &mut edges);

        let mut sources: BTreeMap<usize, Source> = BTreeMap::new();
        for member in island.members.iter().filter(|member| self.live.any(**member)) {
            let node = &self.world.nodes[*member];
            let is_host = island.host == Host::Last && island.members.last() == Some(member);
            let original = node.module.map.as_ref().and_then(|map| map.get_source_contents(0));
            let id = text.source(&node.path.to_string_lossy(), original.map_or(&*node.module.source, |text| &**text));
            let edits = self.edits(*member, is_host, path, &names, &mut edges);
            sources.insert(*member, Source::new(id, &node.module.source, node.module.map.as_ref(), edits));
        }
        // Functions are there before anything is evaluated.
        for (member, source) in &mut sources {
            for item in self.items(*member) {
                self.hoisted(*member, item, &names, source, &mut text);
            }
        }
        for member in &island.members {
            let Some(source) = sources.get_mut(member) else { continue };
            let mut end = source.start();
            for (item, is_live) in self.world.facts(*member).items.iter().zip(&self.live.items[*member]) {
                let before = std::mem::replace(&mut end, item.range.end)..item.range.start;
                let comments = &source.text[before.clone()];
                if ["@license", "@preserve", "/*!"].iter().any(|mark| comments.contains(mark)) {
                    text.copy(source, before);
                    text.raw("\n");
                }
                if *is_live {
                    self.item(*member, item, &names, source, &mut text);
                }
            }
        }
        let exports = self.exports.of_island[&number].iter();
        let exports = exports.filter_map(|(name, bound)| Some(format!("{} as {}", names.get(bound)?, quoted(name))));
        text.raw(&format!("export {{ {} }};\n", exports.collect::<Vec<_>>().join(", ")));
        let (text, map) = text.finish();
        Written { text, map: Some(map), edges }
    }

    /// What stands at the place of a module that is in an island: its exports.
    pub fn stand_in(&self, module: usize) -> Written {
        let path = self.world.nodes[module].path;
        let mut edges = BTreeMap::new();
        // What it gets by `require` comes from where it lies.
        let requires = self.world.nodes[module].module.edges.iter().filter(|((kind, _), _)| *kind == EdgeKind::Require);
        edges.extend(requires.map(|(key, target)| (key.clone(), target.clone())));
        let Some(island) = self.plan.island_of[module] else {
            return Written { text: String::new(), map: None, edges };
        };
        let mut ask = |target: &Target| self.ask(path, target, &mut edges);
        let host = ask(&self.target(&Dep::Module(module)));
        let mut text = format!("import {host};\n");
        for name in &self.exports.wanted[&module] {
            let Some(bound) = self.links.export(module, name) else { continue };
            let name = quoted(name);
            let line = match &bound {
                Bound::Local(owner, _) => {
                    let at = self.plan.island_of[*owner].unwrap_or(island);
                    let Some(alias) = self.exports.alias(at, &bound) else { continue };
                    let from = ask(&self.target(&Dep::Module(*owner)));
                    format!("export {{ {} as {name} }} from {from};\n", quoted(alias))
                }
                Bound::Foreign(module, exported) => {
                    let from = ask(&self.address(*module));
                    format!("export {{ {} as {name} }} from {from};\n", quoted(exported))
                }
                Bound::Namespace(module) => format!("export * as {name} from {};\n", ask(&self.address(*module))),
                Bound::Other(other, selected) => {
                    let from = with(&ask(&other.target), &other.attributes);
                    match selected {
                        Selected::Namespace => format!("export * as {name} from {from};\n"),
                        Selected::Name(exported) => {
                            format!("export {{ {} as {name} }} from {from};\n", quoted(exported))
                        }
                    }
                }
            };
            text += &line;
        }
        Written { text, map: None, edges }
    }

    /// Where a module is to be found by its own path.
    fn address(&self, module: usize) -> Target {
        Target::File { path: self.world.nodes[module].path.to_owned(), suffix: String::new() }
    }

    /// Where what a module does is to be found.
    fn target(&self, dep: &Dep) -> Target {
        match dep {
            Dep::Other(other) => other.target.clone(),
            Dep::Module(module) => match self.plan.island_of[*module] {
                None => self.address(*module),
                Some(island) => {
                    let path = self.plan.path(self.world, island).to_owned();
                    Target::File { path, suffix: String::new() }
                }
            },
        }
    }

    /// A specifier for `target` in a module at `path`, in quotes.
    fn ask(&self, path: &Path, target: &Target, edges: &mut BTreeMap<(EdgeKind, String), Target>) -> String {
        let specifier = specifier(path, target);
        let quoted = quote(&specifier);
        edges.insert((EdgeKind::Import, specifier), target.clone());
        quoted
    }

    /// The items of a module that are needed.
    fn items(&self, module: usize) -> impl Iterator<Item = &'a Item> {
        let items = self.world.nodes[module].facts.items.iter().zip(&self.live.items[module]);
        items.filter(|(_, is_live)| **is_live).map(|(item, _)| item)
    }

    /// Gives names to all that is needed in an island.
    fn names(&self, number: usize) -> Names<'a, 'g> {
        let members = &self.plan.islands[number].members;
        let mut users: BTreeMap<Bound, Vec<(usize, Atom)>> = BTreeMap::new();
        for member in members {
            let node = &self.world.nodes[*member];
            let is_live = &self.live.items[*member];
            let used: BTreeSet<&Atom> =
                node.facts.uses.iter().filter(|used| is_live[used.item]).map(|used| &used.name).collect();
            for name in used {
                if let Some(bound) = self.links.name(*member, name) {
                    users.entry(bound).or_default().push((*member, name.clone()));
                }
            }
        }
        let mut names = Names::new(self.world, members);
        for member in members {
            for name in self.items(*member).flat_map(|item| &item.declares) {
                let bound = Bound::Local(*member, name.clone());
                names.give(&bound, users.get(&bound).map_or(&[], Vec::as_slice), &"default".into());
            }
        }
        for (bound, users) in &users {
            names.give(bound, users, &"imported".into());
        }
        for (name, bound) in &self.exports.of_island[&number] {
            names.give(bound, &[], name);
        }
        names
    }

    /// Writes the imports.
    fn head(
        &self,
        number: usize,
        path: &Path,
        names: &Names,
        text: &mut Text,
        edges: &mut BTreeMap<(EdgeKind, String), Target>,
    ) {
        let mut wanted: BTreeMap<(Target, &str), Vec<(Selected, &Atom)>> = BTreeMap::new();
        for (bound, name) in names.iter() {
            let (target, attributes, selected) = match bound {
                Bound::Local(owner, _) => match self.plan.island_of[*owner] {
                    Some(island) if island != number => match self.exports.alias(island, bound) {
                        Some(alias) => (self.target(&Dep::Module(*owner)), "", Selected::Name(alias.clone())),
                        None => continue,
                    },
                    _ => continue,
                },
                Bound::Foreign(module, exported) => (self.address(*module), "", Selected::Name(exported.clone())),
                Bound::Namespace(module) => (self.address(*module), "", Selected::Namespace),
                Bound::Other(other, selected) => (other.target.clone(), other.attributes.as_str(), selected.clone()),
            };
            wanted.entry((target, attributes)).or_default().push((selected, name));
        }
        let mut done = BTreeSet::new();
        for dep in &self.plan.islands[number].loads {
            let (attributes, is_quiet) = match dep {
                Dep::Other(other) => (other.attributes.as_str(), other.is_quiet),
                Dep::Module(_) => ("", false),
            };
            let target = self.target(dep);
            if !done.insert((target.clone(), attributes)) {
                continue;
            }
            match wanted.remove(&(target.clone(), attributes)) {
                Some(selected) => text.raw(&import(&with(&self.ask(path, &target, edges), attributes), &selected)),
                None if is_quiet => {}
                None => text.raw(&format!("import {};\n", with(&self.ask(path, &target, edges), attributes))),
            }
        }
        // Stand-ins come last: whatever they lead to is there by now.
        for ((target, attributes), selected) in wanted {
            text.raw(&import(&with(&self.ask(path, &target, edges), attributes), &selected));
        }
    }

    /// What changes in a module's text.
    fn edits(
        &self,
        member: usize,
        is_host: bool,
        path: &Path,
        names: &Names,
        edges: &mut BTreeMap<(EdgeKind, String), Target>,
    ) -> Vec<Edit> {
        let node = &self.world.nodes[member];
        let facts = &node.facts;
        let mut edits = Vec::new();
        for used in facts.uses.iter().filter(|used| self.live.items[member][used.item]) {
            let Some(name) = self.links.name(member, &used.name).and_then(|bound| names.get(&bound)) else { continue };
            if *name == used.name || self.keeps_name(member, &facts.items[used.item], &used.name) {
                continue;
            }
            let text = if used.is_shorthand { format!("{}: {name}", used.name) } else { name.to_string() };
            edits.push((used.range.clone(), text));
        }
        for (name, range) in &facts.named_by {
            let bound = Bound::Local(member, name.clone());
            if names.get(&bound).is_some_and(|given| given != name) {
                edits.push((range.start..range.start, format!("{{{name}: ")));
                edits.push((range.end..range.end, format!("}}.{name}")));
            }
        }
        if is_host {
            edges.extend(node.module.edges.iter().map(|(key, target)| (key.clone(), target.clone())));
            return edits;
        }
        for (range, place) in &facts.places {
            let own = self.places.of(node.path);
            let text = match place {
                OwnPlace::Url => format!("file://{own}"),
                OwnPlace::Filename => own,
                OwnPlace::Dirname => own.rsplit_once('/').map_or_else(String::new, |(folder, _)| folder.to_owned()),
            };
            edits.push((range.clone(), quote(&text)));
        }
        for (range, wanted) in &facts.dynamic {
            if let Some(target) = node.module.edges.get(&(EdgeKind::Import, wanted.clone())) {
                edits.push((range.clone(), self.ask(path, target, edges)));
            }
        }
        edits
    }

    /// Whether a function or class is written with the name that it had, whatever its variable is called.
    fn keeps_name(&self, member: usize, item: &Item, name: &Atom) -> bool {
        match &item.shape {
            Shape::Function(_, Some(_)) => {
                item.declares.contains(name) && !self.world.facts(member).assigned.contains(name)
            }
            Shape::Class(_, true) => item.declares.contains(name),
            _ => false,
        }
    }

    /// Writes a function whose variable has another name than itself.
    fn hoisted(&self, member: usize, item: &Item, names: &Names, source: &mut Source, text: &mut Text) {
        let (Shape::Function(start, ident), Some(own)) = (&item.shape, item.declares.first()) else { return };
        let Some(name) = names.get(&Bound::Local(member, own.clone())).filter(|name| *name != own) else { return };
        match ident {
            Some(ident) if self.world.facts(member).assigned.contains(own) => {
                text.raw(&format!("var {name} = {{{own}: "));
                text.copy(source, *start..ident.start);
                text.copy(source, ident.end..item.range.end);
                text.raw(&format!("}}.{own};\n"));
            }
            Some(_) => {
                text.raw(&format!("var {name} = "));
                text.copy(source, *start..item.range.end);
                text.raw(";\n");
            }
            None => self.named(&format!("var {name} = "), *start..item.range.end, source, text),
        }
    }

    /// Writes a value that gets its name from being the default export.
    fn named(&self, before: &str, range: Range<usize>, source: &mut Source, text: &mut Text) {
        text.raw(&format!("{before}{{default: "));
        text.copy(source, range);
        text.raw("}.default;\n");
    }

    /// Writes an item.
    fn item(&self, member: usize, item: &Item, names: &Names, source: &mut Source, text: &mut Text) {
        let own = item.declares.first();
        let name = own.and_then(|own| names.get(&Bound::Local(member, own.clone())));
        let end = item.range.end;
        match (&item.shape, name) {
            (Shape::Link, _) => return,
            (Shape::Function(..), Some(name)) if own != Some(name) => return,
            (Shape::Function(start, _), _) => text.copy(source, *start..end),
            (Shape::Class(start, false), Some(name)) => {
                return self.named(&format!("let {name} = "), *start..end, source, text);
            }
            (Shape::Class(start, _), Some(name)) if own != Some(name) => {
                text.raw(&format!("let {name} = "));
                text.copy(source, *start..end);
            }
            (Shape::Default(value, true), Some(name)) => {
                return self.named(&format!("const {name} = "), value.clone(), source, text);
            }
            (Shape::Default(value, _), name) => {
                text.raw(&format!("const {} = ", name.map_or(DEFAULT, |name| &**name)));
                text.copy(source, value.clone());
            }
            (Shape::Class(start, _) | Shape::Plain(start), _) => text.copy(source, *start..end),
        }
        // What follows may be something else than in the source.
        text.raw(if source.text[..end].ends_with(';') && !matches!(item.shape, Shape::Default(..)) {
            "\n"
        } else {
            ";\n"
        });
    }

    /// Whether something has to stand at a module's own place.
    pub fn needs_stand_in(&self, module: usize) -> bool {
        self.plan.addressed[module]
            || self.world.facts(module).fit == Fit::Last
            || self.world.nodes[module].module.edges.keys().any(|(kind, _)| *kind == EdgeKind::Require)
    }
}

fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn with(specifier: &str, attributes: &str) -> String {
    if attributes.is_empty() { specifier.to_owned() } else { format!("{specifier} with {attributes}") }
}

fn import(from: &str, selected: &[(Selected, &Atom)]) -> String {
    let names: Vec<String> = selected
        .iter()
        .filter_map(|(selected, name)| match selected {
            Selected::Name(exported) if exported == *name => Some(name.to_string()),
            Selected::Name(exported) => Some(format!("{} as {name}", quoted(exported))),
            Selected::Namespace => None,
        })
        .collect();
    let mut text = match names.is_empty() {
        true => String::new(),
        false => format!("import {{ {} }} from {from};\n", names.join(", ")),
    };
    for (_, name) in selected.iter().filter(|(selected, _)| *selected == Selected::Namespace) {
        text += &format!("import * as {name} from {from};\n");
    }
    text
}
