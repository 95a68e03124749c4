-- What became of an attempt: the answer to its submit, or a receipt.
-- KEYS: record.  ARGV: 1 attempt, 2 state, 3 final 0/1, 4 done ms or -1, 5 err, 6 request of a
-- receipt or '', 7 no further attempt follows 0/1, 8.. fields of the message id.
-- Answers {verdict}.
local rec, i, new, receipt = KEYS[1], ARGV[1], tonumber(ARGV[2]), ARGV[6] ~= ''
local r = redis.call('HMGET', rec, 's', 'c' .. i, 'u', 'e' .. i)
if not r[1] or not r[2] then
    return {1}
end
if receipt and r[3] == ARGV[6] then
    return {0}
end
local state, n, left, seq, verified = struct.unpack('>BBI4I4I8', r[1])
local att, sent, done = struct.unpack('>BI8I8', r[2])
local unanswered, before = att == 10 or att == 12, state
local t = redis.call('TIME')
local now = t[1] * 1000 + (t[2] - t[2] % 1000) / 1000
local set = {rec}
local function add(field, value)
    set[#set + 1] = field
    set[#set + 1] = value
end
if receipt then
    if done > 0 or (ARGV[3] == '0' and att == new and (r[4] or '') == ARGV[5]) then
        return {9}
    end
    if ARGV[3] == '1' then
        done = tonumber(ARGV[4])
        if done <= 0 then
            done = now
        end
    end
    add('u', ARGV[6])
elseif unanswered and (new == 11 or new == 13) then
    done = now
end
if receipt or unanswered then
    add('c' .. i, struct.pack('>BI8I8', new, sent, done) .. string.sub(r[2], 18))
    if ARGV[5] ~= (r[4] or '') then
        add('e' .. i, ARGV[5])
    end
end
for j = 8, #ARGV, 2 do
    add(ARGV[j], ARGV[j + 1])
end
-- Refused, and nothing follows: the PIN ends, unless another copy of it may be out.
if ARGV[7] == '1' and state == 0 and unanswered and (new == 11 or new == 13) then
    state = 7
    for j = 1, n do
        local other = j ~= tonumber(i) and redis.call('HGET', rec, 'c' .. j)
        if other and string.byte(other) ~= 11 and string.byte(other) ~= 13 then
            state = 0
        end
    end
end
-- Accepted by the operator, which a receipt implies: the newest accepted PIN of a number and
-- application is its live one and voids the one before.
if unanswered and (receipt or new == 6) then
    if state == 0 or state == 7 then
        state = 1
    end
    local o = redis.call('HMGET', rec, 'a', 'p', 'l')
    local _, expires, _, multi = struct.unpack('>I8I8I4B', o[3])
    if state <= 3 and now < expires then
        local account, msisdn = string.match(o[1], '^(%S+) (%d+)$')
        local phone = string.sub(rec, 1, 8) .. ':phone:' .. account .. ':' .. o[2] .. ':' .. msisdn
        local p = redis.call('HMGET', phone, 's', 'l')
        local newest, id = 0, ''
        if p[2] then
            newest, id = struct.unpack('>I4c32', p[2])
        end
        if newest > seq then
            if state == 1 or (state == 2 and multi == 1) then
                state = 5
            end
        elseif newest < seq then
            local old = string.sub(rec, 1, -33) .. id
            local q = id ~= '' and redis.call('HMGET', old, 's', 'l') or {}
            if q[1] then
                local _, _, _, again = struct.unpack('>I8I8I4B', q[2])
                local was = string.byte(q[1])
                if was == 1 or (was == 2 and again == 1) then
                    redis.call('HSET', old, 's', string.char(5) .. string.sub(q[1], 2))
                end
            end
            redis.call('HSET', phone, 'l', struct.pack('>I4', seq) .. string.sub(rec, -32))
            if not p[1] then
                redis.call('PEXPIREAT', phone, expires)
            end
        end
    end
end
if state ~= before then
    add('s', struct.pack('>BBI4I4I8', state, n, left, seq, verified))
end
if #set > 1 then
    redis.call('HSET', unpack(set))
end
return {0}
