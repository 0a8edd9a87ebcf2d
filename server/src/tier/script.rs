//! What the tier decides itself, in one step: a compare-and-set. A script, because Redis has no
//! command for it, and of Valkey only the latest has one.

/// Sets the key to the second value if it is the first, for so many milliseconds; 0: for ever.
/// Returns 0 if there is none, 1 if it is another, else 2.
pub(super) const COMPARE_AND_SET: &str = "\
local now = redis.call('GET', KEYS[1])
if not now then return 0 end
if now ~= ARGV[1] then return 1 end
if ARGV[3] == '0' then redis.call('SET', KEYS[1], ARGV[2])
else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
return 2";
