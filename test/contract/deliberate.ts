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
};
