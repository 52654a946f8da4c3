-- ARGV: id, seconds, holds. Nothing when it is held, else the counter that has no room with its total and what is used.
sweep()
if redis.call('HEXISTS', LEASES, ARGV[1]) == 1 then return false end
local holds = cmsgpack.unpack(ARGV[3])
local full = refused(holds)
if full then return full end
keep(ARGV[1], ARGV[3], holds, ARGV[2])
return false
