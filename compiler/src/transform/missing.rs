//! Imports and exports of types that do not say so.
//!
//! `export { Shape } from './shapes.ts'` looks the same whether `Shape` is a class or an interface. As an ES module it
//! would ask for an export that is not there, so the other file has to be looked at.

use std::collections::{HashMap, HashSet};

use swc_common::{FileName, GLOBALS, Globals, Mark, SourceMap};
use swc_ecma_ast::{Decl, ExportSpecifier, Id, ImportSpecifier, ModuleDecl, ModuleExportName, ModuleItem, Program};
use swc_ecma_parser::{Syntax, TsSyntax, parse_file_as_program};
use swc_ecma_transforms_base::resolver;
use swc_ecma_transforms_typescript::{Config, typescript};
use swc_ecma_utils::find_pat_ids;

use super::Language;

/// What a file exports when its types are gone.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Exports {
    /// The names; for one that comes from another file, the specifier and the name there.
    pub names: HashMap<String, Option<(String, String)>>,
    /// The files of which everything is exported.
    pub all_of: Vec<String>,
}

/// What a file of TypeScript exports, if it can be read.
pub fn exports(source: &str, language: Language) -> Option<Exports> {
    let files = SourceMap::default();
    let file = files.new_source_file(FileName::Anon.into(), source.to_owned());
    let syntax = TsSyntax { tsx: language == Language::Tsx, decorators: true, ..TsSyntax::default() };
    let target = swc_ecma_ast::EsVersion::EsNext;
    let program = parse_file_as_program(&file, Syntax::Typescript(syntax), target, None, &mut Vec::new()).ok()?;
    GLOBALS.set(&Globals::new(), || {
        let (unresolved, top_level) = (Mark::new(), Mark::new());
        let config = Config { no_empty_export: true, ..Config::default() };
        let program = program.apply(resolver(unresolved, top_level, true));
        match program.apply(typescript(config, unresolved, top_level)) {
            Program::Module(module) => Some(of(&module.body)),
            Program::Script(_) => None,
        }
    })
}

fn of(items: &[ModuleItem]) -> Exports {
    let mut exports = Exports::default();
    let mut imported: HashMap<Id, (String, String)> = HashMap::new();
    let declarations = || items.iter().filter_map(ModuleItem::as_module_decl);
    for import in declarations().filter_map(ModuleDecl::as_import) {
        for specifier in &import.specifiers {
            if let ImportSpecifier::Named(named) = specifier {
                let name = named.imported.as_ref().map_or_else(|| named.local.sym.to_string(), text);
                imported.insert(named.local.to_id(), (import.src.value.to_string_lossy().into_owned(), name));
            }
        }
    }
    for declaration in declarations() {
        match declaration {
            ModuleDecl::ExportDecl(export) => match &export.decl {
                Decl::Class(class) => drop(exports.names.insert(class.ident.sym.to_string(), None)),
                Decl::Fn(function) => drop(exports.names.insert(function.ident.sym.to_string(), None)),
                Decl::Var(variables) => {
                    let names = variables.decls.iter().flat_map(|it| find_pat_ids::<_, Id>(&it.name));
                    exports.names.extend(names.map(|(name, _)| (name.to_string(), None)));
                }
                _ => {}
            },
            ModuleDecl::ExportNamed(export) => {
                for specifier in &export.specifiers {
                    let (name, origin) = match specifier {
                        ExportSpecifier::Named(named) => {
                            let origin = match (&export.src, &named.orig) {
                                (Some(source), name) => Some((source.value.to_string_lossy().into_owned(), text(name))),
                                (None, ModuleExportName::Ident(local)) => imported.get(&local.to_id()).cloned(),
                                _ => None,
                            };
                            (text(named.exported.as_ref().unwrap_or(&named.orig)), origin)
                        }
                        ExportSpecifier::Namespace(namespace) => (text(&namespace.name), None),
                        ExportSpecifier::Default(_) => ("default".into(), None),
                    };
                    exports.names.insert(name, origin);
                }
            }
            ModuleDecl::ExportDefaultDecl(_) | ModuleDecl::ExportDefaultExpr(_) => {
                exports.names.insert("default".into(), None);
            }
            ModuleDecl::ExportAll(all) => exports.all_of.push(all.src.value.to_string_lossy().into_owned()),
            // It may be anything.
            ModuleDecl::TsExportAssignment(_) => exports.all_of.push(String::new()),
            _ => {}
        }
    }
    exports
}

fn text(name: &ModuleExportName) -> String {
    name.atom().to_string()
}

/// Takes out what `provides` says that another file does not export, by its specifier and the name.
pub fn take_out(program: &mut Program, provides: &dyn Fn(&str, &str) -> bool) {
    let Program::Module(module) = program else { return };
    let mut gone: HashSet<Id> = HashSet::new();
    for item in &mut module.body {
        if let ModuleItem::ModuleDecl(ModuleDecl::Import(import)) = item {
            let source = import.src.value.to_string_lossy().into_owned();
            import.specifiers.retain(|specifier| {
                let ImportSpecifier::Named(named) = specifier else { return true };
                let name = named.imported.as_ref().map_or_else(|| named.local.sym.to_string(), text);
                let is_there = provides(&source, &name);
                if !is_there {
                    gone.insert(named.local.to_id());
                }
                is_there
            });
        }
    }
    module.body.retain_mut(|item| match item {
        ModuleItem::ModuleDecl(ModuleDecl::ExportNamed(export)) if !export.specifiers.is_empty() => {
            let source = export.src.as_ref().map(|source| source.value.to_string_lossy().into_owned());
            export.specifiers.retain(|specifier| match (specifier, &source) {
                (ExportSpecifier::Named(named), Some(source)) => provides(source, &text(&named.orig)),
                (ExportSpecifier::Named(named), None) => {
                    !matches!(&named.orig, ModuleExportName::Ident(local) if gone.contains(&local.to_id()))
                }
                _ => true,
            });
            !export.specifiers.is_empty()
        }
        _ => true,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_exported() {
        let source = "export interface A {} export type B = 1; export class C {} export const { d, e: [f] } = x;
            export enum G {} import { h, I as i } from './h'; export { h, i as j }; export * from './k';
            export { l as m } from './l'; export default 1; type N = 1; export { N };";
        let Exports { names, all_of } = exports(source, Language::TypeScript).unwrap();
        let mut names: Vec<_> = names
            .into_iter()
            .map(|(name, origin)| match origin {
                Some((source, there)) => format!("{name}={source}#{there}"),
                None => name,
            })
            .collect();
        names.sort();
        assert_eq!(names, ["C", "G", "d", "default", "f", "h=./h#h", "j=./h#I", "m=./l#l"]);
        assert_eq!(all_of, ["./k"]);
    }
}
