-- When the PINs of a number and application were sent and verified, newest first.
-- KEYS: phone.  ARGV: 1 owner as in a, 2 application, 3 in doubt after ms.
-- Answers sent ms 6, verified ms 6 of each.
local p = redis.call('GET', KEYS[1])
if not p then
    return ''
end
local t = redis.call('TIME')
local now, out = t[1] * 1000 + math.floor(t[2] / 1000), {}
for at = 100, #p - 21, 22 do
    local id = string.gsub(string.sub(p, at, at + 15), '.', function(octet)
        return string.format('%02X', string.byte(octet))
    end)
    local rec = string.sub(KEYS[1], 1, 8) .. ':pin:' .. id
    local r = redis.call('HMGET', rec, 'a', 'p', 's')
    if r[1] == ARGV[1] and string.sub(r[2], 1, 32) == ARGV[2] then
        local sent = 0
        for i = 1, string.byte(r[3], 2) do
            local state, when = struct.unpack('>BI6', redis.call('HGET', rec, 'c' .. i))
            if state < 10 or state == 12 or (state == 10 and now - when > tonumber(ARGV[3])) then
                sent = when
                break
            end
        end
        out[#out + 1] = struct.pack('>I6I6', sent, struct.unpack('>I6', r[3], 9))
    end
end
return table.concat(out)
