-- Figures by hour and by day (UTC), one dimension at a time. Why this shape: store/rollups.py, and
-- ARCHITECTURE.md, "Roll-ups". An older store is brought to it by upgrades/.
--
-- Sort key: a question names workspace and dimension, and nearly always a few types; within a month
--   rows of one value lie together, so that a question for one campaign or one week reads little.
-- Partitions: none, so that one insert makes one part: all of a step is there, or nothing.
-- Engine: without a list of columns it sums all numbers that are not in the sort key; a list could
--   not be altered when a column is added.
CREATE TABLE IF NOT EXISTS {database}.rollups
(
    {rollups}
)
ENGINE = SummingMergeTree
ORDER BY (workspace, dimension, span, type, aspect, intDiv(hour, 730), value, hour)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;
