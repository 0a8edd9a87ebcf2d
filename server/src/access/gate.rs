//! Judges the calls of one connection, before a byte of their messages is read.
//!
//! Calls of a connection mostly have one credential and one namespace. So the gate remembers the
//! last of each with what came of it, until another policy takes over or the credential expires.

use std::{cell::RefCell, rc::Rc, sync::Arc, time::Instant};

use subtle::ConstantTimeEq;
use tiny_cache_proto::key::{InvalidNamespace, Namespace};

use super::{
    audit::Event,
    certificate::CertificateName,
    identity::Identity,
    policy::{Caller, Verdict},
    reason::Reason,
    refusal::{Denied, Refusal, Unknown},
    reload::Access,
    right::{Need, Right, Rights},
};

/// A namespace longer than this is not remembered: it is invalid, or padded with spaces.
const LONGEST_NAMESPACE: usize = 128;

/// The judge of a connection. Empty, it lets every call in. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gate(Option<Rc<Guarded>>);

/// What is judged of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) need: Need,
    /// The metadata `authorization`.
    pub(crate) authorization: Option<&'a [u8]>,
    /// The metadata that names the namespace.
    pub(crate) namespace: Option<&'a [u8]>,
    /// When the call came.
    pub(crate) at: Instant,
}

#[derive(Debug)]
struct Guarded {
    access: Arc<Access>,
    /// Who the connection's certificate says that its peer is; `None`: certificates are not asked.
    certificate: Option<Result<Identity, String>>,
    memo: RefCell<Memo>,
}

/// The last credential and the last namespace, with what came of them.
#[derive(Debug)]
struct Memo {
    /// Of the policy; 0: nothing is remembered.
    generation: u64,
    has_authorization: bool,
    authorization: Vec<u8>,
    caller: Result<Caller, Unknown>,
    until: Option<Instant>,
    /// Whether `rights` are those in `namespace`.
    has_rights: bool,
    namespace: Vec<u8>,
    rights: Rights,
}

impl Gate {
    /// The judge of a connection whose peer showed this certificate.
    pub(crate) fn new(access: Arc<Access>, certificate: Option<&[u8]>) -> Self {
        let named = |name: CertificateName| match certificate {
            Some(der) => name.identity(der),
            None => Err("there is none".to_owned()),
        };
        let certificate = access.files.certificate.map(named);
        Self(Some(Rc::new(Guarded { access, certificate, memo: RefCell::default() })))
    }

    /// Lets a call in, and returns what its caller may do in its namespace; nothing, if the call is
    /// in none.
    ///
    /// # Errors
    /// [`Refusal`] when its caller is not known, has not the right, or names no namespace. An
    /// unknown caller hears of nothing else.
    #[inline]
    pub(crate) fn check(&self, asked: &Asked<'_>) -> Result<Rights, Refusal> {
        match &self.0 {
            None => Ok(Rights::ALL),
            Some(guarded) => guarded.check(asked),
        }
    }

    /// Counts and logs a call that was refused.
    pub(crate) fn report(&self, refusal: &Refusal, event: Event<'_>) {
        if let (Some(guarded), Refusal::Denied(denied)) = (&self.0, refusal) {
            guarded.access.audit.call(denied, event);
        }
    }
}

impl Guarded {
    fn check(&self, asked: &Asked<'_>) -> Result<Rights, Refusal> {
        if asked.need == Need::Nothing {
            return Ok(Rights::NONE);
        }
        // Where no caller has a token, the metadata may mean something to others.
        let authorization = asked.authorization.filter(|_| self.access.takes_tokens());
        let mut memo = self.memo.borrow_mut();
        let generation = self.access.generation();
        if !memo.is_of(generation, authorization, asked.at) {
            let policy = self.access.policy();
            let verdict = policy.identify(authorization, self.certificate.as_ref(), asked.at);
            memo.remember(generation, authorization, verdict);
        }
        memo.judge(asked)
    }
}

impl Default for Memo {
    fn default() -> Self {
        Self {
            generation: 0,
            has_authorization: false,
            authorization: Vec::new(),
            caller: Err(Unknown::new(Reason::NoCredential, "")),
            until: None,
            has_rights: false,
            namespace: Vec::new(),
            rights: Rights::NONE,
        }
    }
}

impl Memo {
    /// Whether the credential is the one that is remembered.
    #[inline]
    fn is_of(&self, generation: u64, authorization: Option<&[u8]>, at: Instant) -> bool {
        self.generation == generation
            && self.has_authorization == authorization.is_some()
            && authorization.is_none_or(|given| same(given, &self.authorization))
            && self.until.is_none_or(|until| at < until)
    }

    fn remember(&mut self, generation: u64, authorization: Option<&[u8]>, verdict: Verdict) {
        self.generation = generation;
        self.has_authorization = authorization.is_some();
        self.authorization.clear();
        self.authorization.extend_from_slice(authorization.unwrap_or_default());
        self.caller = verdict.caller;
        self.until = verdict.until;
        self.has_rights = false;
    }

    fn judge(&mut self, asked: &Asked<'_>) -> Result<Rights, Refusal> {
        let caller = match &self.caller {
            Ok(caller) => caller,
            Err(unknown) => return Err(Denied::unknown(unknown.clone(), asked.need).into()),
        };
        let right = match asked.need {
            Need::Nothing | Need::Identity => return Ok(Rights::NONE),
            Need::Server(right) if caller.grants.everywhere(right) => return Ok(Rights::NONE),
            Need::Server(right) => {
                return Err(Denied::without_power(&caller.identity, right).into());
            }
            Need::Namespace(right) => Some(right),
            Need::AnyInNamespace => None,
        };
        let given = asked.namespace.unwrap_or_default();
        if !(self.has_rights && is_same(&self.namespace, given)) {
            self.rights = caller.grants.within(name(given)?);
            self.has_rights = given.len() <= LONGEST_NAMESPACE;
            self.namespace.clear();
            if self.has_rights {
                self.namespace.extend_from_slice(given);
            }
        }
        let is_let_in = match right {
            Some(right) => self.rights.has(right),
            None => self.rights.has(Right::Read) || self.rights.has(Right::Write),
        };
        if is_let_in {
            return Ok(self.rights);
        }
        let right = right.unwrap_or(Right::Read);
        Err(Denied::without_right(&caller.identity, right, name(given)?).into())
    }
}

/// The namespace that a call names, as its service reads it; empty for the shared keyspace.
fn name(given: &[u8]) -> Result<&str, InvalidNamespace> {
    Namespace::of_metadata(given).map(Namespace::as_str)
}

/// Whether two namespaces are the same. Most calls name none, and nothing is not compared: an empty
/// slice points nowhere, and a comparison by AVX-512, as glibc has it, takes 100 ns to find out that
/// it need not have looked there.
#[inline]
fn is_same(held: &[u8], given: &[u8]) -> bool {
    held.len() == given.len() && (given.is_empty() || held == given)
}

/// Compares two credentials, in a time that depends on their lengths alone. Through a proxy, a
/// connection may have callers that would like to know the credential of another.
#[inline]
fn same(given: &[u8], held: &[u8]) -> bool {
    // Byte by byte, `subtle` would take 100 ns for a token.
    let differing = || given.iter().zip(held).fold(0, |bits, (a, b)| bits | (a ^ b));
    given.len() == held.len() && differing().ct_eq(&0).into()
}

#[cfg(test)]
mod tests;
