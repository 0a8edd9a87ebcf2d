//! The tokens of the HTTP port. Each of them opens all of its pages.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use arc_swap::ArcSwap;

use super::{
    problem::{AccessError, Digest, File, digest_of},
    tokens::{Tokens, bearer},
};
use crate::reload::{Change, Outcome, Reloader};

/// Who may see the pages of the HTTP port.
#[derive(Debug)]
pub(crate) struct HttpTokens {
    path: PathBuf,
    known: ArcSwap<Known>,
}

/// What the file holds.
#[derive(Debug)]
struct Known {
    tokens: Tokens,
    content: Digest,
}

impl HttpTokens {
    /// Reads the file.
    ///
    /// # Errors
    /// [`AccessError`] when it cannot be used.
    pub(crate) fn load(path: PathBuf) -> Result<Arc<Self>, AccessError> {
        let known = read(&path)?;
        Ok(Arc::new(Self { known: ArcSwap::from_pointee(known), path }))
    }

    /// Has the file read again when it changes.
    pub(crate) fn watch(self: &Arc<Self>, reloader: &mut Reloader) {
        let this = self.clone();
        reloader.register("health_tokens", [self.path.clone()], move || this.reload());
    }

    /// Reads the file again. One that cannot be used changes nothing.
    fn reload(&self) -> Outcome {
        let known = read(&self.path).map_err(|error| error.to_string())?;
        if known.content == self.known.load().content {
            return Ok(Change::Same);
        }
        self.known.store(Arc::new(known));
        Ok(Change::Changed)
    }

    /// Whether a request with this `authorization` may see the pages.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn admit(&self, authorization: Option<&[u8]>) -> Result<(), &'static str> {
        let given = authorization.ok_or(
            "this path needs a token: send the header authorization: Bearer TOKEN \
             (CACHE_HEALTH_TOKENS_PATH)",
        )?;
        let token = bearer(given).ok_or("the header authorization is not Bearer TOKEN")?;
        let known = self.known.load().tokens.find(&digest_of(token)).is_some();
        if known { Ok(()) } else { Err("the token is not known to the HTTP port") }
    }
}

fn read(path: &Path) -> Result<Known, AccessError> {
    let file = File { setting: "CACHE_HEALTH_TOKENS_PATH", path };
    file.parse_with_digest(Tokens::parse).map(|(tokens, content)| Known { tokens, content })
}
