-- What all scripts of the ledger begin with. KEYS: seven keys, in this order.
local TOTAL, USED, NAMES, WINDOWS = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local LEASES, ENDS, LAPSED = KEYS[5], KEYS[6], KEYS[7]
local DAY = 86400
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000

-- Amounts are decimal strings and added up by HINCRBY, which has 64 bits: Lua's own numbers are exact to 2^53 only.
local function negative(amount)
  if amount == '0' then return amount end
  if string.sub(amount, 1, 1) == '-' then return string.sub(amount, 2) end
  return '-' .. amount
end

local function above(a, b)
  if #a < 16 and #b < 16 then return tonumber(a) > tonumber(b) end
  local a_below, b_below = string.sub(a, 1, 1) == '-', string.sub(b, 1, 1) == '-'
  if a_below ~= b_below then return b_below end
  if a_below then a, b = string.sub(b, 2), string.sub(a, 2) end
  if #a ~= #b then return #a > #b end
  return a > b
end

-- A sum beyond 64 bits stays as it is: it is over every limit already.
local function add(key, name, amount)
  if amount ~= '0' then redis.pcall('HINCRBY', key, name, amount) end
end

local function names_of(holds)
  local names = {}
  for i, hold in ipairs(holds) do names[i] = hold[1] end
  return names
end

local function read(names)
  if #names == 0 then return {}, {} end
  return redis.call('HMGET', TOTAL, unpack(names)), redis.call('HMGET', USED, unpack(names))
end

-- Forgets counters whose window was over a day ago, and leases that were.
local function forget(count)
  local old = redis.call('ZRANGEBYSCORE', WINDOWS, '-inf', now - DAY, 'LIMIT', 0, count)
  local totals, used = read(old)
  for i, name in ipairs(old) do
    if (totals[i] or '0') == (used[i] or '0') then
      redis.call('HDEL', TOTAL, name)
      redis.call('HDEL', USED, name)
      redis.call('ZREM', NAMES, name)
      redis.call('ZREM', WINDOWS, name)
    end
  end
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', LAPSED, '-inf', now - DAY, 'LIMIT', 0, count)) do
    redis.call('HDEL', LEASES, id)
    redis.call('ZREM', LAPSED, id)
  end
end

-- Whatever grows takes something old away: so nothing grows without end.
local function know(hold)
  if redis.call('ZADD', WINDOWS, 'NX', hold[4], hold[1]) == 1 then
    redis.call('ZADD', NAMES, 0, hold[1])
    forget(3)
  end
end

-- Ends leases that are over: what is forfeit moves from held to used, which leaves the total, and the rest is given back.
local function sweep()
  local over = redis.call('ZRANGEBYSCORE', ENDS, '-inf', now, 'WITHSCORES', 'LIMIT', 0, 1000)
  for i = 1, #over, 2 do
    local packed = redis.call('HGET', LEASES, over[i])
    if packed then
      for _, hold in ipairs(cmsgpack.unpack(packed)) do
        if hold[5] then add(USED, hold[1], hold[2]) else add(TOTAL, hold[1], negative(hold[2])) end
      end
    end
    redis.call('ZADD', LAPSED, over[i + 1], over[i])
    redis.call('ZREM', ENDS, over[i])
    forget(3)
  end
end

-- The first hold that has no room, and what its counter stands at. hold: name, amount, what there may be before it, until, forfeit.
local function refused(holds)
  local totals, used = read(names_of(holds))
  for i, hold in ipairs(holds) do
    local total = totals[i] or '0'
    if above(total, hold[3]) then return {hold[1], total, used[i] or '0'} end
  end
end

local function keep(id, packed, holds, lease)
  for _, hold in ipairs(holds) do
    know(hold)
    add(TOTAL, hold[1], hold[2])
  end
  redis.call('HSET', LEASES, id, packed)
  redis.call('ZADD', ENDS, now + tonumber(lease), id)
end

-- Books and gives back, or takes that back with sign = negative.
local function settle(holds, amounts, active, sign)
  for _, hold in ipairs(holds) do
    local booked = amounts[hold[1]] or '0'
    if sign then booked = sign(booked) end
    add(TOTAL, hold[1], booked)
    add(USED, hold[1], booked)
    local back = sign and hold[2] or negative(hold[2])
    if active or hold[5] then add(TOTAL, hold[1], back) end
    if hold[5] and not active then add(USED, hold[1], back) end
  end
end

local function release(id, holds)
  for _, hold in ipairs(holds) do know(hold) end
  redis.call('HDEL', LEASES, id)
  redis.call('ZREM', ENDS, id)
  redis.call('ZREM', LAPSED, id)
end
