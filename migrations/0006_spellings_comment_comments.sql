COMMENT ON COLUMN "sync"."dialects"."spellings" IS 'The spelling that was answered with rows, for each parameter and value.';
