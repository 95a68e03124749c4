-- What became of an attempt: the answer to its submit, or a receipt.
-- KEYS: record, and for an answer phone.  ARGV: 1 attempt, 2 packed state 1, final 1, no further
-- attempt follows 1, done ms 6 (0: now), segment 1, of how many 1 (0: the whole message); 3 err, 4 request of a receipt or '', 5.. fields of the
-- message id.  Answers the verdict.
local rec, field, receipt = KEYS[1], 'c' .. ARGV[1], ARGV[4] ~= ''
local c = redis.call('HGET', rec, field)
if not c then
    return 1
end
local new, final, last, when, segment, segments = struct.unpack('>BBBI6BB', ARGV[2])
local att, sent, done = struct.unpack('>BI6I6', c)
local unanswered = att == 10 or att == 12
local states = 'g' .. ARGV[1]
if receipt and segments > 0 then
    -- One request and one state of each segment; the attempt's own are what they make of it.
    local requests, at = 'q' .. ARGV[1] .. (segment > 8 and 'b' or ''), (segment - 1) % 8 * 8
    local q = redis.call('HGET', rec, requests) or string.rep('\0', 64)
    if string.sub(q, at + 1, at + 8) == ARGV[4] then
        return 0
    end
    local g = redis.call('HGET', rec, states) or ''
    g = g .. string.rep('\255', segments - #g)
    local was, is = string.byte(g, segment), new + 128 * final
    if done > 0 or was == is or (was >= 128 and was < 255) then
        return 9
    end
    g = string.sub(g, 1, segment - 1) .. string.char(is) ..
        string.sub(g, segment + 1)
    redis.call('HSET', rec, states, g, requests,
        string.sub(q, 1, at) .. ARGV[4] .. string.sub(q, at + 9))
    if final == 1 and new == 2 and select(2, string.gsub(g, '\130', '')) < segments then
        new, final = att == 10 and 6 or att, 0 -- in doubt stays what it is
    end
elseif receipt then
    if string.sub(c, 22, 29) == ARGV[4] then
        return 0
    end
    if done > 0 or (final == 0 and att == new and
        (redis.call('HGET', rec, 'e' .. ARGV[1]) or '') == ARGV[3]) then
        return 9
    end
end
if not receipt and segments > 0 then
    redis.call('HSETNX', rec, states, string.rep('\255', segments))
end
if (receipt and final == 1) or (unanswered and not receipt and (new == 11 or new == 13)) then
    done = when
    if done == 0 then
        local t = redis.call('TIME')
        done = t[1] * 1000 + math.floor(t[2] / 1000)
    end
end
if receipt then
    c = struct.pack('>BI6I6', new, sent, done) .. string.sub(c, 14, 21) .. ARGV[4] ..
        string.sub(c, 30)
else
    c = struct.pack('>BI6I6', new, sent, done) .. string.sub(c, 14)
end
-- That nothing follows may be learnt after the refusal was recorded.
local closing = not receipt and last == 1 and (att == 11 or att == 13)
if not unanswered and not closing then
    if receipt then
        redis.call('HSET', rec, field, c, 'e' .. ARGV[1], ARGV[3])
    elseif #ARGV > 4 then
        redis.call('HSET', rec, unpack(ARGV, 5))
    end
    return 0
end
local s = redis.call('HGET', rec, 's')
local state, n, left, seq = struct.unpack('>BBI2I4', s)
local before = state
if receipt or new == 6 then
    -- Accepted by the operator, which a receipt implies: the newest accepted PIN of a number and
    -- application is its live one and voids the one before.
    if state == 0 or state == 7 then
        state = 1
    end
    if state <= 3 then
        local phone = KEYS[2]
        if not phone then
            local o = redis.call('HMGET', rec, 'a', 'p')
            local account, msisdn = string.match(o[1], '^(%S+) (%d+)$')
            phone = string.sub(rec, 1, 8) .. ':phone:' .. account .. ':' ..
                string.sub(o[2], 1, 32) .. ':' .. msisdn
        end
        local p, live, id = redis.call('GET', phone), 0, nil
        if p then
            live, id = struct.unpack('>I4c32', p, 21)
        end
        if live > seq then
            if state == 1 or (state == 2 and string.byte(s, 21) == 1) then
                state = 5
            end
        elseif live < seq then
            if live > 0 then
                local old = string.sub(rec, 1, -33) .. id
                local q = redis.call('HGET', old, 's')
                local was = q and string.byte(q)
                if was == 1 or (was == 2 and string.byte(q, 21) == 1) then
                    redis.call('HSET', old, 's', string.char(5) .. string.sub(q, 2))
                end
            end
            if p then
                redis.call('SET', phone, string.sub(p, 1, 20) .. struct.pack('>I4', seq) ..
                    string.sub(rec, -32) .. string.sub(p, 57), 'KEEPTTL')
            else
                redis.call('SET', phone, struct.pack('>I6I4I4I6I4', 0, 0, seq, 0, seq) ..
                    string.sub(rec, -32) .. string.rep('\0', 10), 'PX', 86400000)
            end
        end
    end
elseif last == 1 and state == 0 and (new == 11 or new == 13) then
    -- Refused, and nothing follows: the PIN ends, unless another copy of it may be out.
    state = 7
    for j = 1, n do
        local other = j ~= tonumber(ARGV[1]) and string.byte(redis.call('HGET', rec, 'c' .. j))
        if other and other ~= 11 and other ~= 13 then
            state = 0
        end
    end
end
if state ~= before then
    s = string.char(state) .. string.sub(s, 2)
end
if ARGV[3] ~= '' then
    redis.call('HSET', rec, 'e' .. ARGV[1], ARGV[3])
end
redis.call('HSET', rec, 's', s, field, c, unpack(ARGV, 5))
return 0
