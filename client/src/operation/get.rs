//! Reads one value.

use bytes::Bytes;

use super::sealed::Run;
use crate::{
    call::Call,
    error::{Error, ErrorKind, Result},
    retry::Repetition,
    transport::rpc,
};

/// See [`Client::get`](crate::Client::get).
#[derive(Debug)]
pub struct Get<'a> {
    pub(crate) key: &'a str,
}

impl Run for Get<'_> {
    type Output = Result<Option<Bytes>>;

    async fn run(self, call: Result<Call<'_>>) -> Self::Output {
        let call = call?;
        call.check_key(self.key)?;
        let reply = call.make(&rpc::Get { key: self.key }, Repetition::Harmless).await?;
        Ok(reply.found.then_some(reply.value))
    }
}

/// See [`Client::get_text`](crate::Client::get_text).
#[derive(Debug)]
pub struct GetText<'a> {
    pub(crate) key: &'a str,
}

impl Run for GetText<'_> {
    type Output = Result<Option<String>>;

    async fn run(self, call: Result<Call<'_>>) -> Self::Output {
        let value = Get { key: self.key }.run(call).await?;
        value.map(|value| text(self.key, value)).transpose()
    }
}

fn text(key: &str, value: Bytes) -> Result<String> {
    String::from_utf8(value.into()).map_err(|error| {
        let error = error.utf8_error();
        Error::new(
            ErrorKind::NotText,
            format!("the value of `{key}` is not text; get reads its bytes"),
        )
        .because(error)
    })
}
