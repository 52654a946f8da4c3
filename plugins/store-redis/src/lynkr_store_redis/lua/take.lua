-- KEYS: when each bucket is full again. ARGV: buckets as name, amount, capacity, period; 1 to take or -1 to give.
-- Nothing when it is taken, else the bucket that is too empty the longest and the seconds.
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
local buckets, sign = cmsgpack.unpack(ARGV[1]), tonumber(ARGV[2])
local full_at, longest, name = {}, 0, ''
for i, bucket in ipairs(buckets) do
  local each = bucket[4] / bucket[3]
  full_at[i] = math.max(tonumber(redis.call('ZSCORE', KEYS[1], bucket[1]) or '0'), now) + sign * bucket[2] * each
  local wait = full_at[i] - now - bucket[4]
  if bucket[2] > bucket[3] then wait = math.huge end
  if wait > longest then longest, name = wait, bucket[1] end
end
if sign > 0 and longest > 0 then
  return {name, longest == math.huge and 'inf' or string.format('%.17g', longest)}
end
for i, bucket in ipairs(buckets) do redis.call('ZADD', KEYS[1], full_at[i], bucket[1]) end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
return false
