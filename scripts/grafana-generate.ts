/** `npm run grafana:generate`: writes the dashboards of `grafana/source` to `grafana/dashboards`, where Grafana reads them. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dashboardJson, dashboards } from '../grafana/source/index.ts';

const folder = join(import.meta.dirname, '..', 'grafana', 'dashboards');
for (const [name, dashboard] of dashboards()) writeFileSync(join(folder, `${name}.json`), dashboardJson(dashboard));
