# The base may be any image with Node 24, a user 1000 and an `env` that knows -S; nothing is compiled, so both stages use the same
# one, and every platform of the base is a platform of this image.
ARG NODE_IMAGE=node:24-slim

FROM ${NODE_IMAGE} AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# No development packages and no embedded Postgres, because a container uses a real database. Types and source maps are not needed.
RUN npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund \
  && find node_modules -type f \( -name '*.d.ts' -o -name '*.d.cts' -o -name '*.d.mts' -o -name '*.map' \) -delete

FROM ${NODE_IMAGE}
# Set these when building a release: --build-arg VERSION=0.1.0 --build-arg REVISION=$(git rev-parse HEAD).
ARG VERSION=0.1.0
ARG REVISION=
LABEL org.opencontainers.image.title="huaweicloud-security-sync" \
      org.opencontainers.image.description="Keeps Huawei Cloud security lists (HSS, DBSS) as normalized PostgreSQL tables" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
ENV NODE_ENV=production \
    SECURITY_SYNC_HOST=0.0.0.0 \
    SECURITY_SYNC_PORT=8080
WORKDIR /app
COPY --from=packages /app/node_modules ./node_modules
COPY package.json ./
COPY migrations ./migrations
COPY src ./src
# On PATH, for `docker compose exec worker security-sync status`: Node resolves the link to find its packages.
RUN ln -s /app/src/main.ts /usr/local/bin/security-sync
# Works with a read-only root file system. The numeric id of "node": with a name, Kubernetes cannot verify that it is not root,
# and refuses runAsNonRoot.
USER 1000:1000
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.SECURITY_SYNC_PORT}/livez`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# Node itself is process 1, because npm does not forward all signals.
ENTRYPOINT ["security-sync"]
CMD ["run"]
