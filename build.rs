//! Compiles `proto/` without protoc: protox parses, tonic-prost-build generates.

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message;

fn main() -> Result<(), Box<dyn Error>> {
    let files = ["cache.proto", "tinycache.proto"];
    for file in files {
        println!("cargo::rerun-if-changed=proto/{file}");
    }

    let descriptors = protox::compile(files, ["proto"])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let services = descriptors.file.iter().map(|file| {
        let service = &file.service[0];
        let methods = service.method.iter().filter_map(|method| method.name.as_deref());
        let methods = methods.collect::<Vec<_>>().join(" ");
        format!("\"{}.{}\": {methods};", file.package(), service.name())
    });
    // What the macro in `proto/method.rs` takes.
    let listed = format!("methods! {{ {} }}", services.collect::<String>());
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
