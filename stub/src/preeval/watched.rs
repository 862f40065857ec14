//! Whether objects are as they were, told from the words that they consist of.
//!
//! Before a unit is taken it has to be known that nobody has changed what all share: some hundred objects. To ask
//! JavaScript for their properties takes longer than many a unit saves. V8 keeps an object as a few words: its map (which
//! names it has, and how they can be written), its properties' values, and the place of those that found no room in it. An object with
//! the same words has the same properties. What has other words may have the same ones too: it moves, or V8 stores
//! it in another way. So only "the same" is an answer; after "something differs" JavaScript is asked.
//!
//! The one thing that V8 changes without changing a word of the object are numbers in a box of their own, and the
//! variables of the global object; run.js looks at these itself.

use std::cell::RefCell;

use v8::{Array, FunctionCallbackArguments, Local, PinScope, ReturnValue, Value};

use crate::realm::Realm;

/// Where things are in V8's objects, in words.
const MAP: usize = 0;
const PROPERTIES: usize = 1;
const ELEMENTS: usize = 2;
/// The first property of an object that is kept in it.
const FIRST_PROPERTY: usize = 3;
/// In what holds properties or elements: how many, and the first one.
const LENGTH: usize = 1;
const FIRST: usize = 2;
/// In a map: the byte which says how many words an object has.
const SIZE: usize = 8;
/// An array of properties keeps its owner's hash above its length.
const LENGTH_BITS: usize = 0x3ff;

/// The number of objects that samples of [`Kinds`] are taken from.
const SAMPLES: u32 = 3;

/// What the objects consisted of when somebody last looked.
#[derive(Default)]
struct Record {
    words: Vec<usize>,
    kinds: Kinds,
}

/// The maps of what holds properties and elements.
#[derive(Default, Clone, Copy)]
struct Kinds {
    properties: usize,
    dictionary: usize,
    elements: usize,
}

/// A pointer to something in V8's heap. It is used only as long as nothing is allocated there.
#[derive(Clone, Copy, PartialEq)]
struct Tagged(usize);

impl Tagged {
    fn of<T>(value: Local<T>) -> Tagged {
        // SAFETY: a handle points to the slot that has the value's address.
        Tagged(unsafe { *(&raw const *value).cast::<usize>() })
    }

    fn is_object(self) -> bool {
        self.0 & 1 == 1
    }

    /// The word at `index` of an object that has so many.
    fn word(self, index: usize) -> Tagged {
        debug_assert!(self.is_object());
        // SAFETY: callers ask for no more words than the object's map or length says it has; nothing moves meanwhile.
        Tagged(unsafe { *((self.0 - 1) as *const usize).add(index) })
    }

    fn map(self) -> usize {
        self.word(MAP).0
    }

    /// The words of a JavaScript object.
    fn size(self) -> usize {
        // SAFETY: every object has a map, and a map is longer than this.
        usize::from(unsafe { *((self.map() - 1 + SIZE) as *const u8) })
    }

    /// How many values something holds: a number in the upper half of a word, or in the lower one.
    fn length(self) -> usize {
        let word = self.word(LENGTH).0;
        word >> 32 | word & 0xffff_ffff
    }
}

impl Kinds {
    /// What `samples` show: an object with a property of its own (the array itself) and more than find room in it, a
    /// dictionary, and an array whose first element is the array of samples. Nothing if they are not laid out as expected.
    fn of(samples: Local<Array>, first: Tagged, second: Tagged, third: Tagged) -> Option<Kinds> {
        let marker = Tagged::of(samples);
        let is_plausible = |object: Tagged| object.is_object() && (FIRST_PROPERTY..64).contains(&object.size());
        if ![first, second, third].into_iter().all(is_plausible) || first.size() == FIRST_PROPERTY {
            return None;
        }
        let (properties, dictionary, elements) =
            (first.word(PROPERTIES), second.word(PROPERTIES), third.word(ELEMENTS));
        let is_known = [properties, dictionary, elements]
            .iter()
            .all(|it| it.is_object() && (1..1024).contains(&(it.length() & LENGTH_BITS)))
            && first.word(FIRST_PROPERTY) == marker
            && elements.word(FIRST) == marker;
        if !is_known {
            return None;
        }
        let maps = Kinds { properties: properties.map(), dictionary: dictionary.map(), elements: elements.map() };
        (maps.properties != maps.dictionary).then_some(maps)
    }

