//! Files as the kubelet mounts them: links through the link `..data` into a directory, which is
//! replaced as a whole. And clients that choose their version of TLS and their certificate.

use std::{
    cell::Cell,
    fs, io,
    net::SocketAddr,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ALL_VERSIONS, ClientConfig, RootCertStore, SupportedProtocolVersion,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::certificates::{Identity, SERVER_NAME};

/// A mounted directory.
pub(crate) struct Mount {
    directory: TempDir,
    swaps: Cell<u32>,
}

impl Mount {
    pub(crate) fn holding(files: &[(&str, &str)]) -> Self {
        let mount = Self { directory: TempDir::new().unwrap(), swaps: Cell::new(0) };
        mount.swap(files);
        mount
    }

    /// Replaces all files at once.
    pub(crate) fn swap(&self, files: &[(&str, &str)]) {
        self.swap_with(|directory| {
            fill(directory, files);
            for (name, _) in files {
                let link = self.directory.path().join(name);
                if link.symlink_metadata().is_err() {
                    symlink(Path::new("..data").join(name), link).unwrap();
                }
            }
        });
    }

    /// Replaces the directory by one that `make` fills.
    pub(crate) fn swap_with(&self, make: impl FnOnce(&Path)) {
        let root = self.directory.path();
        self.swaps.set(self.swaps.get() + 1);
        let name = format!("..{}", self.swaps.get());
        fs::create_dir(root.join(&name)).unwrap();
        make(&root.join(&name));
        let old = fs::read_link(root.join("..data"));
        symlink(&name, root.join("..data_tmp")).unwrap();
        fs::rename(root.join("..data_tmp"), root.join("..data")).unwrap();
        if let Ok(old) = old {
            fs::remove_dir_all(root.join(old)).unwrap();
        }
    }

    pub(crate) fn path(&self, name: &str) -> String {
        let path: PathBuf = self.directory.path().join(name);
        path.to_str().unwrap().to_owned()
    }
}

/// Writes files by their names.
pub(crate) fn fill(directory: &Path, files: &[(&str, &str)]) {
    for (name, content) in files {
        fs::write(directory.join(name), content).unwrap();
    }
}

/// A client over TLS.
#[derive(Clone)]
pub(crate) struct TlsClient(ClientConfig);

impl TlsClient {
    /// One that trusts `authority`, in PEM.
    pub(crate) fn trusting(authority: &str, identity: Option<&Identity>) -> Self {
        Self::of_versions(authority, identity, ALL_VERSIONS)
    }

    /// One that speaks these versions alone.
    pub(crate) fn of_versions(
        authority: &str,
        identity: Option<&Identity>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let chain = CertificateDer::pem_slice_iter(identity.certificate.as_bytes());
                let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
                builder.with_client_auth_cert(chain.map(Result::unwrap).collect(), key).unwrap()
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        Self(config)
    }

    /// Without ALPN, for the HTTP port.
    pub(crate) fn of_http(mut self) -> Self {
        self.0.alpn_protocols.clear();
        self
    }

    /// Shakes hands.
    ///
    /// # Errors
    ///
    /// Fails where either side refuses the other; a server's refusal may come later.
    pub(crate) async fn connect(&self, addr: SocketAddr) -> io::Result<TlsStream<TcpStream>> {
        let socket = TcpStream::connect(addr).await?;
        socket.set_nodelay(true)?;
        let connector = TlsConnector::from(Arc::new(self.0.clone()));
        connector.connect(SERVER_NAME.try_into().unwrap(), socket).await
    }
}

/// The certificate that the server has shown.
pub(crate) fn shown(stream: &TlsStream<TcpStream>) -> Vec<u8> {
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

/// The first certificate of a PEM text.
pub(crate) fn der(pem: &str) -> Vec<u8> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap().to_vec()
}
