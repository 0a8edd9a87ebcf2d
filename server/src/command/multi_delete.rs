//! MultiDelete: removes many values.

use super::{
    batch::{self, Results},
    contract::{Command, Context},
    multi_get::Keys,
};
use crate::rejection::Rejection;

pub(crate) struct MultiDelete;

impl Command for MultiDelete {
    type Request<'a> = Keys<'a>;
    type Reply<'a> = Results<'a>;

    const OVER_TIER: bool = true;

    async fn run<'a>(context: &Context<'a>, request: Keys<'a>) -> Result<Results<'a>, Rejection> {
        if let Some(tier) = context.through() {
            let begin = |_, key| Ok(tier.delete(key));
            return batch::write_through(context, &request.keys, |key| key, begin).await;
        }
        batch::write(
            context,
            &request.keys,
            |key| key,
            |_, place| {
                context.store.delete_at(place);
                Ok(())
            },
        )
        .await
    }
}
