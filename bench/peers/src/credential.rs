//! The token of the server that has access rules, and the files that let it in.

use std::{fs, io, path::Path};

/// 32 bytes in base64url, as `tiny-cache-server token new` makes them.
#[cfg(test)]
pub(crate) const TOKEN: &str = "PIKv0sXKZmflKFXz-zRlPAq8vk-uBXR90Pfav4HQ2yY";

/// The value of `authorization` with that token, in the Huffman code of RFC 7541.
pub(crate) const HUFFMAN: &[u8] = b"\xba\x51\xd8\x5b\x14\xd7\x93\x37\x70\x23\xf3\x37\xed\x32\xd1\x9b\x0f\xe7\xb5\xbd\xed\xa3\x5c\x3d\x9e\xef\xd5\x6b\x6e\xfe\x6d\x7c\x1a\xe5\x1f\x76\xb1\xec\x17\xae\x7f";

/// The token's name and SHA-256.
const TOKENS: &str = "bench 97c7a1d44d5e0764b560399bd50d39808b411d8c99cad403ba5fa04ea8cd60df\n";

const RULES: &str = r#"
[[rule]]
identity = "token:bench"
namespaces = ["_shared"]
rights = ["read", "write"]
"#;

/// The variables of the server that name its files, and what is in them.
const FILES: [(&str, &str, &str); 2] = [
    ("CACHE_ACCESS_RULES_PATH", "access.toml", RULES),
    ("CACHE_ACCESS_TOKENS_PATH", "access.tokens", TOKENS),
];

/// Writes the files, and returns the variables that name them.
///
/// # Errors
///
/// A file cannot be written.
pub(crate) fn write(directory: &Path) -> io::Result<Vec<(String, String)>> {
    let one = |(variable, name, content): &(&str, &str, &str)| {
        let path = directory.join(name);
        fs::write(&path, content)?;
        Ok(((*variable).to_owned(), path.to_string_lossy().into_owned()))
    };
    FILES.iter().map(one).collect()
}
