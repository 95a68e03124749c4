-- Gives one send back to the window that it was counted in.  KEYS: applimit.  ARGV: 1 start.
local w = redis.call('HGET', KEYS[1], 'w')
if not w then
    return 0
end
local start, count = struct.unpack('>I8I4', w)
if start ~= tonumber(ARGV[1]) or count == 0 then
    return 0
end
redis.call('HSET', KEYS[1], 'w', struct.pack('>I8I4', start, count - 1))
return 1
