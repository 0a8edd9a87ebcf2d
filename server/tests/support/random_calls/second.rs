//! The calls of the second service, on the same keys as those of the first.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rand::RngExt;
use ring::digest::{SHA256, digest};
use tiny_cache_proto::v1::{
    AddReply, AddRequest, BatchRequest, Condition, Failure, InvalidateRequest, LeaseRequest,
    Operation, Outcome, Presence, ReadReply, ReadRequest, ReadState, ReleaseRequest, RemoveReply,
    RemoveRequest, WriteReply, WriteRequest, condition::Holds, operation::Operation as Sent,
    operation_result::Result as Got,
};
use tonic::{Code, Status};

use super::{
    super::{
        Cache, Second,
        messages::{key, lasting, read, remove},
        model::{After, MAX_VALUE, Met, Name, Refusal, Span},
        random_requests::Spelt,
    },
    CacheStatus, Lane,
};

/// Tags that the entries of a lane have.
const TAGS: u8 = 3;

/// A read, a write, a removal or a step of a counter, with the rule for its reply.
struct Plan {
    name: Name,
    sent: Sent,
    /// The version that the live entry has, if there is one and it is known.
    version: Option<i64>,
    /// Bits of the tags that a write names.
    tags: u8,
}

type Told<T> = Result<T, Refusal>;

/// A result, which is of this kind.
macro_rules! only {
    ($got:expr, $kind:ident) => {
        match $got {
            Got::$kind(reply) => reply,
            other => panic!("a result of another kind: {other:?}"),
        }
    };
}

impl Lane {
    /// One call of the second service, or several that belong together.
    pub(super) async fn second_service(&mut self) {
        match self.choose.random.random_range(0..100) {
            0..80 => self.one().await,
            80..88 => self.batch().await,
            88..92 => self.invalidate().await,
            _ => self.lease().await,
        }
    }

    async fn one(&mut self) {
        let (spelt, name) = self.choose.name();
        let plan = self.plan(name);
        let (span, got) = match plan.sent.clone() {
            Sent::Read(read) => {
                let call = async |mut second: Second, request| second.read(request).await;
                let (span, told) = self.ask_second("Read", spelt, read, call).await;
                (span, told.map(Got::Read))
            }
            Sent::Write(write) => {
                let call = async |mut second: Second, request| second.write(request).await;
                let (span, told) = self.ask_second("Write", spelt, write, call).await;
                (span, told.map(Got::Write))
            }
            Sent::Remove(remove) => {
                let call = async |mut second: Second, request| second.remove(request).await;
                let (span, told) = self.ask_second("Remove", spelt, remove, call).await;
                (span, told.map(Got::Remove))
            }
            Sent::Add(add) => {
                let call = async |mut second: Second, request| second.add(request).await;
                let (span, told) = self.ask_second("Add", spelt, add, call).await;
                (span, told.map(Got::Add))
            }
        };
        self.judge_plan(&plan, span, got);
    }

    /// Some of them in one call, each of another key.
    async fn batch(&mut self) {
        let (spelt, names) = self.choose.names();
        let mut seen = HashSet::new();
        let names = names.into_iter().filter(|name| seen.insert(name.clone())).take(8);
        let plans: Vec<_> = names.map(|name| self.plan(name)).collect();
        let operations =
            plans.iter().map(|plan| Operation { operation: Some(plan.sent.clone()) }).collect();
        let call = async |mut second: Second, request| second.batch(request).await;
        let (span, told) = self.ask_second("Batch", spelt, BatchRequest { operations }, call).await;
        if spelt.meant.is_none() {
            return assert_eq!(told.err(), Some(Refusal::Namespace));
        }
        let results = told.expect("no batch of so few is refused").results;
        assert_eq!(results.len(), plans.len());
        self.figures.items += results.len() as u64;
        for (plan, result) in plans.iter().zip(results) {
            let told = match result.result.unwrap() {
                Got::Failure(Failure { code, message, carried_out }) => {
                    assert!(!carried_out, "{message}");
                    let refusal = Refusal::of(&Status::new(Code::from_i32(code), message));
                    *self.figures.refusals.entry(refusal).or_default() += 1;
                    Err(refusal)
                }
                got => Ok(got),
            };
            self.judge_plan(plan, span, told);
        }
    }

