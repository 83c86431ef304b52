import { offsetPaging } from '../../core/stream/endpoint.ts';
import { flag, instant, int, text } from '../../core/stream/fields.ts';
import { defineStream } from '../../core/stream/stream.ts';
import { hss } from '../../core/stream/table.ts';
import { fixed, moving } from '../../core/walk/order.ts';

/** Left out by the published answer. */
const optional = true;
const CHARACTERS = { min: 0, max: 10, optional };

export const hssPasswordPolicies = defineStream({
  name: 'hss_password_policies',
  about: 'Hosts whose rules for passwords are too weak, and which of the rules.',
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
  // Without it the list is that of unhandled.
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
      host_ip: text('Private IP address of the host, under the name that came first.'),
      private_ip: text('Private IP address of the host.', { optional }),
      public_ip: text('Elastic IP address of the host; empty without one.', { optional }),
      min_length: flag('Whether the rule for the length is strict enough.'),
      uppercase_letter: flag('Whether the rule for capital letters is strict enough.'),
      lowercase_letter: flag('Whether the rule for small letters is strict enough.'),
      number: flag('Whether the rule for digits is strict enough.'),
      special_character: flag('Whether the rule for special characters is strict enough.'),
      min_length_num: int('Number of characters that a password needs.', { min: 8, max: 26, optional }),
      min_uppercase_letter: int('Number of capital letters that it needs.', CHARACTERS),
      min_lowercase_letter: int('Number of small letters that it needs.', CHARACTERS),
      min_number: int('Number of digits that it needs.', CHARACTERS),
      min_special_character: int('Number of special characters that it needs.', CHARACTERS),
      suggestion: text('How to make the rules strict enough.'),
      update_time: instant('When the host was last checked.', { volatile: true, optional }),
    },
  },
});

export const { table, history } = hssPasswordPolicies;
