#!/bin/sh
# Runs once, when the database is created: creates the login roles of the service and the dashboards. Their rights are granted
# by `security-sync roles`, after the tables exist.
set -eu
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
  --set writer="$WRITER_PASSWORD" --set reader="$READER_PASSWORD" <<'SQL'
CREATE ROLE security_sync_writer LOGIN PASSWORD :'writer';
CREATE ROLE security_sync_reader LOGIN PASSWORD :'reader';
SQL
