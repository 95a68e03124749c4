-- One verdict.  KEYS: record, phone.  ARGV: 1 request, 2 tag of what was typed.
-- Answers verdict + 16 * (attempts left, or retry after).
local rec, phone = KEYS[1], KEYS[2]
local s = redis.call('HGET', rec, 's')
if not s then
    return 1
end
local state, n, left, seq, verified, expires, multi, count, window =
    struct.unpack('>BBI2I4I6I6BI2I4', s)
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local start, used, ring, live, p = 0, 0, '', 0, redis.call('GET', phone)
if p then
    live = struct.unpack('>I4', p, 21)
    start, used = struct.unpack('>I6I4', p, 57)
    ring = string.sub(p, 67, 99)
end
-- The number's last three requests with their verdicts: 8 octets, verdict, attempts left.
local at = string.find(ring, ARGV[1], 1, true)
if at and at % 11 == 1 then
    local verdict, rest = struct.unpack('>BI2', ring, at + 8)
    return verdict + 16 * rest
end
if now - start >= window then
    start, used = now, 0
end
if used >= count then
    return 2 + 16 * (start + window - now)
end
-- A newer PIN that is live voids this one, also when nobody knows whether this one was accepted.
local verdict, rest = 5, 0
if state == 3 or (state == 2 and multi == 0) then
    verdict = 4
elseif state <= 2 and now < expires and live <= seq then
    if string.sub(s, 28) == ARGV[2] then
        verdict = 0
        s = string.char(2) .. string.sub(s, 2, 8) .. struct.pack('>I6', now) .. string.sub(s, 15)
    else
        verdict, rest = 3, math.max(left - 1, 0)
        if rest == 0 then
            state = 3
        end
        s = struct.pack('>BBI2', state, n, rest) .. string.sub(s, 5)
    end
    redis.call('HSET', rec, 's', s)
end
local v = struct.pack('>I6I4c8BI2', start, used + 1, ARGV[1], verdict, rest) ..
    string.sub(ring, 1, 22)
if p then
    redis.call('SET', phone, string.sub(p, 1, 56) .. v .. string.sub(p, 100), 'KEEPTTL')
else
    redis.call('SET', phone, struct.pack('>I6I4I4I6', 0, 0, seq, 0) .. string.rep('\0', 36) .. v,
        'PX', 86400000)
end
return verdict + 16 * rest
