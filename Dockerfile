# The base may be any image with Node 24, a user 1000 and an `env` that knows -S. Both stages use the same one.
ARG NODE_IMAGE=node:24-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY scripts/build.ts ./scripts/
COPY src ./src
# One bundle with the packages it needs: the image has no others, and no embedded Postgres, because a container uses a real database.
RUN node scripts/build.ts --bundle

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
COPY --from=build /app/dist ./dist
COPY package.json ./
COPY bin ./bin
COPY migrations ./migrations
# On PATH, for `docker compose exec worker security-sync status`: Node resolves the link to find the program.
RUN ln -s /app/bin/security-sync.js /usr/local/bin/security-sync && install -d -o 1000 -g 1000 /app/compiled
# Works with a read-only root file system. The numeric id of "node": with a name, Kubernetes cannot verify that it is not root,
# and refuses runAsNonRoot.
USER 1000:1000
# Commands start faster with the code that this compiles. It is stored for this user and this version of Node.
ENV NODE_COMPILE_CACHE=/app/compiled
RUN security-sync streams > /dev/null && for command in status sync; do security-sync $command > /dev/null 2>&1 || true; done
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.SECURITY_SYNC_PORT}/livez`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# Node itself is process 1, because npm does not forward all signals.
ENTRYPOINT ["security-sync"]
CMD ["run"]
