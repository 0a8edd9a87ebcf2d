//! The server on one page: its threads, the way of a Get and of a Set, the drain, and what each
//! room must not know. Documentation alone; rustdoc checks that every room named here exists.
//!
//! # Threads
//!
//! ```text
//!            ┌──────────┐ socket, permit  ┌───────────────────────────────────┐
//!  gRPC ───► │ acceptor │ ──────────────► │ worker-0 … worker-n, one per core │
//!  port      └──────────┘                 │ a runtime of its own; owns its    │
//!                                         │ connections until they close      │
//!                                         └───┬──────────────────┬────────────┘
//!                                             │ reads, writes    │ finished spans
//!                                        ┌────▼─────┐      ┌─────▼─────┐   ┌────────┐
//!                                        │  store   │      │   queue   │──►│ export │──► OTLP
//!                                        └────▲─────┘      └───────────┘   └────────┘
//!            ┌────────┐                       │ sweeps; sends spans that wait, too
//!            │ upkeep │───────────────────────┤
//!            └────────┘                       │
//!            ┌────────┐                       │ figures
//!  HTTP ───► │  http  │───────────────────────┘
//!  port      └────────┘
//! ```
//!
//! - The *acceptor* runs [`acceptor`](crate::acceptor). It takes sockets off the
//!   [`listener`](crate::listener) and gives each to the worker with the fewest connections, which
//!   [`handout`](crate::handout) knows. Only this thread hands out, so the limit needs no lock. The
//!   last file descriptors it leaves to others ([`reserve`](crate::reserve)).
//! - Each *worker* runs [`worker`](crate::worker). A connection stays with it, so the pipeline needs
//!   no lock and its counters share no cache line with another core's.
//! - *upkeep* sweeps the store ([`Upkeep`](crate::store::Upkeep)), and simulates it with other memory:
//!   workers put down what is done to sampled keys, and wait for nobody (`store/what_if.rs`). *http*
//!   serves [`http`](crate::http). So neither takes time from a worker's requests.
//! - *reload* exists where there are files that may change: it reads them again
//!   ([`reload`](crate::reload)). Whoever uses such a file registers it, with what reads it.
//! - *tier* exists where a second tier is set: it runs the loop of [`tier`](crate::tier), which asks
//!   Redis or Valkey for what workers do not find, and is told by it of changes.
//! - *export* exists where traces are exported ([`telemetry`](crate::telemetry)); the *queue* before
//!   it is the batch processor of OpenTelemetry's SDK, with a thread of its own. *log*, which is not
//!   drawn, exists where the program has set up [`logging`](crate::logging). None is waited for: what
//!   finds no room is dropped and counted.
//! - The main thread waits for signals ([`program`](crate::program)).
//!
//! [`threads`](crate::threads) starts them and reports a part that ends early to the
//! [`lifecycle`](crate::lifecycle), which waits at the start until every part is ready.
//!
//! What replies hold of memory beside the store, until their readers take them, is one count for the
//! process ([`pinned`](crate::pinned)).
//!
//! Threads share the [`store`](crate::store), where a call locks one stripe of a shard, for reads as
//! for writes, and holds it for some tens of nanoseconds; the memory budget of large messages
//! ([`rpc`](crate::rpc)); the count of spans in flight; and flags for the phase and the drain.
//!
//! # A Get
//!
//! 1. The worker's [`transport`](crate::transport) reads the socket, through TLS where it is on, and
//!    hands the bytes to [`tiny_cache_http2`], which knows frames and header blocks and no sockets.
//! 2. A small request that has come whole is offered to [`rpc`](crate::rpc), which answers it at once:
//!    this is the short way, `rpc/unary.rs`. It reads the fields that matter, names the call
//!    ([`Method`](crate::call::Method), [`CallStart`](crate::call::CallStart)), asks the connection's
//!    [`Gate`](crate::access::Gate) whether its caller may make it, and starts a span if it is
//!    sampled.
//! 3. The [`service`](crate::service) reads the message where it lies: the row of its table names the
//!    RPC's [`Command`](crate::command::Command), and that borrows what it is asked.
//! 4. It parses the namespace, sees that its quota of requests is not used up, if it has one, and
//!    runs the command.
//! 5. [`Get`](crate::command::Get) parses the key and asks its worker's
//!    [`StoreHandle`](crate::store::StoreHandle), which hashes the key, finds the shard and counts a
//!    hit or a miss. The shard (`store/shard.rs`) takes the key's stripe of its table
//!    (`stripes.rs`), finds the entry (`entry.rs`) and looks at its deadline, and for a while after an
//!    invalidation of tags or a namespace whether that took it (`invalidations.rs`). A use of an entry
//!    in the window is counted in the entry; one of a resident is reported to moka (`residents.rs`), under
//!    `window` only now and then. Of some requests the worker counts the key in a sketch of its own
//!    (`hot.rs`), which HotKeys reads.
//! 6. The service has the reply written ([`ReplyWriter`](crate::call::ReplyWriter)): a small value is
//!    copied into it, a large one lent. It returns a [`Report`](crate::call::Report) with sizes and
//!    counts.
//! 7. Back in `rpc`, the reply gets its request id and its final status. The meter, the span and the
//!    log's DEBUG line get the report.
//! 8. `transport` writes all replies of the turn with one system call.
//!
//! # The long way
//!
//! Whatever is not so regular becomes an HTTP request: large and slow messages, compressed ones, long
//! batches, health, reflection, and what is to be refused. `rpc/pipeline.rs` takes it through every
//! check, tonic decodes it and calls the service, which begins the command, and the connection polls
//! the command within its turns. What the call and the service exchange, the command too, travels in
//! an [`Exchange`](crate::call::Exchange): a call that waits holds nothing of tonic's. With
//! `CACHE_TRANSPORT=hyper`, hyper speaks HTTP/2 and every call goes this way.
//!
//! # With a second tier
//!
//! A read is answered on the short way if all that it asks is near. Whatever else is, and every
//! write, takes the long way, in which the command waits for the loop of [`tier`](crate::tier)
//! (`handle.rs`). The loop (`desk.rs`) lets callers of one key share a fetch (`flights.rs`), finds the
//! key's primary (`routes.rs`, `topology.rs`), sends what a turn asks in one pipeline (`remote.rs`),
//! keeps calls from piling up (`breaker.rs`), and
//! fills the near part unless a change has come between (`tracking.rs`, `coverage.rs`). Writes are
//! the tier's first; the near copy is dropped before, and comes back with the next read.
//!
//! # A Set
//!
//! As a Get, with these differences:
//!
//! 1. A message above a stream's window takes a share of the budget in `rpc` before it is read on,
//!    and is given up if it stalls while others wait.
//! 2. [`Set`](crate::command::Set) hands the value over as a slice, and the store copies it with its
//!    key into one block of their size: the receive buffer is not kept.
//! 3. The shard takes the key's stripe, puts the entry into its part of the table and of the
//!    deadlines, and counts it in its ledger (`ledger.rs`). A new key goes to the end of the
//!    window's queue (`window.rs`), unless the ghost (`ghost.rs`) knows it as one that was dropped of
//!    late: then moka gets a handle, and the entry is a resident. An entry that replaces one keeps its
//!    place, in the window, or as a resident where both weigh the same; a resident of another weight
//!    gets a new handle. Conditional writes read and decide under the same stripe. A shard has 64 to
//!    1024 stripes.
//! 4. After the stripe is released, a namespace beyond its quota ([`quotas`](crate::quotas) reads
//!    them) evicts the first of its own entries, in any shard (`keeping.rs`, `quotas.rs`).
//! 5. Then a shard above its weight (`capacity.rs`) judges the
//!    window's first entries, each under its own stripe: one that was read twice becomes a resident,
//!    any other is dropped and put into the ghost. When the residents overshoot their part, or `lru`
//!    must see a write in order, moka's maintenance runs, and the shard takes out of its table what
//!    moka evicted.
//! 6. An entry's version is the moment of its write (`version.rs`), which the stripe hands out, so that
//!    no key has one twice; with how long it lives (`lifetime.rs`) it stands where a deadline stood.
//! 7. A refusal becomes a status in [`rejection`](crate::rejection), and nowhere else.
//!
//! # The drain
//!
//! 1. A signal, [`Server::shutdown`](crate::Server::shutdown) or a lost part sets the
//!    [`Phase`](crate::lifecycle::Phase): readiness and [`health`](crate::health) turn first.
//! 2. The acceptor takes over what waits in the listener's queue, closes the listener and drops its
//!    channels, so that workers get no more sockets.
//! 3. Each connection waits for a moment without an open call, up to 100 ms or half the grace, learns
//!    by a PING that the peer has not sent another, and sends GOAWAY: the first allows every stream,
//!    the second, after another PING, names the last. Requests in flight are answered; response
//!    streams get a last word and end ([`lifecycle::streams`](crate::lifecycle)). A connection is
//!    read for one second after its last reply.
//! 4. A worker ends with its last connection. When all have ended, or the grace is over, what is
//!    left of the grace goes to spans that wait for export.
//! 5. All threads but those of the log and the export are stopped. One that is stuck is left to the
//!    end of the process.
//!
//! # What a room must not know
//!
//! Files never import in a circle, and from no file of a room there is a way to a room beside it here.
//! `test-support/tests/house.rs` holds the code to it.
//!
//! | Room | Never reaches |
//! |---|---|
//! | [`sync`](crate::sync), [`histogram`](crate::histogram), [`cgroup`](crate::cgroup), [`reload`](crate::reload), [`pinned`](crate::pinned) | any room but `sync` |
//! | [`call`](crate::call) | any room but `sync` and `pinned` |
//! | [`access`](crate::access) | `call`, `store`, `command`, `service`, `rpc`, `transport`, `http`, `settings` |
//! | [`store`](crate::store) | `call`, `command`, `service`, `rpc`, `transport`, `http`, `telemetry`, `settings`, `tier` |
//! | [`tier`](crate::tier) | `call`, `command`, `service`, `rpc`, `transport`, `http`, `telemetry`, `settings` |
//! | [`command`](crate::command), [`rejection`](crate::rejection) | `rpc`, `service`, `transport`, `http`, `telemetry` |
//! | [`service`](crate::service) | `rpc`, `transport`, `http`, `telemetry` |
//! | [`telemetry`](crate::telemetry) | `store`, `command`, `service`, `rpc`, `transport`, `http` |
//! | [`transport`](crate::transport) | `store`, `command`, `service`, `rpc`, `call`, `settings`, `telemetry` |
//! | [`rpc`](crate::rpc) | `settings`, `http`, `monitor`, `worker` |
//! | [`http`](crate::http), [`monitor`](crate::monitor) | `service`, `command`, `worker`, `acceptor` |
//! | [`settings`](crate::settings) | `server`, `rpc`, `transport`, `telemetry` |
//!
//! [`server`](crate::server) is the composition root. Only [`program`](crate::program), which runs it,
//! knows it.
//!
//! # A new RPC
//!
//! Package `cache` is fixed; abilities beyond it go into package `tinycache.v1`. In either, an RPC is
//! its entry in the `.proto`, a file in [`command`](crate::command), for the second in
//! [`command::v1`](crate::command::v1), with its line there, and a row in
//! [`service`](crate::service). The build script of the contract lists its name and path; metrics,
//! traces and the log name it from there. If it works over a second tier, its verb is in
//! `command/through.rs`. A client adds a row in `client/src/transport/rpc.rs` and a file in
//! `client/src/operation/`; the command line a file and a row in `client/cli/src/command.rs`; the
//! load tester a row in `loadtest/src/workload/operation.rs` and a file in
//! `loadtest/src/peers/operation/`. Tables without a row for it do not compile, or fail their test.
