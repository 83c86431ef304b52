import { offsetPaging } from '../../core/stream/endpoint.ts';
import { instant, int, json, text } from '../../core/stream/fields.ts';
import { defineStream } from '../../core/stream/stream.ts';
import { drizzleTables, hss } from '../../core/stream/table.ts';
import { fixed, moving } from '../../core/walk/order.ts';

export const hssWeakPasswords = defineStream({
  name: 'hss_weak_passwords',
  about: 'Hosts with weak passwords, and the accounts that have them. The passwords are not stored.',
  document: 'https://support.huaweicloud.com/api-hss2.0/ListWeakPasswordUsers.html',
  group: 'baseline',
  endpoint: {
    service: 'hss',
    method: 'GET',
    paths: ['/v5/{project_id}/baseline/weak-password-users'],
    enterpriseProjects: true,
  },
  paging: offsetPaging({ list: 'data_list' }),
  order: [moving('update_time'), fixed('host_id')],
  secrets: { desensitized_weak_passwords: 'the password, with some of its characters hidden' },
  history: true,
  members: {
    weak_pwd_accounts: {
      name: 'weak_password_accounts',
      about: 'Accounts whose password is weak, on which host and of which service. The passwords are not stored.',
      key: ['user_name', 'service_type'],
      fields: {
        user_name: text('Name of the account.'),
        service_type: text('What the account is for; empty where the list does not say.', {
          values: ['system', 'mysql', 'redis', 'tomcat', 'ftp'],
          emptyInKey: true,
        }),
        duration: int('Days that the password was in use when the host was last checked.', { volatile: true }),
        suggestion: text('What to do about it.'),
      },
    },
  },
  schedule: '*/10 * * * *',
  reconcileEveryMs: 12 * 3_600_000,
  targetMs: 3_600_000,
  table: {
    schema: hss,
    name: 'weak_passwords',
    key: ['host_id'],
    fields: {
      host_id: text('Id of the host.'),
      host_name: text('Name of the host.'),
      private_ip: text('Private IP address of the host.', { optional: true }),
      public_ip: text('Elastic IP address of the host; empty without one.', { optional: true }),
      host_ip: text('Private IP address of the host, in the older of two fields.'),
      weak_pwd_accounts: json('The accounts: objects with user_name, service_type, duration in days and suggestion.', {
        // The days that a password was in use grow by one every day.
        volatileMembers: ['duration'],
      }),
      update_time: instant('When the host was last checked.', { volatile: true, optional: true }),
    },
  },
});

export const { table, history, weak_pwd_accounts } = drizzleTables(hssWeakPasswords);
