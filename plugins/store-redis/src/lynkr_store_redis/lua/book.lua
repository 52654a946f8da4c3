-- ARGV: id, amounts by counter. 1 when it is booked.
sweep()
local packed = redis.call('HGET', LEASES, ARGV[1])
if not packed then return 0 end
local holds = cmsgpack.unpack(packed)
settle(holds, cmsgpack.unpack(ARGV[2]), redis.call('ZSCORE', ENDS, ARGV[1]))
release(ARGV[1], holds)
return 1
