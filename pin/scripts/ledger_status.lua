-- KEYS: record.  Answers {0, now, fields}.
local t = redis.call('TIME')
return {0, t[1] * 1000 + (t[2] - t[2] % 1000) / 1000, redis.call('HGETALL', KEYS[1])}
