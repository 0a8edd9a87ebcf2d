//! WhatIf: the hit ratio that other memory would give.

use tiny_cache_proto::v1::{self, WhatIfReply, WhatIfRequest};

use crate::{
    call::{ReplyMessage, ReplyWriter},
    command::{
        contract::{Command, Context},
        stats::Nothing,
    },
    rejection::Rejection,
    store::{WhatIfReport, WhatIfSize},
};

pub(crate) struct WhatIf;

impl Command for WhatIf {
    type Request<'a> = Nothing;
    type Reply<'a> = WhatIfReply;

    async fn run(context: &Context<'_>, Nothing: Nothing) -> Result<WhatIfReply, Rejection> {
        let report = context.store.store().what_if().ok_or(Rejection::NoWhatIf)?;
        Ok(reply(&report))
    }
}

impl From<&WhatIfRequest> for Nothing {
    fn from(WhatIfRequest {}: &WhatIfRequest) -> Self {
        Self
    }
}

impl ReplyMessage for WhatIfReply {
    fn write(&self, message: &mut ReplyWriter) {
        message.fields_of(self);
    }
}

fn reply(report: &WhatIfReport) -> WhatIfReply {
    WhatIfReply {
        over_ms: report.over.as_millis() as i64,
        reads: report.reads as i64,
        sampled_reads: report.sampled_reads as i64,
        one_in: report.one_in as i64,
        hit_ratio: report.hit_ratio.unwrap_or_default(),
        simulated_hit_ratio: report.simulated_hit_ratio.unwrap_or_default(),
        sizes: report.sizes.iter().map(size).collect(),
    }
}

fn size(size: &WhatIfSize) -> v1::WhatIfSize {
    v1::WhatIfSize {
        memory_times: size.times,
        memory_bytes: size.memory_bytes as i64,
        hit_ratio: size.hit_ratio.unwrap_or_default(),
        filled: size.filled,
        entries: size.entries as i64,
    }
}
