-- A run of a stream without a single list to read was stored as certified in 1970; it is as certified as its parent was then.
UPDATE "sync"."runs" r SET "certified_at" = coalesce((
  SELECT p."certified_at" FROM "sync"."runs" p
  WHERE p."project_id" = r."project_id" AND p."certificate" = 'complete' AND p."certified_at" > 'epoch'
    AND p."started_at" <= r."started_at"
    AND p."stream" = CASE r."stream"
      WHEN 'dbss_audit_reports' THEN 'dbss_audit_instances'
      WHEN 'hss_image_vulnerability_operations' THEN 'hss_image_vulnerabilities' END
  ORDER BY p."started_at" DESC LIMIT 1
), r."started_at") WHERE r."certified_at" = 'epoch';
