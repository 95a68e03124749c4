-- Parks a receipt under its message id, or hands back the map that is there (one that
-- is done and was another number's gives way: the operator uses the id again).
-- KEYS: dlr.  ARGV: 1 'P' request final state "done msisdn err", 2 its life ms, 3 msisdn or ''.
-- The same receipt given again takes the place of the first, whose gateway may be gone.
-- Answers the map; else 0 parked, 1 parked over another number's, 2 another final one is there.
local v = redis.call('GET', KEYS[1])
local kind, over = v and string.sub(v, 1, 1), 0
if kind == 'M' or (kind == 'D' and (ARGV[3] == '' or
    string.sub(string.match(v, '^%l*(%d+)', 35), -#ARGV[3]) == ARGV[3])) then
    return v
end
if kind == 'P' and string.sub(v, 2, 9) ~= string.sub(ARGV[1], 2, 9) then
    if string.match(v, '^%-?%d+ (%d*) ', 13) ~= ARGV[3] then
        over = 1
    elseif string.sub(v, 10, 10) == '1' and string.sub(v, 10) ~= string.sub(ARGV[1], 10) then
        return 2
    end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return over
