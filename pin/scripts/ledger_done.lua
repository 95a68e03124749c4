-- Marks a map as done, when it is still the one that was found: the operator may have used the
-- id again.  KEYS: dlr.  ARGV: 1 map as done, 2 its life s.
local v = redis.call('GET', KEYS[1])
if v and string.sub(v, 2, #ARGV[1]) == string.sub(ARGV[1], 2) then
    redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
end
return 0
