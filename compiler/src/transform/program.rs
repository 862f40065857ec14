//! From a source to JavaScript: parsing, the passes and their order.

use std::sync::{Arc, Mutex, PoisonError};

use kiln_payload::Format;
use swc_common::comments::{Comments, SingleThreadedComments};
use swc_common::errors::{DiagnosticBuilder, Emitter, HANDLER, Handler};
use swc_common::sync::Lrc;
use swc_common::{BytePos, FileName, Mark, SourceFile, SourceMap, Spanned, SyntaxContext};
use swc_ecma_ast::{
    AutoAccessor, ClassProp, Decorator, EsVersion, Ident, JSXElement, JSXFragment, ModuleItem, Pass, Program,
};
use swc_ecma_parser::error::Error;
use swc_ecma_parser::lexer::Lexer;
use swc_ecma_parser::{EsSyntax, Parser, StringInput, Syntax, TsSyntax};
use swc_ecma_transforms_base::fixer::fixer;
use swc_ecma_transforms_base::helpers::{HELPERS, Helpers, inject_helpers};
use swc_ecma_transforms_base::hygiene::hygiene;
use swc_ecma_transforms_base::resolver;
use swc_ecma_transforms_proposal::decorators;
use swc_ecma_transforms_react as react;
use swc_ecma_transforms_typescript as typescript;
use swc_ecma_visit::{Visit, VisitMutWith, VisitWith};

use super::fields::{self, AssignFields};
use super::{Input, Language, Output, common_js, edits, emit, kind, missing, specifiers};
use crate::scan::SyntaxError;

/// Turns a file into JavaScript.
pub fn transform(input: &Input) -> Result<Output, SyntaxError> {
    let problems = Problems::default();
    let handler = Handler::with_emitter(false, false, Box::new(problems.clone()));
    HELPERS.set(&Helpers::new(false), || HANDLER.set(&handler, || File::parse(input)?.transform(&handler, &problems)))
}

/// A parsed file.
struct File<'a> {
    input: &'a Input<'a>,
    files: Lrc<SourceMap>,
    start: BytePos,
    comments: SingleThreadedComments,
    program: Program,
    unresolved: Mark,
    top_level: Mark,
}

impl<'a> File<'a> {
    fn parse(input: &'a Input<'a>) -> Result<Self, SyntaxError> {
        let files = Lrc::<SourceMap>::default();
        // Only the name: what is built must not depend on where.
        let name = input.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let file = files.new_source_file(FileName::Custom(name).into(), input.source.to_owned());
        let comments = SingleThreadedComments::default();
        let mut program = match parse(input, &file, Some(&comments), |parser| parser.parse_program()) {
            Ok(program) => program,
            // `return` outside of functions, say.
            Err(error) => {
                let common_js =
                    parse(input, &file, Some(&comments), |parser| parser.parse_commonjs().map(Program::Script));
                common_js.map_err(|_| describe(&error, file.start_pos))?
            }
        };
        let (unresolved, top_level) = (Mark::new(), Mark::new());
        program.mutate(&mut resolver(unresolved, top_level, input.language != Language::Jsx));
        Ok(Self { input, start: file.start_pos, files, comments, program, unresolved, top_level })
    }

    fn unresolved(&self) -> SyntaxContext {
        SyntaxContext::empty().apply_mark(self.unresolved)
    }

    fn transform(self, handler: &Handler, problems: &Problems) -> Result<Output, SyntaxError> {
        let output = match self.erased(handler) {
            Some(output) => Ok(output),
            None => {
                problems.forget();
                self.generated(problems)
            }
        };
        match problems.first() {
            Some(problem) => Err(problem),
            None => output,
        }
    }

