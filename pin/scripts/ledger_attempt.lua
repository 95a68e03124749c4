-- The next attempt, when the caller's is still the newest; or a resend.
-- KEYS: record.  ARGV: 1 account, 2 request, 3 carrier, 4 newest attempt known or '' for a resend,
-- 5 sends, 6 send window ms (of a resend), 7 attempts at most, 8 least life left ms (of a resend).
-- Answers {verdict, retry after, attempt, expires, life left, now, fields of the record}.
local rec, account, resend = KEYS[1], ARGV[1] .. ' ', ARGV[4] == ''
local r = redis.call('HMGET', rec, 'a', 's', 'l', 'q', 'p')
if not r[1] or string.sub(r[1], 1, #account) ~= account then
    return {1}
end
local t = redis.call('TIME')
local now = t[1] * 1000 + (t[2] - t[2] % 1000) / 1000
local state, n, left, seq, verified = struct.unpack('>BBI4I4I8', r[2])
local _, expires = struct.unpack('>I8I8', r[3])
local function won(i)
    return {0, 0, i, expires, expires - now, now, resend and redis.call('HGETALL', rec) or nil}
end
for at = 1, #r[4], 8 do
    if string.sub(r[4], at, at + 7) == ARGV[2] then
        return won((at + 7) / 8)
    end
end
if resend then
    if state ~= 1 or expires - now < tonumber(ARGV[8]) then
        return {6}
    end
    if n >= tonumber(ARGV[7]) then
        return {2, expires - now}
    end
    local phone = string.sub(rec, 1, 8) .. ':phone:' .. account:sub(1, -2) .. ':' .. r[5] .. ':' ..
        string.sub(r[1], #account + 1)
    local start, count, order, dies, window = 0, 0, seq, 0, tonumber(ARGV[6])
    local p = redis.call('HGET', phone, 's')
    if p then
        start, count, order, dies = struct.unpack('>I8I4I4I8', p)
    end
    if now - start >= window then
        start, count = now, 0
    end
    if count >= tonumber(ARGV[5]) then
        return {2, start + window - now}
    end
    local lives = math.max(start + window, expires, dies)
    redis.call('HSET', phone, 's', struct.pack('>I8I4I4I8', start, count + 1, order, lives))
    if lives > dies then
        redis.call('PEXPIREAT', phone, lives)
    end
elseif state > 1 or now >= expires or n >= tonumber(ARGV[7]) or n ~= tonumber(ARGV[4]) then
    return {7}
end
redis.call('HSET', rec, 's', struct.pack('>BBI4I4I8', state, n + 1, left, seq, verified),
    'q', r[4] .. ARGV[2], 'c' .. (n + 1), struct.pack('>BI8I8', 10, now, 0) .. ARGV[3])
return won(n + 1)
