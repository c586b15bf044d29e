-- A long tail is sorted by series before its hour is over: a row with a slot holds samples of that
-- slot's series alone, so that reading one series does not mean to read all.
ALTER TABLE tail ADD COLUMN slot BIGINT;
CREATE INDEX tail_by_slot ON tail (slot);