    async fn invalidate(&mut self) {
        let (spelt, _) = self.choose.name();
        let bits = self.choose.random.random_range(1..1 << TAGS);
        let request = InvalidateRequest { tags: self.tags(bits), ..InvalidateRequest::default() };
        let call = async |mut second: Second, request| second.invalidate(request).await;
        let (_, told) = self.ask_second("Invalidate", spelt, request, call).await;
        match spelt.meant {
            None => assert_eq!(told.err(), Some(Refusal::Namespace)),
            Some(namespace) => {
                told.unwrap();
                self.model.invalidate(namespace, bits);
            }
        }
    }

    /// Claims what is missing, and fills it, unless something comes in between.
    async fn lease(&mut self) {
        // Few keys have a stale entry at a time.
        let stale = self.model.stale_name(Instant::now()).cloned();
        let (spelt, name) = match stale.filter(|_| self.choose.random.random_bool(0.5)) {
            Some(stale) => (Spelt::of(&stale), stale),
            None => self.choose.name(),
        };
        let lease = Some(LeaseRequest { lease_ms: 60_000, wait_ms: 0 });
        let request = ReadRequest { lease, ..read(&name.key) };
        let call = async |mut second: Second, request| second.read(request).await;
        let (span, told) = self.ask_second("Read", spelt, request.clone(), call).await;
        let token = told.as_ref().ok().and_then(|reply| reply.lease).map(|lease| lease.token);
        let plan = Plan {
            sent: Sent::Read(request),
            version: self.model.version(&name),
            tags: 0,
            name: name.clone(),
        };
        self.judge_plan(&plan, span, told.map(Got::Read));
        let Some(token) = token else { return };

        let bits = self.choose.random.random_range(0..1 << TAGS);
        let is_lost = match self.choose.random.random_range(0..5) {
            0 => {
                let call = async |mut cache: Cache, request| cache.delete(request).await;
                let (span, told) = self.ask("Delete", spelt, key(&name.key), call).await;
                let told = told.map(|deleted| deleted.status());
                self.judge(&name, span, &told, |_| (Ok(CacheStatus::Ok), After::Gone));
                true
            }
            1 => {
                let item = lasting(&name.key, "newer", 0);
                let call = async |mut cache: Cache, request| cache.set(request).await;
                let (span, told) = self.ask("Set", spelt, item, call).await;
                let told = told.map(|set| set.status());
                self.judge(&name, span, &told, |_| {
                    super::write(CacheStatus::Ok, &"newer".into(), 0)
                });
                true
            }
            2 => {
                let call = async |mut second: Second, request| second.release(request).await;
                let request = ReleaseRequest { key: name.key.clone(), lease_token: token };
                let told = self.ask_second("Release", spelt, request, call).await.1.unwrap();
                assert!(told.released);
                true
            }
            3 if bits != 0 => {
                let call = async |mut second: Second, request| second.invalidate(request).await;
                let (_, told) = self
                    .ask_second(
                        "Invalidate",
                        spelt,
                        InvalidateRequest { tags: self.tags(bits), ..InvalidateRequest::default() },
                        call,
                    )
                    .await;
                told.unwrap();
                self.model.invalidate(spelt.meant.unwrap(), bits);
                true
            }
            _ => false,
        };
        let filled = WriteRequest {
            key: name.key.clone(),
            value: self.choose.value(),
            lease_token: token,
            tags: self.tags(bits),
            ..WriteRequest::default()
        };
        let value = filled.value.clone();
        let call = async |mut second: Second, request| second.write(request).await;
        let (span, told) = self.ask_second("Write", spelt, filled, call).await;
        let outcome = told.as_ref().map(WriteReply::outcome).map_err(|refusal| *refusal);
        self.judge(&name, span, &outcome, |_| {
            if is_lost {
                (Ok(Outcome::LeaseLost), After::Same)
            } else {
                super::write(Outcome::Applied, &value, 0)
            }
        });
        if let (Ok(reply), false) = (told, is_lost) {
            self.wrote(&name, reply.version, bits);
        }
        if !is_lost && value.len() > MAX_VALUE {
            // The lease lasts, and would keep the next from getting one.
            let call = async |mut second: Second, request| second.release(request).await;
            let request = ReleaseRequest { key: name.key.clone(), lease_token: token };
            assert!(self.ask_second("Release", spelt, request, call).await.1.unwrap().released);
        }
    }

