//! Compiles `proto/grpc/health/v1/health.proto` without protoc, as the contract's crate does.

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message;

const HEALTH: &str = "grpc/health/v1/health.proto";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto/{HEALTH}");

    let descriptors = protox::compile([HEALTH], ["proto"])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("health.fds"), descriptors.encode_to_vec())?;

    tonic_prost_build::configure()
        .build_client(false)
        .build_transport(false)
        .compile_fds(descriptors)?;
    Ok(())
}
