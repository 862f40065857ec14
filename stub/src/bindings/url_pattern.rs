//! `internalBinding('url_pattern')`: `URLPattern`.

use std::collections::BTreeMap;
use std::rc::Rc;

use urlpattern::quirks::{self, StringOrInit, UrlPatternInit as Init};
use urlpattern::{
    RegexSyntax, UrlPattern, UrlPatternComponentResult, UrlPatternInit, UrlPatternOptions, UrlPatternResult,
};
use v8::{
    FunctionCallbackArguments, Global, Local, Object, PinScope, PropertyDescriptor, RegExpCreationFlags, ReturnValue,
    Value,
};

use crate::errors::{self, Kind};
use crate::{binding, js, realm, wrap};

crate::room! {
    name: "url_pattern",
    classes: {
        "URLPattern" {
            pure new => new_pattern,
            pure "exec" => exec,
            pure "test" => test,
        } get {
            "protocol" => protocol;
            "username" => username;
            "password" => password;
            "hostname" => hostname;
            "port" => port;
            "pathname" => pathname;
            "search" => search;
            "hash" => hash;
            "hasRegExpGroups" => has_regexp_groups;
        },
    },
    setup: setup,
}

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;
type Pattern = UrlPattern<RegExp>;

/// Accessors are enumerable here, and stay as they are.
fn setup<'s>(scope: &mut PinScope<'s, '_>, _: Local<'s, Object>) {
    let class = binding::class(scope, "URLPattern");
    let prototype = js::get(scope, class.into(), "prototype").and_then(|value| Local::<Object>::try_from(value).ok());
    let Some(prototype) = prototype else { return };
    for accessor in (ROOM.classes)().iter().flat_map(|class| &class.accessors) {
        let key = js::name(scope, accessor.name);
        let own = prototype.get_own_property_descriptor(scope, key.into());
        let getter = own.and_then(|own| js::get(scope, own.try_into().ok()?, "get"));
        let Some(getter) = getter else { continue };
        let undefined = js::undefined(scope);
        let mut descriptor = PropertyDescriptor::new_from_get_set(getter, undefined);
        descriptor.set_enumerable(true);
        descriptor.set_configurable(false);
        prototype.define_property(scope, key.into(), &descriptor);
    }
    // They are listed before the methods.
    for name in ["exec", "test"] {
        let key = js::name(scope, name);
        if let Some(method) = prototype.get(scope, key.into()) {
            prototype.delete(scope, key.into());
            prototype.set(scope, key.into(), method);
        }
    }
}

/// A regular expression of V8's.
struct RegExp {
    source: String,
    compiled: Global<v8::RegExp>,
}

impl urlpattern::regexp::RegExp for RegExp {
    fn syntax() -> RegexSyntax {
        RegexSyntax::EcmaScript
    }

    fn parse(pattern: &str, flags: &str, _: bool) -> Result<Self, ()> {
        realm::enter(|scope| {
            v8::tc_scope!(let scope, scope);
            // `d` tells where in the text a group matched.
            let mut kinds = RegExpCreationFlags::UNICODE_SETS | RegExpCreationFlags::HAS_INDICES;
            if flags.contains('i') {
                kinds |= RegExpCreationFlags::IGNORE_CASE;
            }
            let source = js::string(scope, pattern);
            let compiled = v8::RegExp::new(scope, source, kinds).ok_or(())?;
            Ok(RegExp { source: pattern.to_owned(), compiled: Global::new(scope, compiled) })
        })
    }

    fn matches<'a>(&self, text: &'a str) -> Option<Vec<Option<&'a str>>> {
        let ranges = realm::enter(|scope| {
            v8::tc_scope!(let scope, scope);
            let subject = js::string(scope, text);
            let result = Local::new(scope, &self.compiled).exec(scope, subject)?;
            // Without a match, the result is null behind the type.
            let result: Local<Value> = result.into();
            if !result.is_array() {
                return None;
            }
            let indices = js::get(scope, result.try_into().ok()?, "indices")?;
            let indices = Local::<v8::Array>::try_from(indices).ok()?;
            let range = |index| -> Option<(u32, u32)> {
                let pair: Local<v8::Array> = indices.get_index(scope, index)?.try_into().ok()?;
                let number = |at| pair.get_index(scope, at)?.uint32_value(scope);
                Some((number(0)?, number(1)?))
            };
            Some((1..indices.length()).map(range).collect::<Vec<_>>())
        })?;
        let at = byte_offsets(text);
        Some(ranges.iter().map(|range| range.map(|(start, end)| &text[at(start)..at(end)])).collect())
    }

    fn pattern_string(&self) -> &str {
        &self.source
    }
}