    fn plan(&mut self, name: Name) -> Plan {
        let version = self.model.version(&name);
        let random = |lane: &mut Self, ratio| lane.choose.random.random_bool(ratio);
        let known = version.or(self.floors.get(&name).copied()).unwrap_or(7);
        let mut tags = 0;
        let key = name.key.clone();
        let sent = match self.choose.random.random_range(0..100) {
            0..45 => Sent::Read(ReadRequest {
                exists_only: random(self, 0.2),
                if_version_not: if random(self, 0.3) { known } else { 0 },
                touch_ttl_ms: random(self, 0.2).then(|| ttl_ms(self.choose.ttl())),
                ..read(key)
            }),
            45..75 => {
                tags = self.choose.random.random_range(0..1 << TAGS);
                let ttl_ms = ttl_ms(self.choose.ttl());
                let spans = [0, 0, 0, 500, 60_000].map(|span| if ttl_ms == 0 { 0 } else { span });
                Sent::Write(WriteRequest {
                    key,
                    value: self.choose.value(),
                    ttl_ms,
                    stale_ms: spans[self.choose.random.random_range(0..spans.len())],
                    refresh_before_ms: spans[self.choose.random.random_range(0..4)],
                    condition: self.condition(&name, known),
                    return_previous: random(self, 0.3),
                    tags: self.tags(tags),
                    ..WriteRequest::default()
                })
            }
            75..85 => {
                let condition = self.condition(&name, known);
                let absent = Holds::Presence(Presence::Absent.into());
                let condition = condition.filter(|given| given.holds.as_ref() != Some(&absent));
                let return_previous = random(self, 0.3);
                Sent::Remove(RemoveRequest { condition, return_previous, ..remove(key, None) })
            }
            _ if self.model.may_count(&name) => Sent::Add(AddRequest {
                key,
                delta: self.choose.random.random_range(-5..6),
                initial: self.choose.random.random_range(0..3),
                ttl_ms: ttl_ms(self.choose.ttl()),
                renew_ttl: random(self, 0.3),
                most: random(self, 0.2).then_some(3),
                ..AddRequest::default()
            }),
            _ => Sent::Read(read(key)),
        };
        Plan { name, sent, version, tags }
    }

    fn condition(&mut self, name: &Name, known: i64) -> Option<Condition> {
        let held = self.model.value(name).cloned().filter(|_| self.choose.random.random_bool(0.6));
        let value = held.unwrap_or_else(|| self.choose.value());
        let holds = match self.choose.random.random_range(0..9) {
            0 => Holds::Presence(Presence::Absent.into()),
            1 => Holds::Presence(Presence::Present.into()),
            2 | 3 => Holds::Version(known - i64::from(self.choose.random.random_ratio(1, 4))),
            4 => Holds::Value(value),
            5 => Holds::ValueSha256(Bytes::copy_from_slice(digest(&SHA256, &value).as_ref())),
            _ => return None,
        };
        Some(Condition { holds: Some(holds) })
    }

    /// The names of tags by their bits: each lane has its own.
    fn tags(&self, bits: u8) -> Vec<String> {
        let set = (0..TAGS).filter(|bit| bits >> bit & 1 == 1);
        set.map(|bit| format!("{}/{bit}", self.number)).collect()
    }