    /// The source with blanks in the place of types, if that is all there is to do.
    fn erased(&self, handler: &Handler) -> Option<Output> {
        let Input { source, language, options, .. } = *self.input;
        let mut syntax = Beyond { assign_fields: options.assign_fields, found: language != Language::TypeScript };
        self.program.visit_with(&mut syntax);
        if syntax.found {
            return None;
        }
        let mut erased = self.program.clone();
        erased.mutate(&mut self.types());
        missing::take_out(&mut erased, self.input.provides);
        let format = kind::decide(self.input, &erased, self.unresolved());
        let has_module_syntax =
            matches!(&erased, Program::Module(module) if module.body.iter().any(ModuleItem::is_module_decl));
        if format == Format::CommonJs && has_module_syntax {
            return None;
        }
        let changes = specifiers::changes(&erased, format, self.unresolved(), self.input.rewrite);
        let edited = edits::apply(source, self.start, &self.program, &erased, &changes);
        let options = swc_ts_fast_strip::Options {
            module: Some(matches!(self.program, Program::Module(_))),
            ..swc_ts_fast_strip::Options::default()
        };
        // What it can't do without generating code, it refuses.
        let stripped = swc_ts_fast_strip::operate(&Lrc::default(), handler, edited, options).ok()?;
        Some(Output { code: stripped.code, format, map: None })
    }

    /// The pass that takes types out, and generates what there is of TypeScript besides types.
    fn types(&self) -> impl Pass + use<> {
        let options = self.input.options;
        let config = typescript::Config {
            verbatim_module_syntax: options.verbatim_imports,
            native_class_properties: !options.assign_fields,
            no_empty_export: true,
            ..typescript::Config::default()
        };
        let jsx = typescript::TsxConfig {
            pragma: options.jsx.factory.as_deref().map(|factory| factory.to_owned().into()),
            pragma_frag: options.jsx.fragment_factory.as_deref().map(|factory| factory.to_owned().into()),
        };
        let Self { files, comments, unresolved, top_level, .. } = self;
        let is_typescript = self.input.language == Language::TypeScript;
        let plain = is_typescript.then(|| typescript::typescript(config, *unresolved, *top_level));
        let with_jsx = (self.input.language == Language::Tsx)
            .then(|| typescript::tsx(files.clone(), config, jsx, comments.clone(), *unresolved, *top_level));
        (Optional(plain), Optional(with_jsx))
    }

    fn generated(&self, problems: &Problems) -> Result<Output, SyntaxError> {
        let options = self.input.options;
        let mut program = self.program.clone();
        if options.legacy_decorators {
            program.mutate(&mut decorators::decorators(decorators::Config {
                legacy: true,
                emit_metadata: options.decorator_metadata,
                use_define_for_class_fields: !options.assign_fields,
            }));
        } else {
            program.mutate(&mut swc_ecma_transforms_proposal::decorator_2023_11::decorator_2023_11());
        }
        let jsx = self.jsx(&program);
        program.mutate(&mut self.types());
        missing::take_out(&mut program, self.input.provides);
        if options.assign_fields && self.input.language != Language::Jsx {
            program.visit_mut_with(&mut AssignFields);
        }
        let format = kind::decide(self.input, &program, self.unresolved());
        program.mutate(&mut react::react(
            self.files.clone(),
            Some(self.comments.clone()),
            jsx,
            self.top_level,
            self.unresolved,
        ));
        let mut changes = specifiers::changes(&program, format, self.unresolved(), self.input.rewrite);
        program.visit_mut_with(&mut changes);
        if format == Format::CommonJs {
            common_js::lower(&mut program, self.unresolved, self.input.options);
        }
        program.mutate(&mut inject_helpers(self.unresolved));
        program.mutate(&mut hygiene());
        program.mutate(&mut fixer(Some(&self.comments)));
        if let Some(problem) = problems.first() {
            return Err(problem);
        }
        let (code, map) = emit::emit(&self.files, &program, Some(&self.comments), None)
            .map_err(|error| SyntaxError { message: format!("no code can be generated: {error}"), span: 0..0 })?;
        Ok(Output { code, format, map: Some(map) })
    }

