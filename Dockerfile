# The base may be any image with Node 24 and a user "node"; nothing is compiled, so both stages use the same one.
ARG NODE_IMAGE=node:24-slim

FROM ${NODE_IMAGE} AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# No development packages, and no embedded Postgres: a container has a real database. Types and source maps are never run.
RUN npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund \
  && find node_modules -type f \( -name '*.d.ts' -o -name '*.d.cts' -o -name '*.d.mts' -o -name '*.map' \) -delete

FROM ${NODE_IMAGE}
ENV NODE_ENV=production \
    SECURITY_SYNC_HOST=0.0.0.0 \
    SECURITY_SYNC_PORT=8080
WORKDIR /app
COPY --from=packages /app/node_modules ./node_modules
COPY package.json ./
COPY migrations ./migrations
COPY src ./src
# Writes nothing: runs with a read-only root file system.
USER node
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.SECURITY_SYNC_PORT}/livez`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# Node itself is process 1: npm would keep the signals to itself.
ENTRYPOINT ["src/main.ts"]
CMD ["run"]
