-- One verdict.  KEYS: record, phone.  ARGV: 1 request, 2 tag of what was typed.
-- Answers {verdict, retry after, attempts left}.
local rec, phone = KEYS[1], KEYS[2]
local r = redis.call('HMGET', rec, 's', 'l', 'g', 'v')
if not r[1] then
    return {1, 0, 0}
end
-- The last three requests with their verdicts: 8 octets, verdict, attempts left.
local ring = r[4] or ''
for at = 1, #ring, 13 do
    if string.sub(ring, at, at + 7) == ARGV[1] then
        local verdict, rest = struct.unpack('>BI4', ring, at + 8)
        return {verdict, 0, rest}
    end
end
local t = redis.call('TIME')
local now = t[1] * 1000 + (t[2] - t[2] % 1000) / 1000
local _, expires, _, multi, count, window = struct.unpack('>I8I8I4BI4I4', r[2])
local start, used, w = 0, 0, redis.call('HGET', phone, 'v')
if w then
    start, used = struct.unpack('>I8I4', w)
end
if now - start >= window then
    start, used = now, 0
end
if used >= count then
    return {2, start + window - now, 0}
end
redis.call('HSET', phone, 'v', struct.pack('>I8I4', start, used + 1))
if not w and redis.call('PTTL', phone) < window then
    redis.call('PEXPIREAT', phone, start + window)
end
local state, n, left, seq, verified = struct.unpack('>BBI4I4I8', r[1])
local verdict, rest, s = 5, 0, nil
if state == 3 or (state == 2 and multi == 0) then
    verdict = 4
elseif state <= 2 and now < expires then
    if r[3] == ARGV[2] then
        verdict, state, verified = 0, 2, now
    else
        verdict, rest = 3, math.max(left - 1, 0)
        left = rest
        if rest == 0 then
            state = 3
        end
    end
    s = struct.pack('>BBI4I4I8', state, n, left, seq, verified)
end
ring = ARGV[1] .. struct.pack('>BI4', verdict, rest) .. string.sub(ring, 1, 26)
if s then
    redis.call('HSET', rec, 's', s, 'v', ring)
else
    redis.call('HSET', rec, 'v', ring)
end
return {verdict, 0, rest}
