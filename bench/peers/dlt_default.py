"""Cluster events with dlt's REST source into its Postgres destination, with its default settings, merged by event_id.

Arguments: base URL of the sandbox, project id, token, database URL, folder for dlt's working files.
"""

import sys

import dlt
from dlt.destinations import postgres
from dlt.sources.rest_api import rest_api_source
from usage import report

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
pipeline = dlt.pipeline("events", destination=postgres(database), dataset_name="dlt_default", pipelines_dir=folder)
pipeline.run(source)
with pipeline.sql_client() as client:
    report(client.execute_sql("select count(*) from cluster_events")[0][0])
