import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** An attribute of a model in the Python SDK. */
export interface Attribute {
  /** Its name on the wire. */
  readonly name: string;
  /** Its type in the notation of the SDK: `str`, `int`, `list[RegistryImagesInfo]`. */
  readonly type: string;
  readonly required: boolean;
  /** The description, usually in Chinese. */
  readonly text: string;
}

export type Place = 'path' | 'query' | 'header' | 'body';

/** An operation of the SDK's client. */
export interface SdkOperation {
  readonly method: string;
  readonly path: string;
  readonly request: string;
  readonly response: string;
  /** The place of each attribute of the request. */
  readonly places: ReadonlyMap<string, Place>;
}

/** One service of the unpacked SDK, such as `huaweicloudsdkhss/v5`. */
export class Sdk {
  readonly #folder: string;
  readonly #client: string;

  constructor(folder: string, service: string) {
    this.#folder = folder;
    this.#client = readFileSync(join(folder, `${service}_client.py`), 'utf8');
  }

  /** Finds an operation such as `ListHostStatus`; undefined if the SDK does not have it. */
  operation(name: string): SdkOperation | undefined {
    const start = this.#client.indexOf(`def _${snake(name)}_http_info(`);
    if (start < 0) return undefined;
    const block = this.#client.slice(start, this.#client.indexOf('return http_info', start));
    const said = (key: string): string => new RegExp(`"${key}": "([^"]*)"`).exec(block)?.[1] ?? '';
    const places = new Map<string, Place>();
    for (const [, name = ''] of block.matchAll(/ path_params\['(.+?)'\]/g)) places.set(name, 'path');
    for (const [, name = ''] of block.matchAll(/query_params\.append\(\('(.+?)'/g)) places.set(name, 'query');
    for (const [, name = ''] of block.matchAll(/header_params\['(.+?)'\] = local_var/g)) places.set(name, 'header');
    if (block.includes("local_var_params['body']")) places.set('body', 'body');
    return {
      method: said('method'),
      path: said('resource_path'),
      request: `${name}Request`,
      response: said('response_type'),
      places,
    };
  }

  /** The attributes of a model; undefined for a type that is not a model. */
  model(name: string): readonly Attribute[] | undefined {
    const file = join(this.#folder, 'model', `${snake(name)}.py`);
    if (!existsSync(file)) return undefined;
    const source = readFileSync(file, 'utf8');
    const types = entries(source, 'openapi_types');
    const names = new Map(entries(source, 'attribute_map'));
    return types.map(([attribute, type]) => ({
      name: names.get(attribute) ?? attribute,
      type,
      required: !source.includes(`        if ${attribute} is not None:\n`),
      text:
        new RegExp(`:param ${attribute}: ([\\s\\S]*?)\\n        :type ${attribute}:`).exec(source)?.[1]?.trim() ?? '',
    }));
  }
}

function entries(source: string, name: string): readonly (readonly [string, string])[] {
  const block = new RegExp(`    ${name} = \\{([^}]*)\\}`).exec(source)?.[1] ?? '';
  return [...block.matchAll(/'(.+?)': '(.+?)'/g)].map(([, key = '', value = '']) => [key, value]);
}

/** The SDK's file name of an operation: `ListK8sDaemonSets` is `list_k8s_daemon_sets`. */
export function snake(name: string): string {
  return name
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replaceAll(/([A-Z]+)([A-Z][a-z])/g, '$1_$2')
    .toLowerCase();
}
