//! `write`: one value, if a condition holds.

use std::time::Duration;

use clap::Args;
use tiny_cache_client::{Change, ChangeOutcome, Condition, Version};

use super::{Call, Error, Session, TtlArgs, ValueArgs, Verdict, refused};
use crate::{encoding::Encoding, input, output};

const MORE: &str = "\
Output:
  `applied`, `exists`, `not_found` or `mismatch`, and the version that is
  there now; with --previous, a line with the value that was there. JSON is
    {\"key\":\"k\",\"applied\":true,\"outcome\":\"applied\",\"version\":140}
  and has `previous` beside that.

Examples:
  tiny-cache write greeting hello --ttl 10m
  tiny-cache write config --file new.toml --if-version 1403099696287966
  tiny-cache write lock mine --if-absent --ttl 30s
  tiny-cache write page --file new --ttl 1m --stale-for 1h --ttl-jitter 10
  tiny-cache write page:7 --file new --tag author:3 --tag news
  tiny-cache write page --file new --if-sha256 \"$(sha256sum <old | cut -c-64)\"

Exit codes:
  0  written
  1  the condition did not hold
  2  an error
";

/// Writes a value if a condition holds
#[derive(Args, Debug)]
#[command(after_help = MORE)]
pub(crate) struct WriteArgs {
    /// The key
    #[arg(value_parser = input::key())]
    key: String,

    #[command(flatten)]
    value: ValueArgs,

    #[command(flatten)]
    ttl: TtlArgs,

    /// Write only if no value is there
    #[arg(long, conflicts_with_all = ["if_present", "if_version", "if_value", "if_sha256"])]
    if_absent: bool,

    #[command(flatten)]
    condition: ConditionArgs,

    /// Keep the value so long beyond its time to live, for callers that take a stale one
    #[arg(long, value_name = "DURATION", value_parser = input::ttl)]
    stale_for: Option<Duration>,

    /// Have it refreshed from so long before the end of its time to live
    #[arg(long, value_name = "DURATION", value_parser = input::ttl)]
    refresh_before: Option<Duration>,

    /// Shorten the time to live by a random part, of at most so many percent
    #[arg(long, value_name = "PERCENT", default_value_t = 0, hide_default_value = true)]
    ttl_jitter: u8,

    /// A name that the value can be invalidated by; up to 8 of them
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,

    /// Show the value that was there
    #[arg(long)]
    previous: bool,
}

/// What has to hold of the value that is there.
#[derive(Args, Debug)]
#[group(multiple = false)]
pub(crate) struct ConditionArgs {
    /// Only if a value is there
    #[arg(long)]
    if_present: bool,

    /// Only if the value that is there has this version
    #[arg(long, value_name = "VERSION")]
    if_version: Option<Version>,

    /// Only if this value is there
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    if_value: Option<String>,

    /// Only if the value that is there has this SHA-256, in hex
    #[arg(long, value_name = "HEX")]
    if_sha256: Option<String>,
}

impl ConditionArgs {
    pub(super) fn read(self) -> Result<Option<Condition>, Error> {
        if let Some(hex) = self.if_sha256 {
            let hash = Encoding::Hex.decode(hex.as_bytes());
            let hash = hash.map_err(|why| refused!("bad --if-sha256: {why}"))?;
            let bytes = hash.len();
            let hash = hash.try_into().map_err(|_| {
                refused!("bad --if-sha256: it has {bytes} bytes, and a SHA-256 has 32")
            })?;
            return Ok(Some(Condition::Sha256(hash)));
        }
        let present = self.if_present.then_some(Condition::Present);
        let version = self.if_version.map(Condition::Version);
        let value = self.if_value.map(|value| Condition::Value(value.into()));
        Ok(present.or(version).or(value))
    }
}

impl WriteArgs {
    /// Refuses what the server would refuse of its fields, in the words of the options.
    fn check(&self) -> Result<(), Error> {
        let ttl = self.ttl.or_default();
        let stale_for = self.stale_for.unwrap_or_default();
        let refresh_before = self.refresh_before.unwrap_or_default();
        if ttl.is_zero() && !(stale_for + refresh_before).is_zero() {
            return Err(refused!(
                "--stale-for and --refresh-before need a --ttl: a value that never expires is \
                 never stale"
            ));
        }
        if refresh_before > ttl {
            let [span, ttl] = [refresh_before, ttl].map(humantime::format_duration);
            return Err(refused!("bad --refresh-before: {span} is longer than the --ttl, {ttl}"));
        }
        Ok(())
    }
}

impl Call for WriteArgs {
    async fn run(self, session: &Session) -> Result<Verdict, Error> {
        self.check()?;
        let Self { key, value, ttl, if_absent, condition, .. } = self;
        let condition = condition.read()?.or(if_absent.then_some(Condition::Absent));
        let mut request = session.client.write(&key, value.source().read()?).ttl(ttl.or_default());
        request = request
            .stale_for(self.stale_for.unwrap_or_default())
            .refresh_before(self.refresh_before.unwrap_or_default())
            .ttl_jitter_percent(self.ttl_jitter)
            .tags(self.tags);
        if let Some(condition) = condition {
            request = request.when(condition);
        }
        if self.previous {
            request = request.with_previous();
        }
        show(session, &key, &session.written(request.await).await?)
    }
}

/// Shows what a change did.
pub(super) fn show(session: &Session, key: &str, change: &Change) -> Result<Verdict, Error> {
    let outcome = match change.outcome {
        ChangeOutcome::Applied => "applied",
        ChangeOutcome::Exists => "exists",
        ChangeOutcome::NotFound => "not_found",
        ChangeOutcome::Mismatch => "mismatch",
        ChangeOutcome::LeaseLost => "lease_lost",
        _ => "unknown",
    };
    let mut members = vec![
        ("key", key.into()),
        ("applied", change.is_applied().into()),
        ("outcome", outcome.into()),
    ];
    let mut text = outcome.to_owned();
    if let Some(version) = change.version {
        text.extend([" ", &version.to_string()]);
        members.push(("version", version.get().into()));
    }
    text.push('\n');
    if let Some(previous) = &change.previous_value {
        text.extend([&output::escaped(previous), "\n"]);
        let (name, value) = output::member(previous, None);
        let encoded = name.ends_with("base64");
        members.push((if encoded { "previous_base64" } else { "previous" }, value));
    }
    session.show(&text, members)?;
    Ok(change.is_applied().into())
}