    fn jsx(&self, program: &Program) -> react::Options {
        let jsx = &self.input.options.jsx;
        let automatic = jsx.automatic.unwrap_or_else(|| !binds_react(program));
        let text = |text: &Option<String>| text.as_deref().map(|text| text.to_owned().into());
        react::Options {
            next: Some(true),
            runtime: Some(if automatic { react::Runtime::Automatic } else { react::Runtime::Classic }),
            import_source: jsx.import_source.as_deref().filter(|_| automatic).map(Into::into),
            pragma: text(&jsx.factory).filter(|_| !automatic),
            pragma_frag: text(&jsx.fragment_factory).filter(|_| !automatic),
            development: Some(jsx.development),
            ..react::Options::default()
        }
    }
}

/// A pass, or nothing.
struct Optional<P>(Option<P>);

impl<P: Pass> Pass for Optional<P> {
    fn process(&mut self, program: &mut Program) {
        if let Some(pass) = &mut self.0 {
            pass.process(program);
        }
    }
}

fn parse(
    input: &Input,
    file: &SourceFile,
    comments: Option<&dyn Comments>,
    parse: impl FnOnce(&mut Parser<Lexer>) -> Result<Program, Error>,
) -> Result<Program, Error> {
    let syntax = match input.language {
        Language::Jsx => Syntax::Es(EsSyntax {
            jsx: true,
            decorators: true,
            decorators_before_export: true,
            auto_accessors: true,
            import_attributes: true,
            explicit_resource_management: true,
            ..EsSyntax::default()
        }),
        language => {
            Syntax::Typescript(TsSyntax { tsx: language == Language::Tsx, decorators: true, ..TsSyntax::default() })
        }
    };
    let mut parser = Parser::new_from(Lexer::new(syntax, EsVersion::EsNext, StringInput::from(file), comments));
    let program = parse(&mut parser)?;
    match parser.take_errors().into_iter().min_by_key(|error| error.span().lo) {
        Some(error) => Err(error),
        None => Ok(program),
    }
}

fn describe(error: &Error, start: BytePos) -> SyntaxError {
    SyntaxError::new(&error.kind().msg(), error.span(), start)
}

/// Looks for what can't be done by blanks alone. Enums and the like are left to the one who puts the blanks.
struct Beyond {
    assign_fields: bool,
    found: bool,
}

impl Visit for Beyond {
    fn visit_decorator(&mut self, _: &Decorator) {
        self.found = true;
    }

    fn visit_auto_accessor(&mut self, _: &AutoAccessor) {
        self.found = true;
    }

    fn visit_class_prop(&mut self, field: &ClassProp) {
        self.found |= self.assign_fields && fields::concerns(field);
        field.visit_children_with(self);
    }

    fn visit_jsx_element(&mut self, _: &JSXElement) {
        self.found = true;
    }

    fn visit_jsx_fragment(&mut self, _: &JSXFragment) {
        self.found = true;
    }
}

/// Whether a file brings its own `React`, for JSX to use.
fn binds_react(program: &Program) -> bool {
    struct Bindings(bool);
    impl Visit for Bindings {
        fn visit_ident(&mut self, ident: &Ident) {
            self.0 |= ident.sym == "React";
        }
    }
    let mut bindings = Bindings(false);
    program.visit_with(&mut bindings);
    bindings.0
}

/// What the passes find wrong.
#[derive(Clone, Default)]
struct Problems(Arc<Mutex<Vec<SyntaxError>>>);

impl Problems {
    fn first(&self) -> Option<SyntaxError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).first().cloned()
    }

    fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Emitter for Problems {
    fn emit(&mut self, problem: &mut DiagnosticBuilder<'_>) {
        let span = problem.span.primary_span().unwrap_or_default();
        // A file's first position; there is only one file.
        let problem = SyntaxError::new(&problem.message(), span, BytePos(1));
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(problem);
    }
}
