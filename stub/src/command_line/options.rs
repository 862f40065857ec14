//! Node's options: which there are, and what a command line says of them.
//!
//! The table is Node's own, taken from it when the stub was built.

use std::collections::{BTreeMap, VecDeque};

use serde_json::Value as Json;

/// An option's value, for [`Options::values`].
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    /// It is there, or negated.
    Flag(bool),
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
    /// All its texts, in order.
    List(Vec<String>),
    /// `HOST:PORT`, or either.
    HostPort(Option<String>, Option<u16>),
}

/// The options at the front of a command line.
#[derive(Default, Debug)]
pub struct Options {
    /// What differs from the defaults, by name.
    pub values: BTreeMap<String, Value>,
    /// What V8 has to know, or nobody knows.
    pub v8: Vec<String>,
    /// How many arguments the options took.
    pub taken: usize,
    /// `--` ended the options, and was the last that they took.
    pub ended: bool,
    /// What is wrong with them.
    pub error: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Nothing,
    V8,
    Flag,
    Integer,
    Text,
    HostPort,
    List,
}

/// Options that switch others on.
const IMPLIED: &[(&str, &str)] = &[
    ("--eval", "[has_eval_string]"),
    ("--inspect-brk", "--inspect"),
    ("--inspect-wait", "--inspect"),
    ("--inspect-brk-node", "--inspect"),
    ("--trace-env-js-stack", "--trace-env"),
    ("--trace-env-native-stack", "--trace-env"),
    ("--report-signal", "--report-on-signal"),
    ("--watch-path", "--watch"),
    ("--harmony-shadow-realm", "--experimental-shadow-realm"),
];

/// Options with two names.
const TWINS: &[(&str, &str)] = &[("--experimental-require-module", "--require-module")];

/// Node's table of options.
pub struct Table {
    kinds: BTreeMap<String, (Kind, bool)>,
    aliases: BTreeMap<String, Vec<String>>,
}

impl Table {
    /// The table, out of the fact `options`.
    pub fn new(facts: &Json) -> Table {
        let pairs = |key: &str| facts[key].as_array().into_iter().flatten();
        let kind = |number: u64| match number {
            0 => Kind::Nothing,
            1 => Kind::V8,
            2 => Kind::Flag,
            3 | 4 => Kind::Integer,
            5 => Kind::Text,
            6 => Kind::HostPort,
            _ => Kind::List,
        };
        let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
        Table {
            kinds: pairs("info")
                .map(|pair| {
                    let is_allowed = pair[1]["envVarSettings"].as_u64() == Some(0);
                    (text(&pair[0]), (kind(pair[1]["type"].as_u64().unwrap_or_default()), is_allowed))
                })
                .collect(),
            aliases: pairs("aliases")
                .map(|pair| (text(&pair[0]), pair[1].as_array().into_iter().flatten().map(text).collect()))
                .collect(),
        }
    }

