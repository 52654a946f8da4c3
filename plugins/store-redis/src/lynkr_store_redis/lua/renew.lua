-- ARGV: id, amounts, new id, seconds, holds. A list beginning with 0 and the counter that has no room, or with 1 and all that are held.
sweep()
local packed = redis.call('HGET', LEASES, ARGV[1])
local old = packed and cmsgpack.unpack(packed) or {}
local amounts, holds = cmsgpack.unpack(ARGV[2]), cmsgpack.unpack(ARGV[5])
local active = redis.call('ZSCORE', ENDS, ARGV[1])
local known = redis.call('HEXISTS', LEASES, ARGV[3]) == 1
settle(old, amounts, active)
local full = not known and refused(holds)
if full then
  settle(old, amounts, active, negative)
  return {0, full}
end
if packed then release(ARGV[1], old) end
if not known then keep(ARGV[3], ARGV[5], holds, ARGV[4]) end
local told = {1}
local names = names_of(holds)
local totals, used = read(names)
for i, name in ipairs(names) do told[i + 1] = {name, totals[i] or '0', used[i] or '0'} end
return told