    fn judge_plan(&mut self, plan: &Plan, span: Span, told: Told<Got>) {
        let name = &plan.name;
        match (&plan.sent, told) {
            (Sent::Read(asked), told) => {
                let told = told.map(|got| only!(got, Read));
                self.judge_read(plan, asked, span, told);
            }
            (Sent::Write(asked), told) => {
                let told = told.map(|got| only!(got, Write));
                let changed = told.as_ref().map(|reply| seen(reply, asked.return_previous));
                let changed = changed.map_err(|refusal| *refusal);
                self.judge(name, span, &changed, |found| {
                    let previous = found.filter(|_| asked.return_previous).cloned();
                    match plan.outcome(asked.condition.as_ref(), found) {
                        Outcome::Applied => super::write(
                            (Outcome::Applied, previous),
                            &asked.value,
                            (asked.ttl_ms / 1000) as i32,
                        ),
                        outcome => (Ok((outcome, previous)), After::Same),
                    }
                });
                if let Ok(reply) = told {
                    let (applied, stale_ms) = (reply.outcome() == Outcome::Applied, asked.stale_ms);
                    self.changed(plan, reply);
                    if applied {
                        self.model.keep_stale(name, Duration::from_millis(stale_ms as u64));
                    }
                }
            }
            (Sent::Remove(asked), told) => {
                let told = told.map(|got| only!(got, Remove));
                let changed = told.as_ref().map(|reply| seen(reply, asked.return_previous));
                let changed = changed.map_err(|refusal| *refusal);
                self.judge(name, span, &changed, |found| {
                    let previous = found.filter(|_| asked.return_previous).cloned();
                    match plan.outcome(asked.condition.as_ref(), found) {
                        Outcome::Applied if found.is_none() => {
                            (Ok((Outcome::NotFound, previous)), After::Gone)
                        }
                        Outcome::Applied => (Ok((Outcome::Applied, previous)), After::Gone),
                        outcome => (Ok((outcome, previous)), After::Same),
                    }
                });
            }
            (Sent::Add(asked), told) => {
                let told = told.map(|got| only!(got, Add));
                let value = told.as_ref().map(|reply| reply.value).map_err(|refusal| *refusal);
                self.judge(name, span, &value, |found| sum(asked, found));
                if let Ok(reply) = told {
                    self.step(name, reply);
                }
            }
        }
    }

    fn judge_read(&mut self, plan: &Plan, asked: &ReadRequest, span: Span, told: Told<ReadReply>) {
        let told_all = told.as_ref().map(|reply| {
            let is_there = matches!(reply.state(), ReadState::Fresh | ReadState::Stale);
            let shown = is_there && !asked.exists_only && !reply.not_modified;
            (reply.state(), shown.then(|| reply.value.clone()), reply.not_modified)
        });
        self.judge_met(&plan.name, span, &told_all.map_err(|refusal| *refusal), |met| {
            let found = match met {
                Met::Live(found) => found,
                Met::Stale(found) if asked.lease.is_some() => {
                    return (Ok((ReadState::Stale, Some(found.clone()), false)), After::Same);
                }
                Met::Stale(_) | Met::Nothing => {
                    return (Ok((ReadState::Miss, None, false)), After::Same);
                }
            };
            let not_modified =
                asked.if_version_not != 0 && plan.version == Some(asked.if_version_not);
            let shown = !asked.exists_only && !not_modified;
            let after =
                asked.touch_ttl_ms.map_or(After::Same, |ttl| After::Lives((ttl / 1000) as i32));
            (Ok((ReadState::Fresh, shown.then(|| found.clone()), not_modified)), after)
        });
        let Ok(reply) = told else { return };
        let is_there = reply.state() != ReadState::Miss;
        self.figures.stale += u64::from(reply.state() == ReadState::Stale);
        self.figures.hits += u64::from(is_there);
        self.figures.misses += u64::from(!is_there);
        if is_there {
            self.saw(&plan.name, reply.version);
        }
    }