    /// Reads the options at the front of `arguments`; those of an environment variable if `in_environment`, where not
    /// all may be.
    pub fn read(&self, arguments: &[String], in_environment: bool) -> Options {
        let mut options = Options::default();
        // What aliases stand for.
        let mut synthetic: VecDeque<String> = VecDeque::new();
        while options.error.is_none() {
            let next = synthetic.front().or_else(|| arguments.get(options.taken));
            let Some(argument) = next.filter(|next| next.len() > 1 && next.starts_with('-')).cloned() else { break };
            let pop = |options: &mut Options, synthetic: &mut VecDeque<String>| {
                synthetic.pop_front().or_else(|| {
                    options.taken += 1;
                    arguments.get(options.taken - 1).cloned()
                })
            };
            pop(&mut options, &mut synthetic);
            if argument == "--" {
                options.ended = true;
                options.error = in_environment.then(|| "-- is not allowed in NODE_OPTIONS".to_owned());
                break;
            }
            let equals = argument.find('=').filter(|_| argument.starts_with("--"));
            let shown = equals.map_or(&*argument, |at| &argument[..=at]).to_owned();
            let mut name = equals.map_or(&*argument, |at| &argument[..at]).to_owned();
            if let Some(rest) = name.strip_prefix("--") {
                name = format!("--{}", rest.replace('_', "-"));
            }
            let negated = name.starts_with("--no-");
            if negated {
                name.replace_range(2..5, "");
            }
            loop {
                let next = synthetic.front().or_else(|| arguments.get(options.taken));
                let has_value = next.is_some_and(|next| !next.is_empty() && !next.starts_with('-'));
                let expansion = self.aliases.get(&name);
                let expansion = expansion.or_else(|| equals.and_then(|_| self.aliases.get(&format!("{name}="))));
                let expansion = expansion.or_else(|| has_value.then(|| self.aliases.get(&format!("{name} <arg>")))?);
                let Some([first, rest @ ..]) = expansion.map(Vec::as_slice) else { break };
                for argument in rest.iter().rev() {
                    synthetic.push_front(argument.clone());
                }
                if *first == name {
                    break;
                }
                name = first.clone();
            }
            let known = self.kinds.get(&name).copied();
            if in_environment && known.is_none_or(|(_, is_allowed)| !is_allowed) {
                options.error = Some(format!("{shown} is not allowed in NODE_OPTIONS"));
                break;
            }
            if !negated && let Some((_, implied)) = IMPLIED.iter().find(|(option, _)| *option == name) {
                options.values.insert((*implied).to_owned(), Value::Flag(true));
            }
            if name == "--experimental-shadow-realm" && !negated {
                options.v8.push("--harmony-shadow-realm".to_owned());
            }
            // V8 would end the process before anything of the library hears of the exception.
            if name == "--abort-on-uncaught-exception" {
                options.values.insert(name, Value::Flag(!negated));
                continue;
            }
            let kind = match known {
                Some((kind, _)) => kind,
                None => {
                    options.v8.push(argument);
                    continue;
                }
            };
            if negated && !matches!(kind, Kind::Flag | Kind::V8) {
                let message = format!("{argument} is an invalid negation because it is not a boolean option");
                options.error = Some(message);
                break;
            }
            let mut value = String::new();
            if !matches!(kind, Kind::Flag | Kind::Nothing | Kind::V8) {
                let given = match equals {
                    Some(at) => Some(argument[at + 1..].to_owned()).filter(|value| !value.is_empty()),
                    None => pop(&mut options, &mut synthetic).filter(|value| !value.starts_with('-')),
                };
                match given {
                    Some(given) if equals.is_none() && given.starts_with("\\-") => value = given[1..].to_owned(),
                    Some(given) => value = given,
                    None => {
                        options.error = Some(format!("{shown} requires an argument"));
                        break;
                    }
                }
            }
            let value = match kind {
                Kind::Nothing => continue,
                Kind::V8 => {
                    options.v8.push(argument);
                    continue;
                }
                Kind::Flag => Value::Flag(!negated),
                Kind::Integer => {
                    if name == "--stack-trace-limit" {
                        options.v8.push(argument);
                    }
                    Value::Number(leading_number(&value))
                }
                Kind::Text => Value::Text(value),
                Kind::HostPort => host_port(&value),
                Kind::List => {
                    let mut list = match options.values.remove(&name) {
                        Some(Value::List(list)) => list,
                        _ => Vec::new(),
                    };
                    list.push(value);
                    Value::List(list)
                }
            };
            for &(one, other) in TWINS {
                if name == one || name == other {
                    options.values.insert((if name == one { other } else { one }).to_owned(), value.clone());
                }
            }
            options.values.insert(name, value);
        }
        options.taken = options.taken.min(arguments.len());
        if options.error.is_none() {
            options.error = options.conflict();
        }
        options
    }
}

impl Options {
    /// Whether a flag is set.
    pub fn flag(&self, name: &str) -> bool {
        self.values.get(name) == Some(&Value::Flag(true))
    }

