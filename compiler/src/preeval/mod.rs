//! Pre-evaluation: which of the program's modules are evaluated while the snapshot is taken.
//!
//! The stub rehearses a start of the program, and says which modules it loads and what they touch. From this come the
//! *units*, the largest parts that touch nothing and stand alone; the stub checks them, and takes the snapshot with them.
//! Whatever goes wrong on the way, the program is built without.

mod explain;

use std::collections::{BTreeMap, BTreeSet};

use kiln_payload::{Codes, Format, Rehearsal};
use serde::{Deserialize, Serialize};

use crate::bundle::Bundle;
use crate::diagnostic::{Diagnostic, Severity};
use crate::snapshot::{BuildImage, LIMIT};

/// How often units are checked again after some have turned out to be none.
const MOST_CHECKS: usize = 8;

/// A unit with less text is not worth the look at start whether it can be used, in bytes.
const LEAST_TEXT: usize = 400;

/// What of the program is evaluated at build time.
#[derive(Debug, Clone, Default)]
pub struct Evaluation {
    /// The units, in the order in which they are loaded.
    pub units: Vec<Unit>,
    /// The modules that the program loads when it starts, in that order; ES modules are not among them.
    pub loads: Vec<Loaded>,
    /// How many ES modules the program has.
    pub es_modules: usize,
    /// Which of `Intl`'s formatters a start makes, by their names.
    pub formatters: BTreeSet<String>,
    /// How many modules the program has.
    pub modules: usize,
    /// What ended the rehearsal early.
    pub ended: Option<String>,
    /// Why nothing is evaluated.
    pub failure: Option<String>,
    /// What went wrong without being in the way.
    pub warnings: Vec<Diagnostic>,
}

impl Evaluation {
    fn of(bundle: &Bundle) -> Self {
        let modules = &bundle.index.modules;
        let es_modules = modules.iter().filter(|module| module.format == Format::Module).count();
        Evaluation { modules: modules.len(), es_modules, ..Evaluation::default() }
    }
}

/// A module that the program loads when it starts.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// How many others are being loaded meanwhile.
    pub depth: usize,
    /// Its path.
    pub path: String,
    /// Why it is not evaluated at build time, if it is not.
    pub deferred: Option<String>,
    /// The trap that keeps it from that, as `deferred` says it.
    pub trap: Option<String>,
}

/// What is evaluated by itself.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Unit {
    /// The path of its first module.
    pub path: String,
    /// The paths of its modules, in their order.
    #[serde(skip)]
    pub members: Vec<String>,
    /// What the evaluation has taken for granted, as the stub writes it.
    pub guards: Vec<String>,
}

/// What the stub says of a rehearsal.
#[derive(Deserialize)]
struct Report {
    #[serde(default)]
    failure: Option<String>,
    #[serde(default)]
    rehearsal: Loads,
    #[serde(default)]
    traps: Vec<Touch>,
}

#[derive(Deserialize, Default)]
struct Loads {
    failure: Option<String>,
    loads: Vec<Load>,
}

/// A trap that was touched.
#[derive(Deserialize)]
struct Touch {
    name: String,
    place: Option<String>,
}

/// A module that was loaded. Those from its own number to `last` were loaded by it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Load {
    path: String,
    /// The number of the module that is being loaded, or -1.
    parent: i64,
    last: usize,
    /// The traps touched until then.
    traps: usize,
    /// The same at its end.
    last_trap: Option<usize>,
    ok: bool,
    is_clean: bool,
    is_closed: bool,
}

/// What became of a unit.
#[derive(Deserialize)]
struct Checked {
    #[serde(default)]
    members: Vec<String>,
    #[serde(default)]
    guards: Vec<String>,
    trap: Option<String>,
    place: Option<String>,
    message: Option<String>,
}

