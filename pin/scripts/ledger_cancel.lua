-- KEYS: record.  ARGV: 1 account.  Answers {verdict}.
local account = ARGV[1] .. ' '
local r = redis.call('HMGET', KEYS[1], 'a', 's', 'l')
if not r[1] or string.sub(r[1], 1, #account) ~= account then
    return {1}
end
local state = string.byte(r[2])
local _, _, _, multi = struct.unpack('>I8I8I4B', r[3])
if state <= 1 or (state == 2 and multi == 1) then
    redis.call('HSET', KEYS[1], 's', string.char(6) .. string.sub(r[2], 2))
end
return {0}
