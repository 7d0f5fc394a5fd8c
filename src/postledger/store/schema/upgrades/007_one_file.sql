-- min_level_for_wide_part: see events.sql. For what comes from now on.
ALTER TABLE {database}.events MODIFY SETTING min_level_for_wide_part = 1;
