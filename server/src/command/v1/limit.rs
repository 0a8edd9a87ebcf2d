//! How many keys a reply is to have at most.

use crate::rejection::Rejection;

/// Reads a `limit`: 0 stands for the usual number.
pub(super) fn limit(given: i32, usual: usize, most: usize) -> Result<usize, Rejection> {
    match usize::try_from(given) {
        Ok(0) => Ok(usual),
        Ok(limit) if limit <= most => Ok(limit),
        _ => {
            let text = format!("limit is {given}: it is 1 to {most}, or 0 for {usual}");
            Err(Rejection::Invalid(text))
        }
    }
}
