-- KEYS: the value, all names, names of lasting ones, names by the time when they expire. ARGV: name, value, milliseconds or 0 for good.
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
local name, ttl = ARGV[1], tonumber(ARGV[3])
redis.call('ZADD', KEYS[2], 0, name)
if ttl == 0 then
  redis.call('ZADD', KEYS[3], 0, name)
  redis.call('ZREM', KEYS[4], name)
  redis.call('SET', KEYS[1], ARGV[2])
else
  redis.call('ZADD', KEYS[4], now + ttl, name)
  redis.call('ZREM', KEYS[3], name)
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
end
for _, old in ipairs(redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', now, 'LIMIT', 0, 10)) do
  redis.call('ZREM', KEYS[4], old)
  redis.call('ZREM', KEYS[2], old)
end
return false
