-- ARGV: the lowest name and the highest as ZRANGEBYLEX has them, how many. Of each: name, total, used, until.
sweep()
local low, count, told = ARGV[1], tonumber(ARGV[3]), {}
while #told < count do
  local size = math.min(count - #told, 1000)
  local names = redis.call('ZRANGEBYLEX', NAMES, low, ARGV[2], 'LIMIT', 0, size)
  if #names == 0 then break end
  local totals, used = read(names)
  for i, name in ipairs(names) do
    local ends = redis.call('ZSCORE', WINDOWS, name)
    if ends == 'inf' or (ends and tonumber(ends) + DAY > now) then
      told[#told + 1] = {name, totals[i] or '0', used[i] or '0', ends}
    end
  end
  low = '(' .. names[#names]
end
return told
