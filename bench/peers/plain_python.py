"""Cluster events with requests and psycopg: one executemany upsert for each page.

Arguments: base URL of the sandbox, project id, token, database URL, folder for working files (not used).
"""

import sys

import psycopg
import requests
from psycopg.types.json import Jsonb
from usage import report

COLUMNS = [
    "event_id", "event_class_id", "event_name", "event_type", "event_content", "action", "handle_status", "create_time",
    "update_time", "cluster_id", "cluster_name", "enterprise_project_id", "policy_id", "policy_name", "resource_info",
]  # fmt: skip
base, project, token, database, _ = sys.argv[1:]
table = "plain_python.cluster_events"
values = ", ".join(["%s"] * len(COLUMNS))
changes = ", ".join(f"{name} = excluded.{name}" for name in COLUMNS[1:])
upsert = f"insert into {table} ({', '.join(COLUMNS)}) values ({values}) on conflict (event_id) do update set {changes}"

with requests.Session() as session, psycopg.connect(database, autocommit=True) as connection:
    session.headers.update({"X-Auth-Token": token, "region": "cn-north-4"})
    connection.execute("create schema if not exists plain_python")
    connection.execute(
        f"""create table if not exists {table} (event_id text primary key, event_class_id text, event_name text,
        event_type int, event_content text, action text, handle_status text, create_time bigint, update_time bigint,
        cluster_id text, cluster_name text, enterprise_project_id text, policy_id text, policy_name text,
        resource_info jsonb)"""
    )
    offset = 0
    while True:
        query = {"enterprise_project_id": "all_granted_eps", "limit": 200, "offset": offset}
        answer = session.get(f"{base}/v5/{project}/cluster-protect/events", params=query, timeout=60)
        answer.raise_for_status()
        page = answer.json()
        rows = [[row.get(name) for name in COLUMNS[:-1]] + [Jsonb(row["resource_info"])] for row in page["data_list"]]
        if not rows:
            break
        with connection.transaction(), connection.cursor() as cursor:
            cursor.executemany(upsert, rows)
        offset += len(rows)
        if offset >= page["total_num"]:
            break
    report(connection.execute(f"select count(*) from {table}").fetchone()[0])
