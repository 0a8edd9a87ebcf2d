//! Compiles `proto/` without protoc: protox parses, tonic-prost-build generates.

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto/cache.proto");

    let descriptors = protox::compile(["cache.proto"], ["proto"])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let (file, service) = (&descriptors.file[0], &descriptors.file[0].service[0]);
    let methods: Vec<_> =
        service.method.iter().filter_map(|method| method.name.as_deref()).collect();
    let (package, name, methods) = (file.package(), service.name(), methods.join(" "));
    // What the macro in `proto/method.rs` takes.
    let listed = format!("methods! {{ \"{package}.{name}\": {methods} }}");
    fs::write(out.join("methods.rs"), listed)?;
    fs::write(out.join("cache.fds"), descriptors.encode_to_vec())?;

    tonic_prost_build::configure()
        // Values leave a message by reference count, not by copy.
        .bytes(".")
        // A program that needs tonic's channel builds it and passes it in.
        .build_transport(false)
        .codec_path("crate::codec::CacheCodec")
        .server_mod_attribute(".", "#[cfg(feature = \"server\")]")
        .client_mod_attribute(".", "#[cfg(feature = \"client\")]")
        .compile_fds(descriptors)?;
    Ok(())
}