/// From places in a text's UTF-16 form to those in `text`.
fn byte_offsets(text: &str) -> impl Fn(u32) -> usize {
    move |units| {
        let mut left = units as usize;
        let end = text.char_indices().find(|(_, char)| {
            let is_there = left == 0;
            left = left.saturating_sub(char.len_utf16());
            is_there
        });
        end.map_or(text.len(), |(at, _)| at)
    }
}

fn invalid<'s>(scope: &mut PinScope<'s, '_>, message: &str) {
    errors::throw_code(scope, Kind::TypeError, "ERR_INVALID_ARG_TYPE", message);
}

/// What an object says of the parts of a URL. None when a getter throws.
fn init_of<'s>(scope: &PinScope<'s, '_>, object: Local<'s, Object>) -> Option<Init> {
    let text = |name: &str| -> Option<Option<String>> {
        let value = js::get(scope, object, name)?;
        Some(value.is_string().then(|| value.to_rust_string_lossy(scope)))
    };
    Some(Init {
        protocol: text("protocol")?,
        username: text("username")?,
        password: text("password")?,
        hostname: text("hostname")?,
        port: text("port")?,
        pathname: text("pathname")?,
        search: text("search")?,
        hash: text("hash")?,
        base_url: text("baseURL")?,
    })
}

/// A pattern or what is to match: a text or an object. None when an exception is pending.
fn input<'s>(scope: &mut PinScope<'s, '_>, value: Local<'s, Value>, message: &str) -> Option<StringOrInit<'static>> {
    if value.is_string() {
        return Some(StringOrInit::String(value.to_rust_string_lossy(scope).into()));
    }
    match Local::<Object>::try_from(value) {
        Ok(object) => init_of(scope, object).map(StringOrInit::Init),
        Err(_) => {
            invalid(scope, message);
            None
        }
    }
}

/// `new URLPattern([input[, baseURL][, options]])`
fn new_pattern<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    if args.new_target().is_undefined() {
        let message = "Cannot call constructor without `new`";
        return errors::throw_code(scope, Kind::TypeError, "ERR_CONSTRUCT_CALL_REQUIRED", message);
    }
    let (mut pattern, mut base, mut ignore_case) = (StringOrInit::Init(Init::default()), None, false);
    if args.length() > 0 {
        let Some(given) = input(scope, args.get(0), "Input must be an object or a string") else { return };
        pattern = given;
    }
    let mut options = None;
    if args.length() > 1 {
        match Local::<Object>::try_from(args.get(1)) {
            _ if args.get(1).is_string() => base = Some(args.get(1).to_rust_string_lossy(scope)),
            Ok(object) => options = Some(object),
            Err(_) => return invalid(scope, "second argument must be a string or object"),
        }
    }
    if args.length() > 2 {
        match Local::<Object>::try_from(args.get(2)) {
            Ok(object) => options = Some(object),
            Err(_) => return invalid(scope, "options must be an object"),
        }
    }
    if let Some(options) = options {
        let Some(value) = js::get(scope, options, "ignoreCase") else { return };
        if !value.is_boolean() && !value.is_undefined() {
            return invalid(scope, "options.ignoreCase must be a boolean");
        }
        ignore_case = value.is_true();
    }
    match parse(pattern, base.as_deref(), ignore_case) {
        Some(pattern) => {
            wrap::attach(scope, args.this(), pattern);
        }
        None => {
            let message = "Failed to construct URLPattern";
            errors::throw_code(scope, Kind::TypeError, "ERR_INVALID_URL_PATTERN", message);
        }
    }
}

fn parse(pattern: StringOrInit, base: Option<&str>, ignore_case: bool) -> Option<Pattern> {
    // The crate's own `process_construct_pattern_input` would bring along an engine for regular expressions.
    let url = |text: Option<&str>| text.map(url::Url::parse).transpose().ok();
    let init = match pattern {
        StringOrInit::String(text) => UrlPatternInit::parse_constructor_string::<RegExp>(&text, url(base)?).ok()?,
        StringOrInit::Init(_) if base.is_some() => return None,
        StringOrInit::Init(init) => UrlPatternInit {
            base_url: url(init.base_url.as_deref())?,
            protocol: init.protocol,
            username: init.username,
            password: init.password,
            hostname: init.hostname,
            port: init.port,
            pathname: init.pathname,
            search: init.search,
            hash: init.hash,
        },
    };
    UrlPattern::parse(init, UrlPatternOptions { regex_syntax: RegexSyntax::EcmaScript, ignore_case }).ok()
}

