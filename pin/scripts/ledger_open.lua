-- Counts the number's send window and writes the record with attempt 1 pending.
-- KEYS: record, phone.  ARGV: 1 packed life ms 6, sends 4, send window ms 6, PIN attempts 2;
-- 2 life of the phone key ms, 3 of the record ms, 4 end of s, 5 end of c1, 6 a, 7 p, 8 l, 9 n,
-- 10 packed pinId 16, 11.. further fields.  Answers verdict + 16 * (expires, or retry after).
local rec, phone = KEYS[1], KEYS[2]
local t, p = redis.call('TIME'), redis.call('GET', phone)
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local life, sends, window, attempts = struct.unpack('>I6I4I6I2', ARGV[1])
local start, count, seq, dies, list, rest = 0, 0, 0, 0, '', nil
if p then
    start, count, seq, dies = struct.unpack('>I6I4I4I6', p)
    rest, list = string.sub(p, 21, 99), string.sub(p, 100)
    -- Only a repeat finds its own pinId there.
    local old = string.find(list, ARGV[10], 1, true) and redis.call('HGET', rec, 's')
    if old then
        return 16 * struct.unpack('>I6', old, 15)
    end
    if #rest < 79 then
        rest = rest .. string.rep('-', 79 - #rest)
    end
    local keep = math.min(#list, 2178)
    while keep > 0 and struct.unpack('>I6', list, keep - 5) <= now do
        keep = keep - 22
    end
    list = string.sub(list, 1, keep)
else
    rest = '\0\0\0\0--------------------------------\0\0\0\0\0\0\0\0\0\0' ..
        '---------------------------------'
end
if now - start >= window then
    start, count = now, 0
end
if count >= sends then
    return 2 + 16 * (start + window - now)
end
-- The phone key outlives each record of its number: orders never start again under one.
seq = seq + 1
local lives = now + ARGV[2]
p = struct.pack('>I6I4I4I6c79c16I6', start, count + 1, seq, math.max(lives, dies), rest, ARGV[10],
    now + ARGV[3]) .. list
if lives >= dies then
    redis.call('SET', phone, p, 'PX', ARGV[2])
else
    redis.call('SET', phone, p, 'KEEPTTL')
end
redis.call('HSET', rec,
    's', struct.pack('>BBI2I4I6I6', 0, 1, attempts, seq, 0, now + life) .. ARGV[4],
    'c1', struct.pack('>BI6I6', 10, now, 0) .. ARGV[5],
    'a', ARGV[6], 'p', ARGV[7], 'l', ARGV[8], 'n', ARGV[9], unpack(ARGV, 11))
redis.call('PEXPIRE', rec, ARGV[3])
return 16 * (now + life)
