-- Writes an object under its owner, when the owner is there and has room for one more.
-- KEYS: owner, index of its objects, the object; ARGV: most objects, member of the index,
-- channel, then fields and values.
if redis.call('EXISTS', KEYS[1]) == 0 then return 'NOTFOUND' end
if redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[1]) then return 'LIMIT' end
-- The index is in the order of making, also within a millisecond or when the clock was set back.
local t, last = redis.call('TIME'), redis.call('ZRANGE', KEYS[2], -1, -1, 'WITHSCORES')[2]
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('HSET', KEYS[3], unpack(ARGV, 4))
redis.call('ZADD', KEYS[2], math.max(now, (last or 0) + 1), ARGV[2])
redis.call('PUBLISH', ARGV[3], KEYS[3])
return 'OK'
