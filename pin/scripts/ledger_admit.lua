-- Counts the application's send window.  KEYS: applimit.  ARGV: 1 request, 2 sends, 3 window ms.
-- Answers {verdict, retry after, start of the window}.
local r = redis.call('HMGET', KEYS[1], 'w', 'r')
local start, count, ring, window = 0, 0, r[2] or '', tonumber(ARGV[3])
if r[1] then
    start, count = struct.unpack('>I8I4', r[1])
end
local at = string.find(ring, ARGV[1], 1, true)
if at and at % 8 == 1 then
    return {0, 0, start}
end
local t = redis.call('TIME')
local now = t[1] * 1000 + (t[2] - t[2] % 1000) / 1000
local fresh = now - start >= window
if fresh then
    start, count = now, 0
end
if count >= tonumber(ARGV[2]) then
    return {2, start + window - now, start}
end
redis.call('HSET', KEYS[1], 'w', struct.pack('>I8I4', start, count + 1),
    'r', ARGV[1] .. string.sub(ring, 1, 120))
if fresh then
    redis.call('PEXPIREAT', KEYS[1], start + window)
end
return {0, 0, start}
