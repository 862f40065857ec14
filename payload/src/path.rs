//! Paths of the virtual root, which are compared letter for letter.

/// `path` without `.`, `..` and slashes that mean nothing, by its text alone. It is absolute whatever it was.
pub fn normalize(path: &str) -> String {
    let parts = path.split('/').fold(Vec::new(), |mut parts, part| {
        step(&mut parts, part, part.as_bytes());
        parts
    });
    format!("/{}", parts.join("/"))
}

/// The same for a path that need not be UTF-8.
pub fn normalize_bytes(path: &[u8]) -> Vec<u8> {
    let parts = path.split(|&byte| byte == b'/').fold(Vec::new(), |mut parts, part| {
        step(&mut parts, part, part);
        parts
    });
    [b"/", &parts.join(&b'/')[..]].concat()
}

fn step<P>(parts: &mut Vec<P>, part: P, text: &[u8]) {
    match text {
        b"" | b"." => {}
        b".." => {
            parts.pop();
        }
        _ => parts.push(part),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_nothing_is_gone() {
        for (path, expected) in
            [("/a//b/./c/..", "/a/b"), ("/..", "/"), ("", "/"), ("a/b/", "/a/b"), ("/a/.../..b", "/a/.../..b")]
        {
            assert_eq!(normalize(path), expected);
            assert_eq!(normalize_bytes(path.as_bytes()), expected.as_bytes());
        }
    }
}