/// Takes the program's snapshot. If it is to be `evaluated`, what a start loads is compiled in it, and units are evaluated;
/// otherwise all modules are compiled as far as V8 does by itself. Then the program runs with each of the `trainings`, its
/// arguments, and what it compiles goes into the snapshot too. Returns V8's blob, and the code of what is not in it.
pub fn snapshot(
    stub: &[u8],
    bundle: &Bundle,
    evaluated: bool,
    trainings: &[Vec<String>],
) -> Result<(Vec<u8>, Codes, Evaluation), Diagnostic> {
    let image = BuildImage::new(stub, bundle)?;
    let mut evaluation = Evaluation::of(bundle);
    if bundle.index.in_place || !evaluated && trainings.is_empty() {
        return Ok((image.snapshot(&[], &[])?, Codes::default(), evaluation));
    }
    let (mut blob, mut known) = match evaluated {
        true => evaluate(&image, bundle, &mut evaluation)?,
        false => (image.snapshot(&[], &[])?, Vec::new()),
    };
    if !trainings.is_empty() {
        let trainee = BuildImage::with_snapshot(stub, bundle, &blob)?;
        for arguments in trainings {
            match trainee.train(arguments, &known) {
                Ok(learnt) => known = learnt,
                Err(why) => evaluation.warnings.push(untaught(arguments, why)),
            }
        }
        blob = image.snapshot(&evaluation.units, &known)?;
    }
    let Some(Rehearsal { codes: Codes { modules: ran, .. }, .. }) = Rehearsal::from_bytes(&known) else {
        return Ok((blob, Codes::default(), evaluation));
    };
    // What is in the snapshot with its code needs none.
    let evaluated: BTreeSet<&String> = evaluation.units.iter().flat_map(|unit| &unit.members).collect();
    let ran: BTreeSet<u32> = ran.iter().map(|code| code.module).collect();
    let waiting: Vec<u32> = (0..)
        .zip(&bundle.index.modules)
        .filter(|(id, module)| module.format != Format::Json && (!ran.contains(id) || evaluated.contains(&module.path)))
        .map(|(id, _)| id)
        .collect();
    let mut codes = match waiting.is_empty() {
        true => Codes::default(),
        false => BuildImage::with_snapshot(stub, bundle, &blob)?.codes(&waiting)?,
    };
    codes.compress().map_err(|error| Diagnostic::error(format!("cannot compress code: {error}")))?;
    Ok((blob, codes, evaluation))
}

/// Takes a snapshot with as much evaluated as can be. Returns V8's blob, and the rehearsal, or nothing if that failed.
fn evaluate(
    image: &BuildImage,
    bundle: &Bundle,
    evaluation: &mut Evaluation,
) -> Result<(Vec<u8>, Vec<u8>), Diagnostic> {
    let rehearsed = image.run("--kiln-rehearse", &[], &[], Some(LIMIT)).and_then(|bytes| {
        let rehearsal = Rehearsal::from_bytes(&bytes);
        rehearsal.map(|rehearsal| (rehearsal, bytes)).ok_or_else(|| Diagnostic::error("a rehearsal can't be read"))
    });
    let rehearsed = rehearsed.map(|first| rehearse_with_argument(image, &first).unwrap_or(first));
    let (rehearsal, bytes) = match rehearsed {
        Ok(rehearsed) => rehearsed,
        Err(why) => {
            evaluation.failure = Some(why.render(false));
            return Ok((image.snapshot(&[], &[])?, Vec::new()));
        }
    };
    if let Err(why) = find_units(image, bundle, (&rehearsal.report, &bytes), evaluation) {
        evaluation.units.clear();
        evaluation.failure = Some(why.render(false));
    }
    let blob = match image.snapshot(&evaluation.units, &bytes) {
        Ok(blob) => blob,
        Err(why) => {
            evaluation.units.clear();
            evaluation.failure = Some(why.render(false));
            image.snapshot(&[], &bytes)?
        }
    };
    Ok((blob, bytes))
}

/// The `first` rehearsal with what the program compiles when it is given an argument, if it has looked at them.
fn rehearse_with_argument(image: &BuildImage, first: &(Rehearsal, Vec<u8>)) -> Option<(Rehearsal, Vec<u8>)> {
    let report: Report = parse(first.0.report.as_bytes()).ok()?;
    if !report.traps.iter().any(|touch| touch.name == "process.argv") {
        return None;
    }
    let bytes = image.run("--kiln-rehearse", &[], &first.1, Some(LIMIT)).ok()?;
    Some((Rehearsal::from_bytes(&bytes)?, bytes))
}

/// A training from which nothing is learnt.
fn untaught(arguments: &[String], why: Diagnostic) -> Diagnostic {
    let message = format!("the run with the arguments \"{}\" fails: {}", arguments.join(" "), why.message);
    Diagnostic { severity: Severity::Warning, message, ..why }
}

