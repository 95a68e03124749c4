-- Writes an object that is there.  KEYS: the object; ARGV: channel, then fields and values.
if redis.call('EXISTS', KEYS[1]) == 0 then return 'NOTFOUND' end
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
redis.call('PUBLISH', ARGV[1], KEYS[1])
return 'OK'
