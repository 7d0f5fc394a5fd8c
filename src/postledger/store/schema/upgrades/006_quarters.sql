-- events_from_15 and so on: what is of the later quarters of an hour, for days of zones that are half
--   an hour or a quarter from UTC. In a table made anew, since the columns that the old one sums
--   cannot be altered.
--
-- Only what is before the horizon is taken over, since its events are gone; all of an hour counts in
-- its first quarter there. The server folds the rest anew from the events; meanwhile it counts them.
-- The numbers that have been given are kept: the event that had the last one may be gone.
--
-- What is left of an attempt that was cut short goes first.
DROP TABLE IF EXISTS {database}.rollups_by_quarter;
CREATE TABLE {database}.rollups_by_quarter
(
    {rollups}
)
ENGINE = SummingMergeTree
ORDER BY (workspace, dimension, span, type, aspect, intDiv(hour, 730), value, hour)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;
INSERT INTO {database}.rollups_by_quarter
    (workspace, dimension, span, type, aspect, value, hour, events, msg_size, queue_time)
    SELECT workspace, dimension, span, type, aspect, value, hour, events, msg_size, queue_time
    FROM {database}.rollups
    WHERE if(dimension = 'through', workspace = '',
        hour < (SELECT max(hour) FROM {database}.rollups WHERE dimension = 'through'));
INSERT INTO {database}.rollups_by_quarter (workspace, dimension, span, value, events)
    SELECT workspace, 'through', 'hour', 'given', max(number)
    FROM (SELECT workspace, sum(events) AS number FROM {database}.rollups
        WHERE dimension = 'through' AND workspace != '' GROUP BY workspace, value)
    GROUP BY workspace;
EXCHANGE TABLES {database}.rollups AND {database}.rollups_by_quarter;
DROP TABLE {database}.rollups_by_quarter;
