-- Leases say since whether they are forfeit, which older versions cannot read. Those of before stay: their gateways may still run.
SELECT 1;
