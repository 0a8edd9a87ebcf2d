//! One connection at a time to a server of another system: patience at the start, a
//! connection in place of one that ended, a limit for every call, and no second try of any.
//! Knows no protocol.

use std::{cell::RefCell, fmt, io, rc::Rc, sync::Arc, time::Duration};

use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    net::TcpStream,
    sync::Mutex,
    time::{Instant, sleep, timeout},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{
    cli::{Place, TlsArgs, TlsError},
    transport::{CallError, Unreachable},
};

/// Pause between two tries to connect: short beside any patience worth having.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// What is spoken over a connection.
pub(crate) trait Protocol {
    /// A connection over which many calls can be made at a time.
    type Connection;

    /// The server as the error line names it.
    fn target(&self) -> String;

    /// Makes sure that who answers speaks the protocol.
    async fn greet(&self, stream: Stream) -> Result<Self::Connection, CallError>;

    /// Whether no call can be made any more.
    fn has_ended(connection: &Self::Connection) -> bool;
}

/// Bytes to and from a server.
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// How TLS is spoken.
#[derive(Clone)]
pub(crate) struct TlsWay {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl fmt::Debug for TlsWay {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "TlsWay({:?})", self.name)
    }
}

impl TlsWay {
    /// Reads the files of TLS.
    pub(super) fn new(place: &Place, args: &TlsArgs) -> Result<Self, TlsError> {
        let (config, name) = args.tls()?.config(&place.host, &[])?;
        Ok(Self { config, name })
    }
}

/// How a line is made, and what holds for its calls.
#[derive(Clone, Debug)]
pub(crate) struct Route<P> {
    pub(super) protocol: P,
    pub(super) place: Place,
    pub(super) tls: Option<TlsWay>,
    /// How long it is tried again at the start when nothing answers there yet.
    pub(super) patience: Duration,
    /// How long a call may take.
    pub(super) timeout: Duration,
}

/// A way to the server for one thread.
pub(crate) struct Line<P: Protocol> {
    route: Route<P>,
    current: RefCell<Rc<P::Connection>>,
    /// Held while a connection is made in place of one that ended, so that its callers do
    /// not make one each.
    replacing: Mutex<()>,
}

impl<P: Protocol> Line<P> {
    /// Connects, again and again until it works or patience runs out.
    pub(super) async fn open(route: Route<P>) -> Result<Self, Unreachable> {
        let current = RefCell::new(Rc::new(route.patiently().await?));
        Ok(Self { route, current, replacing: Mutex::default() })
    }

    /// Makes a call, once. Where the connection has to be replaced first, that is part of
    /// the call and of its time.
    pub(super) async fn call<T>(
        &self,
        call: impl AsyncFnOnce(&P::Connection) -> Result<T, CallError>,
    ) -> Result<T, CallError> {
        let limit = self.route.timeout;
        let call = async {
            let connection = match self.usable() {
                Some(connection) => connection,
                None => self.replaced().await?,
            };
            call(&connection).await
        };
        timeout(limit, call).await.unwrap_or(Err(CallError::TimedOut(limit)))
    }

    /// The connection, unless it has ended.
    fn usable(&self) -> Option<Rc<P::Connection>> {
        let current = self.current.borrow();
        (!P::has_ended(&current)).then(|| Rc::clone(&current))
    }

    /// A connection in place of the one that ended.
    async fn replaced(&self) -> Result<Rc<P::Connection>, CallError> {
        let _replacing = self.replacing.lock().await;
        // Another caller may have been first.
        if let Some(connection) = self.usable() {
            return Ok(connection);
        }
        let connection = Rc::new(self.route.connect().await?);
        *self.current.borrow_mut() = Rc::clone(&connection);
        Ok(connection)
    }
}

impl<P: Protocol> Route<P> {
    async fn patiently(&self) -> Result<P::Connection, Unreachable> {
        let end = Instant::now() + self.patience;
        let mut cause = "no answer".to_owned();
        loop {
            match timeout(end - Instant::now(), self.connect()).await {
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(error)) => cause = error.to_string(),
                // What an earlier try found says more.
                Err(_elapsed) => {}
            }
            if end - Instant::now() <= RETRY_PAUSE {
                return Err(Unreachable::new(&self.protocol.target(), self.patience, cause));
            }
            sleep(RETRY_PAUSE).await;
        }
    }

    async fn connect(&self) -> Result<P::Connection, CallError> {
        let failed = |error: io::Error| CallError::Connection(error.to_string());
        let Place { host, port } = &self.place;
        let socket = TcpStream::connect((host.as_str(), *port)).await.map_err(failed)?;
        // A request waits for no other one to share its packet.
        socket.set_nodelay(true).map_err(failed)?;
        let stream = match &self.tls {
            None => Stream::Plain(socket),
            Some(TlsWay { config, name }) => {
                let connector = TlsConnector::from(Arc::clone(config));
                let stream = connector.connect(name.clone(), socket).await;
                let failed = |error| CallError::Connection(format!("TLS: {error}"));
                Stream::Tls(Box::new(stream.map_err(failed)?))
            }
        };
        self.protocol.greet(stream).await
    }
}
