import { offsetPaging } from '../../core/stream/endpoint.ts';
import { flag, instant, int, text } from '../../core/stream/fields.ts';
import { defineStream } from '../../core/stream/stream.ts';
import { drizzleTables, hss } from '../../core/stream/table.ts';
import { fixed, moving } from '../../core/walk/order.ts';

/** Absent in the published example. */
const optional = true;
const CHARACTERS = { min: 0, max: 10, optional };

export const hssPasswordPolicies = defineStream({
  name: 'hss_password_policies',
  about: 'Hosts whose password policy is too weak, and the weak rules.',
  document: 'https://support.huaweicloud.com/api-hss2.0/ListPasswordComplexity.html',
  group: 'baseline',
  onByDefault: false,
  endpoint: {
    service: 'hss',
    method: 'GET',
    paths: ['/v5/{project_id}/baseline/password-complexity'],
    enterpriseProjects: true,
  },
  paging: offsetPaging({ list: 'data_list' }),
  // Without this parameter the API lists only `unhandled`.
  listings: [{ result_type: 'unhandled' }, { result_type: 'ignored' }],
  order: [moving('update_time'), fixed('host_id')],
  history: true,
  schedule: '*/10 * * * *',
  reconcileEveryMs: 12 * 3_600_000,
  targetMs: 3_600_000,
  table: {
    schema: hss,
    name: 'password_policies',
    key: ['result_type', 'host_id'],
    indexes: [['host_id']],
    fields: {
      result_type: text('Which of the two lists the row comes from: unhandled or ignored.', {
        values: ['unhandled', 'ignored'],
        optional,
      }),
      host_id: text('Id of the host.'),
      host_name: text('Name of the host.'),
      host_ip: text('Private IP address of the host, in the older of two fields.'),
      private_ip: text('Private IP address of the host.', { optional }),
      public_ip: text('Elastic IP address of the host; empty without one.', { optional }),
      min_length: flag('Whether the rule for the length is strict enough.'),
      uppercase_letter: flag('Whether the rule for capital letters is strict enough.'),
      lowercase_letter: flag('Whether the rule for small letters is strict enough.'),
      number: flag('Whether the rule for digits is strict enough.'),
      special_character: flag('Whether the rule for special characters is strict enough.'),
      min_length_num: int('Minimum number of characters.', { min: 8, max: 26, optional }),
      min_uppercase_letter: int('Minimum number of capital letters.', CHARACTERS),
      min_lowercase_letter: int('Minimum number of small letters.', CHARACTERS),
      min_number: int('Minimum number of digits.', CHARACTERS),
      min_special_character: int('Minimum number of special characters.', CHARACTERS),
      suggestion: text('Suggested policy.'),
      update_time: instant('When the host was last checked.', { volatile: true, optional }),
    },
  },
});

export const { table, history } = drizzleTables(hssPasswordPolicies);
