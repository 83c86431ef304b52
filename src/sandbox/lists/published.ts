// The response examples of the public API documents, unchanged. String.raw keeps the escapes as sent.

/** The event list in the English document. */
export const CLUSTER_EVENTS_EN = String.raw`{
  "total_num" : 1,
  "data_list" : [ {
    "project_id" : "84b5266c14ae489fa6549827f032dc62",
    "enterprise_project_id" : "0",
    "action" : "warn",
    "update_time" : 1695094500324,
    "event_id" : "03368dc5-80ae-482f-8fa8-e62d778bb29f",
    "cluster_id" : "44753d6c-415e-11ee-834b-0255ac1001b2",
    "event_class_id" : "clusterprotect_1001",
    "event_type" : 3009,
    "handle_status" : "unhandled",
    "event_content" : "{\"enforcementAction\":\"warn\",\"group\":\"\",\"kind\":\"Pod\",\"message\":\"hit label a4, vul image nginx can not startup.\",\"name\":\"deny11\",\"namespace\":\"test-lby\",\"version\":\"v1\"}",
    "policy_id" : "4636a2d6-1b8c-44d3-863d-7d881348d32a",
    "policy_name" : "lbytest-warn",
    "resource_info" : {
      "enforcement_action" : "warn",
      "group" : "",
      "kind" : "Pod",
      "message" : "hit label a4, vul image nginx can not startup.",
      "name" : "deny11",
      "namespace" : "test-lby",
      "version" : "v1"
    }
  } ]
}
`;

/** The event list in the Chinese document, which spells some fields in camelCase. */
export const CLUSTER_EVENTS_ZH = String.raw`{
  "total_num" : 2,
  "data_list" : [ {
    "projectId" : "84b5266c14ae489fa6549827f032dc62",
    "enterpriseProjectId" : "0",
    "action" : "warn",
    "updateTime" : 1695094500324,
    "event_id" : "03368dc5-80ae-482f-8fa8-e62d778bb29f",
    "cluster_id" : "44753d6c-415e-11ee-834b-0255ac1001b2",
    "event_class_id" : "clusterprotect_1001",
    "event_type" : 3009,
    "handle_status" : "unhandled",
    "event_content" : "{\"enforcementAction\":\"warn\",\"group\":\"\",\"kind\":\"Pod\",\"message\":\"hit label a4, vul image nginx can not startup.\",\"name\":\"deny11\",\"namespace\":\"test-lby\",\"version\":\"v1\"}",
    "policy_id" : "4636a2d6-1b8c-44d3-863d-7d881348d32a",
    "policy_name" : "lbytest-warn",
    "resource_info" : {
      "enforcementAction" : "warn",
      "group" : "",
      "kind" : "Pod",
      "message" : "hit label a4, vul image nginx can not startup.",
      "name" : "deny11",
      "namespace" : "test-lby",
      "version" : "v1"
    }
  }, {
    "projectId" : "84b5266c14ae489fa6549827f032dc62",
    "enterpriseProjectId" : "0",
    "action" : "warn",
    "updateTime" : 1695094500324,
    "event_id" : "cbbf88ab-385f-4ecc-a3b2-b933bdbd467f",
    "cluster_id" : "44753d6c-415e-11ee-834b-0255ac1001b2",
    "event_class_id" : "clusterprotect_1001",
    "event_type" : 3009,
    "handle_status" : "unhandled",
    "event_content" : "{\"enforcementAction\":\"warn\",\"group\":\"\",\"kind\":\"Pod\",\"message\":\"hit label a4, vul image swr.cn-north-7.myhuaweicloud.com/scc_cgs_f00418753/nginx:test can not startup.\",\"name\":\"nginx-test-65d79f9d9f-jmmn4\",\"namespace\":\"default\",\"version\":\"v1\"}",
    "policy_id" : "4636a2d6-1b8c-44d3-863d-7d881348d32a",
    "policy_name" : "lbytest-warn",
    "resource_info" : {
      "enforcementAction" : "warn",
      "group" : "",
      "kind" : "Pod",
      "message" : "hit label a4, vul image swr.cn-north-7.myhuaweicloud.com/scc_cgs_f00418753/nginx:test can not startup.",
      "name" : "nginx-test-65d79f9d9f-jmmn4",
      "namespace" : "default",
      "version" : "v1"
    }
  } ]
}
`;

/** The security check reports of clusters. */
export const CLUSTER_REPORTS = `{
  "total_num" : 1,
  "data_list" : [ {
    "report_id" : "288d4f2e-8c4e-438a-8c14-be350a",
    "cluster_name" : "clusterName",
    "cluster_id" : "43411c30-450b-11f0-a624-0251b7",
    "cluster_category" : "CCE",
    "severity" : "Insecurity",
    "local_image_vul_num" : 1,
    "risk_config_num" : 0,
    "privileged_container_num" : 0,
    "scan_time" : 1755505273836
  } ]
}
`;

/** The handling history of an image vulnerability; its image_id is a number. */
export const HANDLE_HISTORY = `{
  "total_num" : 1,
  "data_list" : [ {
    "image_id" : 123456,
    "image_name" : "image",
    "image_digest" : "xxx",
    "image_version" : "xxx",
    "agent_id" : "xxx",
    "user_name" : "scc_hss_g00840938_01",
    "handle_time" : 1736473343218,
    "handle_type" : "manual_repair",
    "status" : "vul_status_fixed",
    "app_name" : "async-http-client",
    "app_version" : "1.7.17",
    "app_path" : "/usr/local/bin/mysqld",
    "remark" : "One application vulnerability has been fixed."
  } ]
}
`;

/** The audit reports of a database audit instance. */
export const AUDIT_REPORTS = `{
  "total" : 1,
  "reports" : [ {
    "report" : {
      "id" : "ocdwy5gBPj4d6CRt90sh",
      "name" : "Database Security General Report",
      "type" : "AUDIT_REPORT_REAL_TIME",
      "format" : "pdf",
      "percentum" : 100,
      "url" : "/results/ocdwy5gBPj4d6CRt90sh/download-report",
      "finish_time" : "2025-08-21 07:03:56",
      "db_ids" : "",
      "template_type" : "COMPREHENSIVE",
      "start_time" : "2025-08-20 16:00:00",
      "end_time" : "2025-08-21 07:03:31",
      "db_names" : ""
    }
  } ]
}
`;
