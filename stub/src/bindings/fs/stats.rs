//! The arrays of numbers that `stat` and `statfs` fill.

use v8::{Local, Object, PinScope, Value};

use super::output::fill;
use crate::realm::Realm;
use crate::uv::fs::{Stat, StatFs};
use crate::{aliased, js};

/// Numbers of one `stat`.
const FIELDS: usize = 18;
/// Numbers of one `statfs`.
const FS_FIELDS: usize = 8;

const STAT: &str = "fs.statValues";
const BIGINT_STAT: &str = "fs.bigintStatValues";
const STAT_FS: &str = "fs.statFsValues";
const BIGINT_STAT_FS: &str = "fs.bigintStatFsValues";

/// Makes the arrays that all calls share. Those of `stat` have room for two: a watcher tells the old from the new.
pub fn setup<'s>(scope: &mut PinScope<'s, '_>, target: Local<'s, Object>) {
    let arrays = [
        ("statValues", aliased::create::<f64>(scope, STAT, 2 * FIELDS)),
        ("bigintStatValues", aliased::create::<i64>(scope, BIGINT_STAT, 2 * FIELDS)),
        ("statFsValues", aliased::create::<f64>(scope, STAT_FS, FS_FIELDS)),
        ("bigintStatFsValues", aliased::create::<i64>(scope, BIGINT_STAT_FS, FS_FIELDS)),
    ];
    for (name, array) in arrays {
        js::set(scope, target, name, array);
    }
}

fn fields(stat: &Stat) -> [i64; FIELDS] {
    [
        stat.st_dev as i64,
        stat.st_mode as i64,
        stat.st_nlink as i64,
        stat.st_uid as i64,
        stat.st_gid as i64,
        stat.st_rdev as i64,
        stat.st_blksize as i64,
        stat.st_ino as i64,
        stat.st_size as i64,
        stat.st_blocks as i64,
        stat.st_atim.tv_sec,
        stat.st_atim.tv_nsec,
        stat.st_mtim.tv_sec,
        stat.st_mtim.tv_nsec,
        stat.st_ctim.tv_sec,
        stat.st_ctim.tv_nsec,
        stat.st_birthtim.tv_sec,
        stat.st_birthtim.tv_nsec,
    ]
}

/// The array for `stat`.
pub fn value<'s>(scope: &mut PinScope<'s, '_>, stat: &Stat, bigint: bool, shared: bool) -> Option<Local<'s, Value>> {
    array(scope, &fields(stat), bigint, shared, [STAT, BIGINT_STAT])
}

/// Fills the shared array with the present and the previous state of a watched file.
pub fn two<'s>(
    scope: &mut PinScope<'s, '_>,
    present: &Stat,
    previous: &Stat,
    bigint: bool,
) -> Option<Local<'s, Value>> {
    let both = [fields(present), fields(previous)].concat();
    array(scope, &both, bigint, true, [STAT, BIGINT_STAT])
}

/// The array for `statfs`.
pub fn file_system<'s>(
    scope: &mut PinScope<'s, '_>,
    stat: &StatFs,
    bigint: bool,
    shared: bool,
) -> Option<Local<'s, Value>> {
    let fields = [
        stat.f_type,
        stat.f_bsize,
        stat.f_frsize,
        stat.f_blocks,
        stat.f_bfree,
        stat.f_bavail,
        stat.f_files,
        stat.f_ffree,
    ];
    array(scope, &fields.map(|field| field as i64), bigint, shared, [STAT_FS, BIGINT_STAT_FS])
}

fn array<'s>(
    scope: &mut PinScope<'s, '_>,
    fields: &[i64],
    bigint: bool,
    shared: bool,
    slots: [&'static str; 2],
) -> Option<Local<'s, Value>> {
    let number = |field: &i64| *field as f64;
    if shared {
        let slot = slots[usize::from(bigint)];
        match bigint {
            true => fill(aliased::cells::<i64>(scope, slot), fields.iter().copied()),
            false => fill(aliased::cells::<f64>(scope, slot), fields.iter().map(number)),
        }
        return Realm::current().slot(scope, slot);
    }
    let bytes: Vec<u8> = match bigint {
        true => fields.iter().flat_map(|field| field.to_ne_bytes()).collect(),
        false => fields.iter().flat_map(|field| number(field).to_ne_bytes()).collect(),
    };
    let store = v8::ArrayBuffer::new_backing_store_from_vec(bytes).make_shared();
    let buffer = v8::ArrayBuffer::with_backing_store(scope, &store);
    match bigint {
        true => v8::BigInt64Array::new(scope, buffer, 0, fields.len()).map(Into::into),
        false => v8::Float64Array::new(scope, buffer, 0, fields.len()).map(Into::into),
    }
}
