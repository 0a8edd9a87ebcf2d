//! Values of the caller's own types, as JSON.

use std::{fmt, marker::PhantomData};

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    Call, Client, Error, ErrorKind, Get, GetOrFill, Request, Result, Run, Set, WriteOperation,
    get_or_fill::Form,
};

impl Client {
    /// Reads a value that was written as JSON; `None` is a miss.
    ///
    /// ```
    /// # use tiny_cache_client::{Client, testing::TestServer};
    /// #[derive(serde::Serialize, serde::Deserialize, PartialEq, Debug)]
    /// struct User {
    ///     name: String,
    /// }
    /// # #[tokio::main]
    /// # async fn main() -> tiny_cache_client::Result<()> {
    /// # let server = TestServer::start().await?;
    /// # let client = server.client().await?;
    /// let alice = User { name: "Alice".to_owned() };
    /// client.set_json("user:7", &alice).await?;
    /// assert_eq!(client.get_json::<User>("user:7").await?, Some(alice));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Client::get`], and [`ErrorKind::NotJson`] if the value is not JSON of this type.
    pub fn get_json<'c, T: DeserializeOwned>(
        &'c self,
        key: &'c str,
    ) -> Request<'c, GetJson<'c, T>> {
        self.request(GetJson { key, value: PhantomData })
    }

    /// Writes a value as JSON, as [`Client::set`] does.
    ///
    /// # Errors
    ///
    /// As [`Client::set`], and [`ErrorKind::Validation`] if the value has no JSON: a map with keys
    /// that are no texts, for instance.
    pub fn set_json<'c, T: Serialize + ?Sized>(
        &'c self,
        key: &'c str,
        value: &T,
    ) -> Request<'c, SetJson<'c>> {
        self.request(SetJson { key, value: encode(key, value) })
    }

    /// Reads a value that was written as JSON, or has `origin` make it and stores it as JSON. All else
    /// is as in [`Client::get_or_fill`]. A value that is there and is not JSON of this type, because
    /// the type has changed since, is made anew and replaced.
    ///
    /// ```
    /// # use std::convert::Infallible;
    /// # use tiny_cache_client::{Client, FillError, testing::TestServer};
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), FillError<Infallible>> {
    /// # let server = TestServer::start().await?;
    /// # let client = server.client().await?;
    /// let primes = || async { Ok::<_, Infallible>(vec![2, 3, 5]) };
    /// let primes: Vec<u32> = client.get_or_fill_json("primes", primes).await?;
    /// assert_eq!(primes, [2, 3, 5]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Client::get_or_fill`]; [`FillError::Refused`](crate::FillError::Refused), too, if the
    /// value has no JSON.
    pub fn get_or_fill_json<'c, F>(
        &'c self,
        key: &'c str,
        origin: F,
    ) -> Request<'c, GetOrFill<'c, F, Json>> {
        self.request(GetOrFill::new(key, origin))
    }
}

/// Values as JSON.
#[derive(Debug)]
pub struct Json;

impl<V: Serialize + DeserializeOwned> Form<V> for Json {
    type Output = V;

    fn encode(key: &str, value: V) -> Result<Bytes> {
        encode(key, &value)
    }

    fn decode(value: &Bytes) -> Option<V> {
        serde_json::from_slice(value).ok()
    }
}

/// See [`Client::get_json`].
pub struct GetJson<'a, T> {
    key: &'a str,
    value: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Run for GetJson<'_, T> {
    type Output = Result<Option<T>>;

    async fn run(self, call: Result<Call<'_>>) -> Self::Output {
        let Some(value) = Get { key: self.key }.run(call).await? else { return Ok(None) };
        serde_json::from_slice(&value).map(Some).map_err(|error| {
            let text = format!("the value of `{}` is not the JSON that was wanted", self.key);
            Error::new(ErrorKind::NotJson, text).because(error)
        })
    }
}

impl<T> fmt::Debug for GetJson<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GetJson").field("key", &self.key).finish_non_exhaustive()
    }
}

/// See [`Client::set_json`].
#[derive(Debug)]
pub struct SetJson<'a> {
    key: &'a str,
    value: Result<Bytes>,
}

impl WriteOperation for SetJson<'_> {}

impl Run for SetJson<'_> {
    type Output = Result<()>;

    async fn run(self, call: Result<Call<'_>>) -> Self::Output {
        Set { key: self.key, value: self.value? }.run(call).await
    }
}

fn encode<T: Serialize + ?Sized>(key: &str, value: &T) -> Result<Bytes> {
    serde_json::to_vec(value).map(Bytes::from).map_err(|error| {
        let text = format!("the value for `{key}` has no JSON");
        Error::new(ErrorKind::Validation, text).because(error)
    })
}
