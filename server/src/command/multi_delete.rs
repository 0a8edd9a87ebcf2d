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

    async fn run<'a>(context: &Context<'a>, request: Keys<'a>) -> Result<Results<'a>, Rejection> {
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
