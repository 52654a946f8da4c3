-- What time it is, in seconds since 1970.
CREATE FUNCTION seconds() RETURNS double precision LANGUAGE sql VOLATILE
    AS 'SELECT extract(epoch FROM clock_timestamp())::double precision';

-- Names are bytes: whatever characters they have, they are compared and ordered by code point.
CREATE TABLE key_value (
    key bytea PRIMARY KEY,
    expires double precision NOT NULL,
    value bytea NOT NULL
);
CREATE INDEX key_value_expires ON key_value (expires);

CREATE TABLE counter (
    name bytea PRIMARY KEY,
    used bigint NOT NULL,
    held bigint NOT NULL,
    until double precision NOT NULL
) WITH (fillfactor = 50);
CREATE TABLE lease (
    id bytea PRIMARY KEY,
    holds bytea NOT NULL,
    ends double precision NOT NULL,
    lapsed boolean NOT NULL
);
CREATE INDEX lease_ends ON lease (lapsed, ends);
CREATE TABLE bucket (
    name bytea PRIMARY KEY,
    full_at double precision NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE journal (
    id text COLLATE "C" NOT NULL,
    created double precision NOT NULL,
    record json NOT NULL,
    PRIMARY KEY (id, created)
) PARTITION BY RANGE (created);
CREATE INDEX journal_created ON journal (created DESC, id DESC);
