-- Maps a message id where something stands already; a receipt parked there is handed back and
-- stays behind the map until it is recorded.
-- KEYS: dlr.  ARGV: 1 map, 2 until ms, 3 msisdn, of which a receipt may name the end.
-- Answers the receipt; else 0, or 1 when another number's receipt gave way.
local v, over = redis.call('GET', KEYS[1]), 0
if v and string.sub(v, 1, 1) == 'P' then
    local number = string.match(v, '^%-?%d+ (%d*) ', 13)
    if number == '' or number == string.sub(ARGV[3], -#number) then
        v = string.sub(v, 2)
        redis.call('SET', KEYS[1], ARGV[1] .. '\n' .. v, 'PXAT', ARGV[2])
        return v
    end
    over = 1
elseif v and string.sub(v, 2, #ARGV[1]) == string.sub(ARGV[1], 2) then
    local at = string.find(v, '\n', 1, true)
    return at and string.sub(v, at + 1) or 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PXAT', ARGV[2])
return over
