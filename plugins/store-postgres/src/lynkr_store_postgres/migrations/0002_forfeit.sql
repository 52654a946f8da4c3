-- What leases hold says since whether it is forfeit: those of before are given back.
DELETE FROM lease;
UPDATE counter SET held = 0;
