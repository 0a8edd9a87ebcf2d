//! The settings of the server, from lines of NAME=value. A refusal is one line.

#![no_main]

use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

use libfuzzer_sys::fuzz_target;
use tiny_cache_server::Settings;

fuzz_target!(|data: &[u8]| {
    let vars = data.split(|byte| *byte == b'\n').filter_map(|line| {
        let equals = line.iter().position(|byte| *byte == b'=')?;
        let [name, value] = [&line[..equals], &line[equals + 1..]].map(OsStr::from_bytes);
        Some((name, value))
    });
    match Settings::from_vars(vars) {
        Ok(settings) => drop(format!("{settings:?}")),
        Err(refusal) => assert_eq!(refusal.to_string().lines().count(), 1, "{refusal}"),
    }
});