    /// How many values `it` holds, if it is of a known kind.
    fn held(&self, it: Tagged) -> Option<usize> {
        match it {
            // The owner's hash, where there is nothing to hold.
            _ if !it.is_object() => Some(0),
            _ if it.map() == self.properties => Some(it.length() & LENGTH_BITS),
            _ if it.map() == self.dictionary || it.map() == self.elements => Some(it.length()),
            _ => None,
        }
    }

    /// Shows `see` all words of `object` until it has seen enough. Returns whether it is known that these are all.
    fn walk(&self, object: Tagged, see: &mut impl FnMut(usize) -> bool) -> Option<bool> {
        let mut show = |it: Tagged, words: usize| (0..words).all(|index| see(it.word(index).0)).then_some(());
        show(object, object.size())?;
        let mut is_known = true;
        for store in [object.word(PROPERTIES), object.word(ELEMENTS)] {
            match self.held(store) {
                Some(0) => {}
                Some(count) => show(store, FIRST + count)?,
                None => is_known = false,
            }
        }
        Some(is_known)
    }
}

/// `record(objects, samples)` of run.js. Returns those of the objects whose words don't tell everything.
pub fn record<'s>(scope: &mut PinScope<'s, '_>, args: FunctionCallbackArguments<'s>, mut rv: ReturnValue<'s, Value>) {
    let (Ok(objects), Ok(samples)) = (Local::<Array>::try_from(args.get(0)), Local::<Array>::try_from(args.get(1)))
    else {
        return;
    };
    rv.set(objects.into());
    let record = Realm::current().room::<RefCell<Record>>();
    record.take();
    let samples_of: Option<Vec<Tagged>> =
        (0..SAMPLES).map(|index| samples.get_index(scope, index).map(Tagged::of)).collect();
    let Some([first, second, third]) = samples_of.as_deref() else { return };
    let Some(kinds) = Kinds::of(samples, *first, *second, *third) else { return };
    let mut words = Vec::new();
    let mut unknown = Vec::new();
    let list = Tagged::of(objects).word(ELEMENTS);
    for index in 0..objects.length() {
        let Some(object) = objects.get_index(scope, index) else { return };
        // The next look has no handles.
        if kinds.held(list).is_none_or(|held| held <= index as usize)
            || list.word(FIRST + index as usize) != Tagged::of(object)
        {
            return;
        }
        words.push(Tagged::of(object).0);
        let all = kinds.walk(Tagged::of(object), &mut |word| {
            words.push(word);
            true
        });
        if all != Some(true) {
            unknown.push(object);
        }
    }
    record.replace(Record { words, kinds });
    let unknown = Array::new_with_elements(scope, &unknown);
    rv.set(unknown.into());
}

/// `isSame(objects)` of run.js: whether all of them have the words that they had when they were recorded.
pub fn is_same<'s>(_: &mut PinScope<'s, '_>, args: FunctionCallbackArguments<'s>, mut rv: ReturnValue<'s, Value>) {
    let Ok(objects) = Local::<Array>::try_from(args.get(0)) else { return };
    let record = Realm::current().room::<RefCell<Record>>();
    let record = record.borrow();
    let mut words = record.words.iter();
    let mut see = |word| words.next() == Some(&word);
    let list = Tagged::of(objects).word(ELEMENTS);
    if record.words.is_empty() || record.kinds.held(list).is_none_or(|held| held < objects.length() as usize) {
        return rv.set_bool(false);
    }
    let is_same = (0..objects.length() as usize).all(|index| {
        let object = list.word(FIRST + index);
        see(object.0) && record.kinds.walk(object, &mut see).is_some()
    });
    rv.set_bool(is_same);
}
