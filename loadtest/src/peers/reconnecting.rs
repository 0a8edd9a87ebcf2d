//! One connection at a time: patience at the start, a connection in place of one that ended, and
//! a limit for every call. Makes no second try of any call, and knows no protocol.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use tokio::{
    sync::Mutex,
    time::{Instant, sleep, sleep_until, timeout},
};

use super::{
    error::{CallError, Unreachable},
    route::Route,
};

/// Pause between two tries to connect: short beside any patience worth having.
pub(super) const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// What is spoken over a connection.
pub(crate) trait Protocol {
    /// A connection that carries many calls at a time.
    type Connection;

    /// Connects, and makes sure that the peer speaks the protocol.
    async fn connect(&self) -> Result<Self::Connection, CallError>;

    /// Whether no call can be made any more.
    fn has_ended(connection: &Self::Connection) -> bool;
}

/// A way to a server for one thread.
pub(crate) struct Reconnecting<P: Protocol> {
    pub(super) protocol: P,
    /// How long a call may take.
    pub(super) timeout: Duration,
    current: RefCell<Rc<P::Connection>>,
    /// Held while a connection is made in place of one that ended, so that its callers do
    /// not make one each.
    replacing: Mutex<()>,
    /// Calls that were sent again since this was last taken.
    pub(super) resent: Cell<u64>,
}

impl<P: Protocol> Reconnecting<P> {
    /// Connects, again and again until it works or patience runs out.
    pub(super) async fn open(protocol: P, route: &Route) -> Result<Self, Unreachable> {
        let patience = route.connect_timeout;
        let connected = patiently(&protocol, patience).await;
        let current = connected.map_err(|cause| Unreachable {
            target: route.target.to_string(),
            patience,
            cause,
        })?;
        Ok(Self {
            protocol,
            timeout: route.timeout,
            current: RefCell::new(Rc::new(current)),
            replacing: Mutex::default(),
            resent: Cell::new(0),
        })
    }

    /// Makes a call, once. Where the connection has to be replaced first, that is part of
    /// the call and of its time.
    pub(super) async fn call<T>(
        &self,
        call: impl AsyncFnOnce(&P::Connection) -> Result<T, CallError>,
    ) -> Result<T, CallError> {
        let call = async { call(&*self.connection().await?).await };
        timeout(self.timeout, call).await.unwrap_or(Err(CallError::TimedOut(self.timeout)))
    }

    /// The connection, replaced if it has ended.
    pub(super) async fn connection(&self) -> Result<Rc<P::Connection>, CallError> {
        match self.usable() {
            Some(connection) => Ok(connection),
            None => self.replaced().await,
        }
    }

    /// The connection, unless it has ended.
    pub(super) fn usable(&self) -> Option<Rc<P::Connection>> {
        let current = self.current.borrow();
        (!P::has_ended(&current)).then(|| Rc::clone(&current))
    }

    /// A connection in place of the one that ended.
    pub(super) async fn replaced(&self) -> Result<Rc<P::Connection>, CallError> {
        let _replacing = self.replacing.lock().await;
        // Another caller may have been first.
        if let Some(connection) = self.usable() {
            return Ok(connection);
        }
        let connection = Rc::new(self.protocol.connect().await?);
        *self.current.borrow_mut() = Rc::clone(&connection);
        Ok(connection)
    }
}

/// Connects until it works or patience runs out; then the error is what the last try found.
async fn patiently<P: Protocol>(protocol: &P, patience: Duration) -> Result<P::Connection, String> {
    let end = Instant::now() + patience;
    let mut cause = "no answer".to_owned();
    loop {
        tokio::select! {
            // A try's own time may end at the same moment; what an earlier try found says more.
            biased;
            () = sleep_until(end) => return Err(cause),
            tried = protocol.connect() => match tried {
                Ok(connection) => return Ok(connection),
                Err(error) => cause = error.cause(),
            },
        }
        if end - Instant::now() <= RETRY_PAUSE {
            return Err(cause);
        }
        sleep(RETRY_PAUSE).await;
    }
}
