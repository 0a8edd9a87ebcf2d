//! The policy of this moment, which a reload replaces as a whole.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tracing::warn;

use super::{audit::Audit, files::AccessFiles, policy::Policy, problem::AccessError};
use crate::{
    reload::{Change, Outcome, Reloader},
    sync::{AtomicU64, Ordering},
};

/// Access control of a server.
#[derive(Debug)]
pub(crate) struct Access {
    pub(super) files: AccessFiles,
    policy: ArcSwap<Policy>,
    /// Counts the policies, so that a gate sees by one look that it remembers another's verdicts.
    generation: AtomicU64,
    pub(super) audit: Audit,
}

impl Access {
    /// Reads the files. Returns, beside what they say, what somebody should hear about.
    ///
    /// # Errors
    /// [`AccessError`] for the first file that cannot be used.
    pub(crate) fn load(
        files: AccessFiles,
        audit: Audit,
    ) -> Result<(Arc<Self>, Vec<String>), AccessError> {
        let (policy, warnings) = Policy::read(&files)?;
        let access = Self {
            files,
            policy: ArcSwap::from_pointee(policy),
            generation: AtomicU64::new(1),
            audit,
        };
        Ok((Arc::new(access), warnings))
    }

    /// Has all files read again when one of them changes: they say something together.
    pub(crate) fn watch(self: &Arc<Self>, reloader: &mut Reloader) {
        let AccessFiles { rules, tokens, jwt, .. } = self.files.clone();
        let paths = [Some(rules), tokens, jwt.map(|jwt| jwt.keys)].into_iter().flatten();
        let this = self.clone();
        reloader.register("access", paths, move || this.reload());
    }

    /// Reads all files again. Calls that come from now on are judged by what they say. A file that
    /// cannot be used changes nothing. One caller at a time.
    pub(super) fn reload(&self) -> Outcome {
        let (policy, warnings) = Policy::read(&self.files).map_err(|error| error.to_string())?;
        if policy.contents == self.policy.load().contents {
            return Ok(Change::Same);
        }
        for warning in warnings {
            warn!("{warning}");
        }
        self.policy.store(Arc::new(policy));
        // After the policy: who sees the new number reads the new policy.
        self.generation.fetch_add(1, Ordering::Release);
        Ok(Change::Changed)
    }

    /// Whether a caller may have a token at all.
    #[inline]
    pub(super) fn takes_tokens(&self) -> bool {
        self.files.tokens.is_some() || self.files.jwt.is_some()
    }

    #[inline]
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    pub(super) fn policy(&self) -> arc_swap::Guard<Arc<Policy>> {
        self.policy.load()
    }
}
