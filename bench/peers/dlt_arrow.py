"""Cluster events with dlt: pages as Arrow tables, loaded through ADBC, merged by event_id.

Arguments: base URL of the sandbox, project id, token, database URL, folder for dlt's working files.
"""

import json
import sys

import dlt
import pyarrow
import requests
from dlt.destinations import postgres
from usage import report

base, project, token, database, folder = sys.argv[1:]
TEXTS = [
    "event_id", "event_class_id", "event_name", "event_content", "action", "handle_status", "cluster_id",
    "cluster_name", "enterprise_project_id", "policy_id", "policy_name", "resource_info",
]  # fmt: skip
NUMBERS = ["event_type", "create_time", "update_time"]
SCHEMA = pyarrow.schema(
    [pyarrow.field(name, pyarrow.string(), nullable=name != "event_id") for name in TEXTS]
    + [pyarrow.field(name, pyarrow.int64()) for name in NUMBERS]
)


@dlt.resource(primary_key="event_id", write_disposition={"disposition": "merge", "strategy": "upsert"})
def cluster_events():
    with requests.Session() as session:
        session.headers.update({"X-Auth-Token": token, "region": "cn-north-4"})
        offset = 0
        while True:
            query = {"enterprise_project_id": "all_granted_eps", "limit": 200, "offset": offset}
            answer = session.get(f"{base}/v5/{project}/cluster-protect/events", params=query, timeout=60)
            answer.raise_for_status()
            page = answer.json()
            rows = page["data_list"]
            if not rows:
                return
            for row in rows:
                row["resource_info"] = json.dumps(row["resource_info"])
            yield pyarrow.Table.from_pylist(rows, schema=SCHEMA)
            offset += len(rows)
            if offset >= page["total_num"]:
                return


pipeline = dlt.pipeline("events_arrow", destination=postgres(database), dataset_name="dlt_arrow", pipelines_dir=folder)
pipeline.run(cluster_events(), loader_file_format="parquet")
with pipeline.sql_client() as client:
    report(client.execute_sql("select count(*) from cluster_events")[0][0])
