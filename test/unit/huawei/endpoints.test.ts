import { describe, expect, it } from 'vitest';
import {
  endpointOf,
  knownRegions,
  metadataEndpoint,
  regionOfProject,
  regionsOf,
} from '../../../src/huawei/transport/endpoints.ts';

describe('endpoints', () => {
  it.each([
    ['hss', 'cn-north-4', 'https://hss.cn-north-4.myhuaweicloud.com'],
    ['hss', 'eu-west-101', 'https://hss.eu-west-101.myhuaweicloud.eu'],
    ['dbss', 'ru-northwest-2', 'https://dbss.ru-northwest-2.myhuaweicloud.com'],
    ['iam', 'cn-north-4', 'https://iam.cn-north-4.myhuaweicloud.com'],
    ['iam', 'eu-west-101', 'https://iam.eu-west-101.myhuaweicloud.eu'],
    ['iam', 'af-north-1', 'https://iam.myhuaweicloud.com'],
    ['iam', 'ru-northwest-2', 'https://iam.myhuaweicloud.com'],
    ['iam', null, 'https://iam.myhuaweicloud.com'],
    ['eps', 'cn-north-4', 'https://eps.myhuaweicloud.com'],
    ['eps', 'ap-southeast-1', 'https://eps.myhuaweicloud.com'],
    ['eps', 'eu-west-101', 'https://eps.eu-west-101.myhuaweicloud.eu'],
    ['eps', 'ru-moscow-1', 'https://eps.ru-moscow-1.myhuaweicloud.com'],
    ['eps', 'my-kualalumpur-1', 'https://eps.my-kualalumpur-1.myhuaweicloud.com'],
    ['eps', null, 'https://eps.myhuaweicloud.com'],
  ] as const)('%s in %s is %s', (service, region, url) => {
    expect(endpointOf(service, region)).toBe(url);
  });

  it('are those of the account, if it configures them', () => {
    const endpoints = { hss: 'http://127.0.0.1:8099/', metadata: 'http://127.0.0.1:8099/' };
    expect(endpointOf('hss', 'cn-north-4', endpoints)).toBe('http://127.0.0.1:8099');
    expect(endpointOf('dbss', 'cn-north-4', endpoints)).toBe('https://dbss.cn-north-4.myhuaweicloud.com');
    expect(metadataEndpoint(endpoints)).toBe('http://127.0.0.1:8099');
    expect(metadataEndpoint()).toBe('http://169.254.169.254');
  });

  it('cover 32 regions of HSS and 30 of DBSS', () => {
    expect(regionsOf.hss).toHaveLength(32);
    expect(regionsOf.dbss).toHaveLength(30);
    expect(knownRegions).toHaveLength(33);
    expect(knownRegions).toContain('ru-northwest-2');
  });

  it('find the region of a project by its name', () => {
    expect(regionOfProject('cn-north-4')).toBe('cn-north-4');
    expect(regionOfProject('cn-north-4_team_a')).toBe('cn-north-4');
    expect(regionOfProject('MOS')).toBeNull();
    expect(regionOfProject('eu-de_team')).toBeNull();
    expect(regionOfProject('eu-de_team', 'eu-de')).toBe('eu-de');
  });
});