/// The pattern of `this`. None when an exception is pending.
fn this<'s>(scope: &mut PinScope<'s, '_>, args: &Args<'s>) -> Option<Rc<Pattern>> {
    let pattern = wrap::get::<Pattern>(scope, args.this());
    if pattern.is_none() {
        let message = js::string(scope, "Illegal invocation");
        let error = v8::Exception::type_error(scope, message);
        scope.throw_exception(error);
    }
    pattern
}

macro_rules! parts {
    ($($name:ident),*) => {
        $(fn $name<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
            if let Some(pattern) = this(scope, &args) {
                rv.set(js::string(scope, pattern.$name()).into());
            }
        })*
    };
}

parts!(protocol, username, password, hostname, port, pathname, search, hash);

fn has_regexp_groups<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    if let Some(pattern) = this(scope, &args) {
        rv.set_bool(pattern.has_regexp_groups());
    }
}

/// Matches `this` with the arguments. None when an exception is pending.
fn matched<'s>(scope: &mut PinScope<'s, '_>, args: &Args<'s>, failure: &str) -> Option<Option<UrlPatternResult>> {
    let pattern = this(scope, args)?;
    let subject = match args.length() {
        0 => StringOrInit::Init(Init::default()),
        _ => input(scope, args.get(0), "URLPattern input needs to be a string or an object")?,
    };
    let mut base = None;
    if args.length() > 1 {
        if !args.get(1).is_string() {
            invalid(scope, "baseURL must be a string");
            return None;
        }
        base = Some(args.get(1).to_rust_string_lossy(scope));
    }
    let subject = quirks::process_match_input(subject, base.as_deref());
    let result = subject.and_then(|subject| match subject {
        Some((subject, _)) => pattern.exec(subject),
        None => Ok(None),
    });
    if result.is_err() {
        errors::throw_code(scope, Kind::TypeError, "ERR_OPERATION_FAILED", failure);
    }
    result.ok()
}

fn test<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    if let Some(result) = matched(scope, &args, "Failed to test URLPattern") {
        rv.set_bool(result.is_some());
    }
}

fn exec<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(result) = matched(scope, &args, "Failed to exec URLPattern") else { return };
    let Some(result) = result else { return rv.set_null() };
    let null = js::null(scope);
    let target = Object::with_prototype_and_properties(scope, null, &[], &[]);
    let mut inputs: Vec<Local<Value>> = Vec::new();
    for index in 0..args.length().min(2) {
        let given = args.get(index);
        match Local::<Object>::try_from(given) {
            // What it said, not the object itself.
            Ok(object) => inputs.push(copy(scope, object).into()),
            Err(_) => inputs.push(given),
        }
    }
    if inputs.is_empty() {
        inputs.push(Object::new(scope).into());
    }
    for (name, part) in [("hash", &result.hash), ("hostname", &result.hostname)] {
        set_part(scope, target, name, part);
    }
    let inputs = v8::Array::new_with_elements(scope, &inputs);
    js::set(scope, target, "inputs", inputs);
    for (name, part) in [
        ("password", &result.password),
        ("pathname", &result.pathname),
        ("port", &result.port),
        ("protocol", &result.protocol),
        ("search", &result.search),
        ("username", &result.username),
    ] {
        set_part(scope, target, name, part);
    }
    rv.set(target.into());
}

fn copy<'s>(scope: &PinScope<'s, '_>, object: Local<'s, Object>) -> Local<'s, Object> {
    let result = Object::new(scope);
    let Some(init) = init_of(scope, object) else { return result };
    for (name, text) in [
        ("baseURL", init.base_url),
        ("hash", init.hash),
        ("hostname", init.hostname),
        ("password", init.password),
        ("pathname", init.pathname),
        ("port", init.port),
        ("protocol", init.protocol),
        ("search", init.search),
        ("username", init.username),
    ] {
        if let Some(text) = text {
            let text = js::string(scope, &text);
            js::set(scope, result, name, text);
        }
    }
    result
}

fn set_part<'s>(scope: &PinScope<'s, '_>, target: Local<'s, Object>, name: &str, part: &UrlPatternComponentResult) {
    let groups = Object::new(scope);
    for (name, text) in part.groups.iter().collect::<BTreeMap<_, _>>() {
        let text = text.as_ref().map_or_else(|| js::undefined(scope), |text| js::string(scope, text).into());
        js::set(scope, groups, name, text);
    }
    let result = Object::new(scope);
    js::set(scope, result, "groups", groups);
    let input = js::string(scope, &part.input);
    js::set(scope, result, "input", input);
    js::set(scope, target, name, result);
}