    fn text(&self, name: &str) -> Option<&str> {
        match self.values.get(name) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// Options that exclude each other, and values that there are not.
    fn conflict(&self) -> Option<String> {
        let is_one_of = |name: &str, known: &[&str]| self.text(name).is_none_or(|text| known.contains(&text));
        if self.flag("--check") && (self.flag("[has_eval_string]") || self.flag("--print")) {
            return Some("either --check or --eval can be used, not both".into());
        }
        if self.flag("--test") && self.flag("--check") {
            return Some("either --test or --check can be used, not both".into());
        }
        if self.flag("--test") && self.flag("[has_eval_string]") {
            return Some("either --test or --eval can be used, not both".into());
        }
        if !is_one_of("--input-type", &["commonjs", "module", "commonjs-typescript", "module-typescript"]) {
            let kinds = r#""module","commonjs", "module-typescript" or "commonjs-typescript""#;
            return Some(format!("--input-type must be {kinds}"));
        }
        let modes = ["warn-with-error-code", "throw", "strict", "warn", "none"];
        if !is_one_of("--unhandled-rejections", &modes) {
            return Some("invalid value for --unhandled-rejections".into());
        }
        None
    }

    /// Adds the options of `other`, which count for more.
    pub fn merge(&mut self, other: Options) {
        for (name, value) in other.values {
            let value = match (self.values.remove(&name), value) {
                (Some(Value::List(mut list)), Value::List(more)) => {
                    list.extend(more);
                    Value::List(list)
                }
                (_, value) => value,
            };
            self.values.insert(name, value);
        }
        self.v8.extend(other.v8);
        self.taken = other.taken;
        self.ended = other.ended;
        self.error = self.error.take().or(other.error);
    }
}

/// The number that a text begins with, as C's `atoll` reads it.
fn leading_number(text: &str) -> f64 {
    let text = text.trim_start();
    let end = text.char_indices().find(|&(at, char)| !(char.is_ascii_digit() || at == 0 && "+-".contains(char)));
    text[..end.map_or(text.len(), |(at, _)| at)].parse().unwrap_or(0.0)
}

fn host_port(text: &str) -> Value {
    match (text.parse(), text.rsplit_once(':')) {
        (Ok(port), _) => Value::HostPort(None, Some(port)),
        (_, Some((host, port))) => Value::HostPort(Some(host.trim_matches(['[', ']']).to_owned()), port.parse().ok()),
        _ => Value::HostPort(Some(text.to_owned()), None),
    }
}

/// The words of an environment variable that holds options: spaces part them, unless they are in double quotes.
pub fn words(text: &str) -> Result<Vec<String>, &'static str> {
    let (mut words, mut word, mut quoted) = (Vec::new(), None::<String>, false);
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' if quoted => match chars.next() {
                Some(escaped) => word.get_or_insert_default().push(escaped),
                None => return Err("invalid value for NODE_OPTIONS (invalid escape)"),
            },
            ' ' if !quoted => words.extend(word.take()),
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            char => word.get_or_insert_default().push(char),
        }
    }
    words.extend(word);
    if quoted { Err("invalid value for NODE_OPTIONS (unterminated string)") } else { Ok(words) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACTS: &str = r#"{
        "info": [
            ["--eval", {"type": 5, "envVarSettings": 1}], ["--print", {"type": 2, "envVarSettings": 1}],
            ["--warnings", {"type": 2, "envVarSettings": 0}], ["--require", {"type": 7, "envVarSettings": 0}],
            ["--expose-gc", {"type": 1, "envVarSettings": 0}], ["--max-http-header-size", {"type": 4, "envVarSettings": 0}]
        ],
        "aliases": [["-e", ["--eval"]], ["-p", ["--print"]], ["-pe", ["--print", "--eval"]],
            ["--print <arg>", ["-pe"]], ["-r", ["--require"]]]
    }"#;

    fn read(arguments: &[&str]) -> Options {
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        Table::new(&serde_json::from_str(FACTS).unwrap()).read(&arguments, false)
    }

    #[test]
    fn aliases_and_values() {
        let options = read(&["-r", "a", "--require=b", "--no_warnings", "-p", "1 + 1", "rest"]);
        assert_eq!((options.taken, &options.error), (6, &None));
        assert_eq!(options.values["--require"], Value::List(vec!["a".into(), "b".into()]));
        assert_eq!(options.values["--eval"], Value::Text("1 + 1".into()));
        assert!(options.flag("--print") && options.values["--warnings"] == Value::Flag(false));
        assert!(options.flag("[has_eval_string]"));
    }

    #[test]
    fn what_v8_may_know_and_what_is_wrong() {
        let options = read(&["--expose_gc", "--stack-size=9", "file.js", "--warnings"]);
        assert_eq!((options.v8, options.taken), (vec!["--expose_gc".into(), "--stack-size=9".to_owned()], 2));
        assert_eq!(read(&["--eval"]).error.unwrap(), "--eval requires an argument");
        assert_eq!(read(&["--require="]).error.unwrap(), "--require= requires an argument");
        assert!(read(&["--no-eval"]).error.unwrap().contains("invalid negation"));
        assert_eq!(read(&["--max-http-header-size=12x"]).values["--max-http-header-size"], Value::Number(12.0));
    }

    #[test]
    fn words_of_the_environment() {
        assert_eq!(words(r#" --a  "b \"c" d"#).unwrap(), ["--a", r#"b "c"#, "d"]);
        assert!(words("\"").is_err());
    }
}
