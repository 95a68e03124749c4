-- The next attempt, when the caller's is still the newest; or a resend.
-- KEYS: record.  ARGV: 1 account, 2 request, 3 carrier, 4 newest attempt known or '' for a resend,
-- 5 sends, 6 send window ms (of a resend), 7 attempts at most, 8 least life left ms (of a resend).
-- Answers {verdict, retry after, attempt, expires, life left, now, fields of the record}.
local rec, account, resend = KEYS[1], ARGV[1] .. ' ', ARGV[4] == ''
local r = redis.call('HMGET', rec, 'a', 's', 'p')
if not r[1] or string.sub(r[1], 1, #account) ~= account then
    return {1}
end
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local state, n, left, seq, verified, expires = struct.unpack('>BBI2I4I6I6', r[2])
local function won(i)
    return {0, 0, i, expires, expires - now, now, resend and redis.call('HGETALL', rec) or nil}
end
for i = 1, n do
    if string.sub(redis.call('HGET', rec, 'c' .. i), 14, 21) == ARGV[2] then
        return won(i)
    end
end
local phone = string.sub(rec, 1, 8) .. ':phone:' .. string.sub(account, 1, -2) .. ':' ..
    string.sub(r[3], 1, 32) .. ':' .. string.sub(r[1], #account + 1)
local p = redis.call('GET', phone)
if resend then
    if state ~= 1 or expires - now < tonumber(ARGV[8]) then
        return {6}
    end
    if n >= tonumber(ARGV[7]) then
        return {2, expires - now}
    end
    local start, count, order, dies, rest = 0, 0, seq, 0, string.rep('\0', 46)
    local window = tonumber(ARGV[6])
    if p then
        start, count, order, dies = struct.unpack('>I6I4I4I6', p)
        rest = string.sub(p, 21)
    end
    if now - start >= window then
        start, count = now, 0
    end
    if count >= tonumber(ARGV[5]) then
        return {2, start + window - now}
    end
    local lives = math.max(start + window, expires, dies)
    redis.call('SET', phone, struct.pack('>I6I4I4I6', start, count + 1, order, lives) .. rest,
        'PXAT', lives)
elseif state > 1 or now >= expires or n >= tonumber(ARGV[7]) or n ~= tonumber(ARGV[4]) or
    (p and struct.unpack('>I4', p, 21) > seq) then -- a newer PIN is live
    return {7}
end
redis.call('HSET', rec, 's', struct.pack('>BB', state, n + 1) .. string.sub(r[2], 3),
    'c' .. (n + 1),
    struct.pack('>BI6I6', 10, now, 0) .. ARGV[2] .. string.rep('\0', 8) .. ARGV[3])
return won(n + 1)
