//! What calls give, as JavaScript sees it.

use std::cell::Cell;

use v8::{Array, Local, PinScope, Value};

use super::recursive::Tree;
use super::{descriptors, file_handle, stats};
use crate::bindings::fs_dir;
use crate::js;
use crate::text::{self, Encoding};
use crate::uv::fs::{Entry, Output};

/// What a task made.
pub enum Product {
    /// A call's output.
    Output(Output),
    /// A folder with everything below it.
    Tree(Tree),
}

/// How a product becomes a JavaScript value.
#[derive(Clone)]
pub enum Shape {
    /// `undefined`.
    Nothing,
    /// A number.
    Number,
    /// The descriptor of a file that was opened.
    Descriptor,
    /// An array of numbers, or of BigInts.
    Stat {
        /// BigInts.
        bigint: bool,
        /// A file that is missing is no error, but `undefined`.
        optional: bool,
    },
    /// The same for `statfs`.
    StatFs {
        /// BigInts.
        bigint: bool,
    },
    /// A path; `undefined` if there is none.
    Path(Encoding),
    /// Names, or names and kinds, of a folder or a whole tree.
    Names {
        /// Of the names.
        encoding: Encoding,
        /// With kinds.
        types: bool,
    },
    /// Names and kinds by turns, `null` at the end.
    Pairs(Encoding),
    /// A `FileHandle` for the path.
    FileHandle(String),
    /// A `DirHandle`.
    DirHandle,
}

impl Shape {
    /// Whether an error with this number only means that there is nothing. Node looks at fewer of them for `lstat`.
    pub fn forgives(&self, errno: i32, syscall: &str) -> bool {
        match self {
            Shape::Stat { optional: true, .. } => {
                errno == -libc::ENOENT || errno == -libc::ENOTDIR && syscall != "lstat"
            }
            _ => false,
        }
    }

    /// The value; `None` when it does not fit into JavaScript. `shared`: numbers go into the arrays that all calls
    /// share, for whoever reads them at once.
    pub fn value<'s>(self, scope: &mut PinScope<'s, '_>, product: Product, shared: bool) -> Option<Local<'s, Value>> {
        let output = match (product, &self) {
            (Product::Tree(tree), Shape::Names { encoding, types }) => return tree.value(scope, *encoding, *types),
            (Product::Tree(_), _) => return Some(js::undefined(scope)),
            (Product::Output(output), _) => output,
        };
        match (self, output) {
            (Shape::Number, Output::Number(number)) => Some(js::number(scope, number as f64)),
            (Shape::Descriptor, Output::Number(fd)) => {
                descriptors::opened(scope, fd as i32);
                Some(js::number(scope, fd as f64))
            }
            (Shape::Stat { bigint, .. }, Output::Stat(stat)) => stats::value(scope, &stat, bigint, shared),
            (Shape::StatFs { bigint }, Output::StatFs(stat)) => stats::file_system(scope, &stat, bigint, shared),
            (Shape::Path(encoding), Output::Path(path)) => text::encode(scope, &path, encoding),
            (Shape::Names { encoding, types }, Output::Entries(entries)) => names(scope, &entries, encoding, types),
            (Shape::Pairs(_), Output::Entries(entries)) if entries.is_empty() => Some(js::null(scope)),
            (Shape::Pairs(encoding), Output::Entries(entries)) => pairs(scope, &entries, encoding),
            (Shape::FileHandle(path), Output::Number(fd)) => {
                file_handle::create(scope, fd as i32, path).map(Into::into)
            }
            (Shape::DirHandle, Output::Dir(dir)) => fs_dir::create(scope, fs_dir::Folder::Disk(dir)).map(Into::into),
            // A folder inside of the executable is read when it is opened.
            (Shape::DirHandle, Output::Entries(all)) => {
                fs_dir::create(scope, fs_dir::Folder::Inside(all)).map(Into::into)
            }
            _ => Some(js::undefined(scope)),
        }
    }
}

fn names<'s>(
    scope: &mut PinScope<'s, '_>,
    entries: &[Entry],
    encoding: Encoding,
    types: bool,
) -> Option<Local<'s, Value>> {
    let names: Option<Vec<_>> = entries.iter().map(|entry| text::encode(scope, &entry.name, encoding)).collect();
    let names = Array::new_with_elements(scope, &names?);
    if !types {
        return Some(names.into());
    }
    let kinds: Vec<_> = entries.iter().map(|entry| js::integer(scope, entry.kind.into())).collect();
    let kinds = Array::new_with_elements(scope, &kinds);
    Some(Array::new_with_elements(scope, &[names.into(), kinds.into()]).into())
}

fn pairs<'s>(scope: &mut PinScope<'s, '_>, entries: &[Entry], encoding: Encoding) -> Option<Local<'s, Value>> {
    let mut all = Vec::with_capacity(2 * entries.len());
    for entry in entries {
        all.push(text::encode(scope, &entry.name, encoding)?);
        all.push(js::integer(scope, entry.kind.into()));
    }
    Some(Array::new_with_elements(scope, &all).into())
}

/// Sets the cells to what `values` gives, as far as both go.
pub fn fill<T: Copy>(cells: &[Cell<T>], values: impl IntoIterator<Item = T>) {
    for (cell, value) in cells.iter().zip(values) {
        cell.set(value);
    }
}
