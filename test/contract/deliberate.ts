/**
 * Where a stream differs from the documents on purpose: `stream.column: what` -> the reason. `facts.test.ts` fails for every
 * difference that is not here, and for every line here that is no difference.
 */
export const DELIBERATE: Readonly<Record<string, string>> = {
  'dbss_audit_reports.percentum: range 0 to 100, documented any': 'a percentage; the documents give no range',
  'hss_image_vulnerabilities.description: length any, documented 128':
    'an advisory text; one that is longer says nothing about the API',
  'hss_image_vulnerabilities.url: length any, documented 128': 'as the description',
  'hss_image_vulnerabilities.solution_detail: length any, documented 128': 'as the description',
  'hss_vulnerable_images.image_type: values cicd, cluster, local_image, registry, documented cicd, local_image, registry':
    'requests for the images of clusters are documented',
  'hss_vulnerable_images.is_multi_arch: boolean for a documented text': 'a text with true or false',
  'hss_vulnerable_images.first_scan_time: timestamptz for a documented text': 'milliseconds, written as a text',
  'hss_vulnerable_images.latest_scan_time: timestamptz for a documented text': 'milliseconds, written as a text',
  'hss_containers.cluster_container: text for a documented boolean': 'it tells the two lists apart, as it is sent',
  'dbss_audit_summaries.instance_id: text for a documented integer': 'every other id of the service is a text',
};
