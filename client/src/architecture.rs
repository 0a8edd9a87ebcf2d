//! How the client works: its tasks, two calls step by step, retries and connections, and what each
//! room does not know. Documentation only.
//!
//! # Threads and tasks
//!
//! The client has no threads. A call runs on the caller's task. Two tasks run beside it for each
//! connection, on the runtime of the call that opened the connection, one while a connection is being
//! opened, and one while a suspected connection is checked.
//!
//! ```text
//!   caller's task           dial task              driver task            watch task
//!   one for each call       one at a time          one for each           one for each
//!                                                  connection             connection
//!        |                       |                      |                      |
//!   Request::into_future         |                      |                      |
//!        |                       |                      |                      |
//!   Call::make                   |                      |                      |
//!        |- no connection -> Pool::dial                 |                      |
//!        |                     race the addresses       |                      |
//!        |  <-- connection --- join the pool -- spawn ->|                      |
//!        |                                      spawn --|--------------------->|
//!   Connection::call                                    |                      |
//!        |---- frames into h2's buffers --------------> |                      |
//!        |                                        one write a turn             |
//!        |                                        reads replies                |
//!        | <--- wakes the call's stream --------------- |                      |
//!   reads the reply                                     |       health check every 30 s,
//!        |                                              | <---  replaces the connection
//!        v                                              |       after 5 min, or if silent
//!                                         GOAWAY or end: retires
//!                                         the connection, dials
//! ```
//!
//! Calls and drivers share h2's state, one lock for each connection. All tasks share the pool's list
//! of connections, a lock that every call reads and only a change of connections writes.
//!
//! # One Get
//!
//! 1. [`Client::get`](crate::client::Client::get) makes a [`Request`](crate::request::Request) of
//!    the operation [`Get`](crate::operation::Get). Nothing is sent.
//! 2. `await` calls [`Call::new`](crate::call::Call::new), which applies the request's
//!    [`CallOptions`](crate::options::CallOptions) to the client's settings and adds the caller's
//!    span ([`trace`](crate::trace)).
//! 3. The operation checks the key ([`Call::of_key`](crate::call::Call::of_key)), which decides on
//!    the server if there are several, and hands the row
//!    [`rpc::Get`](crate::transport::rpc::Get) to [`Call::make`](crate::call::Call::make).
//! 4. [`Pool::least_busy`](crate::pool::Pool::least_busy) picks a connection. Without one,
//!    [`Pool::connection`](crate::pool::Pool::connection) waits for the attempt that all callers
//!    share.
//! 5. [`Connection::call`](crate::transport::Connection::call) encodes the message, sends it on a
//!    stream of its own and waits for the reply. No channel and no task are between the call and h2.
//! 6. The transport reads headers, one message and trailers. A small value is copied out of the
//!    connection's buffer, so that a caller who keeps it does not keep the buffer.
//! 7. The operation turns the message into `Some(value)`, or into `None` for a miss.
//!
//! # One Set
//!
//! 1. [`Client::set`](crate::client::Client::set) converts the value into `Bytes`, without a copy if
//!    the caller owns it.
//! 2. [`Request::ttl`](crate::request::Request::ttl) sets a TTL. [`Call::ttl`](crate::call::Call::ttl)
//!    rounds it up to whole seconds, or uses the client's default.
//! 3. [`rpc::Set`](crate::transport::rpc::Set) encodes the fields. A value of 16 KiB or more becomes a
//!    DATA frame of its own that refers to the caller's bytes.
//! 4. The driver writes the frames of all calls that became ready in the same turn with one system
//!    call.
//! 5. If the server has no room, the error gets the size of the value
//!    ([`Error::with_size`](crate::error::Error::with_size)). A row that is not idempotent, such as
//!    [`rpc::SetIfAbsent`](crate::transport::rpc::SetIfAbsent), is retried only if the server has
//!    certainly not executed it.
//!
//! # A call that fails
//!
//! [`Call::make`](crate::call::Call::make) repeats these steps until a reply comes or a step ends
//! the call:
//!
//! 1. A try has the deadline of a try, or the rest of the total deadline if that is shorter.
//! 2. If the server turned the call away (GOAWAY, REFUSED_STREAM, or a connection that ended before
//!    the call was sent), the call moves to another connection. The move costs no try while other
//!    calls make progress ([`Moves`](crate::moves::Moves)).
//! 3. Otherwise the try counts. The call ends if its retries are used up, or if
//!    [`may_retry`](crate::retry::may_retry) finds that a repetition is not safe.
//! 4. The call draws a pause ([`Backoff`](crate::retry::Backoff)) and ends if the pause passes the
//!    total deadline.
//! 5. A retry takes from the [`RetryBudget`](crate::retry::RetryBudget) of all calls. Reconnecting
//!    takes nothing: all waiting calls share one attempt.
//! 6. The call sleeps for the pause. If the connection was lost, it reconnects in the rest of the
//!    pause's limit ([`Pool::reconnected`](crate::pool::Pool::reconnected)).
//!
//! The client sends no hedges: a second copy of a call in flight would double the load of a slow
//! server, and two copies of a write may arrive in either order.
//!
//! # A connection's life
//!
//! 1. [`Pool::dial`](crate::pool::Pool) resolves the name, tries the addresses 250 ms apart, and
//!    keeps the first that sends its HTTP/2 settings. An accepted socket alone does not count.
//! 2. The connection joins the pool. If the name no longer has the address of the other connections,
//!    those leave the pool and end with their calls.
//! 3. A call that finds every connection busy starts another attempt, up to the pool's size.
//! 4. A GOAWAY, a broken socket or a failed write retires the connection. The driver notices as soon
//!    as it reads, and dials a replacement unless the connection was short-lived. Calls that the
//!    server accepted before a GOAWAY finish over the old connection.
//! 5. If a call times out and nothing was read meanwhile,
//!    [`Pool::suspect`](crate::pool::Pool::suspect) checks the connection, and calls prefer others
//!    until it answers.
//! 6. At its age, or up to a fifth earlier, the connection stays until its replacement is open.
//!
//! # Several servers
//!
//! 1. [`ring_key`](crate::ring_key) makes a text of namespace and key. Its hash has a place on the
//!    [`Ring`](crate::ring::Ring), and so an owner.
//! 2. [`RingServers::choose`](crate::servers::RingServers) returns the owner, or the next server that
//!    takes the key while the owner is down or on its way back. Every try chooses anew, on one read
//!    of the list of [`Members`](crate::servers::Members), which never changes: a look-up that finds
//!    other servers makes another list with another ring.
//!    With a bounded load ([`Builder::bounded_load`](crate::Builder::bounded_load)) it also passes
//!    over servers that have more calls in flight than the bound.
//! 3. A try that gets no answer asks the pool whether its server
//!    [is down](crate::pool::Pool::is_down). If it is, a task waits until the server is back, and the
//!    call's next try goes to another server.
//! 4. A batch ([`operation`](crate::operation)) is divided by server first and by size then. A part
//!    stays with its server; if that goes down, the batch divides the items of the part anew.
//!
//! With a single server no key is hashed: [`Servers::One`](crate::servers::Servers) is its pool.
//!
//! # What a room does not know
//!
//! | room | does not know |
//! |---|---|
//! | [`transport`](crate::transport) | pools, retries, options, operations, the error of a client |
//! | [`ring`](crate::ring) | addresses, connections, calls |
//! | [`servers`](crate::servers) | calls, operations, deadlines of calls |
//! | [`pool`](crate::pool) | other servers, calls, operations, deadlines of calls |
//! | [`retry`](crate::retry), [`moves`](crate::moves) | operations, options |
//! | [`call`](crate::call) | which operation it makes; requests and clients |
//! | [`request`](crate::request) | single operations; the client |
//! | [`operation`](crate::operation) | tries, connections, pauses |
//! | [`client`](crate::client) | single operations, settings |
//! | [`address`](crate::address), [`kind`](crate::kind), [`clock`](crate::clock) | everything else |
//!
//! Imports between files form no circle, and a test keeps it so.
