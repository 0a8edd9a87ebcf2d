//! A call that is not let in, and the words with which its caller is told.

use std::borrow::Cow;

use thiserror::Error;
use tiny_cache_proto::key::InvalidNamespace;

use super::{
    identity::Identity,
    reason::Reason,
    right::{Need, Right},
};

/// Why a call is not let in.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum Refusal {
    /// Its caller is not known, or has not the right.
    #[error(transparent)]
    Denied(Box<Denied>),
    /// Nobody has rights in what is no namespace.
    #[error(transparent)]
    Namespace(#[from] InvalidNamespace),
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        Self::Denied(Box::new(denied))
    }
}

/// A caller that is not known, or has not the right.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{why}")]
pub(crate) struct Denied {
    pub(super) reason: Reason,
    pub(super) why: Cow<'static, str>,
    /// Who asked, where that is known.
    pub(super) identity: Option<Identity>,
    pub(super) right: Option<Right>,
    /// Where the right is missing.
    pub(super) namespace: Option<String>,
}

/// Why a credential does not say who its holder is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unknown {
    pub(super) reason: Reason,
    /// Never the credential, nor a part of it.
    pub(super) why: Cow<'static, str>,
}

impl Unknown {
    pub(super) fn new(reason: Reason, why: impl Into<Cow<'static, str>>) -> Self {
        Self { reason, why: why.into() }
    }
}

impl Denied {
    /// Nobody knows who asks.
    pub(super) fn unknown(Unknown { reason, why }: Unknown, need: Need) -> Self {
        Self { reason, why, identity: None, right: need.right(), namespace: None }
    }

    /// Somebody asks who may not; `namespace` is empty for the shared keyspace.
    pub(super) fn without_right(identity: &Identity, right: Right, namespace: &str) -> Self {
        let place = match namespace {
            "" => "in the shared keyspace".to_owned(),
            name => format!("in the namespace {name}"),
        };
        Self::of(identity, right, &place, Some(namespace.to_owned()))
    }

    /// Somebody asks who has no right over the server.
    pub(super) fn without_power(identity: &Identity, right: Right) -> Self {
        Self::of(identity, right, "this server", None)
    }

    fn of(identity: &Identity, right: Right, place: &str, namespace: Option<String>) -> Self {
        let why = format!("{identity} has no right to {} {place}", right.name());
        Self {
            reason: Reason::NoRight,
            why: why.into(),
            identity: Some(identity.clone()),
            right: Some(right),
            namespace,
        }
    }

    /// Whether the caller is known: another credential would not help then.
    pub(crate) fn is_known(&self) -> bool {
        self.identity.is_some()
    }
}

impl Need {
    fn right(self) -> Option<Right> {
        match self {
            Self::Nothing | Self::Identity | Self::AnyInNamespace => None,
            Self::Namespace(right) | Self::Server(right) => Some(right),
        }
    }
}
