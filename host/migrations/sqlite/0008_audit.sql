-- What came of a change: the address of what was made, or what a name means now.
ALTER TABLE audit ADD COLUMN outcome TEXT;
