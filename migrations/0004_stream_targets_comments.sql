COMMENT ON TABLE "sync"."stream_targets" IS 'How old the data of each stream may get, as security-sync run and sync last found it configured.';
COMMENT ON COLUMN "sync"."stream_targets"."stream" IS 'Name of the stream.';
COMMENT ON COLUMN "sync"."stream_targets"."target_seconds" IS 'The target in seconds: the configured one, else that of the definition, but at least two ticks of the schedule.';
COMMENT ON COLUMN "sync"."stream_targets"."written_at" IS 'When it was last changed.';
