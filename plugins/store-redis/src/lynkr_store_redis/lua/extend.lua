-- ARGV: id, seconds. 1 when the lease ends then.
sweep()
if not redis.call('ZSCORE', ENDS, ARGV[1]) then return 0 end
redis.call('ZADD', ENDS, now + tonumber(ARGV[2]), ARGV[1])
return 1
