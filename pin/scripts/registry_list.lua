-- Members of an index, oldest first.  KEYS: owner, index; ARGV: most.  Nil: no such owner.
if redis.call('EXISTS', KEYS[1]) == 0 then return false end
return redis.call('ZRANGE', KEYS[2], 0, ARGV[1] - 1)
