-- Ends an API key and hands back whose it was.  KEYS: key; ARGV: channel.  Nil: no such key.
local account = redis.call('HGET', KEYS[1], 'account')
if redis.call('DEL', KEYS[1]) == 1 then redis.call('PUBLISH', ARGV[1], KEYS[1]) end
return account
