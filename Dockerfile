# The log server as a container: docker-compose.yml shows how it is run.

FROM rust:1-bookworm AS build
WORKDIR /build

# What ISA-L, the fast compressor of archives, is built with.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends nasm autoconf automake libtool make \
    && rm -rf /var/lib/apt/lists/*

# `--build-arg FEATURES=isal,remap` for filters of `type = "remap"`.
ARG FEATURES=isal

# As in .cargo/config.toml.
ENV AWS_LC_SYS_NO_JITTER_ENTROPY=1

# The dependencies alone, so that this layer stays cached until a manifest changes.
COPY Cargo.toml Cargo.lock ./
RUN mkdir src \
    && echo 'fn main() {}' > src/main.rs \
    && touch src/lib.rs \
    && cargo build --release --locked --features "$FEATURES" \
    && rm -r src

COPY config config
COPY src src
# Cargo compares modification times, and those of a checkout may be older than the stand-ins above.
RUN touch src/main.rs src/lib.rs \
    && cargo build --release --locked --features "$FEATURES"

FROM debian:bookworm-slim

# procps brings /bin/kill: `docker exec mrwebdefence-logserver kill -USR1 1` flushes.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends procps \
    && rm -rf /var/lib/apt/lists/*

# Fixed numbers, so that whoever prepares a volume or a key file can say who may read it. A new named volume takes
# its owner from these folders.
RUN groupadd --gid 10001 hikyaku \
    && useradd --uid 10001 --gid hikyaku --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin hikyaku \
    && install --directory --owner hikyaku --group hikyaku --mode 0750 \
        /var/lib/hikyaku /var/log/hikyaku /var/log/mrwebdefence \
    && install --directory /etc/hikyaku/certs

COPY config/hikyaku.toml /etc/hikyaku/hikyaku.toml
COPY --from=build /build/target/release/hikyaku /usr/local/bin/hikyaku

# Inside a container the operator's ports have to listen on all addresses; publish them on the host's loopback.
ENV HIKYAKU_CERTS=/etc/hikyaku/certs \
    HIKYAKU_ADMIN_ADDRESS=0.0.0.0

USER 10001:10001
# Archive; journal, cursors and dead letters; what no output or no customer claims.
VOLUME ["/var/log/mrwebdefence", "/var/lib/hikyaku", "/var/log/hikyaku"]
# Forward over mutual TLS; health; monitor agent; Prometheus.
EXPOSE 8888 8889 24220 24231
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 CMD ["hikyaku", "health"]
ENTRYPOINT ["hikyaku"]
CMD ["run", "-c", "/etc/hikyaku/hikyaku.toml"]
