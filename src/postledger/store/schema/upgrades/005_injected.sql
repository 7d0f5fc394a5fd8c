-- injected: when the message of an event was injected, for pages of messages. To make it of the
--   event's time, type and age when it is asked for took a fourth of their time. Parts from before
--   get it in the background; until then the engine does that.
ALTER TABLE {database}.events
    ADD COLUMN IF NOT EXISTS injected Int64
        MATERIALIZED ifNull(toUnixTimestamp64Milli(timestamp)
        - if(type IN ('injection', 'policy_rejection', 'generation_failure', 'generation_rejection'), ifNull(age, 0), age), 0) CODEC(ZSTD(1)),
    MATERIALIZE COLUMN injected;
