-- Puts a name into the index of accounts.  KEYS: index; ARGV: most names, name.
if not redis.call('ZSCORE', KEYS[1], ARGV[2]) and
    redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[1]) then return 'LIMIT' end
redis.call('ZADD', KEYS[1], 0, ARGV[2])
return 'OK'