    fn changed(&mut self, plan: &Plan, reply: WriteReply) {
        if reply.outcome() == Outcome::Applied {
            return self.wrote(&plan.name, reply.version, plan.tags);
        }
        if reply.version != 0 {
            self.saw(&plan.name, reply.version);
        }
    }

    fn step(&mut self, name: &Name, reply: AddReply) {
        let floor = self.floors.get(name).copied().unwrap_or_default();
        // A step that was refused leaves the counter as it was, if there is one.
        if reply.version != 0 {
            assert!(reply.version >= floor, "{name:?}: {reply:?} after {floor}");
            self.floors.insert(name.clone(), reply.version);
            self.model.mark(name, reply.version, None);
        }
    }

    /// A write of this lane has this version.
    fn wrote(&mut self, name: &Name, version: i64, tags: u8) {
        let before = self.floors.insert(name.clone(), version).unwrap_or_default();
        assert!(version > before, "{name:?}: {version} after {before}");
        self.model.mark(name, version, Some(tags));
    }

    /// The live entry has this version: that of its last write, or one above all that were seen.
    fn saw(&mut self, name: &Name, version: i64) {
        if let Some(known) = self.model.version(name) {
            assert_eq!(version, known, "{name:?}");
        }
        let before = self.floors.insert(name.clone(), version).unwrap_or_default();
        assert!(version >= before, "{name:?}: {version} after {before}");
        self.model.mark(name, version, None);
    }
}

impl Plan {
    /// What becomes of a change with this condition.
    fn outcome(&self, condition: Option<&Condition>, found: Option<&Bytes>) -> Outcome {
        let Some(Condition { holds: Some(holds) }) = condition else { return Outcome::Applied };
        let matches = match (holds, found) {
            (Holds::Presence(presence), _) if *presence == Presence::Absent as i32 => {
                return if found.is_none() { Outcome::Applied } else { Outcome::Exists };
            }
            (_, None) => return Outcome::NotFound,
            (Holds::Presence(_), Some(_)) => true,
            (Holds::Version(version), Some(_)) => self.version == Some(*version),
            (Holds::Value(value), Some(found)) => value == found,
            (Holds::ValueSha256(hash), Some(found)) => digest(&SHA256, found).as_ref() == &hash[..],
        };
        if matches { Outcome::Applied } else { Outcome::Mismatch }
    }
}

/// The rule of a counter's step.
fn sum(asked: &AddRequest, found: Option<&Bytes>) -> (Told<i64>, After) {
    let before = match found {
        None => asked.initial,
        Some(value) => {
            let number = std::str::from_utf8(value).ok().and_then(|text| text.parse::<i64>().ok());
            match number.filter(|number| number.to_string().as_bytes() == value) {
                Some(number) => number,
                None => return (Err(Refusal::NoCounter), After::Same),
            }
        }
    };
    let sum = before + asked.delta;
    if asked.most.is_some_and(|most| sum > most) {
        return (Ok(before), After::Same);
    }
    let (text, ttl) = (sum.to_string().into(), (asked.ttl_ms / 1000) as i32);
    (Ok(sum), After::Counts { text, ttl, renews: asked.renew_ttl })
}

/// What a reply to a change says of what was there.
trait Changed {
    fn told(&self) -> (Outcome, i64, &Bytes);
}

impl Changed for WriteReply {
    fn told(&self) -> (Outcome, i64, &Bytes) {
        (self.outcome(), self.previous_version, &self.previous_value)
    }
}

impl Changed for RemoveReply {
    fn told(&self) -> (Outcome, i64, &Bytes) {
        (self.outcome(), self.previous_version, &self.previous_value)
    }
}

fn seen(reply: &impl Changed, wants_previous: bool) -> (Outcome, Option<Bytes>) {
    let (outcome, version, value) = reply.told();
    (outcome, (wants_previous && version != 0).then(|| value.clone()))
}

/// The same in milliseconds; what the first service takes for none is 0 here.
fn ttl_ms(seconds: i32) -> i64 {
    i64::from(seconds.max(0)) * 1000
}
