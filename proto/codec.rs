//! The codec of the generated service and client: prost's, with a guard against messages
//! that unpack to many times their size.

use std::marker::PhantomData;

use bytes::Buf;
use prost::{Message, encoding::decode_varint};
use tonic::{
    Status,
    codec::{BufferSettings, Codec, DecodeBuf, Decoder},
};
use tonic_prost::{ProstDecoder, ProstEncoder};

/// Most items that a batch may have at all; a server may be set to allow fewer.
///
/// An empty item takes 2 bytes on the wire and up to 64 in memory: without a bound, a message
/// of 9 MiB unpacked to 300.
pub const MAX_BATCH_ITEMS: usize = 100_000;

/// Encodes `T` and decodes `U`.
#[derive(Clone, Copy, Debug)]
pub struct CacheCodec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for CacheCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for CacheCodec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = BoundedDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstEncoder::default()
    }

    fn decoder(&mut self) -> Self::Decoder {
        BoundedDecoder(ProstDecoder::default())
    }
}

/// Decodes a message unless it has too many items.
#[derive(Clone, Debug)]
pub struct BoundedDecoder<U>(ProstDecoder<U>);

impl<U: Message + Default> Decoder for BoundedDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        // An item takes two bytes at least, so few messages are long enough to be counted.
        if message.remaining() > 2 * MAX_BATCH_ITEMS && !few_fields(message.chunk()) {
            return Err(Status::invalid_argument(format!(
                "Batch of more than {MAX_BATCH_ITEMS} items is too large"
            )));
        }
        self.0.decode(message)
    }

    fn buffer_settings(&self) -> BufferSettings {
        self.0.buffer_settings()
    }
}

/// Whether the message has no more fields, repetitions counted, than a batch may have. What
/// is no message at all is left to the decoder.
fn few_fields(mut message: &[u8]) -> bool {
    let mut fields = 0;
    while message.has_remaining() {
        fields += 1;
        if fields > MAX_BATCH_ITEMS {
            return false;
        }
        if skip_field(&mut message).is_none() {
            return true;
        }
    }
    true
}

fn skip_field(message: &mut &[u8]) -> Option<()> {
    let key = decode_varint(message).ok()?;
    let len = match key & 7 {
        0 => return decode_varint(message).ok().map(drop),
        1 => 8,
        2 => usize::try_from(decode_varint(message).ok()?).ok()?,
        5 => 4,
        _ => return None,
    };
    *message = message.get(len..)?;
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::{CacheItem, MultiCacheItemRequest, MultiCacheKeyRequest};

    #[test]
    fn as_many_items_as_are_allowed_pass_and_one_more_does_not() {
        let keys = |n| MultiCacheKeyRequest { keys: vec![String::new(); n] }.encode_to_vec();
        assert!(few_fields(&keys(MAX_BATCH_ITEMS)));
        assert!(!few_fields(&keys(MAX_BATCH_ITEMS + 1)));
        let item = CacheItem { key: "k".into(), value: vec![7; 100].into(), ttl: -1 };
        let items = MultiCacheItemRequest { items: vec![item; 1000] };
        assert!(few_fields(&items.encode_to_vec()));
    }

    #[test]
    fn what_is_no_message_is_left_to_the_decoder() {
        for junk in [&[0xff; 20][..], &[0x0a, 0x7f], &[0x0b], &[0x0a]] {
            assert!(few_fields(junk));
        }
    }
}