fn find_units(
    image: &BuildImage,
    bundle: &Bundle,
    (report, rehearsal): (&str, &[u8]),
    evaluation: &mut Evaluation,
) -> Result<(), Diagnostic> {
    let report: Report = parse(report.as_bytes())?;
    if let Some(failure) = report.failure {
        return Err(Diagnostic::error(failure));
    }
    evaluation.formatters = report.traps.iter().filter_map(Touch::formatter).map(str::to_owned).collect();
    // One module alone is the entry, which runs at start.
    if bundle.index.modules.len() == 1 {
        return Ok(());
    }
    let loads = &report.rehearsal.loads;
    evaluation.ended.clone_from(&report.rehearsal.failure);
    let lengths: BTreeMap<&str, (usize, Format)> = bundle
        .index
        .modules
        .iter()
        .map(|module| (module.path.as_str(), (module.text.len as usize, module.format)))
        .collect();
    // Why, and whether that is a trap.
    let mut refused: BTreeMap<&str, (String, bool)> = BTreeMap::new();
    for _ in 0..MOST_CHECKS {
        let units = choose(&bundle.entry, loads, &lengths, &refused);
        if units.is_empty() {
            evaluation.units.clear();
            break;
        }
        let plan: Vec<Unit> =
            units.iter().map(|id| Unit { path: loads[*id].path.clone(), ..Unit::default() }).collect();
        let checked: Vec<Checked> = parse(&image.run("--kiln-check", &plan, rehearsal, Some(LIMIT))?)?;
        evaluation.units.clear();
        let before = refused.len();
        for (id, checked) in units.iter().zip(checked) {
            if let Some(why) = checked.refusal() {
                refused.insert(&loads[*id].path, (why, checked.trap.is_some()));
            } else {
                evaluation.units.push(Unit {
                    path: loads[*id].path.clone(),
                    members: checked.members,
                    guards: checked.guards,
                });
            }
        }
        if refused.len() == before {
            break;
        }
        // What the refused ones have done may have led the others astray.
        evaluation.units.clear();
    }
    let evaluated: BTreeSet<&String> = evaluation.units.iter().flat_map(|unit| &unit.members).collect();
    let mut depths: Vec<usize> = Vec::with_capacity(loads.len());
    for load in loads {
        let parent = usize::try_from(load.parent).ok();
        let depth = parent.and_then(|parent| depths.get(parent)).map_or(0, |depth| depth + 1);
        depths.push(depth);
        let touch = report.traps.get(load.traps).filter(|_| !load.is_clean).map(Touch::describe);
        let refusal = refused.get(load.path.as_str());
        let deferred = (!evaluated.contains(&load.path)).then(|| match (refusal, &touch) {
            (Some((why, _)), _) => why.clone(),
            (None, Some(touch)) => touch.clone(),
            _ if !load.ok || load.last_trap.is_none() => "it throws".into(),
            _ if !load.is_closed => "it needs modules that others have loaded".into(),
            _ => "it is too small".into(),
        });
        let is_trap = refusal.map_or(touch.is_some(), |(_, is_trap)| *is_trap);
        let trap = deferred.clone().filter(|_| is_trap);
        evaluation.loads.push(Loaded { depth, path: load.path.clone(), deferred, trap });
    }
    Ok(())
}

/// The largest parts that can be units.
fn choose(
    entry: &str,
    loads: &[Load],
    lengths: &BTreeMap<&str, (usize, Format)>,
    refused: &BTreeMap<&str, (String, bool)>,
) -> Vec<usize> {
    let mut units = Vec::new();
    let mut id = 0;
    while let Some(load) = loads.get(id) {
        let members = &loads[id..load.last.max(id + 1)];
        let text: usize = members.iter().filter_map(|member| Some(lengths.get(member.path.as_str())?.0)).sum();
        let is_common_js = lengths.get(load.path.as_str()).is_some_and(|(_, format)| *format == Format::CommonJs);
        let is_unit = load.path != entry && load.ok && load.is_closed && is_common_js && text >= LEAST_TEXT;
        if is_unit && !refused.contains_key(load.path.as_str()) {
            units.push(id);
            id = load.last;
        } else {
            id += 1;
        }
    }
    units
}

impl Checked {
    /// Why it is no unit.
    fn refusal(&self) -> Option<String> {
        match (&self.trap, &self.message) {
            (Some(trap), _) => Some(Touch { name: trap.clone(), place: self.place.clone() }.describe()),
            (None, Some(message)) => Some(message.lines().next().unwrap_or_default().to_owned()),
            (None, None) => None,
        }
    }
}

impl Touch {
    /// The formatter of `Intl` that was made.
    fn formatter(&self) -> Option<&str> {
        let function = self.name.strip_suffix("()")?;
        match function {
            "String.prototype.localeCompare" => Some("Collator"),
            "Number.prototype.toLocaleString" | "BigInt.prototype.toLocaleString" => Some("NumberFormat"),
            _ => function.strip_prefix("new ").unwrap_or(function).strip_prefix("Intl."),
        }
    }

    fn describe(&self) -> String {
        match &self.place {
            Some(place) => format!("{} at {place}", self.name),
            None => self.name.clone(),
        }
    }
}

fn parse<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, Diagnostic> {
    serde_json::from_slice(json).map_err(|error| Diagnostic::error(format!("a report can't be read: {error}")))
}
