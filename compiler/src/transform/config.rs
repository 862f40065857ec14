//! What a tsconfig.json says of the code to generate.

use oxc_resolver::CompilerOptions;

/// The options that matter when types are thrown away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// `experimentalDecorators`: decorators as they were before there was a standard.
    pub legacy_decorators: bool,
    /// `emitDecoratorMetadata`
    pub decorator_metadata: bool,
    /// Class fields are assigned in the constructor, not defined: `useDefineForClassFields`, or what `target` implies.
    pub assign_fields: bool,
    /// `verbatimModuleSyntax`: imports stay unless they are marked as types.
    pub verbatim_imports: bool,
    /// `module` says that files without an opinion are CommonJS.
    pub is_common_js: bool,
    /// `module` says that `import()` in CommonJS is Node's own, which sees a module's `exports` as its default export.
    pub keeps_dynamic_imports: bool,
    /// How JSX is written.
    pub jsx: Jsx,
}

/// The options about JSX.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Jsx {
    /// Whether the runtime is imported (`react-jsx`) or in scope (`react`); the file decides if this does not.
    pub automatic: Option<bool>,
    /// `react-jsxdev`
    pub development: bool,
    /// `jsxImportSource`
    pub import_source: Option<String>,
    /// `jsxFactory`
    pub factory: Option<String>,
    /// `jsxFragmentFactory`
    pub fragment_factory: Option<String>,
}

impl From<&CompilerOptions> for Options {
    fn from(options: &CompilerOptions) -> Self {
        let lower = |text: &Option<String>| text.as_deref().unwrap_or_default().to_lowercase();
        let is = |flag: Option<bool>| flag.unwrap_or(false);
        let define = options.use_define_for_class_fields.unwrap_or_else(|| defines_fields(&lower(&options.target)));
        let jsx = lower(&options.jsx);
        let module = lower(&options.module);
        let is_as_in_node = matches!(&*module, "node16" | "node18" | "node20" | "nodenext");
        Self {
            legacy_decorators: is(options.experimental_decorators),
            decorator_metadata: is(options.emit_decorator_metadata),
            assign_fields: !define,
            verbatim_imports: is(options.verbatim_module_syntax) || is(options.preserve_value_imports),
            is_common_js: is_as_in_node || matches!(&*module, "commonjs" | "amd" | "umd" | "system" | "none"),
            keeps_dynamic_imports: is_as_in_node,
            jsx: Jsx {
                automatic: match &*jsx {
                    "react" => Some(false),
                    "react-jsx" | "react-jsxdev" => Some(true),
                    _ if options.jsx_factory.is_some() => Some(false),
                    _ if options.jsx_import_source.is_some() => Some(true),
                    _ => None,
                },
                development: jsx == "react-jsxdev",
                import_source: options.jsx_import_source.clone(),
                factory: options.jsx_factory.clone(),
                fragment_factory: options.jsx_fragment_factory.clone(),
            },
        }
    }
}

/// Whether class fields are defined by default for a `target`. Without one it is the newest, which the runtime has.
fn defines_fields(target: &str) -> bool {
    match target.strip_prefix("es") {
        None | Some("next") => true,
        Some(year) => year.parse::<u32>().is_ok_and(|year| year >= 2022),
    }
}
