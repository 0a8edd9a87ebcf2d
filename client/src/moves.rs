//! The moves of a call to another connection that cost it no try.

use tokio::task::yield_now;

use crate::pool::{Pool, Pooled};

/// Most moves of one call.
const MOST_MOVES: u32 = 100;

/// Counts the moves of a call.
///
/// The first move is free, as in gRPC's retry design (gRFC A6, "transparent retries"). Further
/// moves are free while calls make progress: a proxy that ends each connection after some calls
/// can hit the same call again and again. A peer that turns every call away gets the tries of
/// the call and no more.
pub(crate) struct Moves {
    made: u32,
    /// Consecutive moves without progress.
    barren: u32,
    answered: usize,
}

impl Moves {
    pub(crate) fn begin(pool: &Pool) -> Self {
        Self { made: 0, barren: 0, answered: pool.answered() }
    }

    /// Whether a call that `over` turned away may move on.
    pub(crate) async fn allow(&mut self, pool: &Pool, over: Option<&Pooled>) -> bool {
        // Lets the other calls of this GOAWAY leave the connection first. Those that stay were
        // accepted by the peer, which answers them: that is progress.
        yield_now().await;
        let answered = pool.answered();
        let progress = over.is_some_and(|connection| {
            connection.is_retired()
                && (connection.calls() > 0 || connection.has_answered() || answered > self.answered)
        });
        self.answered = answered;
        self.barren = if progress { 0 } else { self.barren + 1 };
        self.made += 1;
        self.barren <= 1 && self.made <= MOST_MOVES
    }
}
