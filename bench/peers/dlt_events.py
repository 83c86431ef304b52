"""Cluster events with dlt's REST source into its Postgres destination, merged by event_id. Prints seconds and rows as JSON.

Arguments: base URL of the sandbox, project id, token, database URL, folder for dlt's working files.
"""

import json
import sys
import time

import dlt
from dlt.destinations import postgres
from dlt.sources.rest_api import rest_api_source

base, project, token, database, folder = sys.argv[1:]
source = rest_api_source(
    {
        "client": {"base_url": base, "headers": {"X-Auth-Token": token, "region": "cn-north-4"}},
        "resources": [
            {
                "name": "cluster_events",
                "primary_key": "event_id",
                "write_disposition": {"disposition": "merge", "strategy": "upsert"},
                "endpoint": {
                    "path": f"v5/{project}/cluster-protect/events",
                    "params": {"enterprise_project_id": "all_granted_eps"},
                    "data_selector": "data_list",
                    "paginator": {"type": "offset", "limit": 200, "total_path": "total_num"},
                },
            }
        ],
    }
)
source.max_table_nesting = 0
pipeline = dlt.pipeline("events", destination=postgres(database), dataset_name="dlt_hss", pipelines_dir=folder)
started = time.monotonic()
pipeline.run(source)
seconds = time.monotonic() - started
with pipeline.sql_client() as client:
    rows = client.execute_sql("select count(*) from cluster_events")[0][0]
print(json.dumps({"seconds": seconds, "rows": rows}))
