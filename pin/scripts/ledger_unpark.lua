-- Takes away a parked receipt.  KEYS: dlr.  ARGV: 1 request.  Answers 1 when it was still there.
local v = redis.call('GET', KEYS[1])
if not v then
    return 0
end
if string.sub(v, 1, 9) == 'P' .. ARGV[1] then
    redis.call('DEL', KEYS[1])
    return 1
end
local at = string.find(v, '\n', 1, true)
if string.sub(v, 1, 1) == 'M' and at and string.sub(v, at + 1, at + 8) == ARGV[1] then
    redis.call('SET', KEYS[1], string.sub(v, 1, at - 1), 'KEEPTTL')
    return 1
end
return 0
