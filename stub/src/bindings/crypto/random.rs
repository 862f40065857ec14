//! Random bytes.
//!
//! A question to the kernel costs much more than a few bytes do, and programs mostly want a few: for an id, a key, a
//! name. So they come out of blocks. What has been handed out is wiped, so that it can't be found in memory later.

use std::cell::RefCell;

use crate::uv::system;

/// How much is asked for at once.
const BLOCK: usize = 4096;
/// More than this is asked for when it is wanted.
const FEW: usize = BLOCK / 16;

struct Block {
    bytes: Box<[u8]>,
    /// What has been handed out.
    used: usize,
}

thread_local! {
    static LEFT: RefCell<Block> = RefCell::new(Block { bytes: vec![0; BLOCK].into(), used: BLOCK });
}

/// Fills `target`. May be called on any thread.
pub fn fill(target: &mut [u8]) -> Result<(), String> {
    if target.len() > FEW {
        return system::random(target).map_err(crate::uv::error_message);
    }
    LEFT.with_borrow_mut(|block| {
        if BLOCK - block.used < target.len() {
            system::random(&mut block.bytes).map_err(crate::uv::error_message)?;
            block.used = 0;
        }
        let given = &mut block.bytes[block.used..block.used + target.len()];
        target.copy_from_slice(given);
        given.fill(0);
        block.used += target.len();
        Ok(())
    })
}
