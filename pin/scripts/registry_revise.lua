-- Gives a template its next revision and keeps what it was for a while, under its number.
-- KEYS: the template; ARGV: channel, life ms of the earlier revision, how many of them are kept,
-- then fields and values.  Answers the revision.
local old = redis.call('HGET', KEYS[1], 'revision')
if not old then return 'NOTFOUND' end
old = tonumber(old)
if old >= 4294967295 then return 'LIMIT' end
local earlier = KEYS[1] .. ':' .. old
redis.call('COPY', KEYS[1], earlier, 'REPLACE')
redis.call('PEXPIRE', earlier, ARGV[2])
redis.call('DEL', KEYS[1] .. ':' .. (old - ARGV[3]))
redis.call('HSET', KEYS[1], unpack(ARGV, 4))
redis.call('HSET', KEYS[1], 'revision', old + 1)
redis.call('PUBLISH', ARGV[1], KEYS[1])
return old + 1
