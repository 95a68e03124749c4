-- Counts the number's send window and writes the record with attempt 1 pending.
-- KEYS: record, phone.  ARGV: 1 request, 2 life ms, 3 keep ms, 4 sends, 5 send window ms,
-- 6 verify window ms, 7 fixed part of l, 8 PIN attempts, 9 carrier, 10.. further fields.
-- Answers {verdict, retry after, attempt, expires, life left}.
local rec, phone, pack, unpack_ = KEYS[1], KEYS[2], struct.pack, struct.unpack
local t = redis.call('TIME')
local now = t[1] * 1000 + (t[2] - t[2] % 1000) / 1000
local old = redis.call('HGET', rec, 'l')
if old then
    local _, expires = unpack_('>I8I8', old)
    return {0, 0, 1, expires, expires - now}
end
local p = redis.call('HMGET', phone, 's', 'v')
local start, count, seq, dies, window = 0, 0, 0, 0, tonumber(ARGV[5])
if p[1] then
    start, count, seq, dies = unpack_('>I8I4I4I8', p[1])
end
if now - start >= window then
    start, count = now, 0
end
if count >= tonumber(ARGV[4]) then
    return {2, start + window - now}
end
-- The phone hash outlives each record of its number, so that order numbers never start again
-- under one and verify finds its window there.
local expires = now + ARGV[2]
local last = expires + ARGV[3]
local lives = math.max(start + window, last) + ARGV[6]
local s = pack('>I8I4I4I8', start, count + 1, seq + 1, math.max(lives, dies))
if p[2] then
    redis.call('HSET', phone, 's', s)
else
    redis.call('HSET', phone, 's', s, 'v', pack('>I8I4', 0, 0))
end
if lives > dies then
    redis.call('PEXPIREAT', phone, lives)
end
redis.call('HSET', rec, 's', pack('>BBI4I4I8', 0, 1, ARGV[8], seq + 1, 0),
    'l', pack('>I8I8', now, expires) .. ARGV[7], 'q', ARGV[1],
    'c1', pack('>BI8I8', 10, now, 0) .. ARGV[9], unpack(ARGV, 10))
redis.call('PEXPIREAT', rec, last)
return {0, 0, 1, expires, expires - now}
