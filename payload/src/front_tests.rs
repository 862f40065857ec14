//! Runs a stub that is as small as can be: all it does is exit with 7.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::*;
use crate::{Image, ImageWriter, Seal, SectionId};

const ADDRESS: u64 = 0x40_0000;

fn stub() -> Vec<u8> {
    let mut stub = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    stub.extend([2, 0, 62, 0, 1, 0, 0, 0]);
    let code = (HEADER_LEN + SEGMENT_LEN) as u64;
    stub.extend([ADDRESS + code, HEADER_LEN as u64, 9999].iter().flat_map(|field| field.to_le_bytes()));
    stub.extend([0, 0, 0, 0, 64, 0, 56, 0, 1, 0, 64, 0, 9, 0, 8, 0]);
    let seal = Seal::UNSEALED;
    // SAFETY: a `Seal` is plain bytes without padding.
    let seal = unsafe { std::slice::from_raw_parts((&raw const seal).cast::<u8>(), Seal::LEN) };
    // mov edi, 7; mov eax, 231; syscall
    let body = [b"\xbf\x07\0\0\0\xb8\xe7\0\0\0\x0f\x05".as_slice(), seal, &[0xcc; 9000]].concat();
    let len = code + body.len() as u64;
    Segment { memory_len: len + 100_000, ..Segment::plain(7, 0, ADDRESS, len) }.write(&mut stub);
    [&stub, body.as_slice(), b"symbols, which are not loaded"].concat()
}

fn sealed(stub: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    ImageWriter::new(stub).unwrap().plain(SectionId::Files, &[1; 5000]).write(&mut out).unwrap();
    out
}

#[test]
fn notices_what_is_missing() {
    let whole = sealed(&stub());
    let folder = std::env::temp_dir().join(format!("kiln-front-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let run = |bytes: &[u8]| {
        let path = folder.join(bytes.len().to_string());
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        let output = Command::new(&path).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(run(&whole), (Some(7), String::new()));
    let message = "this executable is damaged: it does not have the length that it was built with\n";
    for len in [1000, 4095, 4096, 4097, 8192, 12_000, whole.len() - 5000, whole.len() - 1] {
        assert_eq!(run(&whole[..len]), (Some(70), message.into()), "{len} bytes");
    }
    assert_eq!(run(&[whole.as_slice(), b"more"].concat()), (Some(70), message.into()));
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn the_payload_is_found_behind_it() {
    let bytes = sealed(&stub()).leak();
    assert!(!bytes.windows(7).any(|bytes| bytes == b"symbols"));
    let image = Image::open(bytes, &Seal::of(bytes).unwrap()).unwrap();
    assert_eq!(image.section(SectionId::Files).unwrap().bytes, [1; 5000]);
}

#[test]
fn other_stubs_go_without() {
    let without = |change: fn(&mut Vec<u8>)| {
        let mut stub = stub();
        change(&mut stub);
        Front::of(&stub).is_none()
    };
    assert!(!without(|_| ()));
    assert!(without(|stub| stub.truncate(40)));
    assert!(without(|stub| stub.truncate(4000)));
    assert!(without(|stub| stub[0] = b'#'));
    // Another machine; addresses that are not fixed; tables out of bounds.
    assert!(without(|stub| stub[18] = 183));
    assert!(without(|stub| stub[16] = 3));
    assert!(without(|stub| stub[32..40].fill(0xff)));
    assert!(without(|stub| stub[56..58].fill(0xff)));
    // A segment that makes no sense.
    assert!(without(|stub| stub[72..80].fill(0xff)));
    assert!(without(|stub| stub[80..88].fill(0xff)));
    assert!(without(|stub| stub[96..104].fill(0xff)));
}
