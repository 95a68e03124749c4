-- KEYS: record.  ARGV: 1 account.  Answers the verdict.
local account = ARGV[1] .. ' '
local r = redis.call('HMGET', KEYS[1], 'a', 's')
if not r[1] or string.sub(r[1], 1, #account) ~= account then
    return 1
end
local state = string.byte(r[2])
if state <= 1 or (state == 2 and string.byte(r[2], 21) == 1) then
    redis.call('HSET', KEYS[1], 's', string.char(6) .. string.sub(r[2], 2))
end
return 0
