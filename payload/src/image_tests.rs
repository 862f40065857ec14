use super::*;
use crate::{File, Format, ImageWriter, Index, Module, Node, PAGE, SealError, Text};

/// A stand-in for the stub: some bytes with an unsealed seal among them.
fn stub() -> Vec<u8> {
    let mut stub = b"not really an ELF file".to_vec();
    let seal = Seal::UNSEALED;
    // SAFETY: a `Seal` is plain bytes without padding.
    stub.extend(unsafe { std::slice::from_raw_parts((&raw const seal).cast::<u8>(), Seal::LEN) });
    stub.extend(b" and some more");
    stub
}

fn index() -> Index {
    let mut index = Index { entry: "/__kiln__/app.js".into(), ..Index::default() };
    let file = |encoding, offset, stored_len, len, module| {
        Node::File(File { offset, stored_len, len, encoding, executable: false, module })
    };
    index.nodes.insert("/__kiln__/app.js".into(), file(Encoding::Text, 0, 0, 6, Some(0)));
    index.nodes.insert("/__kiln__/data".into(), file(Encoding::Zstd, 0, 21, 1000, None));
    for (path, offset, len, wide) in [("/__kiln__/app.js", 0, 5, false), ("/__kiln__/b.js", 8, 2, true)] {
        index.modules.push(Module {
            path: path.into(),
            format: Format::CommonJs,
            text: Text { offset, len, wide },
            origins: None,
            requires: [("fs".to_string(), "node:fs".to_string())].into_iter().collect(),
            imports: Default::default(),
        });
    }
    index
}

/// An executable whose sections lie on page boundaries, as when it is mapped.
fn image() -> &'static mut [u8] {
    let data = zstd::bulk::compress(&[b'x'; 1000], 3).unwrap();
    let mut index = index();
    if let Some(Node::File(file)) = index.nodes.get_mut("/__kiln__/data") {
        file.stored_len = data.len() as u64;
    }
    let index = index.to_bytes();
    let stub = stub();
    let mut writer = ImageWriter::new(&stub).unwrap();
    writer.plain(SectionId::Index, &index);
    writer.plain(SectionId::Text, b"caf\xe9s\0\0\0\x3d\xd8\x00\xde");
    writer.plain(SectionId::Files, &data);
    let mut bytes = Vec::new();
    let len = writer.write(&mut bytes).unwrap();
    assert_eq!(len, bytes.len() as u64);
    page_aligned(&bytes)
}

fn page_aligned(bytes: &[u8]) -> &'static mut [u8] {
    let room = vec![0; bytes.len() + PAGE as usize].leak();
    let start = room.as_ptr().align_offset(PAGE as usize);
    let aligned = &mut room[start..][..bytes.len()];
    aligned.copy_from_slice(bytes);
    aligned
}

#[test]
fn round_trip() {
    let file: &[u8] = image();
    let opened = Image::open(file, &Seal::of(file).unwrap()).unwrap();
    for index in [opened.index().unwrap(), opened.checked_index().unwrap()] {
        assert_eq!(index.entry.as_str(), "/__kiln__/app.js");
        assert_eq!(index.modules[0].requires.get("fs").unwrap().as_str(), "node:fs");
        assert_eq!(opened.source(&index.modules[0].text), Ok(Source::Latin1(b"caf\xe9s")));
        assert_eq!(opened.source(&index.modules[1].text).unwrap().to_utf8(), "😀".as_bytes());
        for (path, bytes) in [("/__kiln__/app.js", "cafés".as_bytes()), ("/__kiln__/data", &[b'x'; 1000])] {
            let Some(crate::ArchivedNode::File(file)) = index.nodes.get(path) else { panic!("{path}") };
            assert_eq!(opened.file(index, file).unwrap(), bytes);
        }
    }
    assert!(opened.section(SectionId::Snapshot).is_none());
}

#[test]
fn same_input_same_bytes() {
    assert_eq!(image(), image());
}

#[test]
fn a_bare_stub_says_so() {
    let file = page_aligned(&stub());
    assert_eq!(Image::open(file, &Seal::UNSEALED).unwrap_err(), Damage::Bare);
}

#[test]
fn cut_short_anywhere() {
    let file: &[u8] = image();
    let seal = Seal::of(file).unwrap();
    for len in 0..file.len() {
        let found = len as u64;
        let expected = file.len() as u64;
        assert_eq!(Image::open(&file[..len], &seal).unwrap_err(), Damage::Length { expected, found });
    }
}

#[test]
fn any_byte_changed() {
    let file = image();
    let seal = Seal::of(file).unwrap();
    for at in stub().len()..file.len() {
        let mut changed = file.to_vec();
        changed[at] ^= 0x40;
        assert!(Image::open(changed.leak(), &seal).is_err(), "byte {at}");
    }
    // The fields of the seal lie in the stub, but count as much.
    let at = Seal::find(file).unwrap() + Seal::FIELDS;
    for at in at..at + 16 {
        let mut changed = file.to_vec();
        changed[at] ^= 0x40;
        let seal = Seal::of(&changed).unwrap();
        assert!(Image::open(changed.leak(), &seal).is_err(), "byte {at}");
    }
}

#[test]
fn the_seal_must_be_unique() {
    assert_eq!(Seal::find(b"no seal"), Err(SealError::Missing));
    assert_eq!(Seal::find(&[stub(), stub()].concat()), Err(SealError::Several));
}

#[test]
fn damage_is_one_line() {
    for damage in [
        Damage::Bare,
        Damage::Length { expected: 10, found: 9 },
        Damage::Length { expected: 9, found: 10 },
        Damage::Trailer,
        Damage::Version(7),
        Damage::Checksum,
        Damage::Contents,
    ] {
        let line = damage.to_string();
        assert!(!line.contains('\n') && line.starts_with("this "), "{line}");
    }
}
